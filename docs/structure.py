"""Measure the structure of a checkout: `python docs/structure.py [TREE]` (default: the checkout that holds this file)."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

TOP = ("core", "tui", "benchmarks", "training")
SMALL = 40
WALK = re.compile(r"^## One response, file by file$(.*?)^## ", re.MULTILINE | re.DOTALL)
MODULE = re.compile(r"`((?:core|tui|benchmarks)/[\w/]+\.py)`")

Graph = dict[str, set[str]]


def files(tree: Path) -> Iterator[tuple[str, str]]:
    """Rows about files and their text: modules and lines by package, loose modules, small files, untyped dictionaries."""
    texts = {file.relative_to(tree): file.read_text(encoding="utf-8") for name in TOP for file in (tree / name).rglob("*.py")}
    lines = {file: len(text.splitlines()) for file, text in texts.items()}
    for name in TOP:
        sizes = [size for file, size in lines.items() if file.parts[0] == name]
        yield f"{name}: modules, lines", f"{len(sizes)}, {sum(sizes):,}" if sizes else "n/a"
    yield "all: modules, lines", f"{len(lines)}, {sum(lines.values()):,}"
    loose = [file for file in lines if len(file.parts) == 2 and file.parts[0] == "core" and file.name != "__init__.py"]
    yield "loose modules in core", str(len(loose))
    small = [file for file, size in lines.items() if size < SMALL and file.name != "__init__.py"]
    yield f"files under {SMALL} lines, without __init__.py", str(len(small))
    code = "\n".join(texts.values())
    yield "dict[str, Any] and Mapping[str, Any]", str(len(re.findall(r"\b(?:dict|Mapping)\[str, Any\]", code)))
    yield 'job["..."]', str(code.count('job["'))


def import_graph(tree: Path) -> Graph:
    """Module -> modules that it imports, imports within functions and for types included.

    Raises ImportError without grimp, and where a package of the tree cannot be found or parsed.
    """
    import grimp

    sys.path.insert(0, str(tree))
    names = [name for name in TOP if (tree / name / "__init__.py").is_file()]
    try:
        graph = grimp.build_graph(*names, cache_dir=None)
    except (ValueError, SyntaxError) as error:
        raise ImportError(str(error)) from error
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def grouped(graph: Graph, group: Callable[[str], str]) -> Graph:
    """The graph between groups of modules, without imports within one."""
    groups: Graph = {}
    for module, imported in graph.items():
        groups.setdefault(group(module), set()).update({group(other) for other in imported} - {group(module)})
    return groups


def package_of(module: str) -> str:
    """A top-level package; within core its subpackage or loose module."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == "core" else 1])


def circles(graph: Graph) -> list[list[str]]:
    """The sets of nodes that reach each other, largest first (strongly connected components of more than one node)."""
    reached = {node: _reachable(graph, node) for node in graph}
    components = {frozenset(other for other in reached[node] if node in reached.get(other, ())) for node in graph}
    return sorted((sorted(component) for component in components if len(component) > 1), key=lambda one: (-len(one), one))


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen, stack = set[str](), [start]
    while stack:
        new = graph.get(stack.pop(), set()) - seen
        seen |= new
        stack += new
    return seen


def imports(tree: Path) -> Iterator[tuple[str, str]]:
    """Rows about import circles."""
    between, within = "import circles between packages", "import circles between files of tui"
    try:
        graph = import_graph(tree)
    except ImportError as error:
        yield from ((between, f"n/a ({error})"), (within, "n/a"))
        return
    screens = {module: imported for module, imported in graph.items() if module.split(".")[0] == "tui"}
    for title, rows in ((between, circles(grouped(graph, package_of))), (within, circles(screens))):
        yield title, "; ".join((str(len(rows)), *(f"{len(circle)} nodes: {' '.join(circle)}" for circle in rows)))


def walk(tree: Path) -> Iterator[tuple[str, str]]:
    """A row about the files that one response passes, as docs/architecture.md lists them."""
    page = tree / "docs" / "architecture.md"
    section = WALK.search(page.read_text(encoding="utf-8")) if page.is_file() else None
    walked = set(MODULE.findall(section[1])) if section else set()
    missing = sorted(file for file in walked if not (tree / file).is_file())
    count = f"{len(walked)}{f', missing: {chr(32).join(missing)}' if missing else ''}"
    yield "files that one response passes", count if section else "n/a"


def main() -> int:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    tree = parser.parse_args().tree.resolve()
    for part in (files, imports, walk):
        for title, figure in part(tree):
            print(f"{title:45} {figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

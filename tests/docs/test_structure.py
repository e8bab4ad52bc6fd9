"""The pages name files that exist, and docs/structure.py measures this checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
PATH = re.compile(r"`((?:core|tui|benchmarks|training|tests|docs|native)/[\w./-]*)")
NAME = re.compile(r"`([\w.]+)` in `([\w/]+\.py)`")
SCRIPT = REPOSITORY / "docs" / "structure.py"


def measured(*arguments: str) -> dict[str, str]:
    """The figures of docs/structure.py by their titles."""
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=120, check=True)
    return {title: figure for title, figure in (re.split(r" {2,}", line, maxsplit=1) for line in done.stdout.splitlines())}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(REPOSITORY)) for page in PAGES])
def test_paths_exist(page: Path) -> None:
    paths = set(PATH.findall(page.read_text(encoding="utf-8")))
    assert [path for path in sorted(paths) if not (REPOSITORY / path).exists()] == []


def test_names_stand_in_their_files() -> None:
    names = NAME.findall((REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8"))
    lost = [
        (name, path)
        for name, path in names
        if not all(
            re.search(rf"(def|class) {part}\b", (REPOSITORY / path).read_text(encoding="utf-8")) for part in name.split(".")
        )
    ]
    assert len(names) >= 7 and lost == []


def test_the_structure_is_measured() -> None:
    figures = measured()
    assert figures["loose modules in core"] == "4"
    assert figures["import circles between packages"] == "0"
    assert int(figures["files that one response passes"]) > 30  # a missing file would stand behind the number


def test_circles_and_missing_pages_are_told(tmp_path: Path) -> None:
    for name, text in {"core/a/x.py": "import core.b.y\n", "core/b/y.py": "def f() -> None:\n    import core.a.x\n"}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
        (file.parent / "__init__.py").touch()
    (tmp_path / "core" / "__init__.py").touch()
    figures = measured(str(tmp_path))
    assert figures["import circles between packages"] == "1; 2 nodes: core.a core.b"
    assert figures["files that one response passes"] == "n/a"
    assert figures["core: modules, lines"] == "5, 3"

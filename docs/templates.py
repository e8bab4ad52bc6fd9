"""Write docs/templates.md from the chat templates in llama.cpp's sources: `python docs/templates.py` (--check: write none).

The source archive of llama-cpp-python carries them. It is looked for where LRM_LLAMA_SOURCE says, else in ~/.cache/lrm-tui;
`pip download llama-cpp-python --no-binary llama-cpp-python --no-deps` gets it. Without it nothing is written or checked.
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from core.engines.decode.chat import render
from core.engines.decode.facts import PROBE, Probe, TemplateFacts, facts_of, tail_of
from core.engines.decode.template import TemplateFailure
from core.engines.host.wire import TemplateOptions

PAGE = Path(__file__).with_name("templates.md")
TOKENS = {"bos_token": "<BOS>", "eos_token": "<EOS>"}
ANSWER = "It is 42."
ABSENT = "The source archive of llama-cpp-python is not here (LRM_LLAMA_SOURCE), so its templates are not looked at."
_HEAD = """# What real chat templates do with thinking

<!-- Made by `python docs/templates.py` from llama.cpp's sources; changes belong there. -->

The {count} templates that the sources of llama.cpp carry, as lrm-tui finds them: nothing is listed by model, each template is
rendered with different arguments and compared. {failed} of them fail in transformers too, which passes no tools and no
functions: they are meant for tool use alone.

Where a prompt leaves the thinking: *opened* (it ends within it), *left to the model*, *closed* (thinking is off), *none* (the
template knows no thinking). *By default* is what the template does with no argument; *in a run* what lrm-tui sends unless
`--thinking off` says otherwise. *Ends* is what the template writes behind an answer, `<EOS>` being the model's own token.

| by default | templates |
| --- | ---: |
{counts}

In a run: {in_run}.

| template | by default | in a run | switch (on / off) | effort | budget | opens | closes | ends |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def archive() -> Path | None:
    """The source archive of llama-cpp-python; None where it is not here."""
    if (named := os.environ.get("LRM_LLAMA_SOURCE")) is not None:
        return Path(named) if Path(named).is_file() else None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lrm-tui"
    return max(cache.glob("llama_cpp_python-*.tar.gz"), default=None)


def templates(path: Path) -> dict[str, str]:
    """The templates in the archive by name."""
    found: dict[str, str] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if name.suffix == ".jinja" and name.parent.match("models/templates") and (file := tar.extractfile(member)):
                found[name.stem] = file.read().decode("utf-8")
    return dict(sorted(found.items(), key=lambda entry: entry[0].lower()))


def looked_at(source: str) -> tuple[str, TemplateFacts]:
    """Where the template leaves the thinking by default, and what a run makes of it. Raises TemplateFailure."""

    def rendered(turn: str, arguments: Mapping[str, Any]) -> str:
        return render(source, turn, TOKENS, arguments, "2026-01-01")

    facts = facts_of(source, rendered, TemplateOptions())
    usual = Probe(source, rendered).rendered({})
    state = "none" if facts.marks is None or usual is None else facts.marks.state(tail_of(usual, PROBE))
    return state, facts


def ending(source: str) -> str:
    """What the template writes behind an answer; empty where it cannot be told."""
    turns = [{"role": "user", "content": PROBE}, {"role": "assistant", "content": ANSWER}]
    try:
        return render(source, turns, TOKENS, {}, "2026-01-01").rpartition(ANSWER)[2].strip()
    except TemplateFailure:
        return ""


def page(sources: Mapping[str, str]) -> Iterator[str]:
    """docs/templates.md."""
    rows, by_default, in_run, failed = [], Counter[str](), Counter[str](), 0
    for name, source in sources.items():
        try:
            usual, facts = looked_at(source)
        except TemplateFailure as failure:
            failed += 1
            rows.append(f"| {name} | fails | | | | | | | {_cell(str(failure).partition(': ')[2])} |")
            continue
        by_default[usual] += 1
        in_run[facts.state] += 1
        rows.append(f"| {name} | {usual} | {' | '.join(_facts(facts))} | {_code(ending(source))} |")
    counts = "\n".join(f"| {state} | {number} |" for state, number in by_default.most_common())
    spread = ", ".join(f"{number} {state}" for state, number in in_run.most_common())
    yield _HEAD.format(count=len(sources), failed=failed, counts=counts, in_run=spread)
    yield from rows


def _facts(facts: TemplateFacts) -> tuple[str, ...]:
    switch, marks = facts.switch, facts.marks
    return (
        facts.state,
        "" if switch is None else f"`{switch.name}` ({switch.on!r} / {switch.off!r})",
        _code(facts.effort or ""),
        _code(facts.budget or ""),
        _code(marks.opens if marks else ""),
        _code(marks.closes if marks else ""),
    )


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("\n", "\\n").replace("|", "\\|")


def main() -> int:
    """Write or check the page. Returns 1 where it is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is stale")
    check = parser.parse_args().check
    if (path := archive()) is None:
        print(ABSENT)
        return 0
    text = "\n".join(page(templates(path))).rstrip() + "\n"
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    print(f"{'stale, run `make docs`' if check else 'written'}: {PAGE.name}")
    return int(check)


if __name__ == "__main__":
    sys.exit(main())

"""What the pages say can be done: their links lead somewhere, their commands are ones that the grammar takes."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from tests.helpers.command_line import parsed

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(REPOSITORY)) for page in PAGES]
BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def commands(page: Path) -> list[str]:
    """The command lines of a page's blocks that start lrm-tui, continued lines joined."""
    text = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    lines = (re.sub(r"(^|\s)#.*", "", line).strip().removeprefix(".venv/bin/") for line in text.splitlines())
    return [line for line in lines if re.match(r"lrm-tui( [a-z-]|$)", line)]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not link.startswith(("http", "mailto"))]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_are_ones_that_exist(page: Path) -> None:
    for line in commands(page):
        _, *arguments = shlex.split(line)
        try:
            parsed([argument for argument in arguments if argument != "&"])
        except click.exceptions.Exit as end:
            assert end.exit_code == 0, line


def test_the_version_has_its_part_in_the_changelog() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\n## [{version}]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")

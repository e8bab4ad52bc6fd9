"""Write the pages that are made from the code: `python docs/generate.py` (--check: say which are stale, and write none)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from benchmarks.registry import of
from core.cli.program import DESCRIPTION, NAME, by_heading, program
from core.results.tables.published import RECORDED
from core.settings import Settings, default, divided, settings_file
from tui import keys as registry

NOTE = "<!-- Made by `make docs` from {source}; changes belong there. -->"
ENVIRONMENT = {
    "LRM_SETTINGS": "The settings file.",
    "LRM_DB": "The store, where `--db` names none; else runs.db in the current folder.",
    "LRM_DATA": "The folder of real benchmark files, where `--data` names none; else the Hugging Face hub.",
}


def commands() -> Iterator[str]:
    """docs/commands.md: every command and option."""
    yield from ("# Commands", "", NOTE.format(source="core/cli/commands"), "", DESCRIPTION, "")
    yield from ("Without a command, `lrm-tui` opens the workbench. With any command:", "", *_options(program.params), "")
    known = {flag for parameter in program.params for flag in parameter.opts}
    for heading, members in by_heading(program, click.Context(program, info_name=NAME)).items():
        yield from (f"## {heading}", "")
        for command in members:
            own = [parameter for parameter in command.params if not known & set(parameter.opts)]
            yield from (f"### lrm-tui {command.name}", "", command.help or "", "", "```", command.example, "```", "")
            yield from (*_options(own), "")


def _options(parameters: Sequence[click.Parameter]) -> list[str]:
    """A table of arguments and options."""
    rows = [
        f"| {_cell(_named(parameter))} | {_cell(parameter.help)} |"
        for parameter in parameters
        if isinstance(parameter, click.Option | click.Argument) and parameter.help
    ]
    return ["| argument | meaning |", "| --- | --- |", *rows] if rows else ["It takes no options of its own."]


def _named(parameter: click.Option | click.Argument) -> str:
    """An argument as one writes it."""
    name = parameter.name or ""
    choices = f" ({', '.join(parameter.type.choices)})" if isinstance(parameter.type, click.Choice) else ""
    if isinstance(parameter, click.Argument):
        return f"`{parameter.metavar or name}`{choices}"
    flag = parameter.opts[-1]
    return f"`{flag}`" if parameter.is_flag else f"`{flag} {parameter.metavar or name.upper()}`{choices}"


def settings() -> Iterator[str]:
    """docs/settings.md: every setting, and the variables that are no settings."""
    place = settings_file({"XDG_CONFIG_HOME": "~/.config"})
    yield from ("# Settings", "", NOTE.format(source="core/settings.py and core/engines/host/options.py"), "")
    yield (
        f"`lrm-tui settings --init` writes {place} with every setting at its default; `lrm-tui settings` shows what holds, "
        "and where it is set. A variable of the environment goes before the file. Secrets are no settings: a server's key "
        "stands in the variable that `key_variable` names."
    )
    group = None
    for setting in Settings({}, {}, Path()).listed():
        head, name = divided(setting.name)
        if head != group:
            yield from ("", f"## {head or 'The runner'}", "", "| setting | default | variable | meaning |")
            yield "| --- | --- | --- | --- |"
            group = head
        usual = "lrm-tui's own" if head == "python" else "unset" if setting.value is None else f"`{default(setting)}`"
        yield f"| `{name}` | {usual} | {setting.variable} | {_cell(setting.help)} |"
    yield from ("", "## Only in the environment", "", "| variable | meaning |", "| --- | --- |")
    yield from (f"| {name} | {meaning} |" for name, meaning in ENVIRONMENT.items())


def keys() -> Iterator[str]:
    """docs/keys.md: every key of every screen."""
    yield from ("# Keys", "", NOTE.format(source="tui/keys.py"), "")
    yield (
        "The screens, their footers, `?` and the command palette (ctrl+p) are made from one registry. Keys marked ✎ change "
        "the store or start something: with `--readonly` they are not offered."
    )
    for screen, title in registry.TITLES.items():
        yield from ("", f"## {title}", "", "| key | what it does |", "| --- | --- |")
        yield from (f"| `{_cell(key.shown)}` | {_cell(key.description)}{' ✎' * key.writes} |" for key in registry.of(screen))


def recorded() -> Iterator[str]:
    """docs/recorded.md: the embedded family's study, as it is shipped."""
    study = json.loads(RECORDED.read_text(encoding="utf-8"))
    yield from ("# The recorded study", "", NOTE.format(source="benchmarks/pocket/study.json"), "")
    yield from (f"{source.capitalize()}.  " for source in study["sources"].values())
    yield "Seeds pooled, in percent. [What it says](study.md)."
    yield from ("", "Weights (sha256 of model.safetensors):", "")
    yield from (f"- {model}: {digest}" for model, digest in study["weights_sha256"].items())
    yield from (
        "",
        "## Scores",
        "",
        "| variant | bits per weight | zeros, % | temporal | logic | arithmetic | facts EM / F1 | average |",
    )
    yield "| --- " + "| ---: " * 7 + "|"
    for row in study["scores"]:
        scores = [f"{row[name]['accuracy']:.1f}" for name in of("pocket", "reasoning")]
        facts, bits, zeros = row["pocket-facts"], row["bits_per_weight"], row["sparsity"]
        known = ("" if bits is None else f"{bits:.2f}", "" if not zeros or zeros < 1 else f"{zeros:.0f}")
        last = (f"{facts['em']:.1f} / {facts['f1']:.1f}", f"{row['average']:.1f}")
        yield _row(f"{row['model']} {row['compression']}", *known, *scores, *last)
    yield from ("", "## Outputs that collapsed into a loop", "", "| variant | temporal | logic | arithmetic | facts |")
    yield "| --- " + "| ---: " * 4 + "|"
    for row in study["scores"]:
        shares = (row[name]["collapsed"] for name in of("pocket"))
        yield _row(f"{row['model']} {row['compression']}", *(f"{share:.1f}" for share in shares))
    yield from ("", "## The shortest and the longest 30 %", "", "Of facts, exact match.", "")
    yield "| variant | benchmark | words, short | words, long | score, short | score, long |"
    yield "| --- | --- " + "| ---: " * 4 + "|"
    for row in study["lengths"]:
        ends = [row[end].get("accuracy", row[end].get("em")) for end in ("short", "long")]
        words = (f"{row[end]['words']:.0f}" for end in ("short", "long"))
        name = row["benchmark"].removeprefix("pocket-")
        yield _row(f"{row['model']} {row['compression']}", name, *words, *(f"{end:.1f}" for end in ends))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {"commands.md": commands, "settings.md": settings, "keys.md": keys, "recorded.md": recorded}


def main() -> int:
    """Write or check every page. Returns 1 where a page is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is stale")
    check = parser.parse_args().check
    stale = []
    for name, lines in PAGES.items():
        page, text = Path(__file__).with_name(name), "\n".join(lines()).rstrip() + "\n"
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            stale.append(page.name)
            if not check:
                page.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'stale, run `make docs`' if check else 'written'}: {', '.join(stale)}")
    return int(bool(stale) and check)


if __name__ == "__main__":
    sys.exit(main())

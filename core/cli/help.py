"""How help reads: commands by what one does with them, an example for each."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator

EXAMPLES: dict[str, dict[str, str]] = {
    "Begin": {
        "demo": "lrm-tui demo --headless --limit 10",
        "doctor": "lrm-tui doctor --fix",
        "settings": "lrm-tui settings --init",
        "completion": "source <(lrm-tui completion bash)",
    },
    "Queue and run": {
        "add": "lrm-tui add --model pocket --benchmark pocket-logic --limit 20",
        "sweep": "lrm-tui sweep pocket --limit 20",
        "study": "lrm-tui study --wait",
        "ls": "lrm-tui ls",
        "clone": "lrm-tui clone 3",
        "move": "lrm-tui move 3 -1",
        "cancel": "lrm-tui cancel 3 4",
        "pause": "lrm-tui pause 3",
        "requeue": "lrm-tui requeue 3",
        "runner": "lrm-tui runner status",
    },
    "Read the results": {
        "scores": "lrm-tui scores --published",
        "lengths": "lrm-tui lengths --q 20",
        "collapse": "lrm-tui collapse",
        "show": "lrm-tui show 1",
        "responses": "lrm-tui responses wrong benchmark:aime",
        "flag": 'lrm-tui flag 12 --verdict correct --note "the key is wrong"',
        "regrade": "lrm-tui regrade --dry-run",
        "compare": "lrm-tui compare none q4_0",
        "findings": "lrm-tui findings",
        "recommend": "lrm-tui recommend --memory 24GB",
    },
    "From elsewhere and to others": {
        "import": "lrm-tui import outputs.jsonl --compression awq-4bit",
        "scan": "lrm-tui scan outputs.jsonl",
        "export": "lrm-tui export report",
        "backup": "lrm-tui backup runs-copy.db",
    },
}
"""An example of every command, by the heading under which the command stands in `lrm-tui --help`."""
OTHER = "More"
WIDTH = 80
WITHOUT_COMMAND = (
    "Without a command the workbench opens over the runs of this folder. Close it whenever you like: the runs go on, and it "
    "shows them again when you come back."
)


class Formatter(argparse.HelpFormatter):
    """Wraps paragraphs, and leaves lines that are indented (examples) as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = (line if line.startswith("  ") else textwrap.fill(line, width) for line in text.splitlines())
        return "\n".join(indent + line for line in lines)


class Parser(argparse.ArgumentParser):
    """The parser of `lrm-tui`, whose help lists the commands by heading."""

    def format_help(self) -> str:
        """The whole of `lrm-tui --help`."""
        lines = [
            f"usage: {self.prog} [options] [COMMAND ...]",
            "",
            self.description or "",
            *textwrap.wrap(WITHOUT_COMMAND, WIDTH),
        ]
        said = summaries(self)
        width = max(map(len, said), default=0) + 2
        for heading, names in headings(said).items():
            lines += ["", f"{heading}:"]
            for name in names:
                lines.append(f"  {name:<{width}}{said[name]}")
                lines += [f"  {'':<{width}}$ {example(name)}"] if example(name) else []
        formatter = self._get_formatter()
        formatter.start_section("options")
        formatter.add_arguments(action for action in self._actions if action.nargs != argparse.PARSER)
        formatter.end_section()
        tail = f"`{self.prog} COMMAND --help` says what a command takes; docs/commands.md has all of it on one page."
        return "\n".join([*lines, "", formatter.format_help(), *textwrap.wrap(tail, WIDTH), ""])


def example(name: str) -> str:
    """The example of a command; empty where there is none."""
    return next((examples[name] for examples in EXAMPLES.values() if name in examples), "")


def headings(names: Iterable[str]) -> dict[str, list[str]]:
    """The commands that exist, by heading."""
    there = list(names)
    found = {heading: [name for name in examples if name in there] for heading, examples in EXAMPLES.items()}
    rest = [name for name in there if not example(name)]
    return {**found, OTHER: rest} if rest else found


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's commands by name, in the order in which they were added."""
    return {name: sub for commands in _groups(parser) for name, sub in commands.choices.items()}


def summaries(parser: argparse.ArgumentParser) -> dict[str, str]:
    """What the list of commands says of each."""
    return {action.dest: action.help or "" for commands in _groups(parser) for action in commands._choices_actions}


def dressed(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Begin the help of every command with what the list says of it, and end it with its example."""
    said = summaries(parser)
    for name, sub in commands_of(parser).items():
        sentence = f"{said[name][:1].upper()}{said[name][1:]}."
        sub.description = f"{sentence} {sub.description}" if sub.description else sentence
        sub.epilog = f"Example:\n  {example(name)}" if example(name) else None
        sub.formatter_class = Formatter
    return parser


def _groups(parser: argparse.ArgumentParser) -> Iterator[argparse._SubParsersAction[argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield action

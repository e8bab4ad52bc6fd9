"""The options that set something in a model's chat template: `add`, `sweep` and `prompt` share them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypedDict

import click

from core.cli.grammar import F
from core.engines.host.wire import EFFORTS, THINKING, Effort, TemplateOptions, Thinking
from core.errors import UsageError


class TemplateValues(TypedDict):
    """The values of the options below."""

    thinking: Thinking | None
    effort: Effort | None
    thinking_budget: int | None
    template_arg: tuple[str, ...]


_OPTIONS = (
    click.option(
        "--thinking",
        type=click.Choice(THINKING),
        help="switch the thinking (default: on where the chat template can switch it)",
    ),
    click.option("--effort", type=click.Choice(EFFORTS), help="how hard the model thinks, where its chat template takes that"),
    click.option(
        "--thinking-budget", type=int, metavar="TOKENS", help="bound of the thinking, where the chat template takes one"
    ),
    click.option(
        "--template-arg",
        multiple=True,
        metavar="KEY=VALUE",
        help="a variable of the chat template, as JSON or text (repeatable)",
    ),
)


def template_options(function: F) -> F:
    """Add the options that set something in the chat template."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def options_of(values: TemplateValues) -> TemplateOptions:
    """What the options say. Raises UsageError for an argument without a value."""
    arguments = _arguments(values["template_arg"])
    return TemplateOptions(values["thinking"], values["effort"], values["thinking_budget"], arguments)


def _arguments(pairs: Sequence[str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{pair!r} sets nothing in a template.", "Write --template-arg NAME=VALUE.")
        try:
            arguments[name] = json.loads(value)
        except ValueError:
            arguments[name] = value
    return arguments

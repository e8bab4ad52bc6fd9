"""What a chat template does with thinking, found by rendering it with different arguments: no list of models is kept.

A switch is a variable whose two values change the prompt; a template takes an effort where its levels differ, and a budget
where two numbers do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..host.wire import EFFORTS, TemplateOptions
from ..thinking import Marks, State, in_template
from .template import TemplateFailure

PROBE = "What is 6 times 7?"
"""The user's turn of a probe."""

RAW = "The model has no chat template: it is asked with the raw text, and what its tokenizer puts before it."

Render = Callable[[str, Mapping[str, Any]], str]
"""Renders a user's turn with arguments. Raises TemplateFailure."""


class TemplateRefusal(Exception):
    """What a run asks of the template, and what it cannot do; `remedy` says what to do instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Switch:
    """A variable that turns the thinking on and off; `usual` is what the template does without it (None: neither)."""

    name: str
    on: Any
    off: Any
    usual: str | None


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What a run's prompts do with thinking: its marks, where the prompt leaves it, and what the template is given.

    `effort` and `budget` are the variables that take them, None where the template takes none.
    """

    marks: Marks | None
    state: State
    switch: Switch | None = None
    effort: str | None = None
    budget: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


_SWITCHES: tuple[tuple[str, Any, Any], ...] = (
    ("enable_thinking", True, False),
    ("thinking", True, False),
    ("reasoning", True, False),
    ("thinking_mode", "enabled", "disabled"),
    ("thinking_option", "on", "off"),
)
_BY_EFFORT = (
    ("reasoning_effort", "high", "no_think"),
    ("reasoning_effort", "high", "none"),
    ("reasoning_effort", "high", "minimal"),
)
_BY_BUDGET = (("thinking_budget", -1, 0), ("reasoning_budget", -1, 0))
_EFFORT_NAMES = ("reasoning_effort", "thinking_effort", "reasoning_strength")
_BUDGET_NAMES = ("thinking_budget", "reasoning_budget", "thinking_token_budget")
_BUDGETS = (512, 4096)


class Probe:
    """One template, rendered with any arguments; a failure is None."""

    def __init__(self, source: str, render: Render) -> None:
        self.source, self._render = source, render

    def mentions(self, name: str) -> bool:
        """Whether the template's source has this word at all."""
        return re.search(rf"\b{re.escape(name)}\b", self.source) is not None

    def rendered(self, arguments: Mapping[str, Any]) -> str | None:
        """The whole prompt; None where the template refuses the arguments."""
        try:
            return self._render(PROBE, arguments)
        except TemplateFailure:
            return None

    def differ(self, name: str, one: object, other: object, rest: Mapping[str, Any]) -> bool:
        """Whether two values of a variable make two prompts."""
        pair = (self.rendered({**rest, name: one}), self.rendered({**rest, name: other}))
        return None not in pair and pair[0] != pair[1]


def tail_of(prompt: str, turn: str) -> str:
    """What follows the user's turn in a prompt; the whole prompt where the template changed the turn."""
    return prompt.rpartition(turn.strip())[2]


def marks_of(probe: Probe) -> Marks | None:
    """The family that the template shows, in what it renders (some marks are put together there) or in its source."""
    shown = (probe.rendered({name: on}) for name, on, _ in (*_SWITCHES, *_BY_EFFORT) if probe.mentions(name))
    return in_template(probe.source) or in_template("".join(text for text in (probe.rendered({}), *shown) if text))


def switch_of(probe: Probe, marks: Marks | None, rest: Mapping[str, Any]) -> Switch | None:
    """The variable that turns the thinking on and off. One of effort or budget counts only where it closes the thinking."""
    usual = probe.rendered(rest)
    for name, on, off in (*_SWITCHES, *_BY_EFFORT, *_BY_BUDGET):
        if not probe.mentions(name) or not probe.differ(name, on, off, rest):
            continue
        prompts = {word: probe.rendered({**rest, name: value}) or "" for word, value in (("on", on), ("off", off))}
        if (name, on, off) not in _SWITCHES and (marks is None or marks.state(tail_of(prompts["off"], PROBE)) != "closed"):
            continue
        return Switch(name, on, off, next((word for word, prompt in prompts.items() if prompt == usual), None))
    return None


def effort_of(probe: Probe, rest: Mapping[str, Any]) -> str | None:
    """The variable that takes an effort of low, medium or high."""
    for name in filter(probe.mentions, _EFFORT_NAMES):
        prompts = {probe.rendered({**rest, name: level}) for level in EFFORTS} - {None}
        if len(prompts) > 1:
            return name
    return None


def budget_of(probe: Probe, rest: Mapping[str, Any]) -> str | None:
    """The variable that takes a budget of tokens for thinking."""
    names = filter(probe.mentions, _BUDGET_NAMES)
    return next((name for name in names if probe.differ(name, *_BUDGETS, rest)), None)


def facts_of(source: str, render: Render, options: TemplateOptions) -> TemplateFacts:
    """What a template makes of a run's options. Raises TemplateRefusal for one that it would ignore, TemplateFailure.

    Without `options.thinking` the thinking is on where the template can switch it.
    """
    probe = Probe(source, render)
    for name in options.arguments:
        if not probe.mentions(name):
            raise TemplateRefusal(f"The model's chat template reads no {name}.", "Leave it out, or correct its name.")
    own = dict(options.arguments)
    marks = marks_of(probe)
    switch = switch_of(probe, marks, own)
    thinking = {} if switch is None else {switch.name: switch.off if options.thinking == "off" else switch.on}
    effort, budget = effort_of(probe, {**thinking, **own}), budget_of(probe, {**thinking, **own})
    _check(options, switch, effort, budget)
    on = options.thinking != "off"
    arguments = dict(thinking)
    if options.effort and effort and (on or effort not in arguments):
        arguments[effort] = options.effort
    if options.budget is not None and budget and (on or budget not in arguments):
        arguments[budget] = options.budget
    arguments |= own
    prompt = render(PROBE, arguments)
    state: State = "none" if marks is None else marks.state(tail_of(prompt, PROBE))
    facts = TemplateFacts(marks, state, switch, effort, budget, arguments)
    return TemplateFacts(marks, state, switch, effort, budget, arguments, tuple(_notes(facts, options, probe)))


def without_template(options: TemplateOptions, marks: Marks | None) -> TemplateFacts:
    """The facts of a model that has no template. Raises TemplateRefusal for any option."""
    if options != TemplateOptions():
        raise TemplateRefusal("The model has no chat template, so nothing can be set in one.", "Leave these options out.")
    return TemplateFacts(marks, "none" if marks is None else "left to the model", notes=(RAW,))


def _check(options: TemplateOptions, switch: Switch | None, effort: str | None, budget: str | None) -> None:
    """Raise TemplateRefusal for an option that the template would ignore."""
    if options.thinking and switch is None:
        remedy = "Leave --thinking out: the model thinks or not by itself."
        raise TemplateRefusal("The model's chat template cannot switch its thinking.", remedy)
    if options.effort and effort is None:
        remedy = "Leave --effort out, or set a variable of the template with --template-arg."
        raise TemplateRefusal("The model's chat template takes no effort of low, medium or high.", remedy)
    if options.budget is not None and budget is None:
        remedy = "Leave --thinking-budget out, or bound the response with --max-tokens."
        raise TemplateRefusal("The model's chat template takes no budget for thinking.", remedy)


def _notes(facts: TemplateFacts, options: TemplateOptions, probe: Probe) -> list[str]:
    """Sentences on what a user would not expect."""
    notes, switch = [], facts.switch
    if switch and switch.usual != "on" and options.thinking is None and switch.name not in options.arguments:
        usual = "off" if switch.usual == "off" else "the model's choice"
        notes.append(
            f"By default the template leaves thinking {usual}; it is switched on ({switch.name} = {json.dumps(switch.on)})."
        )
    if facts.state == "closed":
        remedy = "; --thinking on switches it on" if switch and options.thinking == "off" else ""
        notes.append(f"The prompt closes thinking: thinking is off{remedy}.")
    if probe.mentions("strftime_now"):
        notes.append("The template prints today's date: that of the day on which the run was queued.")
    return notes

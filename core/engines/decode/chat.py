"""Chat templates, rendered in Jinja's sandbox: they come with the model file and are not trusted.

The sandbox keeps a template from running code, yet not from looping for ever or building endless strings. So templates are
rendered in a child process (`serve_templates`, which `template` drives) whose memory, processor time and output are limited.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ..host.process import take_pipes
from .template import TemplateFailure

MEMORY = 512 * 2**20  # bytes of address space, of which the interpreter takes less than a tenth
CPU_S = 1.0  # for one prompt, which takes a millisecond
LONGEST = 8 * 2**20  # characters that a rendered prompt may have

# What a wrong template can raise besides Jinja's own errors, since it computes with whatever it likes.
_TEMPLATE_FAULTS = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    MemoryError,
)


def render(
    template: str,
    prompt: str | Sequence[Mapping[str, Any]],
    special_tokens: Mapping[str, str],
    arguments: Mapping[str, Any] | None = None,
    date: str | None = None,
) -> str:
    """One user turn and the opening of the answer, as transformers renders it. Raises TemplateFailure.

    A sequence of messages is rendered as it is, without an opening. `special_tokens` are the names that templates use:
    `bos_token`, `eos_token`. `arguments` are further variables; `date` (YYYY-MM-DD) is what the template takes for today.
    """
    one_turn = isinstance(prompt, str)
    variables = {
        "tools": None,
        "documents": None,
        "strftime_now": _clock(date),
        **special_tokens,
        **(arguments or {}),
        "messages": [{"role": "user", "content": prompt}] if one_turn else prompt,
        "add_generation_prompt": one_turn,
    }
    try:
        rendered, length = [], 0
        for part in _compiled(template).generate(variables):
            rendered.append(part)
            length += len(part)
            if length > LONGEST:
                raise ValueError(f"it yields more than {LONGEST:,} characters")
        return "".join(rendered)
    except MemoryError as error:
        raise TemplateFailure(f"The model's chat template failed: it needs more than {MEMORY // 2**20} MiB") from error
    except _TEMPLATE_FAULTS as error:
        what = f"{type(error).__name__}: {error}"
        raise TemplateFailure(f"The model's chat template failed: {what}{_absent(template, variables)}") from error


def serve_templates() -> int:
    """Render what stdin asks for, a JSON line each, until it closes. The kernel ends a template that takes too long."""
    stdin, stdout = take_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for line in stdin:
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        try:
            answer = {"text": render(**json.loads(line))}
        except TemplateFailure as failure:
            answer = {"error": str(failure)}
        signal.setitimer(signal.ITIMER_PROF, 0)
        stdout.write((json.dumps(answer) + "\n").encode())
        stdout.flush()
    return 0


class _Generation(Extension):
    """The tag `{% generation %}`, which marks what a model wrote for training: its body is rendered, in a scope of its own."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    return environment


@lru_cache(maxsize=4)
def _compiled(template: str) -> jinja2.Template:
    return _environment().from_string(template)


def _clock(date: str | None) -> Callable[[str], str]:
    """The template's function of today: the clock's, or midnight of a fixed day."""
    fixed = datetime.fromisoformat(date) if date else None
    return lambda form: (fixed or datetime.now()).strftime(form)


def _absent(template: str, variables: Mapping[str, Any]) -> str:
    """Which of tools and documents the template reads although there are none, for a failure's message."""
    try:
        reads = meta.find_undeclared_variables(_environment().parse(template))
    except jinja2.TemplateError:
        return ""
    names = [name for name in ("tools", "documents") if name in reads and variables[name] is None]
    return f" (it reads {' and '.join(names)}: none here)" if names else ""


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

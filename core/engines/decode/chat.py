"""Chat templates, rendered in Jinja's sandbox: they come with the model file and are not trusted.

The sandbox keeps a template from running code, yet not from looping for ever or building endless strings. So templates are
rendered in a child process (`serve_templates`, which `template` drives) whose memory, processor time and output are limited.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NoReturn

import jinja2
from jinja2.ext import loopcontrols
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


def render(template: str, prompt: str, special_tokens: Mapping[str, str]) -> str:
    """One user turn and the opening of the answer, as transformers renders it. Raises TemplateFailure.

    `special_tokens` are the names that templates use: `bos_token`, `eos_token`.
    """
    try:
        parts = _compiled(template).generate(
            messages=[{"role": "user", "content": prompt}], add_generation_prompt=True, **special_tokens
        )
        rendered, length = [], 0
        for part in parts:
            rendered.append(part)
            length += len(part)
            if length > LONGEST:
                raise ValueError(f"it yields more than {LONGEST:,} characters")
        return "".join(rendered)
    except MemoryError as error:
        raise TemplateFailure(f"The model's chat template failed: it needs more than {MEMORY // 2**20} MiB") from error
    except _TEMPLATE_FAULTS as error:
        raise TemplateFailure(f"The model's chat template failed: {type(error).__name__}: {error}") from error


def serve_templates() -> int:
    """Render what stdin asks for, a JSON line each, until it closes. The kernel ends a template that takes too long."""
    stdin, stdout = take_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
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


@lru_cache(maxsize=4)
def _compiled(template: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _tojson(value: object, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

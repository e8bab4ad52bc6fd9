"""Renders chat templates in a child process with limited memory and time: see `chat`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PATIENCE_S = 60.0  # by the clock, for a busy machine; the child's processor time ends a template long before
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")  # no key of the user's is within a template's reach


class TemplateFailure(Exception):
    """The template of the model cannot be rendered; the message says why."""


class Templates:
    """One child, started with the first template and again after one that broke it. It ends with this process."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def render(self, template: str, prompt: str, special_tokens: Mapping[str, str]) -> str:
        """See `chat.render`. Raises TemplateFailure, also where the child ends or takes too long."""
        if self._child is None:
            self._child = _start()
        line = json.dumps({"template": template, "prompt": prompt, "special_tokens": dict(special_tokens)})
        answer = _exchange(self._child, line.encode() + b"\n")
        if not answer:
            self._child.kill()
            code, self._child = self._child.wait(), None
            raise TemplateFailure(f"The model's chat template failed: {_cause(code)}.")
        body = json.loads(answer)
        if "error" in body:
            raise TemplateFailure(body["error"])
        return str(body["text"])


def _start() -> subprocess.Popen[bytes]:
    host = Path(__file__).parents[1] / "host" / "host.py"
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-P", str(host), "--templates"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )


def _exchange(child: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Send one line and return the child's answer; empty if the child ended or did not answer within `PATIENCE_S`."""
    assert child.stdin and child.stdout
    try:
        child.stdin.write(line)
        child.stdin.flush()
    except BrokenPipeError:
        return b""
    ready, _, _ = select.select([child.stdout], [], [], PATIENCE_S)
    return child.stdout.readline() if ready else b""


def _cause(code: int) -> str:
    """SIGPROF ends a template that has used up its processor time, SIGKILL one that did not answer within `PATIENCE_S`."""
    return "it takes too long" if code in (-signal.SIGPROF, -signal.SIGKILL) else f"its renderer ended with {code}"

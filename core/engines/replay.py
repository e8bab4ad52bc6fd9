"""The engine "replay": plays the responses of a runs.db back, at any speed, for demonstrations and for load.

A question is answered by the stored response to the same question. The texts of single tokens are not stored, so the text is
cut into as many equal parts as there are token ids; together they are the stored text, byte for byte.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from array import array
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .decode.tasks import Tasks
from .host.engine import EngineFailure, chosen_options
from .host.options import ReplayOptions
from .host.wire import Delta, Deltas, Event, Finished, FinishReason, Generate, Ready, Started

TICK_S = 0.05
VERSION = "1"


@dataclass(frozen=True, slots=True)
class Recording:
    """A stored response. Without token ids every word with its space counts as one."""

    prompt: str
    text: str
    ids: tuple[int, ...]
    prompt_tokens: int | None
    reason: FinishReason

    def upto(self, token: int) -> int:
        """Where in the text the first `token` tokens end."""
        return len(self.text) * token // max(1, len(self.ids))


class Replay(Tasks):
    """See `engine.Engine`."""

    _options: ReplayOptions

    def probe(self) -> tuple[str, str]:
        """Versions of the engine and of SQLite; it always works."""
        return VERSION, f"SQLite {sqlite3.sqlite_version}"

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Read the finished responses of `PATH`, or of one run with `PATH#RUN`. Raises EngineFailure where there are none."""
        self._options = chosen = chosen_options(ReplayOptions, options, "replay")
        self._recordings = _read(model)
        self._prompts = [_squeezed(recording.prompt) for recording in self._recordings]
        self._turns = itertools.cycle(self._recordings)
        self._open(chosen.slots)
        return Ready("replay", VERSION, chosen.slots, chosen.context)

    async def _answer(self, request: Generate) -> AsyncIterator[Event]:
        """See `Tasks`. Each tick sends all tokens due by the clock, so that delays do not add up."""
        recording = self._find(request.prompt)
        if recording is None:
            yield Finished(request.id, "error", "The file holds no response to this question.")
            return
        total = min(len(recording.ids), request.sampling.max_tokens)
        yield Started(request.id, recording.prompt, recording.prompt_tokens, request.sampling.max_tokens)
        first = sent = len(request.prefix)
        began = time.monotonic()
        while sent < total:
            await asyncio.sleep(TICK_S)
            due = min(total, first + int((time.monotonic() - began) * self._options.tokens_per_second))
            if due > sent:
                text = recording.text[recording.upto(sent) : recording.upto(due)]
                yield Deltas((Delta(request.id, text, recording.ids[sent:due]),))
                sent = due
        yield Finished(request.id, recording.reason if total == len(recording.ids) else "length")

    def _find(self, question: str) -> Recording | None:
        """The response to this question: its prompt is the question, with the model's markup around it."""
        asked = _squeezed(question)
        recording = next((r for r, prompt in zip(self._recordings, self._prompts, strict=True) if asked in prompt), None)
        return recording or (next(self._turns) if self._options.any else None)


def _squeezed(text: str) -> str:
    """Text without white space, which templates and tokenizers change."""
    return "".join(text.split())


def _read(model: str) -> list[Recording]:
    path, _, run = model.rpartition("#") if "#" in model else (model, "", "")
    if not Path(path).is_file():
        raise EngineFailure("model", f"There is no store {path}.", "Name it as replay:PATH or replay:PATH#RUN.")
    try:
        connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        rows = connection.execute(_RESPONSES, {"run": run or None}).fetchall()
        connection.close()
    except sqlite3.Error as error:
        raise EngineFailure("model", f"{path} cannot be read as a store: {error}.", "Name a runs.db of lrm-tui.") from error
    if not rows:
        what = f"run {run}" if run else "any run"
        raise EngineFailure("model", f"{path} holds no finished response of {what}.", "`lrm-tui ls` lists the runs.")
    return [_recording(*row) for row in rows]


def _recording(prompt: str, text: str, blob: bytes | None, prompt_tokens: int | None, reason: str) -> Recording:
    ids = array("I", blob or b"").tolist() or list(range(max(1, len(text.split()))))
    # A response that a rule stopped was unfinished, like one cut by the limit.
    return Recording(prompt, text, tuple(ids), prompt_tokens, "stop" if reason == "stop" else "length")


_RESPONSES = """
SELECT t.prompt, t.text, t.token_ids, r.prompt_tokens, r.finish_reason FROM responses r
JOIN response_texts t ON t.response_id = r.id
WHERE r.state = 'done' AND r.finish_reason != 'error' AND t.text != '' AND (:run IS NULL OR r.job_id = CAST(:run AS INTEGER))
ORDER BY r.id
"""

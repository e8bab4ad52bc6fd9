"""One whole response: question, thinking, answer, verdict and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from core.errors import LrmError
from core.store import snapshot as views
from core.store.shown import gold
from tui import keys
from tui.access import opened
from tui.shown import UNKNOWN, lines, number
from tui.widgets.stream import StreamView

LOW_MARK, HIGH_MARK = 40_000, 50_000


class ResponseScreen(ModalScreen[int]):
    """Shows one of `ids`; dismissed with the id that was shown last."""

    BINDINGS = keys.bindings("response")

    def __init__(self, store: Path, ids: Sequence[int], at: int) -> None:
        super().__init__()
        self._store, self._ids, self._at = store, ids, at

    def compose(self) -> ComposeResult:
        """Title, text, keys."""
        yield Static(id="response-title")
        yield StreamView(low=LOW_MARK, high=HIGH_MARK, id="response")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Read the first one."""
        self.query_one(StreamView).focus()
        self._read(self._ids[self._at])

    @work(thread=True, exclusive=True)
    def _read(self, response_id: int) -> None:
        try:
            with opened(self._store, "reader") as connection:
                row = views.response(connection, response_id)
        except (LrmError, FileNotFoundError) as error:
            self.app.call_from_thread(self._title, str(error))
            return
        if row is not None:
            self.app.call_from_thread(self._show, row)

    def _title(self, text: str) -> None:
        self.query_one("#response-title", Static).update(lines(text, "bold"))

    def _show(self, row: Mapping[str, Any]) -> None:
        self._title(
            f"Response {row['id']} · {row['model']} {row['compression']} · {row['benchmark']} {row['key']} · "
            f"{self._at + 1} of {len(self._ids)}"
        )
        view = self.query_one(StreamView)
        view.follow = False
        view.clear()
        for head, body, thinking in parts(row):
            view.write(head, "title")
            view.write(body, "thinking" if thinking else "answer")
            view.write(" ", "answer")
        view.scroll_home(animate=False)

    def action_step(self, step: int) -> None:
        """The next or previous response of the list."""
        if 0 <= self._at + step < len(self._ids):
            self._at += step
            self._read(self._ids[self._at])

    async def action_dismiss(self, result: int | None = None) -> None:
        """Back to the list, at the response that was read last."""
        self.dismiss(self._ids[self._at])


def parts(row: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Heads and bodies in reading order; the flag says that a body is thinking."""
    text = row["text"] or ""
    at = len(text) if row["answer_start"] is None else int(row["answer_start"])
    return [
        ("Verdict", _verdict(row), False),
        ("Prompt", row["prompt"] or UNKNOWN, False),
        ("Thinking", text[:at].strip().removesuffix("</think>").strip() or UNKNOWN, True),
        ("Answer", text[at:].strip() or UNKNOWN, False),
        ("Where from", _origin(row), False),
    ]


def _verdict(row: Mapping[str, Any]) -> str:
    if row["correct"] is not None:
        grade = "correct" if row["correct"] else "wrong"
    else:
        grade = f"EM {number(row['em'], 0)}, F1 {number(row['f1'], 2)}"
    parsed = "nothing could be parsed" if row["parsed"] is None else f"parsed {row['parsed']} by rule {row['rule']}"
    counted = f"{row['thinking_words']} words thinking, {row['answer_words']} words answer"
    loop = "\nLOOP" if row["collapsed"] else ""
    if row["collapsed"] and row["loop_onset"] is not None:
        period = f"{row['loop_period']} {row['loop_unit']}"
        rule = f" ({row['loop_rule']})" if row["loop_rule"] else ""
        loop = f"\nLOOP{rule} from character {row['loop_onset']}, period {period}, {row['loop_count']} times"
        loop += ", let run on for the audit" if row["audited"] else ""
    return f"{grade} · {parsed} · gold {gold(row['gold'])}\nfinished by {row['finish_reason']} · {counted}{loop}"


def _origin(row: Mapping[str, Any]) -> str:
    resumed = f" · resumed at token {row['resumed_at']}" if row["resumed_at"] is not None else ""
    return (
        f"{row['engine']} {row['engine_version'] or ''} · sampling {row['sampling']} · seed {row['seed']} · "
        f"attempt {row['attempt']}{resumed}\n"
        f"prompt {row['prompt_version'] or UNKNOWN} · weights sha256 {row['sha256'] or UNKNOWN} · job {row['job_id']}"
    )

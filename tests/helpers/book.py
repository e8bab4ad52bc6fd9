"""A store to fill by hand: real schema, real connections, rows through SQL."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.engines.host.wire import Sampling
from core.store.connection import connect, transaction

LOOP = "So the answer is (B). "


@dataclass(frozen=True)
class Counted:
    """The counts of a run that an audit needs."""

    finished: int
    stopped: int
    collapsed: int
    audited: int
    uncollapsed_credit: float
    audited_credit: float

    @property
    def n(self) -> int:
        """Questions, asked once each."""
        return self.finished


class Book:
    """Writes models, runs and responses into a store as a user and runner would have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = connect(path, "user")
        self.reader = connect(path, "reader")

    def insert(self, table: str, **columns: Any) -> int:
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        return int(self.writer.execute(sql, list(columns.values())).lastrowid or 0)

    def variant(self, compression: str = "none", model: str = "pocket", **facts: Any) -> int:
        row = self.writer.execute("SELECT id FROM models WHERE name = ?", (model,)).fetchone()
        family = facts.pop("family", model)
        model_id = row[0] if row else self.insert("models", name=model, source="x", format="hf", family=family)
        facts = {"format": "gguf", **facts}
        options = {name: facts.pop(name) for name in ("kv_type", "thinking", "effort", "budget") if name in facts}
        artifact = self.insert("artifacts", model_id=model_id, compression=compression, **facts)
        return self.insert("variants", artifact_id=artifact, **options)

    def run(self, variant: int, benchmark: str, responses: list[dict[str, Any]], **job: Any) -> int:
        """A run with its responses; one that says no `finish_reason` has not finished, `text` goes to its own table."""
        columns = {
            **{"kind": "run", "position": 1.0, "variant_id": variant, "benchmark": benchmark, "engine": "llama.cpp"},
            **{"sampling": json.dumps(asdict(Sampling())), "created": 1.0, **job},
        }
        with transaction(self.writer):
            run = self.insert("jobs", **columns)
            for position, given in enumerate(responses):
                self._response(run, benchmark, position, given)
        return run

    def _response(self, run: int, benchmark: str, position: int, given: dict[str, Any]) -> None:
        columns = {"state": "done" if "finish_reason" in given else "pending", **given}
        text = columns.pop("text", None)
        item = self._item(benchmark, position)
        response = self.insert("responses", job_id=run, item_id=item, position=position, seed=0, **columns)
        if text is not None:
            self.insert("response_texts", response_id=response, prompt="", text=text)

    def _item(self, benchmark: str, position: int) -> int:
        key = (benchmark, str(position))
        row = self.writer.execute("SELECT id FROM items WHERE benchmark = ? AND key = ?", key).fetchone()
        if row:
            return int(row[0])
        return self.insert("items", benchmark=key[0], key=key[1], revision="r", fields="{}", gold="[]")


def graded(correct: int, count: int = 1, words: int = 10, **columns: Any) -> list[dict[str, Any]]:
    """Finished responses of a benchmark that is graded by accuracy."""
    one = {"finish_reason": "stop", "parsed": "A", "correct": correct, "thinking_words": words - 1, "answer_words": 1}
    return [{**one, **columns} for _ in range(count)]


def stopped(**columns: Any) -> dict[str, Any]:
    """Stopped for repetition after 10 + 5 x 8 = 50 words in 100 tokens, of 1,100 allowed; its loop has 5 words."""
    text = "well " * 10 + LOOP * 8
    return {
        **{"finish_reason": "repetition", "parsed": "B", "correct": 1, "collapsed": 1, "token_limit": 1_100},
        **{"thinking_words": 50, "answer_words": 0, "thinking_tokens": 100, "answer_tokens": 0, "text": text},
        **{"loop_onset": 50, "loop_period": len(LOOP), "loop_unit": LOOP, "loop_count": 8, **columns},
    }

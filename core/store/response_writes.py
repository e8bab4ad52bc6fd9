"""What the runner writes about responses: their plan, their start, their tokens, and their end."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.base import Item
from benchmarks.prompts import PromptTemplate
from core.store.columns import Columns, LoopColumns
from core.store.fence import FencedStore
from core.store.inputs import Kept, Questions, keep_template, kept


@dataclass(frozen=True, slots=True)
class Pending:
    """A response still to be generated, with the text and token ids of `chunks` chunks that earlier attempts stored."""

    id: int
    position: int
    seed: int
    attempt: int
    fields: Mapping[str, str]
    gold: Sequence[str]
    key: str
    sample: int
    text: str
    ids: tuple[int, ...]
    chunks: int
    empty_replies: int


@dataclass(frozen=True, slots=True)
class StartedResponse:
    """A response whose generation has started, at `started` (seconds since the epoch), with the engine's facts about it."""

    response: Pending
    started: float
    prompt: str
    prompt_tokens: int | None
    limit: int
    empty_replies: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens to append to an active response."""

    response_id: int
    seq: int
    text: str
    ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished response: the columns of its row, and its text and token ids, which are in a table of their own."""

    response_id: int
    columns: Columns
    text: str
    ids: Sequence[int]


class ResponseWrites(FencedStore):
    """Writes about responses."""

    def kept(self, job: int) -> Kept:
        """What is kept of what a run asks."""
        with self._mutex:
            return kept(self.connection, job)

    def plan(
        self, job: int, template: PromptTemplate, engine: str, weights: str | None, questions: Questions | None = None
    ) -> None:
        """Begin an attempt of a run: note engine, weights and wording. Responses of an engine that died become pending again.

        The first attempt brings `questions`, which become pending responses, a seed and a sample each.
        """
        with self.fenced() as connection:
            connection.execute("UPDATE responses SET state = 'pending' WHERE job_id = ? AND state = 'active'", (job,))
            connection.execute(
                "UPDATE jobs SET prompt_version = ?, engine_version = ?, weights_sha256 = coalesce(weights_sha256, ?) "
                "WHERE id = ?",
                (template.version, engine, weights, job),
            )
            keep_template(connection, template)
            if questions is not None:
                _add_pending(connection, job, questions)

    def pending(self, job: int) -> list[Pending]:
        """The responses still to be generated, those with stored tokens first."""
        with self._mutex:
            rows = self.connection.execute(_PENDING.format("r.job_id = ?"), (job,)).fetchall()
            return [self._with_tokens(row) for row in rows]

    def _with_tokens(self, row: sqlite3.Row) -> Pending:
        chunks = self.connection.execute(
            "SELECT seq, text, token_ids FROM chunks WHERE response_id = ? ORDER BY seq", (row["id"],)
        ).fetchall()
        ids: array[int] = array("I")
        for chunk in chunks:
            ids.frombytes(chunk["token_ids"])
        text = "".join(chunk["text"] for chunk in chunks)
        fields, gold = json.loads(row["fields"]), json.loads(row["gold"])
        next_seq = chunks[-1]["seq"] + 1 if chunks else 0
        identity = (row["id"], row["position"], row["seed"], row["attempt"], fields, gold, row["key"], row["sample"])
        return Pending(*identity, text, tuple(ids), next_seq, row["empty_replies"])

    def requeue(self, responses: Sequence[int]) -> list[Pending]:
        """Make responses pending again whose engine has died, and return them with their stored tokens."""
        placeholders = ", ".join("?" * len(responses))
        with self.fenced() as connection:
            connection.execute(
                f"UPDATE responses SET state = 'pending' WHERE state = 'active' AND id IN ({placeholders})", responses
            )
        with self._mutex:
            rows = self.connection.execute(_PENDING.format(f"r.id IN ({placeholders})"), responses).fetchall()
            return [self._with_tokens(row) for row in rows]

    def discard(self, response: int) -> None:
        """Delete the stored tokens of an active response that starts again."""
        with self.fenced() as connection:
            connection.execute("DELETE FROM chunks WHERE response_id = ?", (response,))
            connection.execute("UPDATE responses SET resumed_at = NULL, collapsed = NULL WHERE id = ?", (response,))

    def tick(
        self,
        job: int,
        started: Iterable[StartedResponse],
        chunks: Iterable[Chunk],
        outcomes: Iterable[Outcome],
        loops: Mapping[int, LoopColumns],
        speed: float | None,
    ) -> None:
        """One transaction for all streams: started responses, new tokens, finished responses, loop columns, tokens a second."""
        with self.fenced() as connection:
            for start in started:
                _start(connection, start)
            for chunk in chunks:
                connection.execute(
                    "INSERT INTO chunks VALUES (?, ?, ?, ?)",
                    (chunk.response_id, chunk.seq, chunk.text, array("I", chunk.ids).tobytes()),
                )
            for response, columns in loops.items():
                _update(connection, response, columns)
            for outcome in outcomes:
                self._finish(connection, outcome)
            connection.execute(
                "UPDATE jobs SET tokens_per_second = ? WHERE id = ?",
                (speed, job),
            )
        self.after_tick()

    def after_tick(self) -> None:
        """What follows the transaction of a tick: nothing, unless a subclass says otherwise."""

    def _finish(self, connection: sqlite3.Connection, outcome: Outcome) -> None:
        """Write the final row and text of a response, and delete its chunks."""
        _update(connection, outcome.response_id, {**outcome.columns, "state": "done", "finished": time.time()})
        connection.execute(
            "INSERT INTO response_texts (response_id, prompt, text, token_ids) VALUES (?, '', ?, ?) ON CONFLICT (response_id) "
            "DO UPDATE SET text = excluded.text, token_ids = excluded.token_ids",
            (outcome.response_id, outcome.text, array("I", outcome.ids).tobytes()),
        )
        connection.execute("DELETE FROM chunks WHERE response_id = ?", (outcome.response_id,))


def _add_pending(connection: sqlite3.Connection, job: int, questions: Questions) -> None:
    connection.execute("UPDATE jobs SET benchmark_version = ? WHERE id = ?", (questions.version, job))
    for position, (item, seeds) in enumerate(zip(questions.items, questions.seeds, strict=True)):
        number = item_id(connection, questions.benchmark, item)
        connection.executemany(
            "INSERT OR IGNORE INTO responses (job_id, item_id, position, sample, seed) VALUES (?, ?, ?, ?, ?)",
            [(job, number, position, sample, seed) for sample, seed in enumerate(seeds)],
        )


def _start(connection: sqlite3.Connection, start: StartedResponse) -> None:
    """Mark a response as active; one with stored tokens is also marked as resumed after them."""
    response = start.response
    resumed = len(response.ids) or None
    connection.execute(
        "UPDATE responses SET state = 'active', attempt = attempt + 1, prompt_tokens = ?, token_limit = ?, "
        "started = coalesce(started, ?), resumed_at = coalesce(?, resumed_at), empty_replies = ? WHERE id = ?",
        (start.prompt_tokens, start.limit, start.started, resumed, start.empty_replies, response.id),
    )
    connection.execute(
        "INSERT INTO response_texts (response_id, prompt) VALUES (?, ?) "
        "ON CONFLICT (response_id) DO UPDATE SET prompt = excluded.prompt",
        (response.id, start.prompt),
    )


def _update(connection: sqlite3.Connection, response: int, columns: Columns) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    connection.execute(f"UPDATE responses SET {sets} WHERE id = :id", {**columns, "id": response})


def revision(item: Item) -> tuple[str, str, str]:
    """A question's fields and answers as JSON, and the first 16 digits of their hash."""
    fields, gold = json.dumps(dict(item.fields), ensure_ascii=False), json.dumps(list(item.gold), ensure_ascii=False)
    return fields, gold, hashlib.sha256(f"{fields}{gold}".encode()).hexdigest()[:16]


def item_id(connection: sqlite3.Connection, benchmark: str, item: Item) -> int:
    """The row of a question, made where there is none; a question whose text or answers changed is another one."""
    fields, gold, digits = revision(item)
    key = (benchmark, item.key, digits)
    connection.execute(
        "INSERT OR IGNORE INTO items (benchmark, key, revision, fields, gold) VALUES (?, ?, ?, ?, ?)",
        (*key, fields, gold),
    )
    sql = "SELECT id FROM items WHERE benchmark = ? AND key = ? AND revision = ?"
    return int(connection.execute(sql, key).fetchone()[0])


_PENDING = """
SELECT r.id, r.position, r.seed, r.attempt, r.empty_replies, i.fields, i.gold, i.key, r.sample
FROM responses r JOIN items i ON i.id = r.item_id
WHERE {} AND r.state = 'pending'
ORDER BY EXISTS (SELECT 1 FROM chunks c WHERE c.response_id = r.id) DESC, r.position, r.sample
"""

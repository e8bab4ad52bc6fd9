"""A real store with rows of every kind, some of them hostile."""

from __future__ import annotations

import time
from array import array
from pathlib import Path

import pytest

from core.store.connection import connect

HOSTILE = "\x1b[2J\x1b]0;owned\x07[/foo][/INST]\u202egnp.exe"
THINKING = "Let me think [/INST] about [b]dates[/b].\n"
TEXT = THINKING + "</think>\nThe answer is (B).\x1b[31m"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Job 1 runs with two streams, 2 and 3 wait, 4 failed, 5 is done with four responses; one name is hostile."""
    path = tmp_path / "runs.db"
    c = connect(path, "user")
    c.execute(
        "INSERT INTO models (id, name, source, format, family) VALUES (1, 'pocket', '/m', 'hf', 'pocket'), (2, ?, '/h', 'hf', 'h')",
        (HOSTILE,),
    )
    for row in ((1, 1, "none"), (2, 1, "q8_0"), (3, 2, "magnitude-50")):
        c.execute(
            "INSERT INTO artifacts (id, model_id, compression, format, ready_at, bits_per_weight) "
            "VALUES (?, ?, ?, 'gguf', 1, 16)",
            row,
        )
    c.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
    jobs = [
        (1, "running", 1, None, None),
        (2, "queued", 2, None, None),
        (3, "queued", 2, None, None),
        (4, "failed", 3, f"Out of memory {HOSTILE}", "Take a smaller model [/x]."),
        (5, "done", 3, None, None),
    ]
    for number, state, variant, error, remedy in jobs:
        c.execute(
            "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, item_limit, "
            "created, error, remedy) VALUES (?, 'run', ?, ?, ?, 'pocket-temporal', 'llama.cpp', '{}', 4, 1, ?, ?)",
            (number, state, number, variant, error, remedy),
        )
    for number in range(1, 5):
        c.execute("INSERT INTO items VALUES (?, 'pocket-temporal', ?, 'r', '{}', ?)", (number, f"q{number}", '["B"]'))
        finish = (None, "stop", "stop", "stop", "repetition")[number]
        c.execute(
            "INSERT INTO responses (id, job_id, item_id, position, seed, state, finish_reason, answer_start, "
            "thinking_words, answer_words, parsed, rule, correct, collapsed, started, finished) "
            "VALUES (?, 5, ?, ?, 1, 'done', ?, ?, 6, 4, ?, 'statement', ?, ?, 1, 2)",
            (
                number,
                number,
                number,
                finish,
                len(THINKING) + 8,
                ("", "B", "A", None, "B")[number] if number != 3 else None,
                int(number == 1),
                int(number == 4),
            ),
        )
        c.execute("INSERT INTO response_texts VALUES (?, ?, ?, NULL)", (number, "Which date? [/foo]", TEXT))
    for number in (11, 12):
        c.execute(
            "INSERT INTO responses (id, job_id, item_id, position, seed, state, token_limit, collapsed) "
            "VALUES (?, 1, ?, 0, 1, 'active', 1024, ?)",
            (number, number - 10, int(number == 12) or None),
        )
        add_chunk(c, number, 0, f"stream {number} {HOSTILE} first ")
    c.execute(
        "UPDATE responses SET loop_rule = 'verbatim', loop_onset = 0, loop_position = 30, loop_period = 9, "
        "loop_unit = ?, loop_count = 6, audited = 0 WHERE id = 12",
        (f"{HOSTILE} \n",),
    )
    c.close()
    return path


def add_chunk(connection: object, response: int, seq: int, text: str) -> None:
    """Tokens of a stream, as the runner stores them."""
    connection.execute(  # type: ignore[attr-defined]
        "INSERT INTO chunks VALUES (?, ?, ?, ?)", (response, seq, text, array("I", range(4)).tobytes())
    )


def sql(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """One statement against the store."""
    c = connect(path, "user")
    try:
        return [tuple(row) for row in c.execute(statement, values)]
    finally:
        c.close()


def alive(path: Path) -> None:
    """Make the store look served."""
    sql(path, "UPDATE runner SET pid = 42, beat = ?, state = 'serving'", time.time() + 3600)

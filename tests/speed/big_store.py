"""A store of any size with the shape of real ones: `python -m tests.speed.big_store RUNS_DB RESPONSES [MEAN_TEXT_BYTES]`.

Every run has 1,000 responses: AIME's 30, FOLIO's 200, Temporal's 250 or MuSiQue's 100 questions asked several times.
Variants are models under ten compressions. Lengths are log-normal with the given mean (8 kB by default), texts are cut from
one pool of words, 3 % end in a loop, 1 % are stopped for it. All is drawn from a seed. The words are left out of the
full-text index, as they are in a store that was made before there was one.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.engines.host.wire import Sampling
from core.store.connection import connect

PER_RUN = 1_000
MEAN_TEXT_BYTES = 8_000
SPREAD = 0.8
QUESTIONS = {"aime": 30, "folio": 200, "temporal": 250, "musique": 100}
COMPRESSIONS = {
    **{"none": (16.0, 0.0), "q8_0": (8.5, 0.0), "q4_k_m": (4.85, 0.0), "awq-4bit": (4.25, 0.0), "iq1_s": (1.56, 0.0)},
    **{f"sparsegpt-{share}": (16.0, share / 100) for share in (10, 30, 50, 70)},
    "magnitude-50": (16.0, 0.5),
}
LOOP = "Wait, let me check that once more. "
ANSWER = "\n</think>\n\nThe answer is 42."


def make(path: Path, responses: int, mean_text: int = MEAN_TEXT_BYTES) -> None:
    """Write a store with `responses` (a multiple of 1,000) into a new file."""
    draw = random.Random(0)
    with connect(path, "user") as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        [trigger] = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'search_new_text'").fetchone()
        connection.execute("DROP TRIGGER search_new_text")
        items = _items(connection)
        pool = " ".join("".join(draw.choices("etaoinshr", k=draw.randint(1, 9))) for _ in range(400_000))
        first = 1
        for run, (variant, benchmark) in zip(range(1, responses // PER_RUN + 1), _variants(connection), strict=False):
            _job(connection, run, variant, benchmark)
            rows = [_response(draw, run, item, sample, benchmark, mean_text) for item, sample in _asked(items[benchmark])]
            columns = ", ".join(rows[0])
            marks = ", ".join(f":{name}" for name in rows[0])
            connection.executemany(f"INSERT INTO responses ({columns}) VALUES ({marks})", rows)
            texts = ((first + at, "", _text(draw, row, pool, mean_text)) for at, row in enumerate(rows))
            connection.executemany("INSERT INTO response_texts (response_id, prompt, text) VALUES (?, ?, ?)", texts)
            first += len(rows)
        connection.execute(trigger)
        connection.execute("UPDATE search_progress SET since = ?", (first,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _items(connection: sqlite3.Connection) -> dict[str, list[int]]:
    sql = "INSERT INTO items (benchmark, key, revision, fields, gold) VALUES (?, ?, '', '{}', '[\"42\"]')"
    return {
        name: [int(connection.execute(sql, (name, str(at))).lastrowid or 0) for at in range(count)]
        for name, count in QUESTIONS.items()
    }


def _asked(items: list[int]) -> Iterator[tuple[int, int]]:
    """(question, sample) of each response of a run."""
    yield from ((items[at % len(items)], at // len(items)) for at in range(PER_RUN))


def _variants(connection: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    """(variant, benchmark) without end, each variant made as it comes."""
    number = 0
    while True:
        model = f"R1-Distill-{number}"
        about = (model, "x", f"family-{number % 5}")
        key = connection.execute("INSERT INTO models (name, source, format, family) VALUES (?, ?, 'hf', ?)", about).lastrowid
        for compression, (bits, sparsity) in COMPRESSIONS.items():
            artifact = connection.execute(
                "INSERT INTO artifacts (model_id, compression, format, parameters, bits_per_weight, sparsity, bytes, ready_at) "
                "VALUES (?, ?, 'hf', 8000000000, ?, ?, ?, 1.0)",
                (key, compression, bits, sparsity, int(bits * 1e9)),
            ).lastrowid
            variant = connection.execute("INSERT INTO variants (artifact_id) VALUES (?)", (artifact,)).lastrowid
            for benchmark in QUESTIONS:
                yield int(variant or 0), benchmark
        number += 1


def _job(connection: sqlite3.Connection, run: int, variant: int, benchmark: str) -> None:
    connection.execute(
        "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
        "VALUES (?, 'run', 'done', ?, ?, ?, 'vllm', ?, 1.0)",
        (run, run, variant, benchmark, json.dumps(asdict(Sampling()))),
    )


def _response(draw: random.Random, run: int, item: int, sample: int, benchmark: str, mean_text: int) -> dict[str, Any]:
    words = max(20, int(draw.lognormvariate(0.0, SPREAD) * mean_text / 8.0))  # the pool has about 6 bytes a word
    kind = draw.random()
    looped, stopped = kind < 0.03, kind < 0.01
    right = int(not looped and draw.random() < 0.6)
    f1 = right or draw.choice((0.0, 0.0, 0.25, 0.4, 0.5, 2 / 3))
    scored = {"correct": right, "em": None, "f1": None, "strict_em": None, "strict_f1": None}
    if benchmark == "musique":
        scored = {"correct": None, "em": float(right), "f1": float(f1), "strict_em": 0.0, "strict_f1": f1 / 4}
    period = len(LOOP)
    return {
        **{"job_id": run, "item_id": item, "position": item, "sample": sample, "seed": run, "state": "done"},
        "finish_reason": "repetition" if stopped else "length" if looped else "stop",
        **{"prompt_tokens": 200, "token_limit": 32_768, "answer_start": None if looped else 0, "attempt": 1},
        **{"thinking_words": words, "answer_words": 0 if looped else 4, "thinking_tokens": words * 4 // 3, "answer_tokens": 6},
        **{"parsed": None if looped else "42", "rule": None if looped else "statement"},
        **scored,
        **{"collapsed": int(looped), "audited": int(not stopped) if looped else None, "suspicious": 0},
        **{"loop_onset": words * 3 if looped else None, "loop_period": period if looped else None},
        **{"loop_unit": LOOP if looped else None, "loop_count": words * 3 // period if looped else None},
        **{"started": 1.0, "finished": 2.0, "seconds": 1.0},
    }


def _text(draw: random.Random, row: dict[str, Any], pool: str, mean_text: int) -> str:
    length = row["thinking_words"] * 6
    start = draw.randrange(max(1, len(pool) - length))
    if not row["collapsed"]:
        return pool[start : start + length] + ANSWER
    return pool[start : start + row["loop_onset"]] + LOOP * (length // 2 // len(LOOP))


if __name__ == "__main__":
    target, count, *mean = sys.argv[1:]
    began = time.monotonic()
    make(Path(target), int(count), *(int(value) for value in mean))
    size = Path(target).stat().st_size
    print(f"{target}: {int(count):,} responses, {size / 1e9:.2f} GB, made in {time.monotonic() - began:.0f} s")

"""What becomes of a run when its engine hangs, dies, has a bad server behind it, or is killed in the exact mode."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.jobs import queue
from core.runner.runner import UNWRITTEN
from core.store.connection import connect
from tests.e2e.kill import check, finished, stored
from tests.helpers.runs import ended, host, notices, queued, spec
from tests.helpers.waiting import until

KEY = "sk-secret-0123456789"

AT_WORK = "SELECT pid FROM hosts WHERE EXISTS (SELECT 1 FROM responses WHERE state = 'active')"
OVER = "SELECT -1 FROM jobs WHERE id = ? AND state IN ('done', 'failed')"


def texts(store: sqlite3.Connection, job: int) -> dict[str, tuple[str, bytes]]:
    sql = (
        "SELECT i.key, t.text, t.token_ids FROM responses r JOIN items i ON i.id = r.item_id "
        "JOIN response_texts t ON t.response_id = r.id WHERE r.job_id = ?"
    )
    return {row[0]: (row[1], row[2]) for row in store.execute(sql, (job,))}


def test_a_hung_engine_is_ended_and_goes_on_with_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_SILENCE_S", "2")
    with queued(tmp_path, spec(limit=24)) as (store, (job,)):
        until(lambda: stored(store))
        hung = host(store)
        os.kill(hung, signal.SIGSTOP)
        before, begun = finished(store), stored(store)
        assert ended(store, job)["state"] == "done"
        check(store, before, begun)
        assert not psutil.pid_exists(hung)
        assert "no token for 2 s" in notices(store)
        assert store.execute("SELECT count(*) FROM responses WHERE resumed_at > 0").fetchone()[0]
        assert len(finished(store)) == 24


def test_an_engine_that_dies_again_goes_on_with_fewer_slots_and_at_last_fails(tmp_path: Path) -> None:
    """Killed as soon as it is started, as by the kernel where memory is short."""
    limit = 4
    with queued(tmp_path, spec(limit=limit)) as (store, (job,)):
        killed: set[int] = set()
        sql = "SELECT h.pid FROM hosts h JOIN jobs j ON j.id = h.job_id WHERE j.kind = 'run'"
        while len(killed) < 3:
            pid = until(lambda: store.execute(sql).fetchone())[0]
            if pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
        row = ended(store, job)
        assert row["state"] == "failed"
        assert "died 3 times" in row["error"] and "requeue" in row["remedy"]
        assert "it goes on with 4 slots instead of 8" in notices(store)
        writer = connect(tmp_path / "runs.db", "user")
        queue.requeue(writer, job)
        writer.close()
        until(lambda: store.execute("SELECT 1 FROM jobs WHERE id = ? AND state = 'done'", (job,)).fetchone())
        assert len(finished(store)) == limit


def test_a_killed_run_in_the_exact_mode_equals_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_LLAMA_CPP_EXACT", "1")
    limit = 3
    # Pruned so far that its outputs run to the limit of tokens: long enough to be met half way.
    long = replace(spec("pocket", limit=limit), compression="magnitude-80", policy="observe")
    with queued(tmp_path, long, long) as (store, (whole, torn)):
        assert ended(store, whole)["state"] == "done"
        kills = 0
        while kills < 2:
            row = until(
                lambda: (stored(store) and store.execute(AT_WORK).fetchone()) or store.execute(OVER, (torn,)).fetchone()
            )
            if row[0] == -1:
                break
            before, begun = finished(store), stored(store)
            os.kill(row[0], signal.SIGKILL)
            kills += 1
            until(lambda dead=row[0]: not store.execute("SELECT 1 FROM hosts WHERE pid = ?", (dead,)).fetchone())
            check(store, before, begun)
        assert ended(store, torn)["state"] == "done"
        assert kills and store.execute("SELECT count(*) FROM responses WHERE resumed_at > 0").fetchone()[0]
        assert texts(store, torn) == texts(store, whole)
        assert len(texts(store, whole)) == limit


def test_a_server_behind_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy, empty, broken off, killed in the middle: at the end every response is whole, and the key is nowhere."""
    from tests.helpers.chat_server import answer, drip, serving, status, torn

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("LRM_OPENAI_PAUSE", "0.05")
    monkeypatch.setenv("LRM_OPENAI_SLOTS", "2")
    usage = {
        "prompt_tokens": 70,
        "completion_tokens": 30,
        "total_tokens": 100,
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    good = answer({"reasoning_content": "I think."}, {"content": "The answer is "}, {"content": "(A)."}, usage=usage)
    empty = answer({"content": ""})
    acts = [status(429, Retry_After="0.1"), empty, torn({"content": "half"}), drip("la ", 0.05), empty, good]
    with serving(*acts) as server, queued(tmp_path, spec(f"openai:{server.address}#m", limit=4)) as (store, (job,)):
        until(lambda: any(text.startswith("la la la") for text in stored(store).values()))
        engine = host(store)
        assert KEY not in " ".join(psutil.Process(engine).cmdline())
        os.kill(engine, signal.SIGKILL)
        assert ended(store, job)["state"] == "done"
        rows = store.execute("SELECT * FROM responses WHERE job_id = ?", (job,)).fetchall()
        assert {row["finish_reason"] for row in rows} == {"stop"}
        assert {text for text, _ in finished(store).values()} == {"I think.</think>The answer is (A)."}
        assert {(r["prompt_tokens"], r["thinking_tokens"], r["answer_tokens"]) for r in rows} == {(70, 20, 10)}
        assert json.loads(rows[0]["usage"])["completion_tokens"] == 30
        assert sum(row["empty_replies"] for row in rows) == 2  # one of them came before the kill
        assert {key for key in server.keys} == {f"Bearer {KEY}"}
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


HALF = "half \ud83d of a pair, \0, " + "long " * 100_000


def test_what_a_server_writes_in_an_error_stops_no_other_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.helpers.chat_server import serving, status

    monkeypatch.setenv("LRM_OPENAI_TRIES", "1")
    with (
        serving(status(500, HALF)) as server,
        queued(tmp_path, spec(f"openai:{server.address}#m"), spec(limit=2)) as (store, (poisoned, alive)),
    ):
        row = ended(store, poisoned)
        assert row["state"] == "failed" and "half \ufffd" in row["error"] and "\0" not in row["error"]
        assert ended(store, alive)["state"] == "done"


def test_a_job_whose_end_cannot_be_written_stops_no_other(tmp_path: Path) -> None:
    """A trigger refuses every error but the fixed sentence, as a store refuses a text or number that nobody thought of."""
    connection = connect(tmp_path / "runs.db", "user")
    connection.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN new.error LIKE '%Nobody answers%' "
        "BEGIN SELECT RAISE(ABORT, 'a text that nobody thought of'); END"
    )
    connection.close()
    runs = spec("openai:http://127.0.0.1:9/v1#m"), spec(limit=2)
    with queued(tmp_path, *runs) as (store, (poisoned, alive)):
        row = ended(store, poisoned)
        assert row["state"] == "failed" and row["error"] == UNWRITTEN
        assert ended(store, alive)["state"] == "done"


def test_a_port_where_nobody_listens_fails_its_run_and_the_queue_goes_on(tmp_path: Path) -> None:
    with queued(tmp_path, spec("openai:http://127.0.0.1:9/v1#m"), spec(limit=2)) as (store, (dead, alive)):
        row = ended(store, dead)
        assert row["state"] == "failed" and "Nobody answers at http://127.0.0.1:9/v1" in row["error"] and row["remedy"]
        assert ended(store, alive)["state"] == "done"


def test_a_recording_plays_back_what_was_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_REPLAY_TOKENS_PER_SECOND", "2000")
    (tmp_path / "again").mkdir()
    with queued(tmp_path, spec(limit=6)) as (store, (first,)):
        assert ended(store, first)["state"] == "done"
        with queued(tmp_path / "again", spec(f"replay:{tmp_path / 'runs.db'}#{first}", limit=6)) as (other, (second,)):
            assert ended(other, second)["state"] == "done", ended(other, second)["error"]
            assert texts(other, second) == texts(store, first)
            scores = [
                [row[0] for row in db.execute("SELECT correct FROM responses ORDER BY position")] for db in (store, other)
            ]
            assert scores[0] == scores[1]

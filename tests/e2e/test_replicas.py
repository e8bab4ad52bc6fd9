"""Several engines share one run on this machine: each dies and comes back alone, and no response is lost."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.spec import RunSpec
from core.store.connection import connect
from tests.e2e.kill import check, finished, stored
from tests.helpers.runs import ended, notices, queued, spec
from tests.helpers.waiting import until
from tests.speed.load import record

QUESTIONS = 24
TOKENS = 400
LENGTHS = "SELECT length(t.token_ids) / 4 FROM responses r JOIN response_texts t ON t.response_id = r.id WHERE r.state = 'done'"


@pytest.fixture
def replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """A run of some seconds on two engines."""
    monkeypatch.setenv("LRM_REPLAY_ANY", "1")
    monkeypatch.setenv("LRM_REPLAY_TOKENS_PER_SECOND", "200")
    monkeypatch.setenv("LRM_REPLAY_SLOTS", "4")
    record(tmp_path / "recorded.db", TOKENS)
    model = f"replay:{tmp_path / 'recorded.db'}"
    return replace(spec(model, limit=QUESTIONS, max_tokens=TOKENS), replicas=2)


def test_one_of_two_engines_is_killed_and_the_other_goes_on(tmp_path: Path, replayed: RunSpec) -> None:
    with queued(tmp_path, replayed) as (store, (job,)):
        until(lambda: len(stored(store)) == 8)
        first, second = (row[0] for row in store.execute("SELECT pid FROM hosts ORDER BY pid"))
        before, begun = finished(store), stored(store)
        os.kill(second, signal.SIGKILL)
        row = ended(store, job)
        assert row["state"] == "done", row["error"]
        check(store, before, begun)
        assert [length for (length,) in store.execute(LENGTHS)] == [TOKENS] * QUESTIONS
        now = {row[0] for row in store.execute("SELECT pid FROM hosts")}
        assert first in now and second not in now and len(now) == 2
        resumed = store.execute("SELECT count(*) FROM responses WHERE resumed_at > 0").fetchone()[0]
        assert 1 <= resumed <= 4, "only what the dead engine had begins again"
        assert notices(store).count("died and is started again") == 1
    assert not psutil.pid_exists(first)


def test_an_engine_that_dies_again_and_again_is_given_up(tmp_path: Path, replayed: RunSpec) -> None:
    with queued(tmp_path, replace(replayed, limit=40)) as (store, (job,)):
        first = until(lambda: store.execute("SELECT pid FROM hosts ORDER BY rowid").fetchone())[0]
        killed: set[int] = set()
        while len(killed) < 3:
            other = until(lambda: [pid for (pid,) in store.execute("SELECT pid FROM hosts") if pid not in {first, *killed}])[0]
            killed.add(other)
            os.kill(other, signal.SIGKILL)
        row = ended(store, job)
        assert row["state"] == "done", row["error"]
        assert "One engine of run" in notices(store) and "is given up, and 1 go on" in notices(store)
        assert [length for (length,) in store.execute(LENGTHS)] == [TOKENS] * 40


def test_the_last_engine_that_fails_fails_the_run(tmp_path: Path, replayed: RunSpec) -> None:
    connect(tmp_path / "none.db", "user").close()
    with queued(tmp_path, replace(replayed, model=f"replay:{tmp_path / 'none.db'}")) as (store, (job,)):
        row = ended(store, job)
        assert row["state"] == "failed" and "holds no finished response" in row["error"]
        assert notices(store).count("One engine of run") == 1

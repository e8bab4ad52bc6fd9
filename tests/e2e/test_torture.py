"""The quick forms of `make torture`: the same code, a few trials."""

from __future__ import annotations

import os
import resource
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.jobs import queue
from core.runner.client import ensure_runner, status, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from tests.e2e import claims, hangups, hostile_text, hung, soak
from tests.e2e.kill import check, finished, stored
from tests.helpers.waiting import until


def test_hostile_text_acts_on_nothing(tmp_path: Path) -> None:
    done, written = hostile_text.torture(tmp_path, strings=1, seed=2, quiet_s=0.05)
    assert done > 300 and written


@pytest.mark.parametrize("points", [tuple(claims.POINTS)[:2], pytest.param(tuple(claims.POINTS)[2:], marks=pytest.mark.long)])
def test_kills_between_claim_and_token_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LRM_PYTHON_LLAMA_CPP", "")  # put back afterwards: the trials set it
    assert claims.torture(tmp_path, trials=len(points), seed=3, points=points).left > 0


def test_an_engine_that_hangs_every_time_fails_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_SILENCE_S", "")
    assert len(hung.torture(tmp_path, silence_s=2.0).gone_s) == 3


def test_a_lost_line_costs_nothing(tmp_path: Path) -> None:
    assert len(hangups.torture(tmp_path, trials=1, limit=40, seed=0)) == 1


def test_nothing_grows_under_many_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLOTS", "TOKENS_PER_SECOND", "ANY"):
        monkeypatch.setenv(f"LRM_REPLAY_{name}", "")
    monkeypatch.setattr(soak, "EVERY_S", 1.0)
    looks = soak.soak(tmp_path, minutes=0.15, streams=32, speed=100)
    assert len(looks) > 2 and max(look.streams for look in looks) >= 16
    assert max(look.files for look in looks) - looks[0].files <= 4
    assert max(look.log_bytes for look in looks) < 64 * 2**20


def test_a_quota_pauses_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on the size of files, which the system reports as it does a quota: the run waits, and goes on when it is lifted."""
    from tests.helpers.chat_server import drip, serving

    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-at-all")
    path = tmp_path / "runs.db"
    with serving(drip("la ", 0.05)) as server:
        spec = RunSpec(f"openai:{server.address}#m", "none", "pocket-facts", "openai", Sampling(), limit=2, policy="observe")
        with closing(connect(path, "user")) as writer:
            (job,) = queue.add(writer, [spec])
        ensure_runner(path)
        try:
            with closing(connect(path, "reader")) as reader:
                until(lambda: stored(reader))
                runner = status(path).pid or 0
                _, hard = resource.prlimit(runner, resource.RLIMIT_FSIZE)
                resource.prlimit(runner, resource.RLIMIT_FSIZE, (4096, hard))
                until(lambda: time.time() - (status(path).beat or 0) > 3)
                before, begun = finished(reader), stored(reader)
                assert os.path.exists(f"/proc/{runner}")
                resource.prlimit(runner, resource.RLIMIT_FSIZE, (hard, hard))
                until(lambda: reader.execute("SELECT 1 FROM notices WHERE message LIKE 'Went on after%'").fetchone())
                check(reader, before, begun)
                until(lambda: status(path).alive and status(path).pid == runner)
            with closing(connect(path, "user")) as writer:
                queue.cancel(writer, job)
        finally:
            stop_runner(path)

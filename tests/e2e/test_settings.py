"""A settings file that is saved half-edited under a runner, or lies there invalid when one starts."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from core.jobs import queue
from core.runner.client import ensure_runner, status, stop_runner
from core.store.connection import connect
from tests.helpers.runs import LRM, REPOSITORY, ended, notices, queued, spec
from tests.helpers.waiting import until

HALF = '["llama.cpp"]\nslots = '


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of everything that the test starts."""
    monkeypatch.setenv("LRM_SETTINGS", str(tmp_path / "settings.toml"))
    return tmp_path / "settings.toml"


def test_the_last_valid_settings_hold_while_the_file_is_edited(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('["llama.cpp"]\nslots = 3\n')
    with queued(tmp_path, spec(limit=2)) as (store, (first,)):
        assert ended(store, first)["state"] == "done"
        runner = status(tmp_path / "runs.db").pid
        file.write_text(HALF)
        monkeypatch.setenv("LRM_SETTINGS", str(tmp_path / "other.toml"))  # the runner's file stays that with which it began
        second = add(tmp_path, seed=1)
        assert ended(store, second)["state"] == "done"
        assert status(tmp_path / "runs.db").pid == runner
        told = store.execute("SELECT message, remedy FROM notices WHERE message LIKE 'The settings are not valid%'").fetchall()
        assert len(told) == 1 and str(file) in told[0]["message"] and "last valid settings hold" in told[0]["remedy"]
        file.write_text('["llama.cpp"]\nslots = 2\n')
        assert ended(store, add(tmp_path, seed=2))["state"] == "done"
        assert "valid again" in notices(store)


def test_no_run_is_started_before_the_settings_are_valid(file: Path, tmp_path: Path) -> None:
    job = add(tmp_path)
    file.write_text("slots = [1,\n")
    ensure_runner(tmp_path / "runs.db")
    try:
        store = connect(tmp_path / "runs.db", "reader")
        message = "SELECT 1 FROM jobs WHERE message = 'waits for valid settings'"
        until(lambda: store.execute(message).fetchone())
        assert "No run is started until then." in str(store.execute("SELECT remedy FROM notices").fetchall()[0][0])
        file.write_text("")
        assert ended(store, job)["state"] == "done"
        store.close()
    finally:
        stop_runner(tmp_path / "runs.db")


def test_doctor_says_it_once_and_looks_at_the_rest(file: Path, tmp_path: Path) -> None:
    file.write_text(HALF)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([*LRM, "doctor"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAIL")]
    assert done.returncode == 1 and len(failed) == 1 and failed[0].startswith("FAIL settings:") and str(file) in failed[0]
    assert any("folder:" in line for line in lines) and "Traceback" not in done.stderr


def add(folder: Path, seed: int = 0) -> int:
    """One more run. Returns its job."""
    writer = connect(folder / "runs.db", "user")
    (job,) = queue.add(writer, [replace(spec(limit=2), seed=seed)])
    writer.close()
    return job

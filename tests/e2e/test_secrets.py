"""A key of the environment is nowhere afterwards, everything belongs to its owner alone, and nothing listens."""

from __future__ import annotations

import os
import stat
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from core.jobs import queue as jobs
from core.runner.client import ensure_runner, stop_runner
from core.runner.processes import marked, owner
from core.spec import RunSpec, Sampling
from core.store.connection import connect, runner_lock
from tests.e2e.kill import left_behind
from tests.helpers.runs import lrm
from tests.helpers.waiting import until
from tui.app import LrmApp

CANARY = "sk-canary-31337-do-not-keep"


def hits(folder: Path) -> list[str]:
    """The files that hold the canary, the write-ahead log among them."""
    return [str(file) for file in folder.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()]


def open_to_others(folder: Path) -> list[str]:
    """What the group or anybody may read, write or enter."""
    return [str(place) for place in folder.rglob("*") if stat.S_IMODE(place.stat().st_mode) & 0o077]


def family(path: Path) -> list[psutil.Process]:
    """Runner, supervisor and everything that works for them."""
    return [psutil.Process(pid) for pid in {*left_behind(path), *marked(owner(runner_lock(path)))}]


def queue(path: Path, address: str, questions: int) -> int:
    spec = RunSpec(f"openai:{address}#m", "none", "pocket-facts", "openai", Sampling(max_tokens=64), limit=questions)
    with closing(connect(path, "user")) as connection:
        (job,) = jobs.add(connection, [spec])
    ensure_runner(path)
    return job


def ended(path: Path, job: int) -> bool:
    with closing(connect(path, "reader")) as connection:
        return connection.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchone()[0] in ("done", "failed")


async def screenshot(path: Path) -> str:
    """What the app's picture holds after a walk through its panes."""
    app, pictures = LrmApp(path), []
    async with app.run_test(size=(120, 40)) as pilot:
        for key in ("1", "e", "escape", "2", "3", "4", "5"):
            await pilot.press(key)
            await pilot.pause(0.2)
            pictures.append(app.export_screenshot())
    return "".join(pictures)


async def test_a_canary_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where a server repeats the key in its errors; all with a umask that lets everybody in."""
    from tests.helpers.chat_server import answer, drip, serving, status

    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("LRM_OPENAI_PAUSE", "0.05")
    path, before = tmp_path / "private" / "runs.db", os.umask(0)
    try:
        path.parent.mkdir(mode=0o700)
        good, refusal = answer({"content": "The answer is Paris."}), status(401, f"Incorrect API key provided: {CANARY}.")
        with serving(good, drip("la ", 0.05)) as server:
            job = queue(path, server.address, 3)
            with closing(connect(path, "reader")) as connection:
                until(lambda: connection.execute("SELECT 1 FROM chunks").fetchone())
            processes = family(path)
            assert len(processes) >= 3
            assert not [p for p in processes if CANARY in " ".join(p.cmdline())]
            assert not [c for p in processes for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
            assert hits(path.parent) == [] and open_to_others(path.parent) == []
            with closing(connect(path, "user")) as connection:
                jobs.cancel(connection, job)
        with serving(refusal) as server:
            failed = queue(path, server.address, 2)
            until(lambda: ended(path, failed))
        with closing(connect(path, "reader")) as connection:
            errors = connection.execute("SELECT error FROM jobs UNION ALL SELECT error FROM responses").fetchall()
            assert any("Incorrect API key provided: ***" in (row[0] or "") for row in errors), [tuple(row) for row in errors]
        lrm(tmp_path, "export", str(path.parent / "report"), "--db", str(path))
        printed = [lrm(tmp_path, *line.split(), "--db", str(path)) for line in ("ls", f"show {failed}", "ls --json", "scores")]
        assert CANARY not in "".join(printed) + await screenshot(path)
        assert "Incorrect API key" in "".join(printed)
    finally:
        stop_runner(path)
        os.umask(before)
    time.sleep(0.2)
    assert hits(tmp_path) == [] and left_behind(path) == []

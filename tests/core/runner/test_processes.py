"""Everything of ours is ended, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.runner.child import Child
from core.runner.processes import VARIABLE, end_marked, end_process, marked, owner, process_start, run_id
from tests.helpers.pids import SLEEP, alive, dead_pid, end, stranger

GRANDCHILD = f"""
import os, signal, subprocess, sys, time
made = subprocess.Popen({SLEEP!r}, start_new_session=%s, preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
                        env=%s)
print(made.pid, flush=True)
%s
"""
HANG, WAIT, LEAVE = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", "sys.stdin.read()", "os._exit(0)"
MARKED_ONLY = ("True", "None")
SAME_SESSION_ONLY = ("False", "{}")


@pytest.mark.parametrize("end_of_child", [HANG, WAIT, LEAVE])
@pytest.mark.parametrize("kind", [MARKED_ONLY, SAME_SESSION_ONLY], ids=["in its own session", "without environment"])
def test_a_child_takes_what_it_started_along(
    end_of_child: str, kind: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runner.child.CLOSE_S", 0.5)
    code = GRANDCHILD % (*kind, end_of_child)
    child: Child[int] = Child([sys.executable, "-c", code], int, tmp_path / "log", {}, run_id(tmp_path, 1, 1))
    (grandchild, *_) = child.receive(20)
    assert grandchild is not None and alive(grandchild)
    child.close()
    assert not alive(grandchild) and not alive(child.process.pid)


def test_a_title_written_over_the_environment_hides_nobody(tmp_path: Path) -> None:
    """As vLLM's engine core does; the library leaves the environment alone where SPT_NOENV is set."""
    pytest.importorskip("setproctitle")
    code = (
        "import setproctitle, sys; setproctitle.setproctitle('VLLM::EngineCore' * 200); print(1, flush=True); sys.stdin.read()"
    )
    mark = run_id(tmp_path, 1, 1)
    child: Child[int] = Child([sys.executable, "-c", code], int, tmp_path / "log", {}, mark)
    assert child.receive(20) == [1]
    assert marked(mark) == [child.process.pid]
    child.close()


def test_a_mark_of_another_store_is_left_alone(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a", tmp_path / "b"
    ours.touch()
    theirs.touch()
    mine, other = (subprocess.Popen(SLEEP, env={**os.environ, VARIABLE: run_id(lock, 3, 1)}) for lock in (ours, theirs))
    deadline = time.monotonic() + 10
    while not marked(owner(ours)) and time.monotonic() < deadline:  # the environment is there once the program is
        time.sleep(0.01)
    assert end_marked(owner(ours)) == [mine.pid]
    assert not alive(mine.pid) and alive(other.pid)
    mine.wait()
    end(other)


def test_a_process_does_not_end_itself_by_its_mark(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, '.')\nfrom pathlib import Path\nfrom core.runner.processes import end_marked, owner\n"
        "print(end_marked(owner(Path(sys.argv[1]))))"
    )
    environment = {**os.environ, VARIABLE: run_id(tmp_path, 1, 1)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.stdout == "[]\n", done.stderr


def test_a_stranger_who_got_the_number_lives(tmp_path: Path) -> None:
    started = process_start(os.getpid())
    assert started is not None
    other = stranger(dead_pid())
    try:
        assert not end_process(other.pid, started)
        assert end_marked(owner(tmp_path)) == []
        assert alive(other.pid)
        assert end_process(other.pid, process_start(other.pid) or 0.0)
        assert not alive(other.pid)
    finally:
        end(other)


def test_a_number_that_was_given_out_again_two_ticks_later_is_a_stranger() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        started = process_start(process.pid)
        assert started is not None
        assert not end_process(process.pid, started - 0.02) and process.poll() is None
        assert end_process(process.pid, started)

"""A folder whose name is no text, little memory to map, no `nice`: a run works there, or a sentence says why not."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from core.runner import gpus
from tests.helpers.ready_model import ready_model
from tests.helpers.runs import LRM, REPOSITORY

FACTS = ("--benchmark", "pocket-facts", "--limit", "2")


def lrm(folder: bytes, *arguments: str, memory: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a folder, where it may map so many bytes."""

    def bounded() -> None:
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    environment = {k: v for k, v in os.environ.items() if not k.startswith("LRM_")} | {"PYTHONPATH": str(REPOSITORY)}
    command = [*LRM, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", timeout=300, preexec_fn=bounded
    )


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    try:
        done = lrm(folder, "add", "--model", ready_model(), *FACTS, "--wait")
        assert done.returncode == 0, done.stdout + done.stderr
        for command in ("ls", "scores", "runner status", "show 2", "doctor", "backup ../copy.db"):
            done = lrm(folder, *command.split())
            assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    finally:
        lrm(folder, "runner", "stop")


def test_too_little_memory_to_map_is_said_before_anything_is_queued(tmp_path: Path) -> None:
    done = lrm(os.fsencode(tmp_path), "add", "--model", ready_model(), *FACTS, memory=600 * 2**20)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "may map 600 MiB (`ulimit -v`)" in done.stderr and "ulimit -v unlimited" in done.stderr
    doctor = lrm(os.fsencode(tmp_path), "doctor", memory=600 * 2**20)
    assert "FAIL memory limit: processes may map 600 MiB" in doctor.stdout


def test_a_limit_that_is_enough_holds_up_nothing(tmp_path: Path) -> None:
    """Also where it is below what a chat template may take."""
    try:
        done = lrm(os.fsencode(tmp_path), "add", "--model", ready_model(), *FACTS, "--wait", memory=3 * 2**29)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        lrm(os.fsencode(tmp_path), "runner", "stop")


def test_without_nice_commands_run_at_the_usual_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpus.low_priority()[1:] == ("-n", "5")
    monkeypatch.setenv("PATH", "")
    assert gpus.low_priority() == ()

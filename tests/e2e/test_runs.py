"""The whole path with real weights: command, runner, host, store, tables; kills, bad files and a real terminal."""

from __future__ import annotations

import os
import pty
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyte
import pytest

from benchmarks.pocket import weights_dir
from core.errors import RunnerRunning
from core.jobs.models import resolve
from core.runner.client import ensure_runner, status, stop_runner
from core.runner.runner import Runner
from core.store.connection import connect
from tests.e2e.kill import TARGETS, check, finished, kill, stored, torture
from tests.helpers.ready_model import ready_model
from tests.helpers.runs import LRM, REPOSITORY, lrm, lrm_json, wait_for_text
from tests.helpers.waiting import until


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose store holds the embedded model, dense and in its three variants, on two mini-benchmarks."""
    folder = tmp_path_factory.mktemp("ran")
    compressions = [part for c in ("none", "q8_0", "q4_0", "magnitude-50") for part in ("--compression", c)]
    benchmarks = ["--benchmark", "pocket-temporal", "--benchmark", "pocket-facts"]
    lrm(folder, "add", "--model", "pocket", *compressions, *benchmarks, "--limit", "8", "--wait")
    yield folder
    stop_runner(folder / "runs.db")


def test_every_variant_has_its_own_hash(ran: Path) -> None:
    rows = (
        connect(ran / "runs.db", "reader")
        .execute("SELECT compression, sha256, bits_per_weight, sparsity FROM artifacts")
        .fetchall()
    )
    assert len({row["sha256"] for row in rows}) == 4
    bits = {row["compression"]: row["bits_per_weight"] for row in rows}
    assert bits["none"] > bits["q8_0"] > bits["q4_0"]
    assert next(row["sparsity"] for row in rows if row["compression"] == "magnitude-50") == pytest.approx(0.5, abs=0.01)


def test_scores_and_lengths_are_printed(ran: Path) -> None:
    scores = lrm_json(ran, "scores")
    assert {row["compression"] for row in scores} == {"none", "q8_0", "q4_0", "magnitude-50"}
    dense = next(row for row in scores if row["compression"] == "none")["benchmarks"]
    assert dense["pocket-temporal"]["n"] == dense["pocket-temporal"]["finished"] == 8
    assert dense["pocket-temporal"]["accuracy"] >= 87.5
    assert dense["pocket-facts"]["em"] >= 87.5
    assert "pocket" in lrm(ran, "scores")
    assert {row["benchmark"] for row in lrm_json(ran, "lengths", "--q", "30")} == {"pocket-temporal", "pocket-facts"}
    assert lrm(ran, "lengths")


def test_a_response_says_where_it_came_from(ran: Path) -> None:
    job = next(job for job in lrm_json(ran, "ls") if job["benchmark"] == "pocket-facts")
    row = lrm_json(ran, "show", str(job["id"]))["responses"][0]
    whole = lrm_json(ran, "show", "--response", str(row["id"]))
    assert whole["engine_version"].startswith("llama.cpp") and whole["sha256"] and whole["seed"] is not None
    assert "</think>" in whole["text"] and whole["thinking_tokens"] > 0 and whole["answer_tokens"] > 0
    assert "<think>" in whole["prompt"]


def test_an_unknown_model_is_refused(ran: Path) -> None:
    said = lrm(ran, "add", "--model", "no-such-model", "--benchmark", "pocket-facts", code=2)
    assert "There is no model" in said and "pocket" in said


def test_a_gguf_cut_in_half_fails_and_the_queue_goes_on(ran: Path) -> None:
    whole = next((ran / ".lrm-tui").rglob("*.gguf"))
    half = ran / "half.gguf"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    said = lrm(ran, "add", "--model", str(half), "--benchmark", "pocket-facts", "--limit", "2", "--wait", code=1)
    assert "half.gguf" in said
    lrm(ran, "add", "--model", "pocket", "--benchmark", "pocket-facts", "--limit", "2", "--seed", "3", "--wait")


def test_a_benchmark_file_with_a_broken_line_fails_by_number(ran: Path) -> None:
    data = ran / "data"
    data.mkdir()
    (data / "aime2024.jsonl").write_text('{"ID": "a", "Problem": "p", "Answer": 1}\n{oops\n', encoding="utf-8")
    said = lrm(ran, "add", "--model", "pocket", "--benchmark", "aime", "--data", str(data), "--wait", code=1)
    assert "aime2024.jsonl, line 2" in said


def test_one_runner_a_store(ran: Path) -> None:
    pid = ensure_runner(ran / "runs.db")
    assert pid and status(ran / "runs.db").alive
    with pytest.raises(RunnerRunning, match="already"):
        Runner(ran / "runs.db")


def test_the_real_temporal_questions_can_be_asked(ran: Path, real_data: Path) -> None:
    arguments = ("--model", "pocket", "--benchmark", "temporal", "--data", str(real_data), "--limit", "10", "--wait")
    lrm(ran, "add", *arguments)
    dense = next(row for row in lrm_json(ran, "scores") if row["compression"] == "none")
    assert dense["benchmarks"]["temporal"]["finished"] == 10
    assert dense["benchmarks"]["temporal"]["accuracy"] >= 90


def test_transformers_runs_the_same_weights(ran: Path) -> None:
    arguments = (
        "--model",
        "pocket",
        "--benchmark",
        "pocket-facts",
        "--engine",
        "transformers",
        "--limit",
        "4",
        "--wait",
    )
    lrm(ran, "add", *arguments, "--compression", "none", "--compression", "magnitude-30")


def test_smollm2_answers(ran: Path, real_data: Path) -> None:
    try:
        resolve("smollm2")
    except Exception as error:
        pytest.skip(str(error))
    arguments = ("--model", "smollm2", "--benchmark", "temporal", "--data", str(real_data), "--limit", "2")
    lrm(ran, "add", *arguments, "--max-tokens", "48", "--wait")


def test_kills_lose_nothing(tmp_path: Path) -> None:
    """The quick form; `make kill` is the long one."""
    met = torture(tmp_path, dict.fromkeys(TARGETS, 1), limit=6, seed=2)
    assert met.kills == dict.fromkeys(TARGETS, 1) and len(met.back_s) + met.held_back == 1


def test_an_engine_that_dies_has_every_response_of_its_batch_finished(tmp_path: Path) -> None:
    """Killed with every slot at work: the run does not end before those responses are done, from their stored tokens."""
    path, limit = tmp_path / "runs.db", 24
    lrm(tmp_path, "add", "--model", ready_model(), "--benchmark", "pocket-temporal", "--limit", str(limit))
    try:
        with closing(connect(path, "reader")) as connection:
            until(lambda: stored(connection))
            before, begun = finished(connection), stored(connection)
            assert kill("host", path, connection, random.Random(0))
            until(lambda: connection.execute("SELECT 1 FROM jobs WHERE kind = 'run' AND state = 'done'").fetchone())
            check(connection, before, begun)
            counts = "SELECT count(*), sum(state = 'done'), count(resumed_at) > 0 FROM responses"
            assert tuple(connection.execute(counts).fetchone()) == (limit, limit, 1)
            assert connection.execute("SELECT 1 FROM notices WHERE message LIKE '%died and is started again%'").fetchone()
    finally:
        stop_runner(path)


def test_the_app_in_a_real_terminal(ran: Path) -> None:
    """Started in a pseudo-terminal of 80x24, it shows the queue, every pane answers its key, and it ends with code 0."""
    ours, theirs = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [*LRM, "--db", str(ran / "runs.db")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    try:
        wait_for_text(ours, stream, screen, "pocket")
        for key in b"2", b"3", b"4", b"5", b"1":
            os.write(ours, key)
            wait_for_text(ours, stream, screen, "")
        os.write(ours, b"\x11")
        assert process.wait(30) == 0
    finally:
        process.send_signal(signal.SIGKILL) if process.poll() is None else None
        os.close(ours)


def test_the_screen_imports_nothing_heavy() -> None:
    code = "import sys, tui.app; print([m for m in ('torch', 'pandas', 'numpy', 'sqlite_utils', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in weights_dir().iterdir()) < 15e6

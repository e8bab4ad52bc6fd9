"""What users ask of the queue."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from core.compress.recipes import DYNAMIC
from core.errors import LrmError, UsageError
from core.jobs import queue as jobs
from core.spec import POLICIES, Policy, PrepareJob, RunSpec, Sampling
from core.store.connection import connect
from core.store.runner_store import RunnerStore
from core.store.snapshot import JobRow
from core.store.watch import read
from tests.helpers.command_line import parsed

TEMPLATE = RunSpec("pocket", "none", "pocket-facts", "llama.cpp", Sampling(max_tokens=64), limit=2)


@pytest.fixture
def store(tmp_path: Path) -> sqlite3.Connection:
    return connect(tmp_path / "runs.db", "user")


def test_a_sweep_is_every_compression_of_the_paper(store: sqlite3.Connection) -> None:
    specs = jobs.grid(["pocket"], ["sweep"], ["pocket-facts"], TEMPLATE)
    assert len(jobs.add(store, specs)) == 12
    made = [job.compression for job in queue(store) if job.kind == "prepare"]
    assert made == ["none", *(f"sparsegpt-{p}" for p in (10, 30, 40, 50, 60, 70, 80)), *DYNAMIC]


def test_a_text_is_taken_in_and_a_missing_one_refuses_all(store: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("words")
    jobs.add(store, [replace(TEMPLATE, compression=f"wanda-50@{tmp_path / 'words.txt'}-4x64")])
    assert queue(store)[0].compression.startswith("wanda-50@text-")
    before = queue(store)
    with pytest.raises(UsageError, match="No text"):
        jobs.add(store, [TEMPLATE, replace(TEMPLATE, compression="wanda-50@absent.txt")])
    assert queue(store) == before


def test_a_distillation_names_runs_of_this_store(store: sqlite3.Connection) -> None:
    for run in (1, 9):
        with pytest.raises(UsageError, match=f"run {run}"):
            jobs.add(store, [replace(TEMPLATE, compression=f"distill-{run}")])
    (run,) = jobs.add(store, [TEMPLATE])
    with pytest.raises(UsageError, match="only prepares") as caught:
        jobs.add(store, [replace(TEMPLATE, compression=f"distill-{run - 1}+q4_0")])
    assert str(run) in caught.value.remedy
    assert len(jobs.add(store, [replace(TEMPLATE, compression=f"distill-{run}+sparsegpt-50+q4_0")])) == 1


def queue(store: sqlite3.Connection) -> list[JobRow]:
    return list(read(store).jobs)


def test_a_grid_prepares_each_variant_once(store: sqlite3.Connection) -> None:
    specs = jobs.grid(["pocket"], ["none", "Q8_0"], ["pocket-facts", "pocket-logic"], TEMPLATE)
    assert len(jobs.add(store, specs)) == 4
    assert [(j.kind, j.compression) for j in queue(store)] == [
        ("prepare", "none"),
        ("run", "none"),
        ("run", "none"),
        ("prepare", "q8_0"),
        ("run", "q8_0"),
        ("run", "q8_0"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "nope"},
        {"benchmark": "nope"},
        {"compression": "nope"},
        {"engine": "nope"},
        {"limit": 0},
        {"sampling": Sampling(top_p=0)},
        {"compression": "q4_0", "engine": "transformers"},
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(store: sqlite3.Connection, change: dict[str, object]) -> None:
    values = {k: getattr(TEMPLATE, k) for k in ("model", "compression", "benchmark", "engine", "sampling", "limit")}
    with pytest.raises(LrmError) as caught:
        jobs.add(store, [TEMPLATE, RunSpec(**{**values, **change})])  # type: ignore[arg-type]
    assert caught.value.remedy
    assert queue(store) == []


@pytest.mark.parametrize("policy", POLICIES)
def test_a_clone_is_the_same_run(store: sqlite3.Connection, tmp_path: Path, policy: Policy) -> None:
    sampling = Sampling(0.1, 0.5, 7, 0.02, 77, ("END",))
    spec = RunSpec(
        "pocket", "q8_0", "pocket-logic", "llama.cpp", sampling, seed=5, limit=9, policy=policy, data=tmp_path, gpus=0
    )  # fmt: skip
    run = jobs.add(store, [spec])[0]
    assert jobs.spec_of(store, run) == spec
    with pytest.raises(UsageError, match="preparation"):
        jobs.spec_of(store, run - 1)
    jobs.add(store, [jobs.spec_of(store, run)])
    assert [job.compression for job in queue(store) if job.kind == "run"] == ["q8_0", "q8_0"]


def test_toggling_pauses_and_resumes(store: sqlite3.Connection) -> None:
    run = jobs.add(store, [TEMPLATE])[0]
    jobs.toggle(store, run)
    assert queue(store)[-1].state == "paused"
    jobs.toggle(store, run)
    assert queue(store)[-1].state == "queued"


def test_waiting_jobs_move_pause_cancel_and_come_back(store: sqlite3.Connection) -> None:
    first, second = jobs.add(store, [TEMPLATE, TEMPLATE])
    jobs.move(store, second, -1)
    jobs.move(store, second, -1)
    assert next(j.id for j in queue(store)) == second
    jobs.move(store, second, -1)
    jobs.pause(store, first)
    jobs.cancel(store, second)
    assert {j.id: j.state for j in queue(store) if j.kind == "run"} == {first: "paused", second: "cancelled"}
    with pytest.raises(UsageError, match="already"):
        jobs.cancel(store, second)
    jobs.requeue(store, first)
    jobs.requeue(store, second)
    assert {j.state for j in queue(store)} == {"queued"}
    with pytest.raises(UsageError, match="no job 99"):
        jobs.pause(store, 99)


def test_a_run_whose_variant_failed_fails_with_the_reason(tmp_path: Path) -> None:
    store = connect(tmp_path / "runs.db", "user")
    (run,) = jobs.add(store, [TEMPLATE])
    runner = RunnerStore(tmp_path / "runs.db")
    runner.take_over(0.0)
    (prepare,) = runner.startable()
    assert isinstance(prepare, PrepareJob) and runner.claim(prepare.id)
    runner.end_job(prepare.id, "failed", "the file is cut", "fetch it again")
    assert runner.startable() == []
    failed = next(job for job in queue(store) if job.id == run)
    assert (failed.state, failed.remedy) == ("failed", "fetch it again")
    assert "the file is cut" in (failed.error or "")
    jobs.requeue(store, run)
    assert [j.kind for j in queue(store) if j.state == "queued"] == ["prepare", "run"]


def test_interrupted_jobs_go_back_into_the_queue(tmp_path: Path) -> None:
    store = connect(tmp_path / "runs.db", "user")
    jobs.add(store, [TEMPLATE])
    killed = RunnerStore(tmp_path / "runs.db")
    killed.take_over(0.0)
    (job,) = killed.startable()
    assert killed.claim(job.id)
    assert not killed.claim(job.id)
    heir = RunnerStore(tmp_path / "runs.db")
    heir.take_over(0.0)
    assert heir.claim(job.id)
    assert store.execute("SELECT attempts FROM jobs WHERE id = ?", (job.id,)).fetchone()[0] == 2


def test_sampling_and_gpus_are_stored_as_asked_and_refused_out_of_range(tmp_path: Path) -> None:
    store = connect(tmp_path / "runs.db", "user")
    asked = replace(TEMPLATE, sampling=Sampling(top_k=40, min_p=0.05, stop=("\n\n", "Question:")), gpus=2)
    (run,) = jobs.add(store, [asked])
    row = store.execute("SELECT sampling, gpus FROM jobs WHERE id = ?", (run,)).fetchone()
    assert Sampling(**json.loads(row["sampling"])) == asked.sampling and row["gpus"] == 2
    for sampling in (Sampling(top_k=-1), Sampling(min_p=1.0), Sampling(min_p=-0.1), Sampling(min_p=float("nan"))):
        with pytest.raises(UsageError, match="out of range"):
            jobs.add(store, [replace(TEMPLATE, sampling=sampling)])
    with pytest.raises(UsageError, match="-1 GPUs"):
        jobs.add(store, [replace(TEMPLATE, gpus=-1)])


def test_the_command_line_takes_them() -> None:
    run = ["add", "--model", "m", "--benchmark", "b"]
    options = parsed([*run, "--top-k", "40", "--min-p", "0.05", "--stop", "END", "--stop", "###", "--gpus", "2"]).params
    assert [options[name] for name in ("top_k", "min_p", "stop", "gpus")] == [40, 0.05, ("END", "###"), 2]
    assert parsed(run).params["stop"] == ()


def test_a_requeued_job_is_started_again(tmp_path: Path) -> None:
    """Every start is counted, and none of a job's starts has the number of another."""
    store = connect(tmp_path / "runs.db", "user")
    jobs.add(store, [TEMPLATE])
    runner = RunnerStore(tmp_path / "runs.db")
    runner.take_over(0.0)
    (job,) = runner.startable()
    for start in range(3):
        assert runner.claim(job.id)
        runner.end_job(job.id, "failed", "no", "try again")
        jobs.requeue(store, job.id)
        numbers = [row[0] for row in store.execute("SELECT attempt FROM starts WHERE job_id = ?", (job.id,))]
        assert numbers == list(range(1, start + 2))

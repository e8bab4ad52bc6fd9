"""Several samples of each question in one run: with the engine, through a kill, and in the tables."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

from core.runner.inputs import response_seed
from core.runner.run import audited
from tests.e2e.kill import check, finished, stored
from tests.helpers.jobs import run_job
from tests.helpers.runs import ended, host, queued, spec
from tests.helpers.waiting import until


def test_each_question_gets_its_samples_through_a_kill(tmp_path: Path) -> None:
    with queued(tmp_path, replace(spec(benchmark="pocket-arithmetic", limit=4), samples=3)) as (store, (job,)):
        until(lambda: stored(store))
        before, begun = finished(store), stored(store)
        os.kill(host(store), signal.SIGKILL)
        assert ended(store, job)["state"] == "done"
        check(store, before, begun)
        rows = store.execute("SELECT i.key, r.sample, r.seed FROM responses r JOIN items i ON i.id = r.item_id").fetchall()
        assert len(rows) == 12 and {row["sample"] for row in rows} == {0, 1, 2}
        assert all(row["seed"] == response_seed(0, row["key"], row["sample"]) for row in rows)
        assert len({row["seed"] for row in rows}) == 12


def test_each_sample_is_drawn_for_the_audit_by_itself() -> None:
    job = run_job(policy="stop", audit_share=0.5)
    drawn = {audited(job, "q", sample) for sample in range(20)}
    assert drawn == {True, False}

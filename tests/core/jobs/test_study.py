"""The embedded model's study and its sample."""

from __future__ import annotations

from pathlib import Path

from core.jobs import queue
from core.jobs.study import BENCHMARKS, FAMILY, SEEDS, queue_demo, queue_study
from core.store.connection import connect


def test_a_study_that_is_asked_for_again_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    ids = queue_study(path, 3)
    assert len(ids) == len(set(ids)) == sum(map(len, FAMILY.values())) * len(BENCHMARKS) * len(SEEDS)
    assert queue_study(path, 3) == ids
    connection = connect(path, "user")
    queue.cancel(connection, ids[5])
    connection.close()
    again = queue_study(path, 3)
    assert set(ids) - set(again) == {ids[5]} and len(again) == len(ids)
    assert not set(queue_study(path, 4)) & set(again)


def test_the_demo_is_the_study_with_one_seed(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    ids = queue_demo(path, 3)
    assert queue_demo(path, 3) == ids
    assert set(ids) <= set(queue_study(path, 3))

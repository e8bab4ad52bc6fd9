"""What the student's control learns from: right answers to the teacher's questions, without reasoning."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pocket.suite import TRAINING
from core.compress.distill.answers import sampled
from core.store.connection import connect
from training import student


def test_answers_become_runs_to_distil_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student, "QUESTIONS", {suite.name: 3 for suite in TRAINING})
    store = tmp_path / "runs.db"
    runs = student._answers(store, tmp_path / "answers.jsonl")
    assert len(runs) == len(TRAINING)
    assert student._answers(store, tmp_path / "answers.jsonl") == runs
    assert [row["id"] for row in connect(store, "reader").execute("SELECT id FROM jobs ORDER BY id")] == runs
    found = sampled(store, runs)
    assert (found.finished, found.correct, len(found.answers)) == (12, 12, 12)
    assert all(answer.text.startswith("</think>\n The answer is ") and answer.chat for answer in found.answers)

"""A run with vLLM under its own interpreter, from the command to the store, through a kill -9 of its host."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.e2e.kill import check, finished, stored
from tests.helpers.runs import ended, host, queued, spec
from tests.helpers.waiting import until

BUILT = Path(__file__).resolve().parents[2] / ".venv-vllm" / "bin" / "python"
PATIENCE_S = 500.0  # it starts twice


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter that has vLLM, and settings small enough for a machine without a GPU."""
    python = os.environ.get("LRM_PYTHON_VLLM") or str(BUILT)
    if not Path(python).exists():
        pytest.skip("vLLM is not installed (`make vllm`, or LRM_PYTHON_VLLM)")
    for name, value in {"PYTHON_VLLM": python, "VLLM_EAGER": "1", "VLLM_KV_GIB": "0.25", "VLLM_SLOTS": "4"}.items():
        monkeypatch.setenv(f"LRM_{name}", value)


def test_a_killed_vllm_goes_on_after_its_stored_tokens_and_leaves_nothing(tmp_path: Path, vllm: None) -> None:
    long = replace(spec("pocket", limit=12), compression="magnitude-70", engine="vllm")
    with queued(tmp_path, long) as (store, (job,)):
        until(lambda: stored(store), PATIENCE_S)
        pid = host(store)
        family = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGSTOP)  # so that nothing comes between the look and the kill
        before, begun = finished(store), stored(store)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
        until(
            lambda: store.execute("SELECT 1 FROM jobs WHERE id = ? AND state IN ('done', 'failed')", (job,)).fetchone(),
            PATIENCE_S,
        )
        row = ended(store, job)
        assert row["state"] == "done", row["error"]
        assert row["engine_version"].startswith("vllm ")
        check(store, before, begun)
        assert len(finished(store)) == 12
        assert store.execute("SELECT count(*) FROM responses WHERE resumed_at > 0").fetchone()[0]

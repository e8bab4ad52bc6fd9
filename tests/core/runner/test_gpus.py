"""GPUs as names and locks; runs on them are in tests/e2e/test_gpus.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.runner import gpus
from core.runner.allocation import ChildCommand
from core.runner.scheduler import gpus_needed
from core.settings import load
from tests.helpers.jobs import prepare_job, run_job


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gpus, "LOCKS", tmp_path / "locks")
    monkeypatch.setenv("LRM_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "locks"


def test_the_setting_goes_before_the_driver_and_what_this_shell_may_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3")
    assert gpus.present(load().general) == ["2", "3"]
    (tmp_path / "settings.toml").write_text("gpus = [0, 1]\n")
    assert gpus.present(load().general) == ["0", "1"]
    monkeypatch.setenv("LRM_GPUS", "GPU-a,GPU-b:GPU-c")
    assert gpus.present(load().general) == ["GPU-a", "GPU-b", "GPU-c"]


def test_a_gpu_has_one_holder_on_the_whole_machine(locks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_GPUS", "a,b")
    first = gpus.take(1, load().general)
    assert first is not None and first.names == ["a"]
    assert first.environment()["CUDA_VISIBLE_DEVICES"] == "a"
    assert gpus.take(2, load().general) is None
    # Another process, which may be another user's, sees the same locks.
    code = f"from pathlib import Path; from core.runner import gpus; from core.settings import load; gpus.LOCKS = Path({str(locks)!r}); g = load().general; print(gpus.take(1, g).names, gpus.take(2, g))"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert said.stdout.strip() == "['b'] None"
    assert {oct(file.stat().st_mode & 0o777) for file in locks.iterdir()} == {"0o644"}
    first.release()
    both = gpus.take(2, load().general)
    assert both is not None and both.names == ["a", "b"]
    both.release()


def test_no_gpu_is_a_lease_too() -> None:
    lease = gpus.take(0, load().general)
    assert lease is not None and lease.environment() == {}


def need(engine: str | None, total: int, gpus: int | None = None) -> int:
    return gpus_needed(run_job(engine=engine, gpus=gpus) if engine else prepare_job(gpus=gpus), total, load())


def test_how_many_a_job_needs(tmp_path: Path) -> None:
    assert [need(e, 4) for e in ("llama.cpp", "transformers", "vllm", "openai", "replay", None)] == [1, 1, 1, 0, 0, 1]
    assert [need(e, 0) for e in ("llama.cpp", "vllm", None)] == [0, 0, 0]
    assert need("llama.cpp", 0, 3) == 3 and need("vllm", 4, 0) == 0
    (tmp_path / "settings.toml").write_text(
        '[vllm]\ntensor_parallel = 2\npipeline_parallel = 2\n["llama.cpp"]\ngpu_layers = 0\n'
    )
    assert need("vllm", 8) == 4 and need("llama.cpp", 8) == 0


def test_only_who_computes_on_the_processors_gives_way_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_GPUS", "a")
    tell = [sys.executable, "-c", "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"]
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    lease = gpus.take(1, load().general)
    assert lease is not None
    for place, more in ((gpus.LocalGpus(), 5), (lease, 0)):
        command, environment = place.child(ChildCommand(tell), load().general)
        said = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=True, text=True).stdout
        assert int(said) == min(19, ours + more)
    lease.release()

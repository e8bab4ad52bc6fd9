"""What the executor asks for, and what it says where it cannot be had. Runs on a cluster are in tests/e2e/test_cluster.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.doctor.checks import executor
from core.engines.host.engine import EngineFailure
from core.engines.host.options import VllmOptions
from core.engines.vllm.spread import everywhere, spread
from core.errors import UsageError
from core.runner.allocation import ChildCommand
from core.runner.cluster import ray as connection
from core.runner.cluster.ray import check_installed, loopback_environment
from core.runner.gpus import LocalGpus
from core.runner.prepare import _local_only
from core.runner.scheduler import Resources, resources_of
from core.settings import load
from tests.helpers.jobs import prepare_job, run_job


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty settings file, to be written into."""
    monkeypatch.setenv("LRM_SETTINGS", str(tmp_path / "settings.toml"))
    return tmp_path / "settings.toml"


def resources(engine: str | None, gpus: int | None = None, replicas: int = 1, *, total: int = 0) -> Resources:
    job = run_job(engine=engine, gpus=gpus, replicas=replicas) if engine else prepare_job(gpus=gpus, replicas=replicas)
    return resources_of(job, total, load())


def test_what_is_asked_of_a_cluster(settings: Path) -> None:
    assert resources("vllm", 2, 3, total=8) == Resources(3, 2)
    settings.write_text('executor = "ray"\n')
    assert resources("vllm", 2, 3) == Resources(3, 2, cluster=True)
    assert resources("llama.cpp") == Resources(1, None, cluster=True), (
        "Ray knows whether there are GPUs, and this machine does not"
    )
    assert resources(None) == Resources(1, None, cluster=True)
    assert resources("replay", None, 2) == Resources(2, 0, cluster=True)
    assert resources("openai") == Resources(1, 0), "the key to a server stays here"
    settings.write_text('executor = "ray"\n[vllm]\nspans_nodes = true\ntensor_parallel = 8\npipeline_parallel = 2\n')
    assert resources("vllm") == Resources(1, 0, cluster=True, span=16)
    assert resources("vllm", 32) == Resources(1, 0, cluster=True, span=32)


def test_vllm_over_several_machines() -> None:
    alone = VllmOptions(pipeline_parallel=2)
    assert spread(alone, here=8) == {"tensor_parallel_size": 4, "pipeline_parallel_size": 2}
    wide = VllmOptions(tensor_parallel=8, pipeline_parallel=2, spans_nodes=True)
    assert spread(wide, here=0) == {
        "tensor_parallel_size": 8, "pipeline_parallel_size": 2, "distributed_executor_backend": "ray",
    }  # fmt: skip
    with pytest.raises(EngineFailure, match="nobody says how many"):
        spread(VllmOptions(spans_nodes=True), here=8)
    assert everywhere([5, 6, 7], 2, spans_nodes=False) == [5, 6]
    assert everywhere([5, 6], 5, spans_nodes=True) == [5, 6, 5, 6, 5]
    assert everywhere([], 4, spans_nodes=True) == []


def test_variants_are_made_where_their_folder_is(settings: Path) -> None:
    work = {name: prepare_job(compression=name) for name in ("none", "q4_0", "sparsegpt-50@traces", "distill-1")}
    assert all(_local_only(one, load().general) for one in work.values()), "the folder beside the store is this machine's alone"
    settings.write_text('variants_folder = "/shared/variants"\n')
    assert [_local_only(one, load().general) for one in work.values()] == [False, False, True, True], (
        "the store can be read here alone"
    )


def test_engines_without_gpus_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    general = load().general
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 6)
    assert [part.child(ChildCommand(["x"], {"A": "1"}), general)[1] for part in LocalGpus().split(3)] == [
        {"A": "1", "OMP_NUM_THREADS": "2"}
    ] * 3
    assert LocalGpus().split(1)[0].child(ChildCommand(["x"]), general)[1] == {}


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, settings: Path) -> None:
    settings.write_text('executor = "ray"\n')
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'lrm-tui\[ray\]'"):
        check_installed()
    found = executor()
    assert not found.ok and "not installed" in found.detail and "lrm-tui[ray]" in found.remedy


def test_an_executor_that_does_not_exist(settings: Path) -> None:
    settings.write_text('executor = "slurm"\n')
    with pytest.raises(UsageError, match="no executor 'slurm'"):
        load()


def test_nothing_of_ray_is_imported_by_a_runner_or_the_app() -> None:
    code = "import sys, core.runner.runner, core.runner.client, core.runner.scheduler, tui.app; sys.exit(any(m.split('.')[0] == 'ray' for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_token_of_our_own_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "ray" / "token"
    assert loopback_environment(file)["RAY_AUTH_TOKEN_PATH"] == str(file)
    first = file.read_text()
    assert len(first) == 64 and file.stat().st_mode & 0o077 == 0 and file.parent.stat().st_mode & 0o077 == 0
    loopback_environment(file)
    assert file.read_text() == first


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:9", "No Ray answers"),
        ("ray://127.0.0.1:10001", "Ray's client"),
        ("somewhere", "no address of a Ray cluster"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, said: str, settings: Path) -> None:
    pytest.importorskip("ray", reason="Ray is an optional extra: pip install 'lrm-tui[ray]'")
    command = [sys.executable, "-m", "core.runner.cluster.ray", address]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert said in answer["error"] and answer["remedy"]
    settings.write_text(f'executor = "ray"\nray_address = "{address}"\n')
    found = executor()
    assert not found.ok and said in found.detail and found.remedy

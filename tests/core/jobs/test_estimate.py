"""What runs would take: sizes, memory and time, by what the store has seen and without it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from core.compress.recipes import GGUF_TYPES
from core.engines import memory
from core.errors import ModelError
from core.jobs.estimate import BITS, estimate
from core.jobs.models import known, named, resolve
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from tests.helpers import published

GIB = 2**30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model in Hugging Face format of 8e9 parameters in 16 bits, by its config and the size of a sparse file."""
    place = tmp_path / "models" / "R1-Distill-8B"
    place.mkdir(parents=True)
    shape = {"num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8}
    (place / "config.json").write_text(
        json.dumps(
            {**shape, "vocab_size": 128256, "intermediate_size": 14336, "torch_dtype": "bfloat16", "model_type": "llama"}
        )
    )
    with (place / "model.safetensors").open("wb") as file:
        file.truncate(16_000_000_000)
    return place


def spec(model: Path | str, compression: str, **rest: object) -> RunSpec:
    return RunSpec(str(model), compression, "folio", "llama.cpp", Sampling(max_tokens=32_768), **rest)  # type: ignore[arg-type]


def test_every_type_has_its_bits() -> None:
    assert set(BITS) == set(GGUF_TYPES)


def test_bits_are_those_that_llama_cpp_prints() -> None:
    assert BITS == {
        "q8_0": 8.5, "q6_k": 6.56, "q5_k_m": 5.67, "q5_k_s": 5.51, "q5_1": 6.0, "q5_0": 5.5, "q4_k_m": 4.83, "q4_k_s": 4.56,
        "q4_1": 5.0, "q4_0": 4.5, "iq4_nl": 4.5, "iq4_xs": 4.25, "q3_k_l": 4.26, "q3_k_m": 3.89, "q3_k_s": 3.48, "iq3_m": 3.66,
        "iq3_s": 3.44, "q2_k": 3.34, "iq3_xxs": 3.06, "iq2_m": 2.7, "iq2_s": 2.5, "iq2_xs": 2.31, "iq2_xxs": 2.06,
        "iq1_m": 1.75, "iq1_s": 1.56,
        "dynamic-2.51": 2.51, "dynamic-2.22": 2.22, "dynamic-1.73": 1.73, "dynamic-1.58": 1.58,
    }  # fmt: skip


def test_sizes_and_memory_without_a_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 24 * GIB)
    monkeypatch.setattr(memory, "free_gpu_memory", lambda: [])
    names = ("none", "q8_0", "q4_k_m", "sparsegpt-50", "sparsegpt-50+q4_k_m")
    found = dict(zip(names, estimate(None, [spec(folder, name) for name in names]), strict=True))
    assert found["none"].size == found["sparsegpt-50"].size == 16_000_000_000
    assert found["q8_0"].size == 8_500_000_000 and found["sparsegpt-50+q4_k_m"].size == found["q4_k_m"].size == 4_830_000_000
    assert [found[name].slots for name in ("q8_0", "q4_k_m")] == [2, 3]  # 4.1 GiB of cache for 33,792 tokens
    assert all(one.questions == 203 and one.seconds is None and not one.made for one in found.values())
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * GIB)
    assert estimate(None, [spec(folder, "none")])[0].slots == 0


def test_the_store_knows_better(folder: Path, tmp_path: Path) -> None:
    c = connect(tmp_path / "runs.db", "user")
    name = resolve(str(folder)).name
    c.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, ?, ?, 'hf', 'llama')", (name, str(folder)))
    c.execute(
        "INSERT INTO artifacts (id, model_id, compression, format, ready_at, bytes, bits_per_weight) "
        "VALUES (1, 1, 'q8_0', 'gguf', 1, 999, 9.0)"
    )
    c.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
    for job, pace in ((1, 10.0), (2, 30.0), (3, 20.0)):
        past(c, job, pace)
    made, other = estimate(c, [spec(folder, "q8_0", limit=10), spec(folder, "sparsegpt-50+q8_0", limit=10)])
    c.close()
    assert made.made and made.size == 999
    assert not other.made and other.size == 9_000_000_000
    assert made.seconds == 200 and made.past == 3 and other.seconds == 200


def past(c: sqlite3.Connection, job: int, pace: float) -> None:
    """A finished run of four questions at so many seconds each."""
    c.execute(
        "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
        "VALUES (?, 'run', 'done', ?, 1, 'folio', 'llama.cpp', '{}', 1)",
        (job, job),
    )
    for n in range(4):
        c.execute("INSERT OR IGNORE INTO items VALUES (?, 'folio', ?, 'r', '{}', '[]')", (n + 1, f"q{n}"))
        c.execute(
            "INSERT INTO responses (job_id, item_id, position, seed, state, finish_reason, started, finished) "
            "VALUES (?, ?, 0, 1, 'done', 'stop', ?, ?)",
            (job, n + 1, n * pace, (n + 1) * pace),
        )


def test_models_are_found_in_folders_and_named_again(folder: Path, tmp_path: Path) -> None:
    for name in ("one.gguf", "big-00001-of-00003.gguf", "big-00002-of-00003.gguf", "big-00003-of-00003.gguf"):
        (tmp_path / "models" / name).write_bytes(b"GGUF")
    listed = known([str(tmp_path / "models")])
    assert listed[0] == "pocket" and str(folder) in listed
    assert [Path(name).name for name in listed if name.endswith(".gguf")] == ["big-00001-of-00003.gguf", "one.gguf"]
    for name in ("pocket", str(folder), "openai:http://127.0.0.1:1/v1#m"):
        model = resolve(name)
        assert resolve(named(model.name, str(model.source), model.format)) == model


def test_packed_weights_are_predicted_by_what_they_stand_for(tmp_path: Path) -> None:
    """In FP8 a folder takes half of its 16 bits; the file made of it has the bits of its type all the same."""
    config = published.DISTILL_LLAMA_8B | {"quantization_config": {"quant_method": "fp8"}}
    shapes = {"up_proj.weight": ("F8_E4M3", (20_000, 50_000)), "up_proj.weight_scale_inv": ("F32", (157, 391))}
    folder = published.folder(tmp_path / "fp8", config, shapes)
    made = estimate(None, [spec(folder, "q8_0")])[0]
    assert made.size == 10**9 * 8.5 / 8


def test_sequences_that_cannot_join_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 999 * GIB)
    monkeypatch.setattr(memory, "free_gpu_memory", lambda: [])
    weights = {"lm_head.weight": ("BF16", (1000, 1000))}
    for config, slots in ((published.DISTILL_LLAMA_8B, 8), (published.GEMMA_3_4B, 1), (published.JAMBA_MINI, 1)):
        folder = published.folder(tmp_path / config["model_type"], config, weights)
        run = RunSpec(str(folder), "none", "folio", "transformers", Sampling(max_tokens=1000))
        assert estimate(None, [run])[0].slots == slots


def test_a_damaged_model_is_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"bad\.gguf"):
        estimate(None, [spec(bad, "none")])

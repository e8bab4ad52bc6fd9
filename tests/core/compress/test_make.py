"""Artifacts: named by content, reused when whole, made again when not, with facts measured from their bytes."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from core.compress.artifacts import Artifact
from core.compress.facts import facts
from core.compress.gguf.export import export_folder
from core.compress.gguf.quantize import Job, quantize_file
from core.compress.hf_folder import HfFolder
from core.compress.make import VariantMaker
from core.compress.recipes import PLAIN_TYPES, parse
from core.engines.llamacpp.native import LlamaModel
from tests.helpers import tiny


def make(model: Path, compression: str, out: Path) -> Artifact:
    return VariantMaker(model, out, lambda done, total, message: None).make(parse(compression), "hf", "gguf")


def test_the_same_bytes_elsewhere_make_the_same_artifact(hf_model: Path, tmp_path: Path) -> None:
    first = make(hf_model, "q4_0", tmp_path / "a")
    second = make(hf_model, "q4_0", tmp_path / "b")
    assert first.path.name == second.path.name
    assert first.facts == second.facts
    other = make(tiny.save_model(tmp_path / hf_model.name, seed=1), "q4_0", tmp_path / "a")
    assert first.path.name != other.path.name


def test_bits_per_weight_are_those_of_the_tensors(hf_model: Path, tmp_path: Path) -> None:
    made = make(hf_model, "q4_0", tmp_path)
    tensors = gguf.GGUFReader(made.path).tensors
    bits = 8 * sum(int(t.n_bytes) for t in tensors) / sum(int(t.n_elements) for t in tensors)
    assert made.facts.bits_per_weight == pytest.approx(bits)
    assert made.facts.parameters == facts(hf_model).parameters
    assert made.facts.sparsity == 0.0


def test_an_artifact_without_its_record_is_made_again(hf_model: Path, tmp_path: Path) -> None:
    path = make(hf_model, "none", tmp_path).path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    path.with_name(f"{path.name}.json").unlink()
    assert make(hf_model, "none", tmp_path).path.read_bytes() == whole


def test_every_type_that_is_offered_is_made_and_loads(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "model", hidden_size=256, intermediate_size=256)
    source = tmp_path / "model.gguf"
    export_folder(HfFolder.open(folder), source, lambda *step: None)
    bits = {}
    for kind in PLAIN_TYPES:
        target = tmp_path / f"{kind}.gguf"
        quantize_file(source, target, Job(kind), lambda *step: None)
        bits[kind] = facts(target).bits_per_weight
        assert LlamaModel(target, 0).vocab_size == LlamaModel(source, 0).vocab_size
    assert max(bits.values()) < 9.5
    assert bits["q8_0"] > bits["q6_k"] > bits["q5_k_s"] > bits["q4_k_s"] > bits["q3_k_s"] > bits["q2_k"]

"""Types under a budget: errors as llama.cpp makes them, the best allocation that fits, what rows can hold."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from hypothesis import given
from hypothesis import strategies as st

from core.compress.gguf import allocation, dynamic
from core.compress.gguf.allocation import Offer, allocate, candidates, lost_energy, quantized
from core.compress.gguf.export import export_folder
from core.compress.gguf.quantize import Job, predicted_bytes, quantize_file, rules
from core.compress.hf_folder import HfFolder
from tests.helpers import tiny


def test_more_bits_lose_less_and_the_importance_matrix_shifts_the_loss() -> None:
    rows = np.random.default_rng(0).standard_normal((8, 512)).astype(np.float32)
    squares = np.where(np.arange(512) < 64, 100, 0.1).astype(np.float32)
    losses = [lost_energy(rows, quantized(rows, kind, None), squares) for kind in (Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q6_K)]
    assert losses == sorted(losses, reverse=True)
    assert 0 < losses[-1] < 0.001 < losses[0] < 0.2
    weighted = lost_energy(rows, quantized(rows, Type.Q2_K, squares), squares)
    assert weighted < losses[0]


def test_quantized_rows_are_what_a_file_holds(tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    export_folder(HfFolder.open(tiny.save_model(tmp_path / "model", hidden_size=256)), source, lambda *_step: None)
    quantize_file(source, tmp_path / "q.gguf", Job("q4_k_s", {"blk.0.attn_q.weight": int(Type.Q3_K)}), lambda *_step: None)
    find = {t.name: t for t in gguf.GGUFReader(source).tensors}["blk.0.attn_q.weight"]
    made = {t.name: t for t in gguf.GGUFReader(tmp_path / "q.gguf").tensors}["blk.0.attn_q.weight"]
    expected = gguf.quants.dequantize(made.data, Type.Q3_K)
    assert np.array_equal(quantized(np.asarray(find.data, np.float32), Type.Q3_K, None), expected)


sizes = st.lists(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=4), min_size=1, max_size=5)


@given(sizes, st.integers(0, 200))
def test_an_allocation_fits_and_none_of_its_size_is_better(choices: list[list[tuple[int, int]]], budget: int) -> None:
    offered = {
        str(i): [Offer(Type(k), size, damage / 50) for k, (size, damage) in enumerate(choice)]
        for i, choice in enumerate(choices)
    }
    chosen = {name: next(o for o in offered[name] if o.kind == kind) for name, kind in allocate(offered, budget).items()}
    total, damage = sum(o.bytes for o in chosen.values()), sum(o.damage for o in chosen.values())
    smallest = sum(min(o.bytes for o in choice) for choice in offered.values())
    assert total <= max(budget, smallest)
    reachable = {(0, 0.0)}
    for choice in offered.values():
        reachable = {(size + o.bytes, lost + o.damage) for size, lost in reachable for o in choice}
    assert all(lost >= damage - 1e-6 for size, lost in reachable if size <= total)


@pytest.mark.parametrize("columns", [256, 1536, 576, 96])
@pytest.mark.parametrize("weighted", [True, False])
def test_rows_are_offered_what_they_can_hold(columns: int, weighted: bool) -> None:
    kinds = candidates(columns, weighted=weighted)
    assert kinds
    assert all(columns % gguf.GGML_QUANT_SIZES[kind][0] == 0 for kind in kinds)
    assert (Type.IQ1_S in kinds) == (weighted and columns % 256 == 0)


@pytest.mark.parametrize(("recipe", "width"), [("dynamic-1.58", 256), ("dynamic-2.51", 96)])
def test_a_dense_recipe_keeps_within_the_size_of_its_rules(
    tmp_path: Path, recipe: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocation, "_WIDE", (Type.IQ2_XXS, Type.Q2_K, Type.Q4_K, Type.Q6_K))  # others take seconds to begin
    folder = tiny.save_model(tmp_path / "model", hidden_size=width, intermediate_size=256, num_hidden_layers=3)
    source = tmp_path / "model.gguf"
    export_folder(HfFolder.open(folder), source, lambda *_step: None)
    tensors = {t.name: t for t in gguf.GGUFReader(source).tensors}
    matrices = {name: t for name, t in tensors.items() if len(t.shape) > 1}
    weights = {name: np.ones(int(t.shape[0]), np.float32) for name, t in matrices.items()}
    importance = None if recipe == "dynamic-2.51" else weights
    kind, types = rules(source, recipe, importance)
    assert types is not None
    assert types.keys() == matrices.keys()
    plan = dynamic.plan({name: tuple(map(int, t.shape)) for name, t in tensors.items()}, recipe)
    ruled = {name: int(plan[name]) for name in matrices}
    size = predicted_bytes(source, Job(kind, types, importance))
    assert size <= predicted_bytes(source, Job(kind, ruled, importance)) * 1.01
    quantize_file(source, tmp_path / "made.gguf", Job(kind, types, importance), lambda *_step: None)
    made = {t.name: int(t.tensor_type) for t in gguf.GGUFReader(tmp_path / "made.gguf").tensors}
    assert {name: made[name] for name in types} == types, "nothing falls back to another type"

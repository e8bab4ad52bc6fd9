"""Dynamic recipes: DeepSeek-R1's four files as far as Unsloth has published them, and what a dense model gets."""

from __future__ import annotations

import math

import pytest
from gguf import GGMLQuantizationType as Type

from core.compress.gguf import deepseek
from core.compress.gguf.dynamic import RECIPES, counts, plan, size
from core.errors import ModelError

R1 = deepseek.shapes(deepseek.R1)
OTHERS = {"F32": 361, "Q4_K": 190, "Q5_K": 116, "Q6_K": 184}


def experts(recipe: str, part: str = "") -> dict[str, int]:
    return counts(kind for name, kind in plan(R1, recipe).items() if f"ffn_{part}" in name and name.endswith("_exps.weight"))


def test_r1_has_the_tensors_and_parameters_of_the_published_files() -> None:
    assert len(R1) == 1025
    assert sum(map(math.prod, R1.values())) == pytest.approx(671.03e9, rel=1e-4)
    assert sum(len(shape) == 1 or "ffn_gate_inp" in name for name, shape in R1.items()) == 361


@pytest.mark.parametrize(
    ("recipe", "published"),
    [
        ("dynamic-2.51", {"F32": 361, "Q2_K": 171, "Q3_K": 3, "Q4_K": 306, "Q6_K": 184}),
        ("dynamic-1.58", {**OTHERS, "IQ1_S": 168, "IQ2_XXS": 6}),
    ],
)
def test_counts_per_type_are_those_of_the_published_headers(recipe: str, published: dict[str, int]) -> None:
    assert counts(plan(R1, recipe).values()) == published


@pytest.mark.parametrize(
    ("recipe", "gib"), [("dynamic-1.58", 131), ("dynamic-1.73", 158), ("dynamic-2.22", 183), ("dynamic-2.51", 212)]
)
def test_sizes_are_the_published_ones(recipe: str, gib: int) -> None:
    """The largest deviates most: 211.3 of 212 GiB."""
    assert size(R1, plan(R1, recipe)) / 2**30 == pytest.approx(gib, abs=0.75)


def test_bits_of_the_experts_are_those_in_the_names() -> None:
    """1.58 is (168 x 1.5625 + 6 x 2.0625) / 174; the down projections have the types that the announcement names."""
    kinds = experts("dynamic-1.58")
    assert (kinds["IQ1_S"] * 1.5625 + kinds["IQ2_XXS"] * 2.0625) / 174 == pytest.approx(1.58, abs=0.005)
    assert experts("dynamic-1.58", "down") == {"IQ1_S": 52, "IQ2_XXS": 6}
    assert experts("dynamic-1.73", "gate") == experts("dynamic-1.73", "up") == {"IQ1_M": 58}
    assert experts("dynamic-2.22", "gate") == {"IQ2_XXS": 58}
    assert experts("dynamic-2.51", "down") == {"Q2_K": 55, "Q3_K": 3}


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_other_tensor_of_r1_depends_on_the_recipe_but_keys_and_values(recipe: str) -> None:
    for name, kind in plan(R1, recipe).items():
        if "_exps." in name:
            assert kind in (Type.IQ1_S, Type.IQ1_M, Type.IQ2_XXS, Type.Q2_K, Type.Q3_K)
        elif len(R1[name]) > 1 and "ffn_gate_inp" not in name:
            assert kind in (Type.Q4_K, Type.Q5_K, Type.Q6_K), name


def test_sizes_go_down_with_the_bits() -> None:
    sizes = [size(R1, plan(R1, recipe)) for recipe in RECIPES]
    assert sizes == sorted(sizes, reverse=True)


def test_a_tensor_without_a_place_is_named() -> None:
    with pytest.raises(ModelError, match=r"ssm\.0\.conv"):
        plan({"blk.0.ffn_down.weight": (64, 64), "ssm.0.conv": (4, 4)}, "dynamic-1.58")


def test_a_model_without_feed_forward_is_refused() -> None:
    with pytest.raises(ModelError, match="no feed-forward"):
        plan({"blk.0.attn_q.weight": (64, 64)}, "dynamic-2.22")

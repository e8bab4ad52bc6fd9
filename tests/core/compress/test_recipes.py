"""The grammar of compression names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.compress.methods import pruned_share
from core.compress.recipes import (
    DYNAMIC,
    GGUF_TYPES,
    PERCENT,
    Calibration,
    Distillation,
    Pruning,
    Recipe,
    canonical,
    check,
    expand,
    parse,
)
from core.errors import UsageError

methods = st.sampled_from(["sparsegpt", "wanda", "magnitude"])
groups = st.integers(2, 32).flatmap(lambda m: st.tuples(st.integers(1, m - 1), st.just(m)))
prunings = st.builds(Pruning, methods, st.sampled_from(PERCENT)) | st.builds(
    lambda method, nm: Pruning(method, None, *nm), methods, groups
)
distillations = st.builds(
    Distillation,
    runs=st.lists(st.integers(0, 999), min_size=1, max_size=3, unique=True).map(tuple),
    epochs=st.sampled_from([1.0, 3.0, 0.5]),
    rate=st.none() | st.sampled_from([1e-5, 2e-4, 0.003]),
    batch=st.integers(1, 64),
    lora=st.integers(0, 64),
    packed=st.booleans(),
)
calibrations = st.builds(
    lambda source, size: Calibration(source, *size),
    st.sampled_from(["pocket", "c4", "traces", "text-0123456789ab"]),
    st.just((None, None)) | st.tuples(st.integers(1, 999), st.integers(2, 9999)),
)
steps = st.builds(Recipe, st.none() | distillations, st.none() | prunings, gguf_type=st.none() | st.sampled_from(GGUF_TYPES))


@given(steps, st.none() | calibrations)
def test_every_recipe_has_a_name_that_means_it(recipe: Recipe, calibration: Calibration | None) -> None:
    if recipe.calibrated:
        recipe = replace(recipe, calibration=calibration)
    assert parse(recipe.name) == recipe
    assert parse(recipe.name.upper()) == recipe


@given(steps)
def test_what_is_done_before_a_step_is_a_recipe_without_it(recipe: Recipe) -> None:
    assert recipe.before("gguf_type").gguf_type is None
    assert recipe.before("pruning") == Recipe(recipe.distillation)


def test_text_that_only_quantization_needs_is_no_part_of_what_comes_before() -> None:
    assert parse("magnitude-50+iq2_xxs@c4").before("gguf_type").name == "magnitude-50"
    assert parse("wanda-50+iq2_xxs@c4").before("gguf_type").name == "wanda-50@c4"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("none", "none"),
        (" None ", "none"),
        ("Q4_K_M", "q4_k_m"),
        ("magnitude-05", "magnitude-5"),
        ("magnitude-50 + Q4_0", "magnitude-50+q4_0"),
        ("SparseGPT-2:4+dynamic-1.58 @C4-16x256", "sparsegpt-2:4+dynamic-1.58@c4-16x256"),
        ("distill-7.7.12:rate=1e-3:epochs=2.0+wanda-050", "distill-7.12:epochs=2:rate=0.001+wanda-50"),
        ("distill-3:lora=0:batch=16:epochs=3", "distill-3"),
    ],
)
def test_spellings_come_down_to_one(text: str, name: str) -> None:
    assert canonical(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", "q9_9", "magnitude-0", "magnitude-96", "magnitude-1.2", "magnitude--5", "magnitude-٥"),
        *("q4_0+magnitude-50", "q4_0+q8_0", "magnitude-10+magnitude-20"),
        *("none+q4_0", "magnitude-50+none", "magnitude-50+", "magnitude-50+sparsegpt-50", "q4_0+distill-1"),
        *("sparsegpt-1.2", "sparsegpt-0.5", "sparsegpt-4:4", "wanda-0:4", "wanda-2:64", "sparsegpt", "dynamic-2.5"),
        *("sparsegpt-50@", "sparsegpt-50@wiki", "sparsegpt-50@c4-0x9", "sparsegpt-50@/etc/passwd", "q4_0@c4", "none@c4"),
        *(
            "distill",
            "distill-x",
            "distill-1:epochs=0",
            "distill-1:rate=2",
            "distill-1:speed=9",
            "distill-1:lora",
            "distill-1+distill-2",
        ),
    ],
)
def test_nonsense_is_refused_with_a_list_of_what_exists(text: str) -> None:
    with pytest.raises(UsageError, match="METHOD-N") as caught:
        parse(text)
    assert "q8_0" in caught.value.remedy


@pytest.mark.parametrize("name", ["none", "magnitude-50"])
def test_folders_stay_folders_unless_quantized(name: str) -> None:
    check(parse(name), "hf", "hf")
    check(parse(name), "hf", "gguf")


@pytest.mark.parametrize(
    ("name", "source", "wanted"),
    [("q4_0", "hf", "hf"), ("q4_0", "gguf", "gguf"), ("none", "gguf", "hf"), ("magnitude-50", "gguf", "gguf")],
)
def test_impossible_ways_are_refused(name: str, source: str, wanted: str) -> None:
    with pytest.raises(UsageError, match=name):
        check(parse(name), source, wanted)  # type: ignore[arg-type]


def test_words_for_several_are_spelt_out_and_each_name_stands_once() -> None:
    assert expand(["dynamic", "Dynamic", "q4_0"]) == [*DYNAMIC, "q4_0"]
    sweep = expand(["sweep"])
    assert sweep == ["none", *(f"sparsegpt-{p}" for p in (10, 30, 40, 50, 60, 70, 80)), *DYNAMIC]
    assert [canonical(name) for name in sweep] == sweep


def test_what_needs_text_is_calibrated_where_it_names_none() -> None:
    assert expand(["none", "dynamic@traces-4x64"])[:3] == ["none", "dynamic-2.51", "dynamic-2.22@traces-4x64"]
    assert expand(["wanda-50", "wanda-50@c4", "q4_0"], "traces") == ["wanda-50@traces", "wanda-50@c4", "q4_0"]
    with pytest.raises(UsageError):
        expand(["q9_9"], "traces")


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("my-sparsegpt-50", 0.5), ("sparsegpt-12.5+q4_0", 0.125), ("wanda-2of4", 0.5), ("wanda-1:4", 0.75),
        ("magnitude-5x", None), ("sparsegpt-500", None), ("awq-4bit", None),
    ],
)  # fmt: skip
def test_the_share_that_a_name_from_elsewhere_tells(name: str, share: float | None) -> None:
    assert pruned_share(name) == share

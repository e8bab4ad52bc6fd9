"""The one rule by which tokens are drawn, against a plain reading of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.engines.decode.sampling import draw, uniform
from core.engines.host.wire import Sampling

logit_lists = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=40)
samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.1, 0.6, 1.0, 2.0]),
    top_p=st.sampled_from([0.05, 0.5, 0.95, 1.0]),
    top_k=st.sampled_from([0, 1, 3, 50]),
    min_p=st.sampled_from([0.0, 0.05, 0.5]),
)


def kept_plainly(logits: NDArray[np.float64], sampling: Sampling) -> dict[int, float]:
    """Probabilities of the tokens that the definition leaves, sorted and filtered one rule after the other."""
    scaled = np.exp((logits - logits.max()) / sampling.temperature)
    ranked = sorted(((i, w) for i, w in enumerate(scaled)), key=lambda pair: (-np.float32(pair[1]), pair[0]))
    if sampling.top_k:
        ranked = ranked[: sampling.top_k]
    total = sum(w for _, w in ranked)
    nucleus, share = [], 0.0
    for i, weight in ranked:
        nucleus.append((i, weight))
        share += weight / total
        if share >= sampling.top_p:
            break
    left = [(i, w) for i, w in nucleus if w >= sampling.min_p * ranked[0][1]]
    norm = sum(w for _, w in left)
    return {i: w / norm for i, w in left}


@given(logit_lists, samplings)
def test_draws_have_the_defined_probabilities(values: list[float], sampling: Sampling) -> None:
    logits = np.array(values, np.float32)
    expected = kept_plainly(logits.astype(np.float64), sampling)
    points = (np.arange(400) + 0.5) / 400
    drawn = np.bincount([draw(logits, sampling, u) for u in points], minlength=len(values)) / 400
    for i, share in enumerate(drawn):
        # A token at the very edge of top-p or min-p may fall either way by rounding.
        assert abs(share - expected.get(i, 0.0)) <= 1 / 400 + 1e-4 or _edge(logits, sampling, i)


def _edge(logits: NDArray[np.float32], sampling: Sampling, token: int) -> bool:
    outcomes = [
        frozenset(kept_plainly(logits.astype(np.float64), Sampling(sampling.temperature, p, sampling.top_k, m)))
        for p in (sampling.top_p * (1 - 1e-5), sampling.top_p * (1 + 1e-5))
        for m in (sampling.min_p * (1 - 1e-5), sampling.min_p * (1 + 1e-5))
    ]
    return len(set(outcomes)) > 1


def test_no_temperature_is_greedy() -> None:
    logits = np.array([1.0, 3.0, 3.0, 2.0], np.float32)
    assert {draw(logits, Sampling(temperature=0.0), u) for u in (0.0, 0.5, 0.999)} == {1}


def test_large_vocabularies_keep_exactly_the_nucleus() -> None:
    logits = np.random.default_rng(0).normal(0, 3, 50_000).astype(np.float32)
    sampling = Sampling(temperature=0.6, top_p=0.95)
    kept = kept_plainly(logits.astype(np.float64), sampling)
    drawn = {draw(logits, sampling, u) for u in np.linspace(0, 1, 3000, endpoint=False)}
    assert drawn <= set(kept)
    assert draw(logits, sampling, 0.0) == int(logits.argmax())
    assert draw(logits, sampling, 1 - 1e-12) == list(kept)[-1]


def test_impossible_tokens_are_never_drawn() -> None:
    logits = np.array([-np.inf, 0.0, -np.inf, 0.0], np.float32)
    assert {draw(logits, Sampling(1.0, 1.0), u) for u in np.linspace(0, 0.999, 50)} == {1, 3}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_damaged_logits_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="damaged"):
        draw(np.array([0.0, bad], np.float32), Sampling(), 0.5)


def test_random_numbers_depend_on_seed_and_position_alone() -> None:
    numbers = [[uniform(seed, n) for n in range(500)] for seed in range(20)]
    assert numbers == [[uniform(seed, n) for n in range(500)] for seed in range(20)]
    flat = np.array(numbers).ravel()
    assert len(set(flat)) == len(flat)
    assert (flat >= 0).all()
    assert (flat < 1).all()
    assert abs(flat.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(flat[:-1], flat[1:])[0, 1]) < 0.03

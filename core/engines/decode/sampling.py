"""Draws the next token, by the same rule and random numbers in every engine that samples here."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from ..host.wire import Sampling


def uniform(seed: int, position: int) -> float:
    """The random number in [0, 1) for the token at `position`: a hash of both, so that resuming needs no state."""
    digest = hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def draw(logits: NDArray[np.float32], sampling: Sampling, u: float) -> int:
    """The id of the token that `u` in [0, 1) picks from `logits`, [vocabulary].

    Temperature first, then top-k, top-p (the smallest set of likeliest tokens whose share reaches it) and min-p
    (relative to the likeliest); equals are ordered by id. Raises ValueError if the largest logit is not finite.
    """
    best = float(logits.max())
    if not math.isfinite(best):
        raise ValueError("The model's logits are not numbers, so its weights are damaged.")
    if sampling.temperature <= 0.0:
        return int(logits.argmax())
    weights = logits - np.float32(best)
    weights *= np.float32(1.0 / sampling.temperature)
    np.exp(weights, out=weights)
    if sampling.top_k > 0 or sampling.top_p < 1.0:
        ids, candidate_weights = _likeliest(weights, sampling)
    else:
        ids = np.flatnonzero(weights >= sampling.min_p)
        candidate_weights = weights[ids].astype(np.float64)
    cumulative = np.cumsum(candidate_weights)
    chosen = int(np.searchsorted(cumulative, u * cumulative[-1], side="right"))
    return int(ids[min(chosen, len(ids) - 1)])


def _likeliest(weights: NDArray[np.float32], sampling: Sampling) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Ids and weights, each [candidates], after top-k, top-p and min-p, likeliest first (weights relative to the likeliest)."""
    count = len(weights)
    top_k = min(sampling.top_k, count) if sampling.top_k > 0 else count
    if top_k < count:
        floor = float(np.partition(weights, count - top_k)[count - top_k])
    else:
        total = float(weights.sum())
        # Tokens below (1 - top_p) / count of the total hold less than 1 - top_p together, so what top-p keeps lies
        # above; the factor absorbs rounding.
        floor = max(sampling.min_p, 0.99 * (1.0 - sampling.top_p) * total / count)
    candidates = np.flatnonzero(weights >= np.float32(floor))
    order = np.argsort(-weights[candidates], kind="stable")
    ids = candidates[order][:top_k]
    candidate_weights = weights[ids].astype(np.float64)
    if top_k < count:
        total = float(candidate_weights.sum())
    reached = int(np.searchsorted(np.cumsum(candidate_weights), sampling.top_p * total)) + 1
    ids, candidate_weights = ids[:reached], candidate_weights[:reached]
    alive = candidate_weights >= sampling.min_p
    return ids[alive], candidate_weights[alive]

"""Which weights stay: a share of them, or n in every group of m; and the two baselines, magnitude and Wanda."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import ModelError


@dataclass(frozen=True, slots=True)
class Pattern:
    """`percent` of the weights become zero, or all but `keep` in every `group` of neighbouring columns (n:m)."""

    percent: float
    keep: int | None = None
    group: int | None = None

    @classmethod
    def of(cls, percent: int | None, keep: int | None, group: int | None) -> Pattern:
        """A share (`percent`), or n:m (`keep` of `group`)."""
        if keep is not None and group is not None:
            return cls(100 * (1 - keep / group), keep, group)
        assert percent is not None
        return cls(percent)

    def count(self, entries: int) -> int:
        """How many of `entries` become zero, rounded."""
        return round(entries * self.percent / 100)

    def check(self, columns: int, name: str) -> None:
        """Raise ModelError where a layer's columns do not divide into groups."""
        if self.group is not None and columns % self.group:
            raise ModelError(
                f"{name} has {columns} columns, which groups of {self.group} do not divide.", "Choose another sparsity."
            )

    def keep_largest(self, scores: Tensor, count: int) -> Tensor:
        """The mask, in the shape of `scores`: False for exactly `count` entries of least score, the first of equal ones."""
        flat = scores.reshape(-1)
        mask = torch.ones_like(flat, dtype=torch.bool)
        if count > 0:
            threshold = _smallest(flat, count)
            mask = flat > threshold
            below = flat < threshold
            equals = (flat == threshold).nonzero().view(-1)
            mask[equals[count - int(below.sum()) :]] = True
        return mask.view(scores.shape)

    def keep_groups(self, scores: Tensor) -> Tensor:
        """The mask [group, rows] of the `keep` largest entries in each column of `scores` [group, rows]."""
        assert self.keep is not None
        return torch.zeros_like(scores, dtype=torch.bool).scatter_(0, scores.topk(self.keep, 0).indices, True)


def prune_by_magnitude(weight: Tensor, pattern: Pattern) -> None:
    """Zero the smallest weights of a matrix [rows, columns] in place, by one threshold for all of it."""
    scores = weight.float().abs()
    if pattern.group is not None:
        weight.mul_(_by_groups(scores, pattern))
    else:
        weight.mul_(pattern.keep_largest(scores, pattern.count(scores.numel())))


def prune_by_wanda(weight: Tensor, mean_squares: Tensor, pattern: Pattern) -> None:
    """Wanda (Sun et al., arXiv:2306.11695): the score is |w| times the norm of its input; every row loses the same share.

    `weight` is [rows, columns], pruned in place; `mean_squares` is [columns].
    """
    scores = weight.float().abs() * mean_squares.sqrt()
    if pattern.group is not None:
        weight.mul_(_by_groups(scores, pattern))
        return
    rows, columns = scores.shape
    ends = torch.tensor([pattern.count(row * columns) for row in range(rows + 1)], device=scores.device)
    ranks = scores.argsort(dim=1, stable=True).argsort(1)
    weight.mul_(ranks >= ends.diff()[:, None])


def _smallest(values: Tensor, place: int) -> float:
    """The value at 1-based position `place` in sorted order. On a CPU numpy takes a tenth of torch's time."""
    if values.device.type == "cpu":
        return float(np.partition(values.detach().numpy(), place - 1)[place - 1])
    return float(values.kthvalue(place).values)


def _by_groups(scores: Tensor, pattern: Pattern) -> Tensor:
    """The mask [rows, columns] of n:m for `scores` [rows, columns]."""
    assert pattern.group is not None
    rows, columns = scores.shape
    groups = scores.reshape(rows * columns // pattern.group, pattern.group).T
    return pattern.keep_groups(groups).T.reshape(rows, columns)

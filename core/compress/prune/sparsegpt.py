"""SparseGPT (Frantar and Alistarh, arXiv:2301.00774): prune a linear layer so that its outputs change least.

A layer with weights W and inputs X (columns are tokens) has the quadratic error |WX - W'X|^2, whose Hessian H = 2 X X^T is
the same for every row of W. Removing weight w in column j costs w^2 / [H^-1]_jj, after the best update of the row's other
weights. From left to right, the inverses that this needs are the rows of the Cholesky factor of H^-1.

Weights are held transposed, [columns, rows], so that one step of the loop touches contiguous memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from core.compress.prune.sparsity import Pattern
from core.errors import CompressionError

BLOCK = 128
DAMPING = 0.01
STRIPS, NARROWEST = 8, 192
"""A Hessian is computed in so many strips of columns, none narrower than this, since symmetry halves the work."""
SHARED_ROWS = 16384
"""With fewer rows one thread is faster: waking others takes longer than a column."""


class Hessian:
    """The running mean of 2 X X^T over all tokens added: `matrix` [columns, columns] in float32, `tokens` their number."""

    def __init__(self, columns: int, device: torch.device | str) -> None:
        self.matrix = torch.zeros(columns, columns, dtype=torch.float32, device=device)
        self.tokens = 0

    def add(self, inputs: Tensor) -> None:
        """Add the inputs of some tokens, [..., columns]. The upper triangle is copied from the lower one."""
        rows = inputs.reshape(-1, inputs.shape[-1]).float()
        total = self.tokens + len(rows)
        for start, end in _strips(rows.shape[1]):
            strip = self.matrix[start:, start:end]
            strip.addmm_(rows.T[start:], rows[:, start:end], beta=self.tokens / total, alpha=2 / total)
            self.matrix[start:end, end:] = self.matrix[end:, start:end].T
        self.tokens = total

    @property
    def mean_squares(self) -> Tensor:
        """The mean square of each column of the inputs, [columns]."""
        return self.matrix.diagonal() / 2


def prune(weights: Sequence[Tensor], hessian: Tensor, pattern: Pattern, name: str) -> list[float]:
    """Prune matrices [rows, columns] that share their inputs, in place; `hessian` is [columns, columns] in float32.

    Returns the share of its outputs' energy that each loses (0 to 1). `name` is for messages.

    Raises CompressionError where the Hessian has no Cholesky factor.
    """
    before = [weight.to(torch.float32, copy=True) for weight in weights]
    stacked = torch.cat(before).T.contiguous()
    stacked[hessian.diagonal() == 0] = 0  # an input that is always zero
    factor = _inverse_factor(hessian, name)
    spans = _spans([len(weight) for weight in weights])
    width = BLOCK - BLOCK % (pattern.group or 1)  # a group of n:m lies in one block
    for start in range(0, len(stacked), width):
        _prune_block(stacked, factor, start, min(start + width, len(stacked)), spans, pattern)
    for weight, (first, last) in zip(weights, spans, strict=True):
        weight.copy_(stacked[:, first:last].T)
    return [lost_energy(old, new.float(), hessian) for old, new in zip(before, weights, strict=True)]


def lost_energy(before: Tensor, after: Tensor, hessian: Tensor) -> float:
    """|(W - W') X|^2 / |W X|^2, 0 to 1: the share of its outputs' energy that a layer has lost.

    `before` and `after` are [rows, columns], `hessian` is [columns, columns], all in float32.
    """
    whole = _energy(before, hessian)
    return _energy(before - after, hessian) / whole if whole > 0 else 0.0


def _energy(weight: Tensor, hessian: Tensor) -> float:
    """The sum of w H w^T over the rows w of `weight` [rows, columns]."""
    total = weight.new_zeros(())
    for start, end in _strips(weight.shape[1]):
        own = weight[:, start:end]
        product = torch.addmm(own @ hessian[start:end, start:end], weight[:, end:], hessian[end:, start:end], alpha=2)
        total += product.mul_(own).sum()
    return float(total)


def _strips(columns: int) -> Iterator[tuple[int, int]]:
    width = max(NARROWEST, -(-columns // STRIPS))
    return ((start, min(start + width, columns)) for start in range(0, columns, width))


def _inverse_factor(hessian: Tensor, name: str) -> Tensor:
    """The upper triangular U [columns, columns] with U^T U = (H + damping)^-1."""
    damped = hessian.clone()
    diagonal = damped.diagonal()
    diagonal[diagonal == 0] = 1
    diagonal += DAMPING * diagonal.mean()
    # The lower factor of H in reverse order is, back in order, the upper V with V V^T = H, and U is its inverse.
    reverse, failed = torch.linalg.cholesky_ex(damped.flip(0, 1))
    upper = reverse.flip(0, 1)
    del damped, diagonal, reverse  # each is as large as the Hessian
    factor = _inverse(upper)
    if failed or not (upper.isfinite().all() and factor.isfinite().all()):
        raise CompressionError(
            f"The Hessian of {name} has no Cholesky factor: its inputs are not finite or too much alike.",
            "Calibrate on more or other text.",
        )
    return factor


def _inverse(upper: Tensor) -> Tensor:
    """The inverse of an upper triangular matrix, by halves: less work, in larger products, than solving for the identity."""
    size = len(upper)
    if size <= NARROWEST:
        identity = torch.eye(size, dtype=upper.dtype, device=upper.device)
        return torch.linalg.solve_triangular(upper, identity, upper=True)
    half = size // 2
    inverse = torch.zeros_like(upper)
    first, last = _inverse(upper[:half, :half]), _inverse(upper[half:, half:])
    inverse[:half, :half], inverse[half:, half:] = first, last
    inverse[:half, half:] = (first @ upper[:half, half:] @ last).neg_()
    return inverse


def _prune_block(weights: Tensor, factor: Tensor, start: int, end: int, spans: list[tuple[int, int]], pattern: Pattern) -> None:
    """Prune columns start to end, then update all later columns.

    `weights` is [columns, rows], `factor` [columns, columns], `spans` the rows of each matrix.
    """
    block = weights[start:end]
    inner = factor[start:end, start:end]
    scales = inner.diagonal()[:, None]
    errors = torch.empty_like(block)
    if pattern.group is None:
        mask = torch.cat([_mask(block[:, a:b] / scales, start, pattern) for a, b in spans], 1)
        gone = ~mask / scales
    else:
        mask, gone = torch.empty_like(block, dtype=torch.bool), torch.empty_like(block)
    with _few_threads(block.shape[1]):
        for i, (row, away, error) in enumerate(zip(block.unbind(), gone.unbind(), errors.unbind(), strict=True)):
            if pattern.group is not None and i % pattern.group == 0:
                group = slice(i, i + pattern.group)
                mask[group] = pattern.keep_groups((block[group] / scales[group]).square())
                gone[group] = ~mask[group] / scales[group]
            torch.mul(row, away, out=error)
            block[i + 1 :].addr_(inner[i, i + 1 :], error, alpha=-1)
    block *= mask
    weights[end:].addmm_(factor[start:end, end:].T, errors, alpha=-1)


@contextmanager
def _few_threads(rows: int) -> Iterator[None]:
    """Within this context torch uses one thread if there are few rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if rows < SHARED_ROWS else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _mask(scaled: Tensor, start: int, pattern: Pattern) -> Tensor:
    """The mask [columns, rows] of the weights of one matrix's block that stay: one threshold over all rows, exact counts."""
    columns, rows = scaled.shape
    count = pattern.count((start + columns) * rows) - pattern.count(start * rows)
    return pattern.keep_largest(scaled.square(), count)


def _spans(rows: list[int]) -> list[tuple[int, int]]:
    ends = [sum(rows[: i + 1]) for i in range(len(rows))]
    return list(zip([0, *ends[:-1]], ends, strict=True))

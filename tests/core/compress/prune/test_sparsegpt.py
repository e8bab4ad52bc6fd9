"""SparseGPT's mathematics against what they promise: exact counts, a smaller error, the optimum where one can compute it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.compress.prune.sparsegpt import DAMPING, NARROWEST, Hessian, lost_energy, prune
from core.compress.prune.sparsity import Pattern, prune_by_magnitude, prune_by_wanda
from core.errors import CompressionError


def inputs(tokens: int, columns: int, seed: int = 0) -> Tensor:
    """Inputs whose columns differ in size and depend on each other, as those of real layers do."""
    torch.manual_seed(seed)
    return torch.randn(tokens, columns) @ (torch.randn(columns, columns) / columns**0.5 + torch.diag(torch.rand(columns) * 3))


def hessian(x: Tensor) -> Hessian:
    made = Hessian(x.shape[1], "cpu")
    for part in x.split(100):
        made.add(part)
    return made


@pytest.mark.parametrize("columns", [32, NARROWEST, 2 * NARROWEST + 1])
def test_the_hessian_is_the_mean_whatever_the_batches(columns: int) -> None:
    x = inputs(1000, columns)
    made = hessian(x)
    assert torch.allclose(made.matrix, 2 * x.T @ x / len(x), rtol=1e-4, atol=1e-3)
    assert torch.allclose(made.matrix, made.matrix.T, rtol=1e-5, atol=1e-4)
    assert torch.allclose(made.mean_squares, x.square().mean(0), rtol=1e-4)


@pytest.mark.parametrize("columns", [96, 128, 300])
@pytest.mark.parametrize("percent", [10, 30, 50, 80])
def test_share_is_exact_in_each_of_several_matrices_and_error_is_least(columns: int, percent: int) -> None:
    made = hessian(inputs(2000, columns))
    weights = [torch.randn(rows, columns) for rows in (40, 70)]
    before = [weight.clone() for weight in weights]
    pattern = Pattern.of(percent, None, None)
    losses = prune(weights, made.matrix, pattern, "layer")
    for old, new, loss in zip(before, weights, losses, strict=True):
        assert int((new == 0).sum()) == round(new.numel() * percent / 100)
        assert loss == pytest.approx(lost_energy(old, new, made.matrix))
        wanda, magnitude = old.clone(), old.clone()
        prune_by_wanda(wanda, made.mean_squares, pattern)
        prune_by_magnitude(magnitude, pattern)
        others = [lost_energy(old, other, made.matrix) for other in (wanda, magnitude)]
        assert loss < min(others) * (1 if percent <= 50 else 1.1)  # its mask is greedy, which tells at 80 %


def test_matrices_that_share_inputs_come_out_as_each_alone() -> None:
    made = hessian(inputs(2000, 200))
    weights = [torch.randn(rows, 200) for rows in (16, 48)]
    alone = [weight.clone() for weight in weights]
    pattern = Pattern.of(50, None, None)
    prune(weights, made.matrix, pattern, "both")
    for weight, single in zip(weights, alone, strict=True):
        prune([single], made.matrix, pattern, "one")
        assert torch.allclose(weight, single, atol=1e-5)


@pytest.mark.parametrize(("keep", "group"), [(2, 4), (4, 8), (3, 6), (20, 24)])
def test_n_of_m(keep: int, group: int) -> None:
    """Groups of 6 and 24 do not divide a block of 128 columns."""
    made = hessian(inputs(2000, 288))
    weight = torch.randn(32, 288)
    loss = prune([weight], made.matrix, Pattern.of(None, keep, group), "layer")[0]
    assert ((weight != 0).view(32, -1, group).sum(-1) == keep).all()
    assert 0 < loss < 0.5


def test_what_is_left_makes_up_for_one_removed_column_as_the_optimum_does() -> None:
    x = inputs(500, 4)
    made = hessian(x)
    weight = torch.randn(1, 4)
    weight[0, 0] = 1e-4  # the first column goes, so that all others may answer
    before = weight.clone()
    prune([weight], made.matrix, Pattern.of(25, None, None), "layer")
    assert weight[0, 0] == 0
    damped = made.matrix + DAMPING * made.matrix.diagonal().mean() * torch.eye(4)
    best = before[0, 1:] + torch.linalg.solve(damped[1:, 1:], damped[1:, 0] * before[0, 0])
    assert torch.allclose(weight[0, 1:], best, rtol=1e-3, atol=1e-6)


def test_dead_inputs_lose_their_weights() -> None:
    x = inputs(500, 64)
    x[:, 5] = 0
    weight = torch.randn(8, 64)
    prune([weight], hessian(x).matrix, Pattern.of(50, None, None), "layer")
    assert (weight[:, 5] == 0).all()
    assert weight.isfinite().all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_hessian_without_a_factor_is_an_error_that_names_the_layer(value: float) -> None:
    made = hessian(inputs(500, 64))
    made.matrix[3, 3] = value
    weight = torch.randn(8, 64)
    with pytest.raises(CompressionError, match=r"layers\.7\.mlp.*Cholesky"):
        prune([weight], made.matrix, Pattern.of(50, None, None), "layers.7.mlp")


def test_a_hessian_that_is_not_positive_is_an_error() -> None:
    made = hessian(inputs(500, 64))
    with pytest.raises(CompressionError, match="Cholesky"):
        prune(
            [torch.randn(8, 64)],
            made.matrix - 5 * made.matrix.diagonal().max() * torch.eye(64),
            Pattern.of(50, None, None),
            "x",
        )


def test_half_precision_weights_are_pruned_in_full_precision() -> None:
    made = hessian(inputs(2000, 128))
    weight = torch.randn(32, 128)
    exact, half = weight.clone(), weight.to(torch.bfloat16)
    exact.copy_(half)
    prune([exact], made.matrix, Pattern.of(50, None, None), "x")
    prune([half], made.matrix, Pattern.of(50, None, None), "x")
    assert torch.equal(half, exact.to(torch.bfloat16))


def test_the_number_of_threads_is_left_as_it_was() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        prune([torch.randn(8, 64)], hessian(inputs(500, 64)).matrix, Pattern.of(50, None, None), "x")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

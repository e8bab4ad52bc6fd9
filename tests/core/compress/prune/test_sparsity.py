"""What goes and what stays: exact shares, n of m, the least first."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.compress.prune.sparsity import Pattern, prune_by_magnitude, prune_by_wanda
from core.errors import ModelError


@given(st.integers(1, 95), st.lists(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0]), min_size=1, max_size=80))
def test_share_is_exact_and_the_least_go_first(percent: int, values: list[float]) -> None:
    before = torch.tensor([values])
    after = before.clone()
    prune_by_magnitude(after, Pattern.of(percent, None, None))
    gone = after == 0
    assert int(gone.sum()) == round(len(values) * percent / 100)
    assert torch.equal(after[~gone], before[~gone])
    if gone.any() and not gone.all():
        assert before[gone].abs().max() <= before[~gone].abs().min()


@given(st.integers(1, 95), st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
def test_wanda_prunes_each_row_alike_and_the_whole_exactly(percent: int, rows: int, columns: int, seed: int) -> None:
    torch.manual_seed(seed)
    before, squares = torch.rand(rows, columns) + 0.1, torch.rand(columns) + 0.1
    after = before.clone()
    prune_by_wanda(after, squares, Pattern.of(percent, None, None))
    gone = after == 0
    assert int(gone.sum()) == round(rows * columns * percent / 100)
    assert gone.sum(1).max() - gone.sum(1).min() <= 1
    scores = before * squares.sqrt()
    for row in range(rows):
        if gone[row].any() and not gone[row].all():
            assert scores[row][gone[row]].max() <= scores[row][~gone[row]].min()


@pytest.mark.parametrize(("keep", "group"), [(2, 4), (1, 4), (4, 8)])
def test_n_of_m_stay_in_every_group(keep: int, group: int) -> None:
    torch.manual_seed(0)
    pattern = Pattern.of(None, keep, group)
    for prune in (
        lambda w: prune_by_magnitude(w, pattern),
        lambda w: prune_by_wanda(w, torch.rand(64) + 0.1, pattern),
    ):
        weight = torch.rand(10, 64) + 0.1
        prune(weight)
        assert ((weight != 0).view(10, -1, group).sum(-1) == keep).all()


def test_columns_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ModelError, match="90 columns"):
        Pattern.of(None, 2, 4).check(90, "a layer")

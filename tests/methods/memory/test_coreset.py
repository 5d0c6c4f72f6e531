"""Few rows that stand for many."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.methods.coreset import coreset


def test_rows_that_lie_alone_are_kept() -> None:
    rows = torch.randn(3000, 20, generator=torch.Generator().manual_seed(1)) * 0.01
    for number, place in enumerate((7, 1500, 2999)):
        rows[place, number] = 10
    assert {7, 1500, 2999} <= set(coreset(rows, 400).tolist())


def test_every_row_is_near_one_that_is_kept() -> None:
    corners = torch.randn(30, 20, generator=torch.Generator().manual_seed(2)) * 5
    rows = corners[torch.arange(1200) % 30] + torch.randn(1200, 20) * 0.01
    kept = rows[coreset(rows, 150)]
    assert torch.cdist(rows, kept).amin(1).max() < 1


@given(st.integers(1, 300), st.integers(1, 100))
@settings(max_examples=25)
def test_as_many_as_are_wanted_each_once_and_always_the_same(count: int, budget: int) -> None:
    rows = torch.randn(count, 6, generator=torch.Generator().manual_seed(count))
    kept = coreset(rows, budget)
    assert len(kept) == len(set(kept.tolist())) == min(count, budget)
    assert torch.equal(kept, coreset(rows.clone(), budget))

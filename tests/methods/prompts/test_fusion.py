"""Joining maps keeps bounds and guards zeros."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspector.methods.prompts import fusion

scores = st.floats(0, 1, width=32)


@given(scores, scores)
def test_every_fusion_stays_between_its_inputs_and_the_harmonic_mean_is_the_smallest(
    a: float, b: float
) -> None:
    one, two = torch.tensor(a), torch.tensor(b)
    harmonic, mean = fusion.harmonic(one, two).item(), fusion.mean(one, two).item()
    assert harmonic <= mean + 1e-6
    assert harmonic == 0 or min(a, b) - 1e-6 <= harmonic <= max(a, b) + 1e-6
    assert fusion.total(one, two).item() == pytest.approx(a + b, abs=1e-6)


def test_the_harmonic_mean_is_zero_where_one_input_is_zero() -> None:
    found = fusion.harmonic(torch.tensor([0.0, 0.2, 1.0]), torch.tensor([0.5, 0.3, 1.0]))
    assert found.tolist() == pytest.approx([0.0, 0.24, 1.0])


def test_the_abnormal_probability_is_a_softmax_of_two_cosines() -> None:
    e = torch.eye(2)
    found = fusion.abnormal_probability(e, e[0], e[1], 0.5)
    assert found.tolist() == pytest.approx([1 / (1 + torch.e**2), 1 / (1 + torch.e**-2)])


def test_a_patch_is_read_against_the_shot_patches_that_look_like_it() -> None:
    shots = torch.tensor([4.0, 4.0, -2.0, -2.0])  # one half of every good part reads "damaged"
    likeness = torch.tensor([[0.9, 0.8, 0.1, 0.0], [0.0, 0.1, 0.9, 0.8], [0.0, 0.1, 0.9, 0.8]])
    found = fusion.relative_to_likes(torch.tensor([4.0, -2.0, 0.0]), likeness, shots, 2)
    assert found.tolist() == pytest.approx([0.0, 0.0, 2.0])


def test_an_image_that_reads_like_its_shots_is_undecided_whatever_the_offset() -> None:
    offset = fusion.shot_offset(torch.full((3, 4, 4), 0.93)).expand(2)
    same = fusion.relative_to_shots(torch.full((2, 4, 4), 0.93), offset)
    assert torch.allclose(same, torch.full_like(same, 0.5), atol=1e-5)
    halved = torch.logit(fusion.relative_to_shots(torch.full((2, 4, 4), 0.99), offset, 2.0))
    whole = torch.logit(fusion.relative_to_shots(torch.full((2, 4, 4), 0.99), offset))
    assert torch.allclose(2 * halved, whole, atol=1e-4)
    worse = fusion.relative_to_shots(torch.full((2, 4, 4), 0.97), offset)
    better = fusion.relative_to_shots(torch.full((2, 4, 4), 0.80), offset)
    assert worse.min() > 0.5 > better.max()


@given(scores, scores)
def test_a_state_that_weighs_a_memory_moves_it_by_a_quarter_at_most(state: float, memory: float) -> None:
    found = fusion.weighed(torch.tensor(state), torch.tensor(memory)).item()
    assert 0.75 * memory - 1e-6 <= found <= 1.25 * memory + 1e-6
    assert fusion.weighed(torch.tensor(0.5), torch.tensor(memory)).item() == pytest.approx(memory)

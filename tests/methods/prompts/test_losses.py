"""Each loss against a case that was worked out by hand."""

import math

import pytest
import torch

from inspector.methods.prompts import losses


def test_focal_loss_weighs_a_pixel_by_how_wrong_it_is() -> None:
    probability = torch.tensor([[[0.9, 0.2]]])
    mask = torch.tensor([[[1.0, 0.0]]])
    by_hand = (0.1**2 * -math.log(0.9) + 0.2**2 * -math.log(0.8)) / 2
    assert losses.focal(probability, mask).item() == pytest.approx(by_hand, rel=1e-5)


def test_dice_loss_is_zero_for_the_mask_itself_and_near_one_without_overlap() -> None:
    mask = torch.zeros(1, 4, 4)
    mask[0, :2] = 1
    assert losses.dice(mask, mask).item() == pytest.approx(0.0, abs=1e-6)
    assert losses.dice(1 - mask, mask).item() == pytest.approx(1 - 1 / 17)


def test_alignment_compares_the_class_token_with_the_tokens_weighted_by_the_map() -> None:
    tokens = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    abnormal = torch.tensor([[[0.9, 0.3]]])
    cls = torch.tensor([[1.0, 0.0]])
    by_hand = 1 - 0.75 / math.hypot(0.75, 0.25)
    assert losses.align(cls, tokens, abnormal).item() == pytest.approx(by_hand, rel=1e-4)


def test_state_cross_entropy_is_that_of_two_scaled_cosines() -> None:
    features = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    normal, abnormal = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    label = torch.tensor([0.0, 1.0])
    by_hand = (math.log(1 + math.exp(-10)) + math.log(1 + math.exp(-2))) / 2
    assert losses.state_cross_entropy(features, normal, abnormal, label, 10.0).item() == pytest.approx(
        by_hand, rel=1e-4
    )


def test_the_normal_anchor_competes_with_every_abnormal_prompt() -> None:
    features = torch.tensor([[1.0, 0.0]])
    normal, abnormal = torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    by_hand = -math.log(math.e / (math.e + 1 + 1 / math.e))
    assert losses.normal_against_all(features, normal, abnormal, 1.0).item() == pytest.approx(by_hand)
    halved = -math.log(math.exp(0.5) / (math.exp(0.5) + 1 + math.exp(-0.5)))
    weighted = losses.normal_against_all(features * 0.5, normal, abnormal, 1.0)
    assert weighted.item() == pytest.approx(halved)


def test_the_explicit_margin_counts_what_is_not_yet_nearer_to_normal() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    normal, abnormal = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert losses.explicit_margin(features, normal, abnormal).item() == pytest.approx((0 + 2) / 2)
    assert losses.explicit_margin(features, normal, abnormal, 1.0).item() == pytest.approx((0 + 3) / 2)


def test_the_mean_gap_is_the_squared_distance_of_mean_directions() -> None:
    handcrafted = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    learned = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    assert losses.mean_gap(handcrafted, learned).item() == pytest.approx(2.0)
    assert losses.mean_gap(handcrafted, 3 * handcrafted).item() == pytest.approx(0.0)


def test_level_consistency_is_the_length_of_what_components_and_background_leave_over() -> None:
    image = torch.tensor([[1.0, 1.0]])
    components = torch.tensor([[[1.0, 0.0]], [[2.0, 0.0]]])
    background = torch.tensor([[0.0, 0.5]])
    assert losses.level_consistency(image, components, background).item() == pytest.approx(0.5)


def test_pull_apart_is_a_softmax_over_near_and_far_or_a_linear_margin() -> None:
    features = torch.tensor([[1.0, 0.0]])
    near, far = torch.tensor([0.6, 0.8]), torch.tensor([0.0, 1.0])
    by_hand = -math.log(math.exp(0.6) / (math.exp(0.6) + 1))
    assert losses.pull_apart(features, near, far).item() == pytest.approx(by_hand)
    assert losses.pull_apart(features, near, far, linear=True).item() == pytest.approx(0.4)


def test_token_alignment_rewards_tokens_that_find_their_own_patches() -> None:
    prompts = torch.eye(2)[None]
    patches = torch.eye(2)[None]
    by_hand = 2 * -math.log(math.e / (math.e + 1))
    assert losses.token_alignment(prompts, patches, 0.5).item() == pytest.approx(by_hand, rel=1e-4)
    same = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert losses.token_alignment(prompts, same, 0.5) > losses.token_alignment(prompts, patches, 0.5)


def test_balance_is_zero_only_when_all_experts_are_used_alike() -> None:
    even = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    lazy = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert losses.balance(even).item() == pytest.approx(0.0)
    assert losses.balance(lazy).item() == pytest.approx(1.0, rel=1e-4)

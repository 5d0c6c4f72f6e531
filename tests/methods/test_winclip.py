"""WinCLIP on a small random CLIP."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from inspector.domain import Image
from inspector.features.backbone import Backbone
from inspector.methods.winclip import WinCLIP, spread, state_features, windows

Teach = Callable[..., Any]


def test_windows_are_all_squares_of_neighbouring_patches() -> None:
    assert windows((3, 3), 2).tolist() == [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    assert windows((15, 15), 3).shape == (169, 9)


def test_a_patch_takes_the_harmonic_mean_of_the_windows_that_cover_it() -> None:
    found = spread(torch.tensor([[0.2, 0.4, 0.6, 0.8]]), windows((3, 3), 2), 9)
    assert found[0, 0].item() == pytest.approx(0.2)
    assert found[0, 1].item() == pytest.approx(2 / (1 / 0.2 + 1 / 0.4))
    assert found[0, 4].item() == pytest.approx(4 / (1 / 0.2 + 1 / 0.4 + 1 / 0.6 + 1 / 0.8))


def test_states_are_the_mean_over_all_templates(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    found = state_features(tiny_clip.text, "steel_nut")
    assert found.shape == (2, 32)
    assert torch.allclose(found.norm(dim=-1), torch.ones(2))
    assert not torch.allclose(found[0], found[1])


def test_shots_add_to_what_the_text_alone_says(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    mixed = taught(WinCLIP(), {"disc": parts["disc"], "plate": []}, tiny_clip)
    text_only = taught(WinCLIP(), {"disc": [], "plate": []}, tiny_clip)
    images = [parts["plate"][0], parts["disc"][1]]
    for_plate, for_disc = mixed.score(images, ["plate", "disc"])
    alone_plate, alone_disc = text_only.score(images, ["plate", "disc"])
    assert np.allclose(for_plate.values, alone_plate.values, atol=1e-6)
    assert for_disc.image_score == pytest.approx(
        alone_disc.image_score / 2, abs=1e-3
    )  # a shot is at no distance
    assert mixed.held_out({"disc": parts["disc"], "plate": []})["plate"] == []
    assert text_only.score(images, [None, None])[0].class_name in ("disc", "plate")

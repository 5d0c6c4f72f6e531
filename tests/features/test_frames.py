"""Images in their proportions, through every kind of tower."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inspector.features.backbone import Backbone
from inspector.features.loading import from_model

Build = Callable[[str], nn.Module]
FLAT = np.random.default_rng(0).integers(0, 256, (120, 300, 3), np.uint8)
TURNED = np.ascontiguousarray(np.rot90(FLAT))
GRIDS = {"clip": (3, 5), "avg": (3, 5), "siglip": (6, 17), "hybrid": (9, 25), "fastvit": (5, 13)}
KINDS = pytest.mark.parametrize("kind", GRIDS)
BLOCKS = pytest.mark.parametrize("kind", [kind for kind in GRIDS if kind != "fastvit"])


def squares_and_frames(backbone: Backbone) -> tuple[Tensor, Tensor]:
    return backbone.prepare([FLAT]), backbone.prepare([FLAT], proportions=True)


@KINDS
def test_every_tower_sees_an_elongated_image_on_an_elongated_grid(build: Build, kind: str) -> None:
    backbone = from_model(build(kind), kind)
    for pixels, grid in ((FLAT, GRIDS[kind]), (TURNED, GRIDS[kind][::-1])):
        framed = backbone.prepare_one(pixels, proportions=True)
        assert backbone.grid_of(framed.shape[:2]) == grid
        seen = backbone(backbone.prepare([pixels, framed], proportions=True), taps=backbone.default_taps)
        assert torch.equal(seen.patches[0], seen.patches[1])
        assert seen.grids["patches"] == grid
        assert seen.cls.shape == (2, backbone.embed_dim)
        for name, tokens in {"patches": seen.patches, **seen.taps}.items():
            assert tokens.shape[1] == math.prod(seen.grids[name])
            assert torch.isfinite(tokens).all()


@KINDS
def test_a_square_is_seen_bit_for_bit_the_same_with_proportions_or_without(build: Build, kind: str) -> None:
    backbone = from_model(build(kind), kind)
    square = FLAT[:, :120]
    plain, framed = backbone.prepare([square]), backbone.prepare([square], proportions=True)
    assert torch.equal(plain, framed)
    assert backbone.frame(square.shape, True) == (backbone.image_size, backbone.image_size)
    seen = backbone(framed)
    assert seen.grids["patches"] == backbone.grid
    with torch.no_grad():
        own = backbone.visual(plain)
    assert torch.allclose(seen.cls, own, atol=1e-5)


@BLOCKS
def test_embedded_tokens_of_a_frame_go_on_with_their_grid(build: Build, kind: str) -> None:
    backbone = from_model(build(kind), kind)
    _, x = squares_and_frames(backbone)
    tokens, grid = backbone.embed(x), GRIDS[kind]
    options = {"taps": ("block1",), "vv_from": 1, "visual_prompts": [torch.ones(2, backbone.width)]}
    at_once, resumed = backbone(x, **options), backbone(tokens, grid=grid, **options)
    for one, other in zip(
        (at_once.cls, at_once.patches, at_once.vv, at_once.taps["block1"]),
        (resumed.cls, resumed.patches, resumed.vv, resumed.taps["block1"]),
        strict=True,
    ):
        assert torch.equal(one, other)
    assert resumed.grids == {"block1": grid, "patches": grid, "vv": grid}
    with pytest.raises(ValueError, match="tokens don't lie on"):
        backbone(tokens)


def test_positions_are_those_of_the_places_that_patches_have(build: Build) -> None:
    """Where position is all that tokens say, a frame's lie between those of the square."""
    model = build("clip")
    visual = model.visual
    with torch.no_grad():
        rows, columns = visual.grid_size
        plane = torch.linspace(0, 1, columns).repeat(rows, 1).flatten()
        visual.positional_embedding[1:] = plane[:, None] * torch.linspace(-1, 1, visual.conv1.out_channels)
        visual.conv1.weight.zero_()
        visual.ln_pre = nn.Identity()
    backbone = from_model(model, "clip")
    tokens = backbone.embed(backbone.prepare([FLAT], proportions=True))[0, 1:].reshape(3, 5, -1)
    assert torch.allclose(tokens[0], tokens[2], atol=1e-6)
    assert (tokens[0, :, -1].diff() > 0).all()
    assert torch.allclose(tokens[0, :, -1], 1 - tokens[0, :, -1].flip(0), atol=1e-5)


def test_a_shape_that_no_frame_has_is_refused(build: Build) -> None:
    backbone = from_model(build("clip"), "clip")
    with pytest.raises(ValueError, match="takes no images of 70 × 80 pixels"):
        backbone(torch.zeros(1, 3, 70, 80))

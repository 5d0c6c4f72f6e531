"""Backbones from the catalogue and from memory: their identity, their random twins, and their text towers."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import open_clip
import torch
from torch import nn

from inspector.features import loading, random_weights
from inspector.features.loading import from_model

Build = Callable[[str], nn.Module]
LOAD = """
import sys
from inspector.features import loading
loading.load("inspector-tiny", "cpu")
assert not {"torch._dynamo", "torch._dynamo.utils", "sympy"} & {*sys.modules}, "the compiler came"
import torch
import torchvision.ops
asked = sys.modules["torchvision.ops.roi_align"].is_compile_supported
assert "torch._dynamo" not in sys.modules
from torch._dynamo.utils import is_compile_supported
assert asked("cpu") == is_compile_supported("cpu")
assert torch.compiler.disable.__module__ == "torch.compiler"
"""


def test_the_model_is_loaded_without_torchs_compiler_which_comes_when_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_identity_names_all_that_decides_the_features(build: Build) -> None:
    first, again = (from_model(build("clip"), "clip", tag) for tag in ("a", "b"))
    assert first.identity.key == again.identity.key
    assert first.identity.as_json()["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert from_model(build("clip"), "other").identity.key != first.identity.key
    changed = build("clip")
    with torch.no_grad():
        changed.visual.proj[0, 0] += 1
    assert from_model(changed, "clip").identity.key != first.identity.key
    vision = {"layers": 4, "width": 48, "head_width": 16, "patch_size": 16, "image_size": 80}
    larger = open_clip.CLIP(32, vision, {"layers": 1, "width": 32, "heads": 2})
    assert (
        from_model(larger, "clip", weights_sha256=first.identity.weights_sha256).identity.key
        != first.identity.key
    )


def test_an_untrained_backbone_has_the_same_shape_and_other_weights_the_same_ones_every_time() -> None:
    pretrained = loading.load(device="cpu", dtype=torch.float32)
    one, again, other = (random_weights.same_as(pretrained, seed) for seed in (0, 0, 1))
    assert one.identity.key == again.identity.key
    assert len({found.identity.key for found in (pretrained, one, other)}) == 3
    for name in ("architecture", "image_size", "mean", "std", "interpolation"):
        assert getattr(one.identity, name) == getattr(pretrained.identity, name)
    assert (one.dtype, one.device, one.default_taps) == (
        pretrained.dtype,
        pretrained.device,
        pretrained.default_taps,
    )
    x = one.prepare([np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)])
    stems = [
        found.forward(x, taps=("stem8",), joint=False).taps["stem8"] for found in (pretrained, one, again)
    ]
    assert torch.equal(stems[1], stems[2])
    assert not torch.allclose(stems[0], stems[1], atol=0.1)


def test_a_backbone_without_text_is_the_same_one_that_was_never_asked_for_it() -> None:
    whole = loading.load(device="cpu", dtype=torch.float32)
    assert not whole.text_loaded
    assert whole.text is not None
    fresh = whole.without_text()
    assert whole.text_loaded
    assert not fresh.text_loaded
    assert fresh.identity.key == whole.identity.key
    assert fresh.text is not None


def test_prompts_can_be_taught_through_a_text_tower_that_an_inspection_asked_for_first() -> None:
    backbone = loading.load(device="cpu", dtype=torch.float32)
    with torch.inference_mode():
        tower = backbone.text
    assert tower is not None
    words = tower.tokens(["a flawless washer"])
    prompt = torch.zeros(1, 1, tower.width, requires_grad=True)
    tower.encode(tower.embed(words) + prompt, tower.eot(words)).sum().backward()
    assert prompt.grad is not None


def test_a_stored_identity_is_compared_in_a_sentence(build: Build) -> None:
    here = from_model(build("clip"), "clip", "a")
    stored = here.identity.as_json()
    assert here.identity.mismatch(stored) == ""
    assert (
        from_model(build("clip"), "clip", "b").identity.mismatch(stored) == ""
    )  # the same weights by another name
    assert "another version of clip" in here.identity.mismatch(stored | {"key": "0123"})
    elsewhere = stored | {"key": "0123", "architecture": "ViT-B-16"}
    assert f"on the backbone ViT-B-16 a 0123, but clip a {here.identity.key}" in here.identity.mismatch(
        elsewhere
    )
    assert here.identity.mismatch({}) != ""

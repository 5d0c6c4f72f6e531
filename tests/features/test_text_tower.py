"""The text tower: token embeddings in, features out."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

from inspector.errors import WeightsError
from inspector.features.cached_backbone import CachedBackbone
from inspector.features.loading import from_model
from inspector.features.text_tower import TextTower

Build = Callable[[str], nn.Module]
TEXTS = [
    "a photo of a flawless metal washer",
    "washer",
    "a damaged washer with a long scratch across its face",
]


def tower(build: Build, kind: str) -> TextTower:
    made = from_model(build(kind), kind).text
    assert made is not None
    return made


@pytest.mark.parametrize("kind", ["clip", "custom", "quick", "fastvit", "hybrid"])
def test_features_are_those_of_encode_text(build: Build, kind: str) -> None:
    model = build(kind)
    text = from_model(model, kind).text
    ids = text.tokens(TEXTS)
    with torch.no_grad():
        expected = model.encode_text(ids)
    assert torch.allclose(text.encode(text.embed(ids), text.eot(ids)), expected, atol=1e-5)
    assert torch.allclose(text.encode_texts(TEXTS), expected / expected.norm(dim=-1, keepdim=True), atol=1e-5)
    assert text.embed_dim == expected.shape[1]


def test_a_tower_without_causal_mask_keeps_every_position(build: Build) -> None:
    model = build("siglip")
    text = from_model(model, "siglip").text
    ids = torch.randint(1, 100, (3, 16))
    with torch.no_grad():
        expected = model.encode_text(ids)
    assert torch.allclose(text.encode(text.embed(ids), text.eot(ids)), expected, atol=1e-5)
    with pytest.raises(ValueError, match="16 tokens"):
        text.encode(text.embed(ids[:, :8]), text.eot(ids[:, :8]))


@pytest.mark.parametrize("kind", ["clip", "custom"])
def test_cutting_behind_the_end_of_text_changes_nothing(build: Build, kind: str) -> None:
    text = tower(build, kind)
    ids = text.tokens(TEXTS)
    embeddings, eot = text.embed(ids), text.eot(ids)
    together = text.encode(embeddings, eot)
    lengths: list[int] = []
    hook = text._blocks[0].register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    alone = torch.cat([text.encode(embeddings[i : i + 1], eot[i : i + 1]) for i in range(len(TEXTS))])
    hook.remove()
    assert lengths == [int(e) + 1 for e in eot]
    assert torch.allclose(alone, together, atol=1e-5)
    noise = embeddings.clone()
    noise[:, int(eot.max()) + 1 :] = torch.randn_like(noise[:, int(eot.max()) + 1 :])
    assert torch.equal(text.encode(noise, eot), together)


def test_deep_prompts_replace_the_contexts_outputs_block_by_block(build: Build) -> None:
    model = build("clip")
    text = from_model(model, "clip").text
    ids = text.tokens(TEXTS)
    eot, context = text.eot(ids), torch.randn(2, 32)
    embeddings = torch.cat(
        [text.embed(ids)[:, :1], context.expand(3, 2, 32), text.embed(ids)[:, 1:-2]], dim=1
    )
    deep = [torch.randn(2, 32), torch.randn(3, 2, 32)]
    with torch.no_grad():
        x = embeddings + model.positional_embedding
        for number, block in enumerate(model.transformer.resblocks):
            if number:
                x = torch.cat([x[:, :1], deep[number - 1].expand(3, 2, 32), x[:, 3:]], dim=1)
            x = block(x, attn_mask=model.attn_mask)
        expected = model.ln_final(x)[torch.arange(3), eot + 2] @ model.text_projection
    assert torch.allclose(text.encode(embeddings, eot + 2, deep), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "custom"])
def test_gradients_reach_contexts_and_deep_prompts_only(build: Build, kind: str) -> None:
    model = build(kind)
    text = from_model(model, kind).text
    ids = text.tokens(TEXTS)
    context = torch.randn(4, 32, requires_grad=True)
    deep = [torch.randn(4, 32, requires_grad=True)]
    fixed = text.embed(ids)
    embeddings = torch.cat([fixed[:, :1], context.expand(3, -1, -1), fixed[:, 1:-4]], dim=1)
    text.encode(embeddings, text.eot(ids) + 4, deep).square().sum().backward()
    assert context.grad.abs().sum() > 0
    assert deep[0].grad.abs().sum() > 0
    weights = (model.text if kind == "custom" else model.transformer).parameters()
    assert all(weight.grad is None for weight in weights)


def test_the_text_tower_is_loaded_only_when_it_is_asked_for(build: Build) -> None:
    asked: list[bool] = []
    model = build("clip")

    def load() -> TextTower | None:
        asked.append(True)
        return TextTower.of(model, "clip")

    backbone = from_model(model, "clip", load_text=load)
    backbone(torch.zeros(1, 3, 64, 64))
    assert asked == []
    assert backbone.text is backbone.text
    assert asked == [True]


def test_many_threads_that_ask_at_once_load_one_text_tower(build: Build) -> None:
    asked: list[bool] = []
    model, together = build("clip"), threading.Barrier(8)

    def load() -> TextTower | None:
        asked.append(True)
        time.sleep(0.05)  # a second thread would come in here
        return TextTower.of(model, "clip")

    backbone = from_model(model, "clip", load_text=load)

    def ask(_: int) -> TextTower | None:
        together.wait()
        return backbone.text

    with ThreadPoolExecutor(8) as pool:
        towers = list(pool.map(ask, range(8)))
    assert asked == [True]
    assert len({id(tower) for tower in towers}) == 1
    assert CachedBackbone(backbone).text is backbone.text
    assert backbone.without_text().text is not backbone.text


def test_a_text_tower_that_failed_to_load_is_loaded_when_it_is_asked_for_again(build: Build) -> None:
    model, tries = build("clip"), iter([WeightsError("gone", "come back"), None])

    def load() -> TextTower | None:
        if error := next(tries):
            raise error
        return TextTower.of(model, "clip")

    backbone = from_model(model, "clip", load_text=load)
    with pytest.raises(WeightsError):
        _ = backbone.text
    assert not backbone.text_loaded
    assert backbone.text is not None


def test_what_a_tokenizer_of_another_kind_lacks_is_said_when_it_is_asked(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)  # as after a plain install
    text = TextTower.of(build("siglip"), "ViT-B-16-SigLIP2", tmp_path)
    assert text is not None
    with pytest.raises(WeightsError, match="tokenizer of ViT-B-16-SigLIP2 is not here"):
        text.tokens(["washer"])
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match="needs the package transformers"):
        text.tokens(["washer"])

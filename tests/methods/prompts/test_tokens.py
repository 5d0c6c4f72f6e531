"""Learned contexts among words, and the coupling of both towers' prompts."""

import pytest
import torch
from torch.nn import functional as F

from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.methods.prompts import tokens as prompts


def test_words_alone_give_the_towers_own_text_features(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    splicer = prompts.Splicer(tiny_clip.text)
    spliced = splicer.encode([["a photo of a", "flawless bottle."], ["a damaged cable."]])
    expected = tiny_clip.text.encode_texts(["a photo of a flawless bottle.", "a damaged cable."])
    assert torch.allclose(spliced, expected, atol=1e-6)


def test_learned_tokens_stand_between_the_words_and_push_the_end_back(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    splicer = prompts.Splicer(tiny_clip.text)
    context = torch.randn(3, tiny_clip.text.width)
    embeddings, ends = splicer([["bottle."], [context, "bottle."], ["the", context, "bottle."]])
    assert ends.tolist() == [3, 6, 7]
    assert torch.equal(embeddings[1, 1:4], context)
    assert torch.equal(embeddings[2, 2:5], context)
    assert torch.equal(embeddings[2, 5:], embeddings[0, 1:73])


def test_what_does_not_fit_the_context_is_cut_and_the_end_stays(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    splicer = prompts.Splicer(tiny_clip.text)
    embeddings, ends = splicer([["word " * 90], [torch.zeros(100, tiny_clip.text.width)]])
    assert embeddings.shape[1] == 77
    assert ends.tolist() == [76, 76]
    assert torch.isfinite(splicer.encode([["word " * 90]])).all()


def test_the_gradient_reaches_learned_tokens_and_no_weight(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    splicer = prompts.Splicer(tiny_clip.text)
    context = torch.zeros(2, tiny_clip.text.width, requires_grad=True)
    deep = torch.randn(1, 2, tiny_clip.text.width, requires_grad=True)
    splicer.encode([[context, "bottle."]], list(deep))[:, 0].sum().backward()
    assert context.grad is not None
    assert deep.grad is not None
    assert deep.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in tiny_clip.text._parameters())


@pytest.mark.parametrize("shared", [True, False])
def test_coupling_joins_each_towers_prompts_with_the_others_mapped(shared: bool) -> None:
    coupled = prompts.CoupledPrompts(3, 2, 8, 12, shared=shared)
    text, vision = coupled.deep_text(), coupled.deep_vision()
    assert text is not None
    assert vision is not None
    assert coupled.to_text is not None
    assert coupled.vision is not None
    assert text.shape == (3, 4, 8)
    assert vision.shape == (3, 4, 12)
    for layer in range(3):
        own = coupled.to_text[0 if shared else layer]
        assert torch.allclose(text[layer, 2:], own(coupled.vision[layer]))
    assert len(coupled.to_text) == (1 if shared else 3)


def test_one_sided_prompts_couple_nothing() -> None:
    text_only = prompts.CoupledPrompts(3, 2, 8, 12, use="text")
    assert text_only.deep_vision() is None
    assert text_only.deep_text() is text_only.text
    vision_only = prompts.CoupledPrompts(3, 2, 8, 12, use="vision")
    assert vision_only.deep_text() is None
    assert vision_only.deep_vision() is vision_only.vision


def test_what_an_image_shows_takes_the_place_of_learned_prompts_in_the_coupling() -> None:
    coupled = prompts.CoupledPrompts(3, 2, 8, 12)
    assert coupled.vision is not None
    seen = torch.stack([coupled.vision, coupled.vision + 1]).detach()
    deep = coupled.deep_text(seen)
    plain = coupled.deep_text()
    assert deep is not None
    assert plain is not None
    assert deep.shape == (2, 3, 4, 8)
    assert torch.allclose(deep[0], plain)
    assert not torch.allclose(deep[1, :, 2:], plain[:, 2:])


def test_a_backbone_without_text_is_refused_in_a_sentence(wordless_clip: Backbone) -> None:
    with pytest.raises(DetectorError, match="AnoPLe needs a backbone with a text tower") as caught:
        prompts.need_text(wordless_clip, "AnoPLe")
    assert caught.value.hint


def test_features_are_brought_to_unit_length() -> None:
    tokens = torch.randn(2, 3, 5)
    assert torch.allclose(prompts.normalised(tokens), F.normalize(tokens, dim=-1))

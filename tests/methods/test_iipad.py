"""IIPAD on a small random CLIP."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from inspector.domain import Image
from inspector.features.backbone import Backbone
from inspector.features.loading import from_model
from inspector.features.text_tower import TextTower
from inspector.methods import storage
from inspector.methods.iipad.generator import Generator, WordMap, depths, object_tokens, read
from inspector.methods.iipad.method import IIPAD
from inspector.methods.prompts import training
from inspector.methods.prompts.tokens import Splicer, normalised

Teach = Callable[..., Any]
QUICK = {"epochs": 2, "contexts": 6, "objects": 2}


def test_features_come_from_four_evenly_spaced_depths() -> None:
    assert depths(24) == (6, 12, 18, 24)
    assert depths(12) == (3, 6, 9, 12)
    assert depths(4) == (1, 2, 3, 4)
    assert depths(2) == (1, 2)


def test_object_tokens_are_pooled_patches_with_the_class_token() -> None:
    cls = torch.tensor([[0.0, 1.0]])
    patches = torch.zeros(1, 64, 2)
    patches[0, :, 0] = torch.arange(8).repeat_interleave(8) // 2  # rows of an 8×8 grid
    found = object_tokens(cls, patches, (8, 8))
    assert found.shape == (1, 16, 2)
    assert torch.allclose(found[0, ::4], normalised(torch.tensor([[0.0, 1], [1, 1], [2, 1], [3, 1]])))


def test_the_word_map_carries_texts_back_to_their_token_embeddings(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    words = WordMap(32, tiny_clip.text.width)
    words.solve(tiny_clip.text, torch.zeros(1, 16, 32), seed=0)
    ids = tiny_clip.text.tokens(["bottle"])
    feature = normalised(tiny_clip.text.encode(tiny_clip.text.embed(ids), tiny_clip.text.eot(ids)))
    embedding = tiny_clip.text.embed(ids)[0, 1]
    texts = torch.stack([normalised(_of(tiny_clip, word)) for word in ("cable", "screw", "carpet", "metal")])
    words.centre = texts.mean(0).flatten()
    closeness = torch.cosine_similarity(words(feature) - words.offset, (embedding - words.offset)[None])
    others = torch.stack(
        [torch.cosine_similarity(words(t) - words.offset, (embedding - words.offset)[None]) for t in texts]
    )
    assert closeness.item() > others.max().item()


def _of(backbone: Backbone, word: str) -> torch.Tensor:
    assert backbone.text is not None
    ids = backbone.text.tokens([word])
    return backbone.text.encode(backbone.text.embed(ids), backbone.text.eot(ids))


def test_every_learnable_part_gets_a_gradient_and_nothing_else(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(IIPAD(**QUICK), parts, tiny_clip)
    assert tiny_clip.text is not None
    generator = detector.taught.generator
    generator.zero_grad(set_to_none=True)
    seen = read(tiny_clip, tiny_clip.prepare([image.pixels for image in parts["disc"]]))
    written = generator.encoded(Splicer(tiny_clip.text), seen.unit_cls, seen.objects)
    phrases = normalised(torch.randn(3, 32))
    terms = detector.loss_terms(written, seen.layers, phrases, -phrases, training.generator(0))
    torch.stack(list(terms.values())).sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert all(p.grad is None for p in tiny_clip.text._parameters())


def test_every_image_gets_prompts_of_its_own() -> None:
    torch.manual_seed(0)
    generator = Generator(8, 12, 6, 2).eval()
    normal, abnormal = generator(torch.randn(3, 8), torch.randn(3, 16, 8))
    assert normal.shape == abnormal.shape == (3, 8, 12)
    assert not torch.allclose(normal[0], normal[1])
    assert not torch.allclose(normal[0], abnormal[0])


def test_the_class_is_found_among_the_shots_without_being_told(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, new_part: Callable[[str, int], Image]
) -> None:
    detector = taught(IIPAD(**QUICK), parts, tiny_clip)
    found = detector.score([new_part("plate", 7), new_part("disc", 8)], [None, None])
    assert [one.class_name for one in found] == ["plate", "disc"]
    assert all(0.5 < one.class_confidence <= 1 for one in found)


def test_a_new_shot_joins_both_banks(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, new_part: Callable[[str, int], Image]
) -> None:
    detector = taught(IIPAD(**QUICK), parts, tiny_clip)
    fresh = new_part("disc", 9)
    before = detector.score([fresh], ["disc"])[0].image_score
    detector.add_shots("disc", [fresh])
    assert detector.outdated
    assert detector.taught.shot_class.tolist() == [0, 0, 1, 1, 0]
    assert detector.score([fresh], ["disc"])[0].image_score < before


@pytest.mark.parametrize("settings", [{"loss": "linear"}, {"image_score": "code"}, {"sparsity": 0.5}])
def test_the_switches_change_what_is_learned_or_scored(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, settings: dict[str, Any]
) -> None:
    plain = taught(IIPAD(**QUICK), parts, tiny_clip).score(parts["disc"], ["disc"] * 2)
    other = taught(IIPAD(**QUICK, **settings), parts, tiny_clip).score(parts["disc"], ["disc"] * 2)
    assert plain[0].image_score != other[0].image_score


def test_scoring_side_by_side_loads_the_text_tower_once(
    tiny_clip: Backbone,
    make_model: Callable[[], torch.nn.Module],
    parts: dict[str, list[Image]],
    taught: Teach,
    tmp_path: Path,
) -> None:
    storage.save(taught(IIPAD(**QUICK), parts, tiny_clip), tmp_path / "it")
    loads: list[bool] = []

    def load() -> TextTower | None:
        loads.append(True)
        time.sleep(0.05)  # others would come in here
        return TextTower.of(make_model(), "tiny")

    backbone = from_model(make_model(), "tiny", load_text=load)
    detector, together = storage.load(tmp_path / "it", backbone), threading.Barrier(4)

    def score(_: int) -> float:
        together.wait()
        return detector.score(parts["disc"], ["disc", "disc"])[0].image_score

    with ThreadPoolExecutor(4) as pool:
        scores = set(pool.map(score, range(4)))
    assert len(scores) == 1
    assert loads == [True]

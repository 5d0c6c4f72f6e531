"""PromptAD (Li et al., CVPR 2024): a learned normal context per class against fixed and learned words for defects.

- Semantic concatenation: normal "[V] class."; handcrafted abnormal "[V] state(class)."; learned abnormal
  "[V][A_i] class.", V of 4 tokens, A_i of one token, i = 1…4.
- Loss: cross-entropy of the normal anchor against all abnormal prompts + explicit anomaly margin (triplet on the mean
  abnormal prompt, margin 0) + 10⁻³ · ‖mean handcrafted − mean learned‖². Two learners: on V-V patches for the map, on
  the class token for the image score.
- 100 epochs at a rate of 2·10⁻³, cosine to 10⁻⁵, weight decay 5·10⁻⁴; all of them, none chosen on test images.
- Map 1/(1/M_p + 1/M_v), image score 1/(1/max M_v + 1/p_cls).

Fidelity switches: `temperature="raw"` divides by the logarithm of CLIP's logit scale as the released code does (about
4.6 instead of 100; the map then hovers near ½ and the memory leads), "exp" by the scale itself, or a number;
`eam_axis="tokens"` sums the triplet's squares over tokens instead of channels, as the released code does.

Deviations, complete
- One model for all classes: every class with its own V and A, all classes' prompts in one batch. Losses are summed over
  classes, and all begin with the same draw, so that a class learns the same alone and among others.
- Adam instead of SGD with momentum 0.9 at the same rate: on towers as small as the embedded one SGD leaves the loss
  where it was. `optimizer="sgd"` is the paper's.
- The generic states only, so that nobody has to name defects, "broken" for "flawed"; a class's V are averaged, each of
  unit length, into one normal anchor.
- The memory reads the backbone's own taps after their blocks, and maps are smoothed like every other method's.
- The last epoch is kept, never one chosen on test images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from inspector.features.backbone import Backbone, Features
from inspector.methods.memory.cosine import CosineBank
from inspector.methods.prompts import fusion, losses, training
from inspector.methods.prompts.method import PromptMethod, TaughtPrompts, enlarged
from inspector.methods.prompts.phrases import GENERIC_DEFECTS, spoken
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import Piece, Splicer, normalised
from inspector.methods.smoothing import smoothed
from inspector.methods.stored_tensors import StoredTensors

HEADS = ("pixel", "image")


class Contexts(nn.Module):
    """Per class and head: V [prompts, length, width] and A [abnormal, width].

    All classes begin alike and each has parameters of its own, which stay as they are in a batch without it: a class
    learns the same alone and among others.
    """

    def __init__(
        self, classes: int, counts: Mapping[str, int], length: int, abnormal: int, width: int
    ) -> None:
        super().__init__()
        self.counts = dict(counts)
        first = {head: torch.randn(counts[head], length, width) * 0.02 for head in HEADS}
        other = {head: torch.randn(abnormal, width) * 0.02 for head in HEADS}
        every = [(head, number) for head in HEADS for number in range(classes)]
        self.normal = nn.ParameterDict({f"{head}{number}": first[head].clone() for head, number in every})
        self.abnormal = nn.ParameterDict({f"{head}{number}": other[head].clone() for head, number in every})

    def rows(self, head: str, number: int, class_name: str) -> list[Sequence[Piece]]:
        """The prompts of one class: normal, handcrafted and learned abnormal ones, for each V in turn."""
        name = spoken(class_name)
        made: list[Sequence[Piece]] = []
        for context in self.normal[f"{head}{number}"]:
            made.append([context, f"{name}."])
            made += [[context, f"{state.format(name)}."] for state in GENERIC_DEFECTS]
            made += [[context, suffix[None], f"{name}."] for suffix in self.abnormal[f"{head}{number}"]]
        return made

    def read(
        self, splicer: Splicer, head: str, numbers: Sequence[int], class_names: Sequence[str]
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For each class the normal anchor [d], the handcrafted [a, d] and the learned [b, d] abnormal features."""
        rows = [row for number in numbers for row in self.rows(head, number, class_names[number])]
        encoded = splicer.encode(rows).reshape(len(numbers), self.counts[head], -1, splicer.text.embed_dim)
        first = 1 + len(GENERIC_DEFECTS)
        return [
            (normalised(one[:, 0].mean(0)), one[:, 1:first].flatten(0, 1), one[:, first:].flatten(0, 1))
            for one in encoded
        ]


def read(backbone: Backbone, pixels: Tensor) -> Features:
    """Prepared images [B,3,h,w] → class token, V-V patches of all blocks, and the taps that a memory keeps."""
    return backbone.forward(pixels, taps=backbone.default_taps, vv_from=1)


def scale_of(temperature: str | float, backbone: Backbone) -> float:
    """What cosines are multiplied with before the softmax, see the module's description."""
    if isinstance(temperature, int | float):
        return 1 / float(temperature)
    exp = backbone.logit_scale
    return exp if temperature == "exp" else math.log(exp)


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtPromptAD(TaughtPrompts):
    """`text_features` [classes, heads, 2, d]: normal anchor and mean abnormal direction."""

    text_features: Tensor

    def features(self, pixels: Tensor) -> Features:
        return read(self.backbone, pixels)

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Map 1/(1/M_p + 1/M_v) and image score 1/(1/max M_v + 1/p_cls), both in 0–½: M_p the smoothed state map of the V-V
        patches, M_v the memory's map."""
        states = self.text_features[self.numbers(class_names)]
        pixel, image = states[:, 0], states[:, 1]
        temperature = 1 / scale_of(self.settings["temperature"], self.backbone)
        state = fusion.abnormal_probability(
            normalised(features.vv), pixel[:, None, 0], pixel[:, None, 1], temperature
        )
        grid = features.grids["vv"]
        planes = smoothed(enlarged(state.reshape(-1, *grid), self.map_size), self.settings["sigma"], grid)
        visual = self.memory.maps(features, class_names, without)
        whole = fusion.abnormal_probability(normalised(features.cls), image[:, 0], image[:, 1], temperature)
        maps = fusion.harmonic(planes, visual) / 2
        return maps, fusion.harmonic(visual.flatten(1).amax(1), whole) / 2

    def tensors(self) -> dict[str, Tensor]:
        return {"text_features": self.text_features}


class PromptAD(PromptMethod[TaughtPromptAD]):
    """Settings beside those of the module's description: `prompts` are the contexts a head and class (pixel, image)."""

    method = "promptad"
    title = "PromptAD"
    bank_type = CosineBank
    defaults: ClassVar[Mapping[str, Any]] = {
        "temperature": "raw",
        "eam_axis": "channels",
        "length": 4,
        "abnormal": 4,
        "prompts": [1, 3],
        "epochs": 100,
        "rate": 2e-3,
        "final_rate": 1e-5,
        "batch": 8,
        "optimizer": "adam",
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "patience": 0,
        "sigma": 1.0,
        "seed": 0,
    }
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "optimizer": ("adam", "adamw", "sgd"),
        "eam_axis": ("channels", "tokens"),
        "temperature": ("raw", "exp", float),
    }

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        counts = self.settings["prompts"]
        if len(counts) != len(HEADS) or any(type(count) is not int for count in counts):
            raise ValueError("prompts are two numbers, such as [1, 3]")

    def learn(self, teaching: Teaching) -> TaughtPromptAD:
        s, names, backbone, splicer = self.settings, teaching.names, teaching.backbone, teaching.splicer
        scale = scale_of(s["temperature"], backbone)
        with training.seeded(s["seed"], 2):
            counts = dict(zip(HEADS, s["prompts"], strict=True))
            learned = Contexts(len(names), counts, s["length"], s["abnormal"], teaching.text.width).to(
                backbone.device
            )
        seen = []
        for images in teaching.shots.values():
            features = list(teaching.passes(images, read))
            patches = [shot for one in features for shot in normalised(one.vv)]
            seen.append(
                {
                    "pixel": patches,
                    "image": [shot for one in features for shot in normalised(one.cls)[:, None]],
                }
            )

        def step(chosen: Sequence[int], draw: torch.Generator) -> training.Losses:
            terms: training.Losses = {}
            for head in HEADS:
                prompts = learned.read(splicer, head, chosen, names)
                for number, features in zip(chosen, prompts, strict=True):
                    for name, term in self.loss_terms(scale, seen[number][head], *features).items():
                        key = f"{head} {name}"
                        terms[key] = terms[key] + term if key in terms else term
            return terms

        self.train(learned, step, len(names), teaching)
        with torch.no_grad():
            heads = []
            for head in HEADS:
                prompts = learned.read(splicer, head, range(len(names)), names)
                pairs = [(normal, normalised(torch.cat(rest).mean(0))) for normal, *rest in prompts]
                heads.append(torch.stack([torch.stack(pair) for pair in pairs]))
        return TaughtPromptAD(**self.common(teaching), text_features=torch.stack(heads, dim=1))

    def loss_terms(
        self, scale: float, seen: Sequence[Tensor], normal: Tensor, handcrafted: Tensor, own: Tensor
    ) -> training.Losses:
        """The three terms of one class and head; `seen` [N, d] of every shot."""
        abnormal = torch.cat([handcrafted, own])
        axis = 0 if self.settings["eam_axis"] == "tokens" else -1
        middle = normalised(abnormal.mean(0))
        margins = [losses.explicit_margin(shot, normal, middle, axis=axis) for shot in seen]
        return {
            "clip": losses.normal_against_all(torch.cat(list(seen)), normal, abnormal, scale),
            "margin": torch.stack(margins).mean(),
            "gap": 1e-3 * losses.mean_gap(handcrafted, own),
        }

    @classmethod
    def restored(cls, stored: StoredTensors, common: dict[str, Any]) -> TaughtPromptAD:
        classes, width = len(common["names"]), common["backbone"].embed_dim
        features = stored.take("text_features", classes, len(HEADS), 2, width)
        return TaughtPromptAD(**common, text_features=features)

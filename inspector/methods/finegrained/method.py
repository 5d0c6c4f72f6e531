"""FineGrainedAD: prompts for the parts and attributes that a description of the product names.

Paper: Fan et al., "Towards Fine-Grained Vision-Language Alignment for Few-Shot Anomaly Detection" (Pattern
Recognition 2026, arXiv 2510.26464). Equation numbers are the paper's; their bodies are lost in the text at hand and
were put together again from its words and the released code.

As published
- Every class has a description with levels (`descriptions`): whole image, background, parts with attributes.
- Prompts (MLLP): normal NHP "[V][text]", abnormal by substitution AHP, abnormal learned ALP "[V][A_i][text]"; V has 4
  tokens, A_1…A_4 one each. Attribute prompts are added to a part's caption in token-embedding space, each under a
  sigmoid gate (Attr-MoE): E = E_caption + Σ_k σ(w_k)·E_k.
- Regions (`regions_of_text`): every phrase learns mostly from the patches that it speaks of, weight 1 + 1.5 inside.
- (2) L_clip, L_tri (margin 1) and 10⁻³·L_mean at every level; (3) L_reg = ‖mean ALP_img − mean norm(Σ_c ALP_c) −
  mean NHP_bg‖.
- (4, 5) Every patch takes the level with k* = argmax_k ⟨v, q_k⟩ and is read against that level's n and mean abnormal ā.
  q is the Query Former's (`queries="former"`: learned queries, parallel cross-attention over all normal and over all
  abnormal level features, concatenation, one linear layer; loss 1 − ½(cos(q_k, n_k) + cos(q_k, ā_k))) or norm(n_k + ā_k)
  (`queries="mean"`, no parameters).
- (6, 7) The map is re-weighted by the image level's own map and joined with the memory's by harmonic mean.
- (8) Image score: harmonic mean of the class token's abnormal probability and the map's maximum.
- SGD 2e-3, momentum 0.9, weight decay 5e-4, cosine to 1e-5.

Our choices and deviations
- One V, A and set of gates for all classes; only descriptions, hence text features, belong to a class.
- The relation sentence enters as an attribute prompt with its gate, as in the released code, not as a level of its own.
  Gates are on parts, as in the paper. An attribute prompt is added word by word behind the learned tokens and cut to
  the caption's length; gates start at σ(−2), so that captions come first.
- The weight map multiplies the patch before its product with the prompts and, in L_tri, before the distances.
- One detector instead of one for maps and one for image scores: the class token takes part in the image level.
- Regions are found with the plain phrases, before V is learned, once a teaching, on as many tiles (at most 4 × 4) as
  the image's own resolution fills.
- The background has no L_mean. The Query Former is taught after the prompts, on their final features (in the released
  code no loss reaches it).
- (6) divides by the mean of the image-level map of the class's shots, a constant, not by that of the image at hand: maps
  of one detector keep one scale.
- `tau`: "raw" uses the logit scale without its exponential (the released code; ln 100 ≈ 4.6), "exp" with it, "0.07" its
  usual value. `eam_axis="token"`: L_tri's squares summed over tokens instead of channels, as in the released code.
- Full harmonic mean (the paper's 1/(1/a + 1/b) is half of it).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress
from inspector.features.backbone import Backbone, Features
from inspector.methods.catalogue import DESCRIPTIONS, descriptions
from inspector.methods.finegrained import regions as regions_of_text
from inspector.methods.memory.patchcore import batches
from inspector.methods.prompts import fusion, losses, training
from inspector.methods.prompts.description import (
    ATTRIBUTES,
    Level,
    PartDescription,
    Phrase,
    prompt_levels,
    template,
)
from inspector.methods.prompts.method import Learned, enlarged
from inspector.methods.prompts.tokens import Splicer, context, need_text, normalised
from inspector.methods.smoothing import smoothed

TAGS = len(ATTRIBUTES)


def first_vv_block(depth: int) -> int:
    """Where the V-V path starts: all blocks up to 12 of them (PromptAD), else the last 19 (AnomalyCLIP)."""
    return max(1, depth - 18) if depth > 12 else 1


class MultiLevelPrompts(nn.Module):
    """What is learned, shared by all classes: V [length, w], A [alps, w] and the gates of Attr-MoE [2, attributes]."""

    def __init__(self, length: int, alps: int, width: int) -> None:
        super().__init__()
        self.context = context(length, width)
        self.abnormal = context(alps, width)
        self.gates = nn.Parameter(torch.full((2, TAGS), -2.0))

    def forward(self, levels: Sequence[Level], splicer: Splicer) -> list[tuple[Tensor, Tensor, Tensor]]:
        """(NHP [1, d], AHP [a, d], ALP [l, d]) of every level, unit length; all prompts in one pass."""
        rows: list[list[str | Tensor]] = []
        for level in levels:
            rows.append([self.context, self._body(level.normal, 0, splicer)])
            rows += [[self.context, self._body(phrase, 1, splicer)] for phrase in level.handcrafted]
            rows += [
                [self.context, self.abnormal[i : i + 1], self._body(phrase, 1, splicer)]
                for i, phrase in enumerate(level.learnable)
            ]
        counts = [n for level in levels for n in (1, len(level.handcrafted), len(level.learnable))]
        encoded = torch.split(splicer.encode(rows), counts)
        return [(encoded[i], encoded[i + 1], encoded[i + 2]) for i in range(0, len(encoded), 3)]

    def _body(self, phrase: Phrase, state: int, splicer: Splicer) -> Tensor:
        """The words of a phrase with its gated attributes, [n, w]."""
        body = splicer.words(f"{phrase.text}.")[1]
        for gate, words in zip(torch.sigmoid(self.gates[state]), phrase.attributes, strict=True):
            if words:
                more = splicer.words(f"{words}.")[1][: len(body)]
                body = body + gate * F.pad(more, (0, 0, 0, len(body) - len(more)))
        return body


class QueryFormer(nn.Module):
    """Level features → what a patch looks its level up with, for a batch of classes.

    normal, abnormal [C, L, d] and absent [C, L] bool → [C, L, d] of unit length.
    """

    def __init__(self, levels: int, width: int) -> None:
        super().__init__()
        heads = 4 if width % 4 == 0 else 1
        self.queries = nn.Parameter(torch.randn(levels, width) * 0.02)
        self.normal = nn.MultiheadAttention(width, heads, batch_first=True)
        self.abnormal = nn.MultiheadAttention(width, heads, batch_first=True)
        self.project = nn.Linear(2 * width, width)

    def forward(self, normal: Tensor, abnormal: Tensor, absent: Tensor) -> Tensor:
        query = self.queries[: normal.shape[1]].expand(len(normal), -1, -1)
        seen = [
            attention(query, keys, keys, key_padding_mask=absent, need_weights=False)[0]
            for attention, keys in ((self.normal, normal), (self.abnormal, abnormal))
        ]
        return F.normalize(self.project(torch.cat(seen, dim=-1)), dim=-1)

    @staticmethod
    def loss(queries: Tensor, normal: Tensor, abnormal: Tensor, absent: Tensor) -> Tensor:
        """1 − ½(cos(q_k, n_k) + cos(q_k, ā_k)), averaged over the levels that there are."""
        likeness = (queries * normal).sum(-1) + (queries * F.normalize(abnormal, dim=-1)).sum(-1)
        return (1 - likeness / 2)[~absent].mean()


def triplet(tokens: Tensor, normal: Tensor, abnormal: Tensor, margin: float, axis: str = "channel") -> Tensor:
    """L_tri: relu(‖v − n̄‖² − ‖v − ā‖² + m), averaged; tokens [n, d], normal and abnormal [d].

    `axis="token"` sums the squares over tokens instead of channels, as in the released code.
    """
    if axis == "channel":
        return losses.explicit_margin(tokens, normal, abnormal, margin)
    near, far = (tokens - normal).square().sum(0), (tokens - abnormal).square().sum(0)
    return F.relu(near - far + margin).mean()


class ShotFeatures:
    """What the shots of every class look like: class tokens [k, d], patches [k·N, d] and the levels' weights
    [levels, k·N], all of unit length and without gradient."""

    def __init__(self) -> None:
        self.cls: list[Tensor] = []
        self.patches: list[Tensor] = []
        self.weights: list[Tensor] = []


class FineGrainedAD(Learned):
    """Settings: `descriptions`, class name → description as JSON (the template where there is none); `queries`, `tau`,
    `eam_axis`, `reweight` and `centres` (see `regions_of_text.regions`) as in the module's description; `alps` and `ahps`
    prompts a level; `tiles` most tiles along a side for the regions, 1 reads the image as it is."""

    method = "finegrained"
    title = "FineGrainedAD"
    defaults: ClassVar[Mapping[str, Any]] = {
        "descriptions": {},
        "queries": "mean",
        "tau": "raw",
        "eam_axis": "channel",
        "reweight": True,
        "centres": "language",
        "length": 4,
        "alps": 4,
        "ahps": 4,
        "tiles": 4,
        "extra": 1.5,
        "margin": 1.0,
        "epochs": 60,
        "rate": 2e-3,
        "final_rate": 1e-5,
        "batch": 4,
        "optimizer": "sgd",
        "weight_decay": 5e-4,
        "patience": 0,
        "sigma": 1.0,
        "seed": 0,
    }
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "queries": ("mean", "former"),
        "tau": ("raw", "exp", "0.07"),
        "eam_axis": ("channel", "token"),
        "centres": ("language", "density"),
        "optimizer": ("sgd", "adam", "adamw"),
    }

    learned: MultiLevelPrompts
    former: QueryFormer

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.records = {
            name: PartDescription.from_json(value)
            for name, value in dict(self.settings["descriptions"]).items()
        }
        self._known: dict[str, Tensor] = {}

    @property
    def scale(self) -> float:
        """What cosines are multiplied by."""
        scale = self.backbone.logit_scale
        return {"raw": math.log(max(scale, math.e)), "exp": scale, "0.07": 1 / 0.07}[self.settings["tau"]]

    # Teaching

    def _teach(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> None:
        s, backbone = self.settings, self.backbone
        text = need_text(backbone, self.title)
        splicer = Splicer(text)
        for name in shots:
            self.records.setdefault(name, template(name))
        s["descriptions"] = {name: self.records[name].as_json() for name in shots}
        with training.seeded(s["seed"], 1):
            self.learned = MultiLevelPrompts(s["length"], s["alps"], text.width).to(backbone.device)
        levels = [prompt_levels(self.records[name], s["ahps"], s["alps"], s["seed"]) for name in shots]
        lesson = self._lesson(shots, levels, splicer, lambda done, *more: progress(0.3 * done, *more), cancel)
        self._train(
            self.learned,
            lambda chosen, draw: self.step(lesson, [(i, levels[i]) for i in chosen], splicer),
            len(shots),
            shots,
            progress,
            cancel,
            span=(0.3, 0.95),
        )
        self._known = self._constants(lesson, levels, splicer, cancel)
        progress(1.0, "", {})

    def _lesson(
        self,
        shots: Mapping[str, Sequence[Image]],
        levels: Sequence[Sequence[Level]],
        splicer: Splicer,
        progress: Progress,
        cancel: CancelToken,
    ) -> ShotFeatures:
        s, backbone, made = self.settings, self.backbone, ShotFeatures()
        total, done = sum(map(len, shots.values())), 0
        with torch.no_grad():
            for images, own in zip(shots.values(), levels, strict=True):
                phrases = splicer.encode([[f"{level.normal.text}."] for level in own[1:]])
                cls, patches, weights = [], [], []
                for batch in batches(images):
                    cancel.check()
                    seen = self._look(batch, backbone)
                    cls.append(normalised(seen.cls))
                    patches.append(normalised(seen.vv))
                for image in images:
                    count = regions_of_text.tile_count(image.pixels, backbone, s["tiles"])
                    tokens = regions_of_text.tile_tokens(image.pixels, backbone, count, self._view(), cancel)
                    found = regions_of_text.regions(tokens, phrases[1:], phrases[0], s["centres"])
                    weights.append(regions_of_text.weights(found, backbone.grid, s["extra"]))
                    done += 1
                    progress(done / total, "", {})
                plain = torch.ones(1, sum(w.shape[1] for w in weights), device=weights[0].device)
                made.cls.append(torch.cat(cls))
                made.patches.append(torch.cat(patches).flatten(0, 1))
                made.weights.append(torch.cat([plain, torch.cat(weights, dim=1)]))
        return made

    def step(
        self, lesson: ShotFeatures, chosen: Sequence[tuple[int, Sequence[Level]]], splicer: Splicer
    ) -> training.Losses:
        """The loss of the chosen classes; terms are averaged over classes and summed over levels."""
        s, prompts = self.settings, self.learned([level for _, own in chosen for level in own], splicer)
        terms: dict[str, list[Tensor]] = {"clip": [], "triplet": [], "mean": [], "levels": []}
        for number, own in chosen:
            here, prompts = prompts[: len(own)], prompts[len(own) :]
            for level, (normal, handcrafted, learnable) in enumerate(here):
                against = torch.cat([handcrafted, learnable])
                middle = F.normalize(against.mean(0), dim=-1)
                groups = [(lesson.patches[number], lesson.weights[number][level])]
                if level == 0:
                    groups.append((lesson.cls[number], torch.ones_like(lesson.cls[number][:, 0])))
                for tokens, weight in groups:
                    seen = tokens * weight[:, None]
                    terms["clip"].append(losses.normal_against_all(seen, normal[0], against, self.scale))
                    terms["triplet"].append(triplet(seen, normal[0], middle, s["margin"], s["eam_axis"]))
                if level != 1:
                    terms["mean"].append(1e-3 * losses.mean_gap(handcrafted, learnable))
            parts = torch.stack([learnable for _, _, learnable in here[2:]])
            terms["levels"].append(losses.level_consistency(here[0][2], parts, here[1][0]))
        return {name: torch.stack(values).sum() / len(chosen) for name, values in terms.items()}

    def _constants(
        self, lesson: ShotFeatures, levels: Sequence[Sequence[Level]], splicer: Splicer, cancel: CancelToken
    ) -> dict[str, Tensor]:
        """Everything that scoring needs of text: [classes, levels, d], levels that a class lacks stay zero."""
        most, width, device = max(map(len, levels)), self.backbone.embed_dim, self.backbone.device
        normal = torch.zeros(len(levels), most, width, device=device)
        abnormal = torch.zeros_like(normal)
        absent = torch.ones(len(levels), most, dtype=torch.bool, device=device)
        with torch.no_grad():
            for number, own in enumerate(levels):
                cancel.check()
                for level, (good, handcrafted, learnable) in enumerate(self.learned(own, splicer)):
                    normal[number, level] = good[0]
                    abnormal[number, level] = F.normalize(torch.cat([handcrafted, learnable]).mean(0), dim=-1)
                    absent[number, level] = False
        queries = F.normalize(normal + abnormal, dim=-1)
        learned = {f"prompts.{name}": value for name, value in self.learned.state_dict().items()}
        if self.settings["queries"] == "former":
            queries = self._form(normal, abnormal, absent, cancel)
            learned |= {f"former.{name}": value for name, value in self.former.state_dict().items()}
        with torch.no_grad():
            usual = [
                fusion.abnormal_probability(patches, normal[i, 0], abnormal[i, 0], 1 / self.scale).mean()
                for i, patches in enumerate(lesson.patches)
            ]
        known = {"normal": normal, "abnormal": abnormal, "queries": queries, "absent": absent}
        return {**known, "usual": torch.stack(usual), **{k: v.detach() for k, v in learned.items()}}

    def _form(self, normal: Tensor, abnormal: Tensor, absent: Tensor, cancel: CancelToken) -> Tensor:
        with training.seeded(self.settings["seed"], 2):
            self.former = QueryFormer(normal.shape[1], normal.shape[2]).to(normal.device)
        former = self.former
        training.train(
            former,
            lambda chosen, draw: {
                "queries": former.loss(
                    former(normal[chosen], abnormal[chosen], absent[chosen]),
                    normal[chosen],
                    abnormal[chosen],
                    absent[chosen],
                )
            },
            len(normal),
            training.Schedule(100, 1e-3, 32, "adam", 0.0, seed=self.settings["seed"]),
            progress=lambda done, line, values: None,
            cancel=cancel,
        )
        with torch.no_grad():
            formed: Tensor = former(normal, abnormal, absent)
        return formed

    # Scoring

    def _view(self) -> dict[str, Any]:
        return {"vv_from": first_vv_block(self.backbone.depth)}

    def _see(self, x: Tensor) -> Features:
        return self.backbone.forward(x, taps=self.backbone.default_taps, **self._view())

    def _levels_of(self, tokens: Tensor, owners: Sequence[int]) -> tuple[Tensor, Tensor]:
        """tokens [B, N, d] → each one's level [B, N] and abnormal probability there [B, N] (Eqs. 4, 5)."""
        known = {
            name: self._known[name][list(owners)] for name in ("normal", "abnormal", "queries", "absent")
        }
        likeness = tokens @ known["queries"].transpose(1, 2)
        level = likeness.masked_fill(known["absent"][:, None], -torch.inf).argmax(-1)
        gap = tokens @ (known["abnormal"] - known["normal"]).transpose(1, 2)
        return level, torch.sigmoid(self.scale * gap.gather(-1, level.unsqueeze(-1))[..., 0])

    def _read(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        s, owners = self.settings, self._numbers(class_names)
        tokens, cls = normalised(features.vv), normalised(features.cls)
        state = self._levels_of(tokens, owners)[1]
        if s["reweight"]:
            known = self._known
            normal, abnormal = known["normal"][owners, :1], known["abnormal"][owners, :1]
            image = fusion.abnormal_probability(tokens, normal, abnormal, 1 / self.scale)
            state = (state * image / known["usual"][owners, None]).clamp(0, 1)
        plane = smoothed(enlarged(state.reshape(-1, *self.backbone.grid), self.map_size), s["sigma"])
        fused = fusion.harmonic(plane, self.bank.maps(features, class_names, without))
        whole = self._levels_of(cls[:, None], owners)[1][:, 0]
        return fused, fusion.harmonic(whole, fused.flatten(1).amax(1))

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        own = {name: value for name, value in settings["settings"].items() if name != "mfsc"}
        own[DESCRIPTIONS] = descriptions(settings["settings"])
        return super().from_state(tensors, {**settings, "settings": own}, backbone)

    def _tensors(self) -> dict[str, Tensor]:
        return self._known

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        self._known = dict(tensors)

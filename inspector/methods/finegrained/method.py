"""FineGrainedAD: prompts for the parts and attributes that a description of the product names.

Paper: Fan et al., "Towards Fine-Grained Vision-Language Alignment for Few-Shot Anomaly Detection" (Pattern
Recognition 2026, arXiv 2510.26464). Equation numbers are the paper's; their bodies are lost in the text at hand and
were put together again from its words and the released code.

As published
- Every class has a description with levels (`descriptions`): whole image, background, parts with attributes.
- Prompts (MLLP): normal NHP "[V][text]", abnormal by substitution AHP, abnormal learned ALP: A_i in place
  of every attribute value that the text states, before a text without any; V has 4 tokens, A_1…A_4 one each. Attribute
  prompts are added to a part's caption in token-embedding space, each under a sigmoid gate (Attr-MoE):
  E = E_caption + Σ_k σ(w_k)·E_k.
- Regions (`regions`): every phrase learns mostly from the patches that it speaks of, weight 1 + 1.5 inside.
- (2) L_clip, L_tri (margin 1) and 10⁻³·L_mean at every level; (3) L_reg = ‖mean ALP_img − mean norm(Σ_c ALP_c) −
  mean NHP_bg‖.
- (4, 5) Every patch takes the level with k* = argmax_k ⟨v, q_k⟩ and is read against that level's n and mean abnormal ā.
  q is the Query Former's (`queries="former"`: learned queries, parallel cross-attention over all normal and over all
  abnormal level features, concatenation, one linear layer; loss 1 − ½(cos(q_k, n_k) + cos(q_k, ā_k))) or norm(n_k + ā_k)
  (`queries="mean"`, no parameters).
- (6, 7) The map is re-weighted by the image level's own map and joined with the memory's by harmonic mean.
- (8) Image score: harmonic mean of the class token's abnormal probability and the map's maximum.
- Rate 2e-3, cosine to 1e-5, weight decay 5e-4.

Our choices and deviations, complete
- Adam at the paper's rate instead of SGD, which leaves the loss where it was on towers as small as the embedded one
  (`optimizer="sgd"`), and 60 epochs; the released code has 100 for maps and 50 for image scores.
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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Progress
from inspector.features.backbone import Backbone
from inspector.methods.catalogue import DESCRIPTIONS, descriptions
from inspector.methods.finegrained.prompts import MultiLevelPrompts, QueryFormer
from inspector.methods.finegrained.regions import region_weights, regions, tile_count, tile_tokens
from inspector.methods.finegrained.taught import LevelFeatures, TaughtFineGrained, read, scale_of
from inspector.methods.memory.cosine import CosineBank
from inspector.methods.prompts import fusion, losses, training
from inspector.methods.prompts.description import Level, PartDescription, prompt_levels, template
from inspector.methods.prompts.method import PromptMethod
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import Splicer, first_vv_block, normalised
from inspector.methods.stored_tensors import StoredTensors


def triplet(tokens: Tensor, normal: Tensor, abnormal: Tensor, margin: float, axis: str = "channel") -> Tensor:
    """L_tri: relu(‖v − n̄‖² − ‖v − ā‖² + m), averaged; tokens [n, d], normal and abnormal [d].

    `axis="token"` sums the squares over tokens instead of channels, as in the released code.
    """
    if axis == "channel":
        return losses.explicit_margin(tokens, normal, abnormal, margin)
    near, far = (tokens - normal).square().sum(0), (tokens - abnormal).square().sum(0)
    return F.relu(near - far + margin).mean()


@dataclass(frozen=True, eq=False)
class ShotFeatures:
    """What the shots of every class look like: class tokens [k, d], patches [k·N, d] and the levels' weights
    [levels, k·N], all of unit length and without gradient; one entry a class."""

    cls: Sequence[Tensor]
    patches: Sequence[Tensor]
    weights: Sequence[Tensor]


class FineGrainedAD(PromptMethod[TaughtFineGrained]):
    """Settings: `descriptions`, class name → description as JSON (the template where there is none); `queries`, `tau`,
    `eam_axis`, `reweight` and `centres` (see `regions.regions`) as in the module's description; `alps` and `ahps`
    prompts a level; `tiles` most tiles along a side for the regions, 1 reads the image as it is."""

    method = "finegrained"
    title = "FineGrainedAD"
    bank_type = CosineBank
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
        "optimizer": "adam",
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

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._described = {
            name: PartDescription.from_json(value) for name, value in self.settings[DESCRIPTIONS].items()
        }

    def learn(self, teaching: Teaching) -> TaughtFineGrained:
        s, common, backbone = self.settings, self.common(teaching), teaching.backbone
        splicer, scale = teaching.splicer, scale_of(s["tau"], backbone)
        described = {name: self._described.get(name) or template(name) for name in teaching.names}
        common["settings"][DESCRIPTIONS] = {name: one.as_json() for name, one in described.items()}
        with training.seeded(s["seed"], 1):
            learned = MultiLevelPrompts(s["length"], s["alps"], teaching.text.width).to(backbone.device)
        levels = [prompt_levels(one, s["ahps"], s["alps"], s["seed"]) for one in described.values()]
        features = self.shot_features(teaching, levels, teaching.first(0.3))
        self.train(
            learned,
            lambda chosen, draw: self.loss_terms(
                learned, features, [(i, levels[i]) for i in chosen], splicer, scale
            ),
            len(levels),
            teaching,
            span=(0.3, 0.95),
        )
        known, parts = self._text_side(learned, levels, teaching)
        with torch.no_grad():
            usual = [
                fusion.abnormal_probability(
                    patches, known.normal[i, 0], known.abnormal[i, 0], 1 / scale
                ).mean()
                for i, patches in enumerate(features.patches)
            ]
        teaching.progress(1.0, "", {})
        return TaughtFineGrained(**common, levels=known, usual=torch.stack(usual), parts=parts)

    def shot_features(
        self, teaching: Teaching, levels: Sequence[Sequence[Level]], progress: Progress
    ) -> ShotFeatures:
        """What the shots of every class look like, and which of their patches each level of its description speaks of."""
        s, backbone, shots = self.settings, teaching.backbone, teaching.shots
        cls_of, patches_of, weights_of = [], [], []
        vv = {"vv_from": first_vv_block(backbone.depth)}
        total, done = sum(map(len, shots.values())), 0
        with torch.no_grad():
            for images, own in zip(shots.values(), levels, strict=True):
                phrases = teaching.splicer.encode([[f"{level.normal.text}."] for level in own[1:]])
                cls, patches, weights = [], [], []
                for seen in teaching.passes(images, read):
                    cls.append(normalised(seen.cls))
                    patches.append(normalised(seen.vv).flatten(0, 1))
                for image in images:
                    count = tile_count(image.pixels, backbone, s["tiles"])
                    tokens = tile_tokens(image.pixels, backbone, count, vv, teaching.cancel)
                    found = regions(tokens, phrases[1:], phrases[0], s["centres"])
                    grid = backbone.grid_of(backbone.frame(image.pixels.shape, True))
                    weights.append(region_weights(found, grid, s["extra"]))
                    done += 1
                    progress(done / total, "", {})
                plain = torch.ones(1, sum(w.shape[1] for w in weights), device=weights[0].device)
                cls_of.append(torch.cat(cls))
                patches_of.append(torch.cat(patches))
                weights_of.append(torch.cat([plain, torch.cat(weights, dim=1)]))
        return ShotFeatures(cls_of, patches_of, weights_of)

    def loss_terms(
        self,
        learned: MultiLevelPrompts,
        features: ShotFeatures,
        chosen: Sequence[tuple[int, Sequence[Level]]],
        splicer: Splicer,
        scale: float,
    ) -> training.Losses:
        """The loss of the chosen classes; terms are summed over levels, and over classes, each of which then pulls as it
        would alone."""
        s, prompts = self.settings, learned([level for _, own in chosen for level in own], splicer)
        terms: dict[str, list[Tensor]] = {"clip": [], "triplet": [], "mean": [], "levels": []}
        for number, own in chosen:
            here, prompts = prompts[: len(own)], prompts[len(own) :]
            for level, (normal, handcrafted, learnable) in enumerate(here):
                against = torch.cat([handcrafted, learnable])
                middle = F.normalize(against.mean(0), dim=-1)
                groups = [(features.patches[number], features.weights[number][level])]
                if level == 0:
                    groups.append((features.cls[number], torch.ones_like(features.cls[number][:, 0])))
                for tokens, weight in groups:
                    seen = tokens * weight[:, None]
                    terms["clip"].append(losses.normal_against_all(seen, normal[0], against, scale))
                    terms["triplet"].append(triplet(seen, normal[0], middle, s["margin"], s["eam_axis"]))
                if level != 1:
                    terms["mean"].append(1e-3 * losses.mean_gap(handcrafted, learnable))
            parts = torch.stack([learnable for _, _, learnable in here[2:]])
            terms["levels"].append(losses.level_consistency(here[0][2], parts, here[1][0]))
        return {name: torch.stack(values).sum() for name, values in terms.items()}

    def _text_side(
        self,
        learned: MultiLevelPrompts,
        levels: Sequence[Sequence[Level]],
        teaching: Teaching,
    ) -> tuple[LevelFeatures, dict[str, Tensor]]:
        """Everything that scoring needs of text, and what it was made of."""
        width, device = teaching.backbone.embed_dim, teaching.backbone.device
        most = max(map(len, levels))
        normal = torch.zeros(len(levels), most, width, device=device)
        abnormal = torch.zeros_like(normal)
        absent = torch.ones(len(levels), most, dtype=torch.bool, device=device)
        with torch.no_grad():
            for number, own in enumerate(levels):
                teaching.cancel.check()
                for level, (good, handcrafted, learnable) in enumerate(learned(own, teaching.splicer)):
                    normal[number, level] = good[0]
                    abnormal[number, level] = F.normalize(torch.cat([handcrafted, learnable]).mean(0), dim=-1)
                    absent[number, level] = False
        queries = F.normalize(normal + abnormal, dim=-1)
        parts = {f"prompts.{name}": value.detach() for name, value in learned.state_dict().items()}
        if self.settings["queries"] == "former":
            former = self._query_former(normal, abnormal, absent, teaching.cancel)
            parts |= {f"former.{name}": value.detach() for name, value in former.state_dict().items()}
            with torch.no_grad():
                queries = former(normal, abnormal, absent)
        return LevelFeatures(normal, abnormal, queries, absent), parts

    def _query_former(
        self, normal: Tensor, abnormal: Tensor, absent: Tensor, cancel: CancelToken
    ) -> QueryFormer:
        with training.seeded(self.settings["seed"], 2):
            former = QueryFormer(normal.shape[1], normal.shape[2]).to(normal.device)

        def step(chosen: Sequence[int], draw: torch.Generator) -> training.Losses:
            some = normal[chosen], abnormal[chosen], absent[chosen]
            return {"queries": former.loss(former(*some), *some)}

        training.train(
            former,
            step,
            len(normal),
            training.Schedule(100, 1e-3, 32, "adam", 0.0, seed=self.settings["seed"]),
            progress=lambda done, line, values: None,
            cancel=cancel,
        )
        return former

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        own = {name: value for name, value in settings["settings"].items() if name != "mfsc"}
        own[DESCRIPTIONS] = descriptions(settings["settings"])
        return super().from_state(tensors, {**settings, "settings": own}, backbone)

    @classmethod
    def restored(cls, stored: StoredTensors, common: dict[str, Any]) -> TaughtFineGrained:
        classes, width = len(common["names"]), common["backbone"].embed_dim
        normal = stored.take("normal", classes, None, width)
        most = normal.shape[1]
        known = LevelFeatures(
            normal,
            stored.take("abnormal", classes, most, width),
            stored.take("queries", classes, most, width),
            stored.take("absent", classes, most, dtype=torch.bool),
        )
        parts = stored.take_all("prompts.")
        if common["settings"]["queries"] == "former":
            parts |= stored.take_all("former.")
        return TaughtFineGrained(**common, levels=known, usual=stored.take("usual", classes), parts=parts)

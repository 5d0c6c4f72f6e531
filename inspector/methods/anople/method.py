"""AnoPLe: two-way coupled text and image prompts, taught at two scales on simulated defects.

Paper: "Bidirectional Multimodal Prompt Learning with Scale-Aware Training for Few-Shot Multi-Class Anomaly
Detection" (CVPR 2026), whose first version is "AnoPLe: Few-Shot Anomaly Detection via Bi-directional Prompt Learning
with Only Normal Samples" (arXiv 2408.13516v1). Read of them: both abstracts and a third party's notes on the method of
the second, no equation or table first-hand; the authors' repository holds no code. So what follows is a reconstruction.

As published
- Text: "[Pᵗ][class]" against "[Pᵗ][abnormal][class]", one context for both states, no defect words.
- Deep prompts in both towers, coupled at every layer: P̃ᵗ = [Pᵗ; f_vt(Pᵛ)], P̃ᵛ = [Pᵛ; f_tv(Pᵗ)].
- Scale-aware prefix c ∈ R^{(N+1)×d_v}, N = 4: view 0 is the whole image, views 1–4 the quarters of the image at
  twice the size; view i is read with prefix c_i, inspection uses c_0 only.
- Simulated defects in pixel space and in latent space.
- L = L_pixel (focal + dice) + L_img (cross-entropy of the class token) + L_align = 1 − ⟨z₀, s⟩, s = Σ M̂_ij·D_ij.
- Inspection: harmonic mean of the decoder's map and the memory's map. One set of prompts for all classes.

Where we know that we differ
- The prompts are parameters: an image's own visual prompts reach the text only with `instance_conditioned`, though the
  paper lets class and instance refine one another. Text features are then constants, and scoring needs no text tower.
- The class token's probability, which L_img and L_align train, is left out of the image score unless
  `image_score="token"`: a small backbone reads it too poorly.
- s is divided by Σ M̂ and compared by cosine, else a large defect would weigh more than a small one; L_align counts on
  views with a simulated defect only, since a clean view has no evidence to pass on.
- The decoder's map doesn't stand beside the memory's but weighs it: map = memory · (1 ± ¼) by the state, whose ½ changes
  nothing. Harmonic mean and free sums are as good on average, but where the decoder is blind (parts
  before a changing background) they fall far behind the memory alone; `fusion="harmonic"` is the paper's. Chosen on harmed
  good parts of six products, one and four shots.
- The state map is read relative to the shots (`relative`, below), and smoothed by `sigma` before it is joined: small
  differences on good parts would otherwise decide the join.
- Images keep their proportions, views and decoder too; the paper looks at squares.
- A step sees `tiles` of the four quarters, not all: five views a shot are too much for a processor.
- A simulated defect is drawn once and kept, not anew in every step: tokens before block 1 are then computed once.
- Prompts start from words and patches (`start`), not from noise: too few steps follow.
- Backbone: whichever is in use, by default the embedded one. The paper: ViT-B/16+ at 240 pixels.
- The first version has one light decoder with a multi-view signal; the second's scale-aware prefix stands in its place.

What neither source that we could read states, and our choice; none could be compared, so none was changed
- Depth and length of prompts: min(9, blocks of either tower), 2 + 2. Maps between the towers: one pair for all layers.
- Weights of the losses: all 1, as their sum is noted without weights. Focal γ 2; temperature 0.07.
- Optimiser and schedule: AdamW, rate 3e-3 along a cosine to 0, decay 1e-4, 4 shots a step, 20 epochs and at least 160
  steps; the last epoch, no choice by test figures.
- Where pixel defects come from: Perlin masks filled with altered copies of the shots (no texture set is shipped), with
  probability ½ a view. Latent noise: length 0.3–1.0 of a unit token.
- Layers of the decoder; the memory's taps and smoothing; whether it reads prompted features (`bank`).
- The image score's formula; how class names are spelt ("[Pᵗ] name." with a full stop, as in PromptAD).

How
- Depth min(9, blocks of either tower), length 2, so that every tower holds 4 with the coupled ones; coupling maps
  shared by all layers unless `coupling="per_layer"`. Prompts start from what the towers know (`start`): text prompts
  from what a neutral phrase becomes before each block (as CoOp and MaPLe start from words), visual prompts from
  prototypes of the shots' patches before each block (as in self-prompt tuning, Wang et al., ICML 2024), coupling maps
  from the least-squares fit between them, plus N(0, 0.02²). From noise alone (`start="noise"`) far more steps are
  needed. Sequence [class token; c_i; P̃ᵛ; patches]; c_i stays through all blocks.
- Decoder: 3×3 convolution d → d/4, GELU, 1×1 convolution back to d, residual, zero at the start. Logits, not
  features, are enlarged ×4: the same up to the length of interpolated features, at a sixteenth of the memory.
- Every view has one clean and `variants` damaged copies, made once, whose tokens before block 1 are kept: on a hybrid
  backbone a step then costs only the transformer blocks. A step draws view 0 and `tiles` of the four quarters.
- Latent defects are put on the joint tokens of clean views, before the decoder.
- The state map is read relative to the shots' patches that look alike (`relative`, fusion.relative_to_likes), in units
  of twice its spread over altered views of the shots, before it is joined with the memory's.
- Image score: the maximum of a map of the memory that the state moves by a sixteenth only (`image_score="cautious"`).
  "map" takes the joined map's maximum, better by up to 3 points of image AUROC on harmed good parts, but behind the
  memory by as much on a real product before a changing background; "maps" joins the maxima of both maps. "token" is
  what the paper's fusion suggests, the joined map's maximum with the class token's abnormal probability, which a small
  backbone reads too poorly.
- Unless `epochs` says how many, at least EPOCHS epochs and STEPS steps: one shot needs no fewer steps than four.
- Dice counts on views with a defect only: without one the overlap says nothing.
- The memory reads unprompted features (`bank="plain"`) or the prompted joint tokens (`bank="prompted"`).
- Held-out shots are left out of the memory, not of the prompts, which are shared by all classes.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.methods.anople.lesson import Lesson
from inspector.methods.anople.prompts import Prompts
from inspector.methods.anople.taught import TEMPERATURE, ShotReadings, TaughtAnoPLe, decode
from inspector.methods.prompts import defects, fusion, losses, training
from inspector.methods.prompts.method import PromptMethod, enlarged
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import Splicer, normalised
from inspector.methods.stored_tensors import TEACH_AGAIN, WIDEST, StoredTensors

EPOCHS, STEPS = 20, 160


class AnoPLe(PromptMethod[TaughtAnoPLe]):
    """Settings, beside those of the module's description: `prompts` "both", "text" or "vision"; `scales` "multi" or
    "one"; `alignment`; `coupling` "shared" or "per_layer"; `instance_conditioned` feeds f_vt the image's own visual
    prompts after each block (the text tower is then needed when scoring); `fusion` with the memory, "none" leaves the
    memory out; `relative` reads the state map relative to the shots'.
    """

    method = "anople"
    title = "AnoPLe"
    defaults: ClassVar[Mapping[str, Any]] = {
        "prompts": "both",
        "scales": "multi",
        "alignment": True,
        "latent": True,
        "coupling": "shared",
        "instance_conditioned": False,
        "fusion": "weighed",
        "relative": True,
        "image_score": "cautious",
        "bank": "plain",
        "start": "known",
        "depth": 9,
        "length": 2,
        "epochs": 0,
        "rate": 3e-3,
        "batch": 4,
        "tiles": 1,
        "variants": 6,
        "patience": 0,
        "sigma": 1.0,
        "seed": 0,
    }
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "prompts": ("both", "text", "vision"),
        "scales": ("multi", "one"),
        "start": ("known", "noise"),
        "coupling": ("shared", "per_layer"),
        "fusion": (*fusion.FUSIONS, "none"),
        "image_score": ("cautious", "map", "maps", "token"),
        "bank": ("plain", "prompted"),
    }

    def learn(self, teaching: Teaching) -> TaughtAnoPLe:
        s, common, backbone = self.settings, self.common(teaching), teaching.backbone
        prompts = make_prompts(s, backbone, teaching.text.width, teaching.text.depth)
        splicer, side = teaching.splicer, common["memory"].map_size
        lesson = Lesson(
            teaching,
            cells=(side, side),
            scales=s["scales"],
            variants=s["variants"],
            seed=s["seed"],
            progress=teaching.first(0.15),
        )
        if s["start"] == "known":
            prompts.begin(backbone, splicer, lesson.clean(), s["seed"])
        steps = math.ceil(len(lesson.labels) / s["batch"])
        self.train(
            prompts,
            training.by_grid(
                lambda chosen, draw: self.loss_terms(prompts, lesson, splicer, chosen, draw), lesson.grids
            ),
            len(lesson.labels),
            teaching,
            span=(0.15, 1.0),
            epochs=s["epochs"] or max(EPOCHS, math.ceil(STEPS / steps)),
        )
        with torch.no_grad():
            features = prompts.states(splicer, teaching.names)
        spread = torch.ones(len(teaching.names), device=backbone.device)
        return TaughtAnoPLe(**common, prompts=prompts, text_features=features, spread=spread)

    def loss_terms(
        self,
        prompts: Prompts,
        lesson: Lesson,
        splicer: Splicer,
        chosen: Sequence[int],
        draw: torch.Generator,
    ) -> training.Losses:
        """L_pixel, L_img and L_align of some shots of one grid, numbered as in the lesson."""
        s, backbone, grid = self.settings, lesson.backbone, lesson.grids[chosen[0]]

        def logits_of(odds: Tensor) -> Tensor:
            return enlarged(odds.reshape(-1, *grid), lesson.cells)

        tokens, masks, view, label = lesson.draw(chosen, s["tiles"], draw)
        features = prompts.features(backbone, tokens, grid, view)
        if s["instance_conditioned"]:
            states = prompts.states(splicer, [lesson.names[i] for i in label.tolist()], features.prompts)
        else:
            states = prompts.states(splicer, lesson.names)[label]
        cls, patches = normalised(features.cls), normalised(features.patches)
        damaged = masks.flatten(1).amax(1) > 0
        clean = ~damaged
        odds, decoded = decode(prompts, patches, grid, states)
        logits = logits_of(odds)
        wanted = masks
        if s["latent"] and bool(clean.any()):
            rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=draw)))
            where = defects.grid_masks(int(clean.sum()), grid, rng).to(masks)
            pushed = defects.latent(patches[clean], where.flatten(1), draw)
            more, _ = decode(prompts, pushed, grid, states[clean])
            logits = torch.cat([logits, logits_of(more)])
            wanted = torch.cat([masks, enlarged(where, (masks.shape[1], masks.shape[2]))])
        probability = torch.sigmoid(logits)
        terms = {
            "focal": losses.focal(probability, wanted),
            "image": losses.state_cross_entropy(
                cls, states[:, 0], states[:, 1], damaged.float(), 1 / TEMPERATURE
            ),
        }
        marked = wanted.flatten(1).amax(1) > 0
        if bool(marked.any()):  # where nothing is to be found, the overlap says nothing
            terms["dice"] = losses.dice(probability[marked], wanted[marked])
        if s["alignment"] and bool(damaged.any()):
            evidence = F.adaptive_avg_pool2d(torch.sigmoid(logits[: len(damaged)])[:, None], grid)[:, 0]
            terms["align"] = losses.align(
                cls[damaged], decoded[damaged].reshape(-1, *grid, decoded.shape[-1]), evidence[damaged]
            )
        return terms

    def finished(self, taught: TaughtAnoPLe, teaching: Teaching) -> TaughtAnoPLe:
        """With the spread of its reading over altered views of the shots."""
        spreads = []
        for name, images in teaching.shots.items():
            found = []
            for features, count in taught.varied(images, teaching.cancel):
                names = [name] * count
                with torch.no_grad():
                    odds = taught.state_reading(features, names)[0]
                    found.append(taught.relative(odds, features, names, [None] * count).flatten())
            spreads.append(torch.cat(found).square().mean().sqrt())
        return dataclasses.replace(taught, spread=torch.stack(spreads).clamp_min(fusion.EPS))

    @staticmethod
    def memory_widths(settings: Mapping[str, Any], backbone: Backbone) -> dict[str, int]:
        if settings["bank"] == "prompted":
            return {"patches": backbone.embed_dim}
        return PromptMethod.memory_widths(settings, backbone)

    @classmethod
    def restored(cls, stored: StoredTensors, common: dict[str, Any]) -> TaughtAnoPLe:
        backbone: Backbone = common["backbone"]
        names, memory, settings = common["names"], common["memory"], common["settings"]
        of_text, of_vision = "prompts.coupled.text", "prompts.coupled.vision"
        shape = stored.shape(of_text if settings["prompts"] != "vision" else of_vision)
        if len(shape) != 3 or not (1 <= shape[0] <= backbone.depth and 1 <= shape[2] <= WIDEST):
            raise DetectorError("The detector's prompts have a wrong shape.", TEACH_AGAIN)
        prompts = make_prompts(settings, backbone, shape[2], shape[0])
        stored.fill(prompts, "prompts.")
        readings = {
            name: _shot_readings(
                stored, f"shots.{number}", memory.patch_counts(name), math.prod(backbone.grid)
            )
            for number, name in enumerate(names)
        }
        widths = {likes.shape[1] for one in readings.values() for likes in one.likes}
        if len(widths) > 1 or not widths <= set(cls.memory_widths(settings, backbone).values()):
            raise DetectorError("The detector's readings of its shots have a wrong shape.", TEACH_AGAIN)
        return TaughtAnoPLe(
            **common,
            prompts=prompts,
            text_features=stored.take("text_features", len(names), 2, backbone.embed_dim),
            spread=stored.take("spread", len(names)),
            readings=readings,
        )


def _shot_readings(stored: StoredTensors, start: str, counts: Sequence[int], square: int) -> ShotReadings:
    """Of the shots of one class, which the memory keeps on grids of `counts` patches; earlier versions, which knew squares
    alone, of `square` patches, kept those of all shots in one tensor."""
    if stored.names(f"{start}.likes"):
        likes = stored.take(f"{start}.likes", len(counts), square, None)
        return ShotReadings(tuple(likes), tuple(stored.take(f"{start}.odds", len(counts), square)))
    places = [(f"{start}.{shot}", count) for shot, count in enumerate(counts)]
    return ShotReadings(
        tuple(stored.take(f"{place}.likes", count, None) for place, count in places),
        tuple(stored.take(f"{place}.odds", count) for place, count in places),
    )


def make_prompts(
    settings: Mapping[str, Any], backbone: Backbone, text_width: int, text_depth: int
) -> Prompts:
    """What AnoPLe learns, as it is drawn before teaching."""
    with training.seeded(settings["seed"], 1):
        made = Prompts(
            min(int(settings["depth"]), backbone.depth, text_depth),
            settings["length"],
            text_width=text_width,
            vision_width=backbone.width,
            joint_width=backbone.embed_dim,
            coupling=settings["coupling"],
            prompts=settings["prompts"],
        )
    return made.to(backbone.device)

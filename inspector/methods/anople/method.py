"""AnoPLe: two-way coupled text and image prompts, taught at two scales on simulated defects.

Paper: "Bidirectional Multimodal Prompt Learning with Scale-Aware Training for Few-Shot Multi-Class Anomaly
Detection" (CVPR 2026, arXiv 2408.13516). No code is public, and depth, lengths, schedule, decoder and image score
are not printed anywhere; what follows is a reconstruction.

As published
- Text: "[Pᵗ][class]" against "[Pᵗ][abnormal][class]", one context for both states, no defect words.
- Deep prompts in both towers, coupled at every layer: P̃ᵗ = [Pᵗ; f_vt(Pᵛ)], P̃ᵛ = [Pᵛ; f_tv(Pᵗ)].
- Scale-aware prefix c ∈ R^{(N+1)×d_v}, N = 4: view 0 is the whole image, views 1–4 the quarters of the image at
  twice the size; view i is read with prefix c_i, inspection uses c_0 only.
- Simulated defects in pixel space and in latent space.
- L = L_pixel (focal + dice) + L_img (cross-entropy of the class token) + L_align = 1 − ⟨z₀, s⟩, s = Σ M̂_ij·D_ij.
- Inspection: harmonic mean of the decoder's map and the memory's map. One set of prompts for all classes.

Our choices where the paper is silent, and deviations
- Depth min(9, blocks of either tower), length 2, so that every tower holds 4 with the coupled ones; coupling maps
  shared by all layers unless `coupling="per_layer"`. Prompts start from what the towers know (`start`): text prompts
  from what a neutral phrase becomes before each block (as CoOp and MaPLe start from words), visual prompts from
  prototypes of the shots' patches before each block (as in self-prompt tuning, Wang et al., ICML 2024), coupling maps
  from the least-squares fit between them, plus N(0, 0.02²). From noise alone (`start="noise"`) far more steps are
  needed. Sequence [class token; c_i; P̃ᵛ; patches]; c_i stays through all blocks.
- Decoder: 3×3 convolution d → d/4, GELU, 1×1 convolution back to d, residual, zero at the start. Logits, not
  features, are enlarged ×4: the same up to the length of interpolated features, at a sixteenth of the memory.
- s is divided by Σ M̂ and compared by cosine; L_align counts on views with a simulated defect only.
- Every view has one clean and `variants` damaged copies, made once, whose tokens before block 1 are kept: on a hybrid
  backbone a step then costs only the transformer blocks. A step draws view 0 and `tiles` of the four quarters.
- Latent defects are put on the joint tokens of clean views, before the decoder.
- The state map is read relative to the shots' patches that look alike (`relative`, fusion.relative_to_likes), in units
  of twice its spread over altered views of the shots, before it is joined with the memory's: otherwise small
  differences between its small values on good parts decide the harmonic mean.
- Image score: harmonic mean of the two maps' maxima. `image_score="token"` is what the paper's fusion suggests, the
  fused map's maximum joined with the class token's abnormal probability, which a small backbone reads too poorly.
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
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress
from inspector.features.backbone import Backbone, Features
from inspector.methods.anople.lesson import VIEWS, Lesson
from inspector.methods.prompts import defects, fusion, losses, training
from inspector.methods.prompts.method import Learned, enlarged
from inspector.methods.prompts.phrases import spoken
from inspector.methods.prompts.tokens import CoupledPrompts, Splicer, need_text, normalised
from inspector.methods.smoothing import smoothed

TEMPERATURE = 0.07
NEUTRAL = "a photo of a part, seen from near,"
EPOCHS, STEPS = 20, 160
MATCHES = 5
"""Shot patches, per shot, that a patch is read against."""


class Decoder(nn.Module):
    """Joint tokens [B, N, d] of unit length → D [B, N, d] of unit length; the identity before teaching."""

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.into = nn.Conv2d(width, width // 4, 3, padding=1)
        self.back = nn.Conv2d(width // 4, width, 1)
        for parameter in self.back.parameters():
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        plane = tokens.transpose(1, 2).reshape(len(tokens), -1, *self.grid)
        change = self.back(F.gelu(self.into(plane))).flatten(2).transpose(1, 2)
        return F.normalize(tokens + change, dim=-1)


class Prompts(nn.Module):
    """Everything that AnoPLe learns: coupled prompts, prefixes of the five views, decoder."""

    def __init__(
        self,
        depth: int,
        length: int,
        text_width: int,
        vision_width: int,
        joint_width: int,
        grid: tuple[int, int],
        coupling: str,
        prompts: str,
    ) -> None:
        super().__init__()
        self.coupled = CoupledPrompts(
            depth, length, text_width, vision_width, shared=coupling == "shared", use=prompts
        )
        self.prefix = nn.Parameter(torch.randn(VIEWS, vision_width) * 0.02)
        self.decoder = Decoder(joint_width, grid)

    def see(self, backbone: Backbone, x: Tensor, view: Tensor, taps: Sequence[str] = ()) -> Features:
        """One prompted pass; view [B] numbers the prefix of every image."""
        deep = self.coupled.deep_vision()
        prompts = None if deep is None else list(deep.unbind(0))
        return backbone.forward(x, taps=taps, visual_prompts=prompts, prefix=self.prefix[view].unsqueeze(1))

    def begin(self, backbone: Backbone, splicer: Splicer, tokens: Tensor, seed: int) -> None:
        """Start from what the towers know of a neutral phrase and of the shots; `tokens` [B, T, width] of `embed`."""
        twice = 2 * self.length
        words = patches = None
        if self.coupled.text is not None:
            known = splicer.words(" ".join([NEUTRAL] * twice))[1][:twice]
            entering = splicer.text.hidden(*splicer([[known]]))
            words = torch.cat(entering)[: self.depth, splicer.start : splicer.start + twice]
        with torch.no_grad():
            blocks = [f"block{j}" for j in range(1, self.depth)]
            seen = backbone.forward(tokens, taps=blocks, joint=False).taps if blocks else {}
            entering = [tokens[:, -math.prod(backbone.grid) :], *(seen[block] for block in blocks)]
            self.prefix.add_(entering[0].float().mean((0, 1)))
            if self.coupled.vision is not None:
                patches = torch.stack(
                    [prototypes(one.flatten(0, 1).float(), twice, seed) for one in entering]
                )
        self.coupled.begin(words, patches)

    def states(self, splicer: Splicer, class_names: Sequence[str], seen: Sequence[Tensor] = ()) -> Tensor:
        """The state features [n, 2, d] (normal, abnormal), unit length, of n class names.

        `seen`: the visual prompts of n images after each block, when text is conditioned on the image.
        """
        layers = seen[: self.depth] if self.coupled.vision is not None else ()
        own = torch.stack([one[:, : self.length] for one in layers], dim=1).float() if layers else None
        deep = self.coupled.deep_text(own)
        rows: list[list[str | Tensor]] = []
        for index, name in enumerate(class_names):
            front: list[str | Tensor] = []
            if deep is not None:
                front = [deep[0] if own is None else deep[index, 0]]
            rows += [[*front, f"{spoken(name)}."], [*front, f"abnormal {spoken(name)}."]]
        later: list[Tensor] = []
        if deep is not None:
            each = deep.unbind(0) if own is None else deep.repeat_interleave(2, dim=0).unbind(1)
            later = list(each)[1:]
        encoded = splicer.encode(rows, later)
        return encoded.reshape(len(class_names), 2, -1)

    @property
    def depth(self) -> int:
        prompts = self.coupled.text if self.coupled.vision is None else self.coupled.vision
        return 0 if prompts is None else prompts.shape[0]

    @property
    def length(self) -> int:
        prompts = self.coupled.text if self.coupled.vision is None else self.coupled.vision
        return 0 if prompts is None else prompts.shape[1]


def prototypes(patches: Tensor, count: int, seed: int) -> Tensor:
    """[n, d] → [count, d]: what `count` groups of alike patches have in common (k-means), in no order."""
    draw = training.generator(seed, 2)
    some = patches[torch.randperm(len(patches), generator=draw)[:4096].to(patches.device)]
    centres = some[torch.arange(count, device=some.device) % len(some)]
    for _ in range(8):
        nearest = F.one_hot(torch.cdist(some, centres).argmin(1), count).float()
        sizes = nearest.sum(0)[:, None]
        centres = torch.where(sizes > 0, nearest.T @ some / sizes.clamp_min(1), centres)
    return centres


class AnoPLe(Learned):
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
        "fusion": "harmonic",
        "relative": True,
        "image_score": "maps",
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
        "image_score": ("maps", "token"),
        "bank": ("plain", "prompted"),
    }

    learned: Prompts
    text_features: Tensor
    """[classes, 2, d]: constants after teaching, so that scoring never loads the text tower."""
    spread: Tensor
    """[classes]: how far, in log-odds, slightly altered views of the shots read from their likes (root mean square)."""
    shots: dict[str, tuple[Tensor, Tensor]]
    """By class: the shots' patches [K, N, c] to match with, and what the state reading says of them, log-odds [K, N]."""

    def _make(self, text_width: int, text_depth: int) -> Prompts:
        s, backbone = self.settings, self.backbone
        depth = min(int(s["depth"]), backbone.depth, text_depth)
        with training.seeded(s["seed"], 1):
            made = Prompts(
                depth,
                s["length"],
                text_width,
                backbone.width,
                backbone.embed_dim,
                backbone.grid,
                s["coupling"],
                s["prompts"],
            )
        return made.to(backbone.device)

    def _teach(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> None:
        s, backbone = self.settings, self.backbone
        text = need_text(backbone, self.title)
        self.learned = self._make(text.width, text.depth)
        splicer = Splicer(text)
        lesson = Lesson(
            shots,
            backbone,
            cells=self.map_size,
            scales=s["scales"],
            variants=s["variants"],
            seed=s["seed"],
            progress=lambda done, line, values: progress(0.15 * done, line, values),
            cancel=cancel,
        )
        names = tuple(shots)
        if s["start"] == "known":
            self.learned.begin(backbone, splicer, lesson.clean(), s["seed"])
        batches = math.ceil(len(lesson.labels) / s["batch"])
        self._train(
            self.learned,
            lambda chosen, draw: self._step(lesson, names, splicer, chosen, draw),
            len(lesson.labels),
            shots,
            progress,
            cancel,
            span=(0.15, 1.0),
            epochs=s["epochs"] or max(EPOCHS, math.ceil(STEPS / batches)),
        )
        with torch.no_grad():
            self.text_features = self.learned.states(splicer, names)
        self._splicer = splicer
        self.shots = {}

    def _step(
        self,
        lesson: Lesson,
        names: Sequence[str],
        splicer: Splicer,
        chosen: Sequence[int],
        draw: torch.Generator,
    ) -> training.Losses:
        s = self.settings
        tokens, masks, view, label = lesson.draw(chosen, s["tiles"], draw)
        features = self.learned.see(self.backbone, tokens, view)
        if s["instance_conditioned"]:
            states = self.learned.states(splicer, [names[i] for i in label.tolist()], features.prompts)
        else:
            states = self.learned.states(splicer, names)[label]
        cls, patches = normalised(features.cls), normalised(features.patches)
        damaged = masks.flatten(1).amax(1) > 0
        clean = ~damaged
        odds, decoded = self._decode(patches, states)
        logits = self._enlarged(odds)
        wanted = masks
        if s["latent"] and bool(clean.any()):
            rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=draw)))
            where = defects.grid_masks(int(clean.sum()), self.backbone.grid, rng).to(masks)
            pushed = defects.latent(patches[clean], where.flatten(1), draw)
            more, _ = self._decode(pushed, states[clean])
            logits = torch.cat([logits, self._enlarged(more)])
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
            grid = self.backbone.grid
            evidence = F.adaptive_avg_pool2d(torch.sigmoid(logits[: len(damaged)])[:, None], grid)[:, 0]
            terms["align"] = losses.align(
                cls[damaged], decoded[damaged].reshape(-1, *grid, decoded.shape[-1]), evidence[damaged]
            )
        return terms

    def _decode(self, patches: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Joint tokens [B, N, d] and states [B, 2, d] → log-odds of "abnormal" [B, N] and D [B, N, d]."""
        decoded = self.learned.decoder(patches)
        return (decoded @ (states[:, 1] - states[:, 0]).unsqueeze(-1)).squeeze(-1) / TEMPERATURE, decoded

    def _enlarged(self, odds: Tensor) -> Tensor:
        """[B, N] → [B, *map_size]."""
        return enlarged(odds.reshape(-1, *self.backbone.grid), self.map_size)

    def _state(self, features: Features, class_names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The decoder's log-odds of "abnormal" [B, N] and the class token's probability [B]."""
        if self.settings["instance_conditioned"]:
            states = self.learned.states(self._reader(), class_names, features.prompts)
        else:
            states = self.text_features[self._numbers(class_names)]
        abnormal = fusion.abnormal_probability(
            normalised(features.cls), states[:, 0], states[:, 1], TEMPERATURE
        )
        return self._decode(normalised(features.patches), states)[0], abnormal

    def _likes(self, features: Features) -> Tensor:
        """What patches are matched by: the memory's last tap on the tower's grid, [B, N, c] of unit length."""
        tap = max(name for name in features.taps if features.grids[name] == self.backbone.grid)
        plane = (
            features.taps[tap]
            .float()
            .transpose(1, 2)
            .reshape(-1, features.taps[tap].shape[2], *self.backbone.grid)
        )
        return normalised(F.avg_pool2d(plane, 3, 1, 1).flatten(2).transpose(1, 2))

    def _remember(self, class_name: str, features: Features) -> None:
        super()._remember(class_name, features)
        with torch.no_grad():
            odds, _ = self._state(features, [class_name] * len(normalised(features.cls)))
        fresh = (self._likes(features), odds)
        known = self.shots.get(class_name)
        self.shots[class_name] = (
            fresh if known is None else (torch.cat([known[0], fresh[0]]), torch.cat([known[1], odds]))
        )

    def _relative(
        self, odds: Tensor, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> Tensor:
        rows = []
        for own, likes, name, left_out in zip(odds, self._likes(features), class_names, without, strict=True):
            patches, readings = self.shots[name]
            kept = [shot for shot in range(len(patches)) if shot != left_out]
            likeness = likes @ patches[kept].flatten(0, 1).T
            rows.append(
                fusion.relative_to_likes(own, likeness, readings[kept].flatten(), MATCHES * len(kept))
            )
        return torch.stack(rows)

    def _fill_bank(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        super()._fill_bank(shots, backbone, progress, cancel)
        spreads = []
        for name, images in shots.items():
            found = []
            for features, count in self._varied(images, cancel):
                names = [name] * count
                with torch.no_grad():
                    odds = self._state(features, names)[0]
                    found.append(self._relative(odds, features, names, [None] * count))
            spreads.append(torch.cat(found).square().mean().sqrt())
        self.spread = torch.stack(spreads).clamp_min(fusion.EPS)

    def _see(self, x: Tensor) -> Features:
        backbone = self.backbone
        whole = torch.zeros(len(x), dtype=torch.long)
        taps = backbone.default_taps
        if self.settings["bank"] == "prompted":
            seen = self.learned.see(backbone, x, whole)
            return dataclasses.replace(seen, taps={"patches": normalised(seen.patches)})
        if all(tap.startswith("stem") for tap in taps):  # prompts enter behind the stem: one pass for both
            return self.learned.see(backbone, x, whole, taps)
        tokens = backbone.embed(x)
        plain = backbone.forward(tokens, taps=taps, joint=False)
        seen = self.learned.see(backbone, tokens, whole)
        return dataclasses.replace(seen, taps=plain.taps, grids={**plain.grids, **seen.grids})

    def _read(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        s = self.settings
        odds, abnormal = self._state(features, class_names)
        if s["relative"]:
            usual = 2 * self.spread[self._numbers(class_names)]
            odds = self._relative(odds, features, class_names, without) / usual[:, None]
        maps = [smoothed(torch.sigmoid(self._enlarged(odds)), s["sigma"])]
        if s["fusion"] != "none":
            maps.append(self.bank.maps(features, class_names, without))
        join = fusion.FUSIONS.get(s["fusion"], fusion.mean)
        fused = join(*maps)
        if s["image_score"] == "token":
            return fused, fusion.harmonic(abnormal, fused.flatten(1).amax(1))
        return fused, join(*(one.flatten(1).amax(1) for one in maps))

    def _reader(self) -> Splicer:
        if self._splicer is None:
            self._splicer = Splicer(need_text(self.backbone, self.title))
        return self._splicer

    _splicer: Splicer | None = None

    def _tensors(self) -> dict[str, Tensor]:
        return {
            "text_features": self.text_features,
            "spread": self.spread,
            **{f"shots.{i}.likes": self.shots[name][0] for i, name in enumerate(self.classes)},
            **{f"shots.{i}.odds": self.shots[name][1] for i, name in enumerate(self.classes)},
            **{f"prompts.{name}": value for name, value in self.learned.state_dict().items()},
        }

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        own = {
            name.removeprefix("prompts."): value
            for name, value in tensors.items()
            if name.startswith("prompts.")
        }
        prompts = next(own[name] for name in ("coupled.text", "coupled.vision") if name in own)
        self.learned = self._make(prompts.shape[-1], prompts.shape[0])
        self.learned.load_state_dict(own)
        self.learned.eval()
        self.text_features, self.spread = tensors["text_features"], tensors["spread"]
        self.shots = {
            name: (tensors[f"shots.{i}.likes"], tensors[f"shots.{i}.odds"])
            for i, name in enumerate(self.classes)
        }

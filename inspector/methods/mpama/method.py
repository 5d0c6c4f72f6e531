"""MPA and MPAMA: prompts at several neighbourhood sizes and a mixture of small experts on patch tokens.

Paper: "Learning Multi-granularity Visual-textual Alignment for Zero-shot Anomaly Detection" (OpenReview JwSFgHCXeg,
2025). **A reconstruction**: only the abstract and the reviews are public, no equations, code or figures, and the paper
learns from a labelled auxiliary data set where this learns from simulated defects on the normal shots.

Known of the paper
- Text prompts with several receptive fields p meet patch features that are gathered over p-sized neighbourhoods; local
  and global prompts are kept apart and joined by a "cross bridge" with max-pooling; cross-entropy on the image.
- MPAMA routes every patch token to several experts of one shared pool with frozen, learnable and zero experts.
- Two stages: prompts with the image side frozen (MPA), then patch tokens with the text side frozen (MA).

How it is filled in here, on the pattern of AnomalyCLIP (Zhou et al., ICLR 2024)
- Levels p ∈ {1, 3, 5}: Fᵖ = p × p average (stride 1, mirrored) of the V-V path's joint tokens, of unit length again. Pairs
  "[Vᵖ] object." and "[Wᵖ] damaged object." of 12 tokens a level and one more pair for the whole image, which name no
  product; deep text prompts (9 blocks, 4 tokens) shared by all.
- Cross bridge: g^G ← norm(g^G + γ·max_p gᵖ), gᵖ ← norm(gᵖ + γ'·g^G), γ and γ' start at 0.
- Aᵖ = softmax(⟨Fᵖ, gᵖ⟩ / 0.07), averaged over 4 blocks; state map = mean over p. Loss: cross-entropy of the class token
  + Σ_p focal(Aᵖ) + dice(Aᵖ) + dice(1 − Aᵖ).
- Experts, shared by the 4 blocks: the identity, 4 bottlenecks d → d/4 → d, and one that gives 0. A router a block, softmax,
  the 2 best renormalised: F' = norm(F + Σ_e g_e·e(F)); 10⁻² × the squared coefficient of variation of the learnable
  experts' total gate keeps them all in use. How often each expert is chosen goes to the log.
- Defects are simulated in pixel space (`prompts.defects`). The state map joins the memory's by harmonic mean. Image score:
  harmonic mean of the two maps' maxima, as simulated defects teach patches more than whole images; `class_token=True`
  takes p_abn(class token, g^G) into it.
- `relative`: what prompts without a product's name say of the class's own shots is taken off, in log-odds, from map and
  class token (`fusion.relative_to_shots`), as they may call all of a product damaged; the map in units of twice its
  spread over altered views of the shots.
- `adaptation=False` stops after the first stage: MPA.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from inspector.domain import Progress
from inspector.features.backbone import Backbone
from inspector.methods.mpama.prompts import Experts, Perceptions
from inspector.methods.mpama.taught import (
    TEMPERATURE,
    TaughtMPAMA,
    layer_tokens,
    state_planes,
    vv_taps,
)
from inspector.methods.prompts import defects, fusion, losses, training
from inspector.methods.prompts.method import PromptMethod, enlarged
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import first_vv_block, normalised
from inspector.methods.stored_tensors import StoredTensors
from inspector.methods.taught import batches


@dataclass(frozen=True, eq=False)
class DamagedShots:
    """Every shot and its damaged copies, the clean one first: class tokens [shots, copies, d], masks [shots, copies, h, w],
    and of each shot the tokens [copies, layers, N, d] (half precision) and the grid of its N patches."""

    cls: Tensor
    masks: Tensor
    tokens: Sequence[Tensor]
    grids: Sequence[tuple[int, int]]

    def draw(self, chosen: Sequence[int], draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Each chosen shot, of one grid, once as it is and once damaged: class tokens [2n, d], tokens [2n, layers, N, d],
        masks [2n, h, w]."""
        copies = self.cls.shape[1]
        broken = [1 + int(torch.randint(copies - 1, (1,), generator=draw)) for _ in chosen]
        shots, numbers = [*chosen, *chosen], [0] * len(chosen) + broken
        tokens = torch.stack([self.tokens[shot][copy] for shot, copy in zip(shots, numbers, strict=True)])
        return self.cls[shots, numbers], tokens.float(), self.masks[shots, numbers]


class MPAMA(PromptMethod[TaughtMPAMA]):
    """Settings: `adaptation` False leaves the experts out (MPA); `levels`: odd neighbourhood sizes; `bottlenecks` and
    `routes`: learnable experts, and how many a token goes to; `length` and `deep`: learned tokens; `variants`: damaged
    copies a shot; `balance`: weight of the balance loss; `adaptation_epochs`."""

    method = "mpama"
    title = "MPAMA"
    defaults: ClassVar[Mapping[str, Any]] = {
        "adaptation": True,
        "levels": [1, 3, 5],
        "length": 12,
        "deep": 4,
        "bottlenecks": 4,
        "routes": 2,
        "balance": 1e-2,
        "variants": 6,
        "epochs": 20,
        "adaptation_epochs": 10,
        "rate": 1e-3,
        "batch": 8,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "patience": 0,
        "relative": True,
        "class_token": False,
        "sigma": 1.0,
        "seed": 0,
    }

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        levels = self.settings["levels"] = list(self.settings["levels"])
        if not levels or any(not isinstance(p, int) or p < 1 or p % 2 == 0 for p in levels):
            raise ValueError("levels are odd neighbourhood sizes such as [1, 3, 5]")
        if not 1 <= self.settings["routes"] <= self.settings["bottlenecks"] + 2:
            raise ValueError("routes lie between 1 and the number of experts")

    def learn(self, teaching: Teaching) -> TaughtMPAMA:
        s, common, backbone = self.settings, self.common(teaching), teaching.backbone
        text, splicer = teaching.text, teaching.splicer
        drawn = self.damaged_shots(teaching, teaching.first(0.3))
        room = text.context_length - splicer.start - s["deep"] - 8  # short texts: leave the words their place
        with training.seeded(s["seed"], 1):
            prompts = Perceptions(len(s["levels"]), max(1, min(s["length"], room)), s["deep"], text)
        prompts.to(backbone.device)
        self.train(
            prompts,
            training.by_grid(
                lambda chosen, draw: self.loss_terms(
                    drawn.draw(chosen, draw), prompts(splicer), None, drawn.grids[chosen[0]]
                ),
                drawn.grids,
            ),
            len(drawn.grids),
            teaching,
            span=(0.3, 0.7 if s["adaptation"] else 1.0),
        )
        with torch.no_grad():
            local, whole = prompts(splicer)
        experts = None
        if s["adaptation"]:
            experts = self._adapt(drawn, (local, whole), teaching)
        taught = TaughtMPAMA(
            **common,
            local=local,
            whole=whole,
            usual=torch.zeros(len(teaching.names), 3, device=backbone.device),
            prompts={name: value.detach() for name, value in prompts.state_dict().items()},
            experts=experts,
        )
        usual = _usual(taught, drawn, [len(images) for images in teaching.shots.values()])
        spread = _spread(taught, teaching, usual[:, 0])
        return dataclasses.replace(taught, usual=torch.cat([usual, spread[:, None]], 1))

    def _adapt(self, drawn: DamagedShots, text: tuple[Tensor, Tensor], teaching: Teaching) -> Experts:
        """The second stage: the experts, with the text side frozen."""
        s, experts = self.settings, make_experts(self.settings, teaching.backbone)
        # the prompts' own checkpoint stays beside it
        folder = self.checkpoints and self.checkpoints / "experts"
        training.train(
            experts,
            training.by_grid(
                lambda chosen, draw: self.loss_terms(
                    drawn.draw(chosen, draw), text, experts, drawn.grids[chosen[0]]
                ),
                drawn.grids,
            ),
            len(drawn.grids),
            training.Schedule(
                s["adaptation_epochs"],
                s["rate"],
                s["batch"],
                s["optimizer"],
                s["weight_decay"],
                seed=s["seed"],
            ),
            progress=teaching.progress,
            cancel=teaching.cancel,
            kept=training.Kept(folder, self.fingerprint(teaching)),
            span=(0.7, 0.99),
        )
        training.forget(folder)
        with torch.no_grad():
            gates = [experts.routed(shot[:1].float()).flatten(0, 2) for shot in drawn.tokens]
        use = (torch.cat(gates) > 0).float().mean(0) / s["routes"]
        names = ["identity", *(f"expert {n + 1}" for n in range(s["bottlenecks"])), "zero"]
        share = ", ".join(f"{name} {value:.0%}" for name, value in zip(names, use.tolist(), strict=True))
        teaching.progress(1.0, f"Tokens go to: {share}", {})
        return experts

    def damaged_shots(self, teaching: Teaching, progress: Progress) -> DamagedShots:
        """Every shot with its damaged copies, as the backbone sees them."""
        backbone = teaching.backbone
        variants, side = self.settings["variants"], max(1, backbone.image_size // 4)
        rng = np.random.default_rng(training.seed_of(self.settings["seed"], 12))
        pictures = [image for images in teaching.shots.values() for image in images]
        taps, first = vv_taps(backbone), first_vv_block(backbone.depth)
        grids = [backbone.grid_of(backbone.frame(image.pixels.shape, True)) for image in pictures]
        cls, tokens, masks = [], [], []
        for number, image in enumerate(pictures):
            clean = backbone.prepare_one(image.pixels, True)
            batch, where = [clean], [np.zeros((side, side), np.float32)]
            for _ in range(variants):
                made, mask = defects.damaged(clean, clean, rng)
                batch.append(made)
                where.append(defects.to_grid(mask, (side, side)))
            seen = []
            for some in batches(batch):
                teaching.cancel.check()
                with torch.no_grad():
                    seen.append(backbone.forward(backbone.prepare(some, True), taps=taps, vv_from=first))
            cls.append(torch.cat([normalised(one.cls) for one in seen]))
            tokens.append(torch.cat([layer_tokens(backbone, one).half() for one in seen]))
            masks.append(torch.from_numpy(np.stack(where)))
            progress((number + 1) / len(pictures), "", {})
        return DamagedShots(torch.stack(cls), torch.stack(masks).to(backbone.device), tokens, grids)

    def loss_terms(
        self,
        drawn: tuple[Tensor, Tensor, Tensor],
        text: tuple[Tensor, Tensor],
        experts: Experts | None,
        grid: tuple[int, int],
    ) -> training.Losses:
        """The loss of drawn class tokens [B, d], tokens [B, layers, N, d] on `grid` and masks [B, h, w]."""
        (cls, tokens, masks), (local, whole) = drawn, text
        terms: dict[str, Tensor] = {}
        if experts is not None:
            tokens, gates = experts(tokens)
            terms["balance"] = self.settings["balance"] * losses.balance(gates[..., 1:-1].flatten(0, -2))
        planes = [
            enlarged(plane, (masks.shape[1], masks.shape[2]))
            for plane in state_planes(tokens, local, self.settings["levels"], grid)
        ]
        terms["focal"] = torch.stack([losses.focal(plane, masks) for plane in planes]).sum()
        terms["dice"] = torch.stack(
            [losses.dice(plane, masks) + losses.dice(1 - plane, 1 - masks) for plane in planes]
        ).sum()
        if experts is None:  # the experts don't reach the class token
            damaged = (masks.flatten(1).amax(1) > 0).float()
            terms["image"] = losses.state_cross_entropy(cls, whole[0], whole[1], damaged, 1 / TEMPERATURE)
        return terms

    @classmethod
    def restored(cls, stored: StoredTensors, common: dict[str, Any]) -> TaughtMPAMA:
        settings, backbone = common["settings"], common["backbone"]
        width, start = backbone.embed_dim, "prompts."
        experts = None
        if settings["adaptation"]:
            experts = make_experts(settings, backbone)
            stored.fill(experts, "experts.")
        return TaughtMPAMA(
            **common,
            local=stored.take("local", len(settings["levels"]), 2, width),
            whole=stored.take("whole", 2, width),
            usual=stored.take("usual", len(common["names"]), 3),
            prompts={name.removeprefix(start): value for name, value in stored.take_all(start).items()},
            experts=experts,
        )


def make_experts(settings: Mapping[str, Any], backbone: Backbone) -> Experts:
    """The pool of experts and its routers, as they are drawn before teaching."""
    with training.seeded(settings["seed"], 2):
        made = Experts(
            backbone.embed_dim, len(vv_taps(backbone)), settings["bottlenecks"], settings["routes"]
        )
    return made.to(backbone.device)


def _usual(taught: TaughtMPAMA, drawn: DamagedShots, counts: list[int]) -> Tensor:
    """Mean log-odds of state map and class token on every class's own shots, [classes, 2]."""
    made = []
    with torch.no_grad():
        for cls, tokens, grid in zip(drawn.cls, drawn.tokens, drawn.grids, strict=True):
            plane, whole = taught.state_reading(cls[:1], tokens[:1].float(), grid)
            made.append(torch.stack([fusion.shot_offset(plane), fusion.shot_offset(whole)]))
    return torch.stack([of_class.mean(0) for of_class in torch.split(torch.stack(made), counts)])


def _spread(taught: TaughtMPAMA, teaching: Teaching, offsets: Tensor) -> Tensor:
    """How far, in log-odds, altered views of every class's shots read from them (root mean square), [classes]."""
    made = []
    for images, offset in zip(teaching.shots.values(), offsets, strict=True):
        odds = []
        for seen, _ in taught.varied(images, teaching.cancel):
            assert seen.vv is not None
            with torch.no_grad():
                state = taught.state_reading(normalised(seen.cls), seen.vv, seen.grids["vv"])[0]
            odds.append(torch.logit(state, eps=fusion.EPS).flatten())
        made.append((torch.cat(odds) - offset).square().mean().sqrt())
    return torch.stack(made).clamp_min(fusion.EPS)

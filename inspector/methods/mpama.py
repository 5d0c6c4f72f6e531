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

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress
from inspector.features.backbone import Features
from inspector.features.text_tower import TextTower
from inspector.methods.finegrained.method import first_vv_block
from inspector.methods.memory.patchcore import BATCH
from inspector.methods.prompts import defects, fusion, losses, training
from inspector.methods.prompts.method import Learned, enlarged
from inspector.methods.prompts.tokens import Splicer, need_text, normalised
from inspector.methods.smoothing import smoothed

TEMPERATURE = 0.07
LAYERS = 4
STATES = "object.", "damaged object."


class Perceptions(nn.Module):
    """The prompts: contexts [levels + 1, 2, length, w] (the last pair is the whole image's), deep prompts
    [depth, 4, w] and the cross bridge's γ, γ'."""

    def __init__(self, levels: int, length: int, deep: int, text: TextTower) -> None:
        super().__init__()
        self.contexts = nn.Parameter(torch.randn(levels + 1, 2, length, text.width) * 0.02)
        self.deep = nn.Parameter(torch.randn(min(9, text.depth), deep, text.width) * 0.02)
        self.bridge = nn.Parameter(torch.zeros(2))

    def forward(self, splicer: Splicer) -> tuple[Tensor, Tensor]:
        """(levels' pairs [levels, 2, d], the whole image's pair [2, d]), unit length, after the cross bridge."""
        rows: list[list[str | Tensor]] = [
            [self.deep[0], self.contexts[level, state], STATES[state]]
            for level in range(len(self.contexts))
            for state in range(2)
        ]
        encoded = splicer.encode(rows, list(self.deep[1:])).reshape(len(self.contexts), 2, -1)
        return bridged(encoded[:-1], encoded[-1], self.bridge)


def bridged(local: Tensor, whole: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """The cross bridge: local [levels, 2, d], whole [2, d], gamma [2] → both with a share of the other."""
    return (
        F.normalize(local + gamma[1] * whole, dim=-1),
        F.normalize(whole + gamma[0] * local.amax(0), dim=-1),
    )


def perceived(tokens: Tensor, size: int, grid: tuple[int, int]) -> Tensor:
    """Tokens [..., N, d] averaged over size × size neighbours (mirrored at the border), unit length."""
    if size == 1:
        return tokens
    reach = min(size // 2, min(grid) - 1)
    planes = tokens.transpose(-1, -2).reshape(-1, tokens.shape[-1], *grid)
    planes = F.avg_pool2d(F.pad(planes, (reach,) * 4, mode="reflect"), 2 * reach + 1, stride=1)
    return F.normalize(planes.flatten(2).transpose(1, 2), dim=-1).reshape(tokens.shape)


class Experts(nn.Module):
    """The shared pool (identity, bottlenecks, zero) with a router a block: F' = norm(F + Σ_e g_e·e(F))."""

    def __init__(self, width: int, layers: int, bottlenecks: int, chosen: int) -> None:
        super().__init__()
        self.chosen = chosen
        self.routers = nn.ModuleList(nn.Linear(width, bottlenecks + 2) for _ in range(layers))
        self.bottlenecks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, max(1, width // 4)), nn.GELU(), nn.Linear(max(1, width // 4), width)
            )
            for _ in range(bottlenecks)
        )
        for one in self.bottlenecks:
            nn.init.normal_(one[2].weight, std=0.01)  # type: ignore[index]
            nn.init.zeros_(one[2].bias)  # type: ignore[index]

    def routed(self, tokens: Tensor) -> Tensor:
        """tokens [B, layers, N, d] → gates [B, layers, N, E + 2]: 0 but for the chosen, which sum to 1."""
        scores = torch.stack([router(tokens[:, i]) for i, router in enumerate(self.routers)], dim=1)
        share = torch.softmax(scores, dim=-1)
        best = share.topk(self.chosen, dim=-1)
        gates = torch.zeros_like(share).scatter(-1, best.indices, best.values)
        return gates / gates.sum(-1, keepdim=True)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """tokens [B, layers, N, d] of unit length → (adapted tokens, gates)."""
        gates = self.routed(tokens)
        added = gates[..., :1] * tokens  # the identity; the last expert, zero, adds nothing
        for index, one in enumerate(self.bottlenecks, 1):
            added = added + gates[..., index : index + 1] * one(tokens)
        return F.normalize(tokens + added, dim=-1), gates


class DamagedShots:
    """Every shot and its damaged copies: class tokens [n, d], tokens [n, layers, N, d] (half precision), masks
    [n, h, w]; the copies of a shot follow each other, the clean one first."""

    def __init__(self, cls: Tensor, tokens: Tensor, masks: Tensor, copies: int) -> None:
        self.cls, self.tokens, self.masks, self.copies = cls, tokens, masks, copies

    def draw(self, chosen: Sequence[int], draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Each chosen shot once as it is and once damaged."""
        broken = [1 + int(torch.randint(self.copies - 1, (1,), generator=draw)) for _ in chosen]
        rows = [self.copies * i for i in chosen] + [
            self.copies * i + copy for i, copy in zip(chosen, broken, strict=True)
        ]
        return self.cls[rows], self.tokens[rows].float(), self.masks[rows]


class MPAMA(Learned):
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
        self.experts: Experts | None = None
        self._known: dict[str, Tensor] = {}

    # Teaching

    def _teach(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> None:
        s, backbone = self.settings, self.backbone
        text = need_text(backbone, self.title)
        splicer = Splicer(text)
        lesson = self._lesson(shots, lambda done, *more: progress(0.3 * done, *more), cancel)
        room = text.context_length - splicer.start - s["deep"] - 8  # short texts: leave the words their place
        with training.seeded(s["seed"], 1):
            prompts = Perceptions(len(s["levels"]), max(1, min(s["length"], room)), s["deep"], text)
        prompts.to(backbone.device)
        items, last = len(lesson.cls) // lesson.copies, 0.7 if s["adaptation"] else 1.0
        self._train(
            prompts,
            lambda chosen, draw: self.step(lesson.draw(chosen, draw), prompts(splicer), None),
            items,
            shots,
            progress,
            cancel,
            span=(0.3, last),
        )
        with torch.no_grad():
            local, whole = prompts(splicer)
        self._known = {"local": local, "whole": whole}
        self._known |= {f"prompts.{k}": v.detach() for k, v in prompts.state_dict().items()}
        self.experts = None
        if s["adaptation"]:
            self.experts = self._adapt(lesson, shots, progress, cancel)
        usual = self._usual(lesson, [len(images) for images in shots.values()])
        self._known["usual"] = torch.cat([usual, self._spread(shots, usual[:, 0], cancel)[:, None]], 1)

    def _adapt(
        self,
        lesson: DamagedShots,
        shots: Mapping[str, Sequence[Image]],
        progress: Progress,
        cancel: CancelToken,
    ) -> Experts:
        """The second stage: the experts, with the text side frozen."""
        s, experts = self.settings, self._make_experts()
        text = self._known["local"], self._known["whole"]
        folder = (
            self.checkpoints and self.checkpoints / "experts"
        )  # the prompts' own checkpoint stays beside it
        training.train(
            experts,
            lambda chosen, draw: self.step(lesson.draw(chosen, draw), text, experts),
            len(lesson.cls) // lesson.copies,
            training.Schedule(
                s["adaptation_epochs"],
                s["rate"],
                s["batch"],
                s["optimizer"],
                s["weight_decay"],
                seed=s["seed"],
            ),
            progress=progress,
            cancel=cancel,
            checkpoints=folder,
            fingerprint=training.fingerprint(shots, self.backbone.identity.key, {"method": self.method, **s}),
            span=(0.7, 0.99),
        )
        training.forget(folder)
        with torch.no_grad():
            gates = experts.routed(lesson.tokens[:: lesson.copies].float())
        use = (gates > 0).float().mean((0, 1, 2)) / s["routes"]
        names = ["identity", *(f"expert {n + 1}" for n in range(s["bottlenecks"])), "zero"]
        share = ", ".join(f"{name} {value:.0%}" for name, value in zip(names, use.tolist(), strict=True))
        progress(1.0, f"Tokens go to: {share}", {})
        return experts

    def _usual(self, lesson: DamagedShots, counts: list[int]) -> Tensor:
        """Mean log-odds of state map and class token on every class's own shots, [classes, 2]."""
        made = []
        clean = slice(None, None, lesson.copies)
        with torch.no_grad():
            shots = zip(
                torch.split(lesson.cls[clean], counts), torch.split(lesson.tokens[clean], counts), strict=True
            )
            for cls, tokens in shots:
                plane, whole = self._state(cls, tokens.float())
                made.append(torch.stack([fusion.shot_offset(plane), fusion.shot_offset(whole)]))
        return torch.stack(made)

    def _spread(self, shots: Mapping[str, Sequence[Image]], offsets: Tensor, cancel: CancelToken) -> Tensor:
        """How far, in log-odds, altered views of every class's shots read from them (root mean square), [classes]."""
        made = []
        for images, offset in zip(shots.values(), offsets, strict=True):
            odds = []
            for seen, _ in self._varied(images, cancel):
                assert seen.vv is not None
                with torch.no_grad():
                    odds.append(torch.logit(self._state(normalised(seen.cls), seen.vv)[0], eps=fusion.EPS))
            made.append((torch.cat(odds) - offset).square().mean().sqrt())
        return torch.stack(made).clamp_min(fusion.EPS)

    def _make_experts(self) -> Experts:
        s, backbone = self.settings, self.backbone
        with training.seeded(s["seed"], 2):
            made = Experts(backbone.embed_dim, len(self._taps), s["bottlenecks"], s["routes"])
        return made.to(backbone.device)

    def _lesson(
        self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken
    ) -> DamagedShots:
        backbone, variants = self.backbone, self.settings["variants"]
        rng = np.random.default_rng(training.seed_of(self.settings["seed"], 12))
        pictures = [image for images in shots.values() for image in images]
        cls, tokens, masks = [], [], []
        for number, image in enumerate(pictures):
            clean = backbone.prepare_one(image.pixels)
            batch, where = [clean], [np.zeros(self.map_size, np.float32)]
            for _ in range(variants):
                made, mask = defects.damaged(clean, clean, rng)
                batch.append(made)
                where.append(defects.to_grid(mask, self.map_size))
            for start in range(0, len(batch), BATCH):
                cancel.check()
                with torch.no_grad():
                    seen = backbone.forward(
                        backbone.prepare(batch[start : start + BATCH]), taps=self._taps, vv_from=self._first
                    )
                cls.append(normalised(seen.cls))
                tokens.append(self._tokens(seen).half())
            masks.append(torch.from_numpy(np.stack(where)))
            progress((number + 1) / len(pictures), "", {})
        return DamagedShots(
            torch.cat(cls), torch.cat(tokens), torch.cat(masks).to(backbone.device), 1 + variants
        )

    def step(
        self, drawn: tuple[Tensor, Tensor, Tensor], text: tuple[Tensor, Tensor], experts: Experts | None
    ) -> training.Losses:
        """The loss of drawn class tokens [B, d], tokens [B, layers, N, d] and masks [B, h, w]."""
        (cls, tokens, masks), (local, whole) = drawn, text
        terms: dict[str, Tensor] = {}
        if experts is not None:
            tokens, gates = experts(tokens)
            terms["balance"] = self.settings["balance"] * losses.balance(gates[..., 1:-1].flatten(0, -2))
        planes = [enlarged(plane, self.map_size) for plane in self._planes(tokens, local)]
        terms["focal"] = torch.stack([losses.focal(plane, masks) for plane in planes]).sum()
        terms["dice"] = torch.stack(
            [losses.dice(plane, masks) + losses.dice(1 - plane, 1 - masks) for plane in planes]
        ).sum()
        if experts is None:  # the experts don't reach the class token
            damaged = (masks.flatten(1).amax(1) > 0).float()
            terms["image"] = losses.state_cross_entropy(cls, whole[0], whole[1], damaged, 1 / TEMPERATURE)
        return terms

    # Scoring

    @property
    def _first(self) -> int:
        return first_vv_block(self.backbone.depth)

    @property
    def _taps(self) -> tuple[str, ...]:
        """The V-V path after (at most) LAYERS blocks, evenly spread, the last among them."""
        first, depth = self._first, self.backbone.depth
        blocks = {max(first, round(depth * (n + 1) / LAYERS)) for n in range(LAYERS)}
        return tuple(f"vv{block}" for block in sorted(blocks))

    def _tokens(self, features: Features) -> Tensor:
        """[B, layers, N, d] of unit length."""
        return torch.stack([normalised(features.taps[tap]) for tap in self._taps], dim=1)

    def _planes(self, tokens: Tensor, local: Tensor) -> list[Tensor]:
        """Abnormal probability [B, h, w] on the backbone's grid, one a level."""
        planes = []
        for size, pair in zip(self.settings["levels"], local, strict=True):
            seen = perceived(tokens, size, self.backbone.grid)
            plane = fusion.abnormal_probability(seen, pair[0], pair[1], TEMPERATURE).mean(1)
            planes.append(plane.reshape(-1, *self.backbone.grid))
        return planes

    def _see(self, x: Tensor) -> Features:
        """The tokens for `_read` move from the taps, which the memory keeps, to `vv`, [B, layers, N, d]."""
        memory = self.backbone.default_taps
        seen = self.backbone.forward(x, taps=(*memory, *self._taps), vv_from=self._first)
        return Features(
            seen.cls,
            seen.patches,
            self._tokens(seen),
            {tap: seen.taps[tap] for tap in memory},
            seen.grids,
        )

    def _read(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        assert features.vv is not None
        state, abnormal = self._state(normalised(features.cls), features.vv)
        if self.settings["relative"]:
            usual = self._known["usual"][self._numbers(class_names)]
            state = fusion.relative_to_shots(state, usual[:, 0], 2 * usual[:, 2])
            abnormal = fusion.relative_to_shots(abnormal[:, None, None], usual[:, 1])[:, 0, 0]
        plane = smoothed(enlarged(state, self.map_size), self.settings["sigma"])
        maps = [plane, self.bank.maps(features, class_names, without)]
        highest = [one.flatten(1).amax(1) for one in maps]
        if self.settings["class_token"]:
            highest.append(abnormal)
        return fusion.harmonic(*maps), fusion.harmonic(*highest)

    def _state(self, cls: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """State map [B, h, w] on the backbone's grid and the class token's abnormal probability [B]."""
        tokens = tokens if self.experts is None else self.experts(tokens)[0]
        whole = self._known["whole"]
        abnormal = fusion.abnormal_probability(cls, whole[0], whole[1], TEMPERATURE)
        return torch.stack(self._planes(tokens, self._known["local"])).mean(0), abnormal

    def _tensors(self) -> dict[str, Tensor]:
        experts = {} if self.experts is None else self.experts.state_dict()
        return {**self._known, **{f"experts.{name}": value for name, value in experts.items()}}

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        start = "experts."
        own = {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}
        self._known = {name: value for name, value in tensors.items() if not name.startswith(start)}
        if own:
            self.experts = self._make_experts()
            self.experts.load_state_dict(own)
            self.experts.eval()

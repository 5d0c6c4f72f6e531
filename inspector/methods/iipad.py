"""IIPAD (Lv et al., One-for-All Few-Shot Anomaly Detection via Instance-Induced Prompt Learning, ICLR 2025):
one generator writes a normal and an abnormal prompt for every single image; no class name is needed.

- Prompts (eq. 1–4): Sⁿ = [P_t + Cⁿ_t]…[Oⁿ]…, T = 24 context and m = 4 object tokens. C = f_p(class token) +
  f_s(cross-attention(class token, Zˢ)); O = token mixing 16 → 8 → 4 of the object tokens Z, one of each per state.
- Features F_j: V-V path in joint space at four depths J. Synthetic abnormal ones F^a_j = norm(F_j + F_j' + ε) (eq. 8),
  j' being the depth before j, and the last one for the first.
- L = L_s + β·L_f + α·L_t (eq. 12), α = β = 8: prompts against patches (eq. 6, 9), prompt tokens against the groups of
  patches that they attend to (eq. 7, 10), prompts against general phrases (eq. 11).
- Category-aware banks (eq. 13, 14): Z retrieves the shots that the image resembles, and their patches and prompts are
  used; ē = ½(mean of the retrieved + own) (eq. 15); map Āᵖ + Aᵛ, image score max Āᵖ + max Aᵛ (eq. 16–18).

Switches for what the released code does otherwise: `loss="linear"` (cosine margins instead of log-softmax),
`image_score="code"` (− p_normal(class token) − mean retrieval similarity), `noise` (the paper's ε ~ N(0, 1) an element
is 1; the code's is 2).

Deviations
- Z comes from no Q-Former: 4×4 pooled V-V tokens of the last block plus the class token, carried to the text tower's
  token space by a ridge regression of the embeddings of single vocabulary entries on their own text features. `Seen`
  holds whatever makes Z, so a real Q-Former can take its place. The unmapped Z retrieves.
- Retrieval decides on a class, by the most similar shots; that class's shots make both banks. A given class skips it.
- The prompt tokens p_t are projected to joint space, since text width and joint width differ on most backbones.
- Contexts start at N(0, 0.02²), the size of token embeddings, instead of N(0, 1). Images go through in batches.
- Aᵖ at temperature 0.07 as in the code; eq. 16 writes none. The last epoch is kept.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress
from inspector.features.backbone import Features
from inspector.features.text_tower import TextTower
from inspector.methods.memory.patchcore import batches
from inspector.methods.prompts import fusion, losses, training
from inspector.methods.prompts.method import Learned, enlarged
from inspector.methods.prompts.phrases import OBJECT_ABNORMAL, OBJECT_NORMAL
from inspector.methods.prompts.tokens import Splicer, need_text, normalised
from inspector.methods.smoothing import smoothed

TEMPERATURE = 0.07
SLOTS = 16
"""Object tokens Z of an image: a 4×4 grid."""
VOCABULARY = 2048
RIDGE = 1e-2
STATES = ("normal", "abnormal")


def depths(blocks: int) -> tuple[int, ...]:
    """J: four blocks, evenly spaced, the last included: 6, 12, 18, 24 of 24."""
    return tuple(sorted({max(1, blocks * part // 4) for part in (1, 2, 3, 4)}))


@dataclass(frozen=True, slots=True, eq=False)
class Seen(Features):
    """A pass with what the generator reads beside it.

    `layers`: F_j, [B,N,d] of unit length, one a depth in J. `objects`: Z [B,16,d], unit length.
    """

    layers: tuple[Tensor, ...] = ()
    objects: Tensor | None = None


def object_tokens(cls: Tensor, patches: Tensor, grid: tuple[int, int]) -> Tensor:
    """Z [B, 16, d], unit length: patches [B, N, d] pooled to 4×4, each plus the class token [B, d]."""
    plane = patches.transpose(1, 2).reshape(len(patches), -1, *grid)
    pooled = F.adaptive_avg_pool2d(plane, (4, 4)).flatten(2).transpose(1, 2)
    return normalised(pooled + cls[:, None])


class WordMap(nn.Module):
    """Joint space → token embeddings of the text tower; closed form, never trained.

    Ridge regression of single tokens' embeddings on their text features. Images lie elsewhere in joint space than
    texts (the modality gap), so both sides are centred: texts on the vocabulary's mean, images on the shots' mean.
    """

    matrix: Tensor
    offset: Tensor
    centre: Tensor

    def __init__(self, joint: int, width: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.zeros(joint, width))
        self.register_buffer("offset", torch.zeros(width))
        self.register_buffer("centre", torch.zeros(joint))

    def forward(self, objects: Tensor) -> Tensor:
        """Z [B, 16, d] → [B, 16, width]."""
        return (objects - self.centre) @ self.matrix + self.offset

    def solve(self, text: TextTower, objects: Tensor, seed: int) -> None:
        """Read up to `VOCABULARY` single tokens that the tower tells apart; centre images on `objects` [K, 16, d]."""
        frame = text.tokens(["a"])
        draw = training.generator(seed, 3)
        ids = torch.randperm(int(frame.max()), generator=draw)[:VOCABULARY].to(frame.device)
        known = text.embed(ids[:, None])[:, 0]
        _, kinds = torch.unique(known, dim=0, return_inverse=True)
        common = kinds.bincount()[kinds] == 1  # tokens that were never trained share one embedding
        ids, known = (ids[common], known[common]) if int(common.sum()) > 64 else (ids, known)
        texts = frame.repeat(len(ids), 1)
        place = int(text.eot(frame)[0]) - 1 if text.causal else 0
        texts[:, place] = ids
        with torch.no_grad():
            chunks = [
                normalised(text.encode(text.embed(part), text.eot(part))) for part in torch.split(texts, 256)
            ]
        features = torch.cat(chunks).double()
        mean = features.mean(0)
        centred, target = features - mean, known.double()
        gram = centred.T @ centred / len(centred)
        ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        cross = centred.T @ (target - target.mean(0)) / len(centred)
        self.matrix = torch.linalg.solve(gram + ridge, cross).float()
        self.offset = target.mean(0).float()
        self.centre = objects.flatten(0, 1).mean(0)


class TokenMap(nn.Module):
    """Linear maps over the token axis, [B, sizes[0], w] → [B, sizes[-1], w]."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        for one in self.maps:
            x = one(x.transpose(1, 2)).transpose(1, 2)
        return x


class Generator(nn.Module):
    """Eq. 2–4: class token and object tokens → the normal and the abnormal prompt of an image."""

    def __init__(self, joint: int, width: int, contexts: int, objects: int) -> None:
        super().__init__()
        self.words = WordMap(joint, width)
        self.contexts = nn.ParameterDict({state: torch.randn(contexts, width) * 0.02 for state in STATES})
        self.whole = nn.Sequential(nn.Linear(joint, width), nn.Dropout(0.2), nn.LeakyReLU())
        self.whole_tokens = TokenMap(1, contexts)
        self.query = nn.Linear(joint, width)
        self.objects_in = nn.ModuleDict({state: nn.Linear(width, width) for state in STATES})
        self.found = nn.ModuleDict({state: nn.Linear(width, width) for state in STATES})
        self.found_tokens = nn.ModuleDict({state: TokenMap(1, SLOTS, contexts) for state in STATES})
        self.object_tokens = nn.ModuleDict({state: TokenMap(SLOTS, SLOTS // 2, objects) for state in STATES})

    def forward(self, cls: Tensor, objects: Tensor) -> list[Tensor]:
        """cls [B, d], Z [B, 16, d] → two prompts [B, T + m, width], normal and abnormal."""
        words = self.words(objects)
        general = self.whole_tokens(self.whole(cls)[:, None])
        query = self.query(cls)[:, None]
        made = []
        for state in STATES:
            keys = self.objects_in[state](words)
            weight = torch.softmax(query @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5, dim=-1)
            special = self.found_tokens[state](self.found[state](weight @ keys))
            made.append(
                torch.cat([self.contexts[state] + general + special, self.object_tokens[state](words)], dim=1)
            )
        return made


class IIPAD(Learned):
    """Settings beside those of the module's description: `alpha`, `beta` the losses' weights; `contexts` T and
    `objects` m, the tokens of a prompt; `sparsity` σ of the token alignment, None for one in the number of patches."""

    method = "iipad"
    title = "IIPAD"
    defaults: ClassVar[Mapping[str, Any]] = {
        "loss": "softmax",
        "image_score": "paper",
        "noise": 1.0,
        "alpha": 8.0,
        "beta": 8.0,
        "contexts": 24,
        "objects": 4,
        "sparsity": None,
        "epochs": 20,
        "rate": 1e-3,
        "batch": 8,
        "optimizer": "adam",
        "weight_decay": 1e-4,
        "patience": 0,
        "sigma": 1.0,
        "seed": 0,
    }
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "loss": ("softmax", "linear"),
        "image_score": ("paper", "code"),
    }

    learned: Generator
    shot_objects: Tensor
    """[shots, 16, d]: Z of every shot, class by class."""
    shot_prompts: Tensor
    """[shots, 2, d]: its prompts' embeddings."""
    shot_class: Tensor
    """[shots]: the class number of each."""

    def _see(self, x: Tensor) -> Seen:
        backbone = self.backbone
        at = depths(backbone.depth)
        layers = tuple(f"vv{number}" for number in at)
        seen = backbone.forward(x, taps=(*backbone.default_taps, *layers), vv_from=at[0])
        read = tuple(normalised(seen.taps.pop(name)) for name in layers)
        cls = normalised(seen.cls)
        return Seen(
            cls,
            seen.patches,
            seen.vv,
            seen.taps,
            seen.grids,
            (),
            read,
            object_tokens(cls, read[-1], backbone.grid),
        )

    def _teach(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> None:
        s, backbone = self.settings, self.backbone
        text = need_text(backbone, self.title)
        with training.seeded(s["seed"], 4):
            self.learned = Generator(backbone.embed_dim, text.width, s["contexts"], s["objects"])
        self.learned.to(backbone.device)
        seen: list[Seen] = []
        for images in shots.values():
            for batch in batches(images):
                cancel.check()
                seen.append(self._see(backbone.prepare([image.pixels for image in batch])))
        cls = torch.cat([normalised(one.cls) for one in seen])
        objects = torch.cat([_known(one.objects) for one in seen])
        layers = [torch.cat(same) for same in zip(*(one.layers for one in seen), strict=True)]
        self.learned.words.solve(text, objects, s["seed"])
        splicer = self._splicer = Splicer(text)
        normal, abnormal = text.encode_texts(OBJECT_NORMAL), text.encode_texts(OBJECT_ABNORMAL)

        def step(chosen: Sequence[int], draw: torch.Generator) -> training.Losses:
            rows = list(chosen)
            prompts = self._write(splicer, cls[rows], objects[rows])
            return self._losses(prompts, [layer[rows] for layer in layers], normal, abnormal, draw)

        self._train(self.learned, step, len(cls), shots, progress, cancel)
        self.shot_objects = objects
        with torch.no_grad():
            self.shot_prompts = torch.stack([e for e, _ in self._write(splicer, cls, objects)], dim=1)
        counts = torch.tensor([len(images) for images in shots.values()])
        self.shot_class = torch.arange(len(counts)).repeat_interleave(counts)

    def add_shots(self, class_name: str, images: Sequence[Image]) -> None:
        super().add_shots(class_name, images)
        for batch in batches(images):
            with torch.no_grad():
                seen = self._see(self.backbone.prepare([image.pixels for image in batch]))
                written = self._write(self._reader(), normalised(seen.cls), _known(seen.objects))
            self.shot_objects = torch.cat([self.shot_objects, _known(seen.objects)])
            self.shot_prompts = torch.cat([self.shot_prompts, torch.stack([e for e, _ in written], dim=1)])
            own = torch.full((len(batch),), self._number(class_name))
            self.shot_class = torch.cat([self.shot_class, own])

    def _write(self, splicer: Splicer, cls: Tensor, objects: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Eq. 5, normal and abnormal: the prompts' embeddings [B, d] and token embeddings [B, T', d], unit length."""
        made = []
        for prompts in self.learned(cls, objects):
            embeddings, ends = splicer([[prompt] for prompt in prompts])
            tokens = splicer.text.encode_tokens(embeddings, ends)
            own = tokens[:, splicer.start : splicer.start + prompts.shape[1]]
            rows = torch.arange(len(tokens), device=tokens.device)
            made.append((normalised(tokens[rows, ends.to(tokens.device)]), normalised(own)))
        return made

    def _losses(
        self,
        prompts: Sequence[tuple[Tensor, Tensor]],
        layers: Sequence[Tensor],
        normal_phrases: Tensor,
        abnormal_phrases: Tensor,
        draw: torch.Generator,
    ) -> training.Losses:
        s = self.settings
        (normal, normal_tokens), (abnormal, abnormal_tokens) = prompts
        linear, n, a = s["loss"] == "linear", normal[:, None], abnormal[:, None]
        sparsity = 1 / layers[0].shape[1] if s["sparsity"] is None else s["sparsity"]
        semantic, token = [], []
        for number, layer in enumerate(layers):
            noise = torch.randn(layer.shape, generator=draw).to(layer)
            synthetic = normalised(layer + layers[number - 1] + s["noise"] * noise)
            semantic.append(
                losses.pull_apart(layer, n, a, linear) + losses.pull_apart(synthetic, a, n, linear)
            )
            token.append(
                losses.token_alignment(normal_tokens, layer, sparsity)
                + losses.token_alignment(abnormal_tokens, synthetic, sparsity)
            )
        textual = losses.pull_apart(normal_phrases, n, a, linear) + losses.pull_apart(
            abnormal_phrases, a, n, linear
        )
        return {
            "semantic": torch.stack(semantic).mean(),
            "token": s["beta"] * torch.stack(token).mean(),
            "text": s["alpha"] * textual,
        }

    def _likeness(self, objects: Tensor) -> Tensor:
        """Mean slot-wise cosine of Z [B, 16, d] to every shot's, [B, shots]."""
        return torch.einsum("bsd,ksd->bk", objects, self.shot_objects) / SLOTS

    def _find(self, features: Features) -> tuple[list[str], list[float]]:
        """The class that most of the k most similar shots have, and its share of their likeness."""
        assert isinstance(features, Seen)
        likeness = self._likeness(_known(features.objects)).cpu()
        k = int(self.shot_class.bincount().min())
        near, who = likeness.clamp_min(0).topk(k, dim=1)
        votes = torch.zeros(len(near), len(self.classes)).scatter_add_(1, self.shot_class[who], near)
        share, best = (votes / votes.sum(1, keepdim=True).clamp_min(1e-6)).max(1)
        return [self.classes[number] for number in best.tolist()], share.tolist()

    def _read(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(features, Seen)
        cls, objects = normalised(features.cls), _known(features.objects)
        own = torch.stack([e for e, _ in self._write(self._reader(), cls, objects)], dim=1)
        kept, alike = [], []
        likeness = self._likeness(objects)
        for row, (number, shot) in enumerate(zip(self._numbers(class_names), without, strict=True)):
            mine = (self.shot_class == number).nonzero().flatten().tolist()
            mine = [one for place, one in enumerate(mine) if place != shot]
            kept.append(self.shot_prompts[mine].mean(0))
            alike.append(likeness[row, mine].mean())
        states = normalised((torch.stack(kept) + own) / 2)
        normal, abnormal = states[:, 0], states[:, 1]
        shown = [
            fusion.abnormal_probability(layer, normal[:, None], abnormal[:, None], TEMPERATURE)
            for layer in features.layers
        ]
        prompted = enlarged(fusion.mean(*shown).reshape(-1, *self.backbone.grid), self.map_size)
        prompted = smoothed(prompted, self.settings["sigma"])
        visual = self.bank.maps(features, class_names, without) * len(features.taps)
        score = prompted.flatten(1).amax(1) + visual.flatten(1).amax(1)
        if self.settings["image_score"] == "code":
            whole = 1 - fusion.abnormal_probability(cls, normal, abnormal, TEMPERATURE)
            score = score - whole - torch.stack(alike)
        return fusion.total(prompted, visual), score

    def _tensors(self) -> dict[str, Tensor]:
        return {
            "shot_objects": self.shot_objects,
            "shot_prompts": self.shot_prompts,
            "shot_class": self.shot_class,
            **{f"generator.{name}": value for name, value in self.learned.state_dict().items()},
        }

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        start = "generator."
        own = {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}
        joint, width = own["words.matrix"].shape
        self.learned = Generator(joint, width, self.settings["contexts"], self.settings["objects"])
        self.learned.load_state_dict(own)
        self.learned.to(self.backbone.device).eval()
        self.shot_objects, self.shot_prompts = tensors["shot_objects"], tensors["shot_prompts"]
        self.shot_class = tensors["shot_class"].cpu()

    def _reader(self) -> Splicer:
        if self._splicer is None:
            self._splicer = Splicer(need_text(self.backbone, self.title))
        return self._splicer

    _splicer: Splicer | None = None


def _known(tokens: Tensor | None) -> Tensor:
    assert tokens is not None
    return tokens

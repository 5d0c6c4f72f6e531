"""IIPAD's generator: what it reads of an image, how it carries that to the text tower, and the prompts that it writes."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.features.backbone import Backbone, Features
from inspector.features.text_tower import TextTower
from inspector.methods.prompts import training
from inspector.methods.prompts.tokens import Splicer, normalised

SLOTS = 16
"""Object tokens Z of an image: a 4×4 grid."""
VOCABULARY = 2048
RIDGE = 1e-2
STATES = ("normal", "abnormal")


def depths(blocks: int) -> tuple[int, ...]:
    """J: four blocks, evenly spaced, the last included: 6, 12, 18, 24 of 24."""
    return tuple(sorted({max(1, blocks * part // 4) for part in (1, 2, 3, 4)}))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GeneratorInput(Features):
    """A pass with what the generator reads beside it.

    `unit_cls`: class token [B, d] of unit length. `layers`: F_j, [B,N,d] of unit length, one a depth in J. `objects`: Z
    [B,16,d], unit length.
    """

    unit_cls: Tensor
    layers: tuple[Tensor, ...]
    objects: Tensor


def read(backbone: Backbone, pixels: Tensor) -> GeneratorInput:
    """Prepared images [B,3,h,w] → what memory and generator read, in one pass."""
    at = depths(backbone.depth)
    names = tuple(f"vv{number}" for number in at)
    seen = backbone.forward(pixels, taps=(*backbone.default_taps, *names), vv_from=at[0])
    layers = tuple(normalised(seen.taps.pop(name)) for name in names)
    cls = normalised(seen.cls)
    objects = object_tokens(cls, layers[-1], seen.grids["vv"])
    return GeneratorInput(
        cls, seen.patches, seen.vv, seen.taps, seen.grids, (), unit_cls=cls, layers=layers, objects=objects
    )


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

    def encoded(self, splicer: Splicer, cls: Tensor, objects: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Eq. 5, normal and abnormal: the prompts' embeddings [B, d] and token embeddings [B, T', d], unit length."""
        made = []
        for prompts in self(cls, objects):
            embeddings, ends = splicer([[prompt] for prompt in prompts])
            tokens = splicer.text.encode_tokens(embeddings, ends)
            own = tokens[:, splicer.start : splicer.start + prompts.shape[1]]
            rows = torch.arange(len(tokens), device=tokens.device)
            made.append((normalised(tokens[rows, ends.to(tokens.device)]), normalised(own)))
        return made

"""The frozen CLIP under every detector: one pass gives class token, patch tokens, V-V tokens and taps."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inspector.errors import WeightsError
from inspector.features.framing import framed, resized
from inspector.features.identity import BackboneIdentity
from inspector.features.image_towers import tower_of
from inspector.features.text_tower import TextOnDemand, TextTower
from inspector.features.vision_names import is_vision_only

CPU_IMAGES = 4
"""Images that go through the tower together on a processor: what lies between its layers then stays in the cache, and in memory
that the system doesn't take back after every layer."""
MEMORY_TAPS = {12: ("block3", "block8"), 24: ("block6", "block18")}
"""Blocks whose patch tokens a memory keeps, by depth: PromptAD for B, IIPAD for L."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What one pass gives; B images, N patches row by row, d joint width.

    `cls` [B,d] and `patches` [B,N,d]: joint space, float32, not normalised, None when `joint=False`.
    `vv` [B,N,d]: joint space of the V-V path after the last block, None unless asked for.
    `taps`: by name, [B,N_t,d_t] in the backbone's dtype; "vvN" taps are joint space, float32.
    `grids`: (rows, columns) of every tap, of "patches" and of "vv".
    `prompts`: what the visual prompts became after each block, [B,P,width] each; empty without prompts.
    """

    cls: Tensor | None
    patches: Tensor | None
    vv: Tensor | None
    taps: dict[str, Tensor]
    grids: dict[str, tuple[int, int]]
    prompts: tuple[Tensor, ...] = ()


Seen = TypeVar("Seen", bound=Features)


class Backbone:
    """A frozen open_clip model. Safe to call from several threads, as nothing changes after it was made."""

    runtime = "torch"
    """What computes the frozen passes; see `runtimes.scoring` for others."""

    def __init__(
        self,
        model: nn.Module,
        identity: BackboneIdentity,
        device: torch.device,
        dtype: torch.dtype,
        load_text: Callable[[], TextTower | None],
        note: str = "",
        again: "Callable[[], Backbone] | None" = None,
    ) -> None:
        visual = model.visual
        assert isinstance(visual, nn.Module)
        visual.eval().requires_grad_(False)
        self.identity = identity
        self.device = device
        self.device_note = note or device.type.upper()
        self.image_size = identity.image_size
        self._again = again
        self.visual = visual.to(device, torch.float32)
        self.tower = tower_of(visual)
        self.grid, self.width = self.tower.grid, self.tower.width
        self.embed_dim, self.depth = self.tower.embed_dim, self.tower.depth
        self.dtype = dtype
        visual.to(dtype)
        self.logit_scale = float(model.logit_scale.detach().float().exp())  # type: ignore[operator]
        self._text = TextOnDemand(load_text, device, self.dtype)
        self._mean = torch.tensor(identity.mean, device=device) * 255
        self._std = torch.tensor(identity.std, device=device) * 255

    @property
    def is_vit(self) -> bool:
        """Whether there are transformer blocks, hence prompts, V-V path and windows."""
        return self.depth > 0

    @property
    def default_taps(self) -> tuple[str, ...]:
        """What a patch memory should keep: the stages of a hybrid, else a middle and a late block; of a tower that learned
        without text the last one too, as its patches never gave way to an image's caption."""
        if self.tower.has_stages:
            return "stem8", "stem16"
        if is_vision_only(self.identity.architecture):
            return f"block{self.depth * 2 // 3}", f"block{self.depth}"
        return MEMORY_TAPS.get(
            self.depth, (f"block{max(1, self.depth // 4)}", f"block{max(1, self.depth * 2 // 3)}")
        )

    @property
    def text(self) -> TextTower | None:
        """The text tower, loaded when first asked for, once for all threads; None where there is none, or open_clip doesn't
        own it (Hugging Face towers)."""
        return self._text.tower()

    @property
    def text_loaded(self) -> bool:
        """Whether the text tower was ever asked for."""
        return self._text.asked

    def without_text(self) -> "Backbone":
        """The same backbone, as one whose text tower was never asked for."""
        fresh = copy.copy(self)
        fresh._text = self._text.afresh()
        return fresh

    def full(self) -> "Backbone":
        """The same in full precision on the processor, loaded anew where this one is not. Raises WeightsError where its weights
        are nowhere but in memory, and rounded."""
        if self.device.type == "cpu" and self.dtype == torch.float32:
            return self
        found = self._again() if self._again else None
        if found is None or found.identity.key != self.identity.key:
            raise WeightsError(
                f"The weights of {self.identity.architecture} can't be loaded in full precision.",
                "Look whether they are still where they were.",
            )
        return found

    # Pixels

    def frame(self, shape: tuple[int, ...], proportions: bool) -> tuple[int, int]:
        """(rows, columns) of pixels at which an image (h, w, …) is looked at: the square S, S, which keeps no aspect ratio,
        as in the papers; or, with `proportions`, that of `framed`, where the tower takes other shapes."""
        if proportions and self.tower.any_shape:
            return framed(shape, self.image_size, self.tower.step)
        return self.image_size, self.image_size

    def grid_of(self, frame: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) of the patches of an image of that `frame`."""
        if frame == (self.image_size, self.image_size):
            return self.grid
        rows, columns = (-(-side // self.tower.stride) for side in frame)
        return rows, columns

    def prepare_one(self, pixels: NDArray[np.uint8], proportions: bool = False) -> NDArray[np.uint8]:
        """uint8 RGB (h, w, 3) → uint8 (rows, columns, 3) of its `frame`. Releases the GIL: decode and resize in worker
        threads."""
        return resized(pixels, self.frame(pixels.shape, proportions))

    def prepare(self, pixels: Sequence[NDArray[np.uint8]], proportions: bool = False) -> Tensor:
        """uint8 RGB images of any size and one `frame` → normalised [B,3,h,w] on the device, in the backbone's dtype.

        Images that went through `prepare_one` are taken as they are. Normalisation happens on the device, in one go.
        """
        return self._normalised(pixels, proportions).to(self.dtype)

    def _normalised(self, pixels: Sequence[NDArray[np.uint8]], proportions: bool) -> Tensor:
        small = np.stack([self.prepare_one(image, proportions) for image in pixels])
        batch = torch.from_numpy(small).to(self.device)
        normalised = batch.float().sub_(self._mean).div_(self._std)
        return normalised.permute(0, 3, 1, 2)  # channels last, as convolutions like it

    # The pass

    def embed(self, x: Tensor) -> Tensor:
        """[B,3,h,w] of `prepare` → what enters block 1, [B,T,width], without gradient.

        Prompts change nothing before block 1, so one who learns them computes this once an image.
        """
        with torch.no_grad():
            return self._embedded(x, self._grid(x))

    def _embedded(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        parts = torch.split(x.to(self.device, self.dtype), self._together)
        return torch.cat([self.tower.embed(part, None, grid) for part in parts])

    def forward(
        self,
        x: Tensor,
        *,
        grid: tuple[int, int] | None = None,
        taps: Sequence[str] = (),
        joint: bool = True,
        vv_from: int | None = None,
        visual_prompts: Sequence[Tensor] | None = None,
        prefix: Tensor | None = None,
    ) -> Features:
        """Run the image tower once.

        `x`: [B,3,h,w] of `prepare`, or [B,T,width] of `embed` (then there are no stem taps).
        `grid`: (rows, columns) of embedded tokens, see `grid_of`: frames of as many patches differ. Pixels have their own.
        `taps`: patch tokens to keep: "stem8", "stem16" (hybrids), "block1"…"blockL" (original path, after that block,
        unprojected), "vvN" (V-V path after block N, joint space; N >= `vv_from`).
        `joint=False` leaves out class token and joint patches and stops after the deepest tap.
        `vv_from`: first block (1-based) with a V-V path beside the original one. There y starts as that block's
        input and gathers V-V attention only: y ← y + out_proj(softmax(V·Vᵀ/√d)·V), no MLP (PromptAD, AnomalyCLIP).
        `visual_prompts`: one [P,width] or [B,P,width] per prompted layer. The first enters block 1 behind class token
        and prefix; each following one replaces its predecessor's outputs at the next block; the last is carried on.
        `prefix`: [width], [K,width] or [B,K,width], enters block 1 behind the class token and stays.
        Neither appears in any patch output. Gradients flow to prompts and prefix only.

        Raises ValueError for a tap or option that this tower doesn't have, or a shape that it doesn't take.
        """
        learned = [*(visual_prompts or ()), *(() if prefix is None else (prefix,))]
        self._check(taps, vv_from, prompted=bool(learned))
        if x.ndim == 3 and any(tap.startswith("stem") for tap in taps):
            raise ValueError("stem taps need pixels, not embedded tokens")
        on, prompts = self._grid(x, grid), visual_prompts or ()
        if torch.is_grad_enabled() and any(t.requires_grad for t in learned):
            x = x.to(self.device, self.dtype)
            return self.run(x, on, tuple(taps), joint, vv_from, prompts, prefix)
        with torch.no_grad():
            return self._frozen(x, on, tuple(taps), joint, vv_from, prompts, prefix)

    __call__ = forward

    def _frozen(
        self,
        x: Tensor,
        grid: tuple[int, int],
        taps: tuple[str, ...],
        joint: bool,
        vv_from: int | None,
        prompts: Sequence[Tensor],
        prefix: Tensor | None,
    ) -> Features:
        """`run` of any number of images without gradient, a few at a time."""
        x, step = x.to(self.device, self.dtype), self._together
        parts = [
            self.run(
                x[i : i + step],
                grid,
                taps,
                joint,
                vv_from,
                [of_images(prompt, i, step) for prompt in prompts],
                None if prefix is None else of_images(prefix, i, step),
            )
            for i in range(0, max(1, len(x)), step)
        ]
        return parts[0] if len(parts) == 1 else joined(parts)

    def run(
        self,
        x: Tensor,
        grid: tuple[int, int],
        taps: tuple[str, ...],
        joint: bool,
        vv_from: int | None,
        prompts: Sequence[Tensor],
        prefix: Tensor | None,
    ) -> Features:
        """What `forward` does with a few images, [B,3,h,w] or [B,T,width] in the backbone's dtype and on its device; options as
        they are there, checked."""
        tower = self.tower
        kept: dict[str, Tensor] = {}
        grids: dict[str, tuple[int, int]] = {}
        last = self.depth if joint or vv_from else _deepest(taps)

        embedded = x.ndim == 3
        stages = tower.stages(x) if not embedded and any(tap.startswith("stem") for tap in taps) else None
        for name, stage in zip(("stem8", "stem16"), stages or (), strict=False):
            if name in taps:
                kept[name] = stage.flatten(2).transpose(1, 2)
                grids[name] = (stage.shape[2], stage.shape[3])
        if not (joint or last):
            return Features(None, None, None, kept, grids)

        learned = bool(prompts) or prefix is not None
        x = x if embedded else tower.embed(x, stages, grid)
        start = tower.prefix_tokens  # where prefix, prompts and patches begin
        if prefix is not None:
            x, start = _insert(x, prefix, start, 0), start + token_count(prefix)
        inserted, y = 0, None
        became: list[Tensor] = []
        first_patch = -grid[0] * grid[1]
        for index in range(last):
            if index < len(prompts):
                x, inserted = _insert(x, prompts[index], start, inserted), token_count(prompts[index])
            if vv_from is not None and index + 1 >= vv_from:
                y = x[:, first_patch:] if y is None else y
                y = y + tower.vv(index, x)[:, first_patch:]
                if f"vv{index + 1}" in taps:
                    kept[f"vv{index + 1}"], grids[f"vv{index + 1}"] = tower.joint(y).float(), grid
            x = tower.block(index, x, grid)
            if inserted:
                became.append(x[:, start : start + inserted])
            if f"block{index + 1}" in taps:
                kept[f"block{index + 1}"], grids[f"block{index + 1}"] = x[:, first_patch:], grid

        cls = patches = None
        if joint:
            tokens = x[:, first_patch:]
            patches = tower.joint(tokens).float()
            cls = tower.head(
                torch.cat([x[:, : tower.prefix_tokens], tokens], dim=1) if learned else x
            ).float()
            grids["patches"] = grid
        vv = None if y is None else tower.joint(y).float()
        if vv is not None:
            grids["vv"] = grid
        return Features(cls, patches, vv, kept, grids, tuple(became))

    def windows(self, x: Tensor, indices: Tensor) -> Tensor:
        """Class tokens of windows of patches (WinCLIP): `x` as in `forward`, [W,k] patch numbers → [B,W,d], float32.

        Positions are added first; then class token and the window's patches alone go through all blocks.
        """
        self._check((), None, prompted=True)
        with torch.no_grad():
            tower = self.tower
            tokens = x if x.ndim == 3 else self.embed(x)
            own, patches = tokens[:, : tower.prefix_tokens], tokens[:, tower.prefix_tokens :]
            batch, (count, length) = x.shape[0], indices.shape
            chosen = patches[:, indices.to(self.device).flatten()].reshape(batch * count, length, -1)
            sequence = torch.cat([own.repeat_interleave(count, dim=0), chosen], dim=1)
            for index in range(self.depth):
                sequence = tower.block(index, sequence, tower.grid)
            return tower.head(sequence).float().reshape(batch, count, -1)

    def tap_width(self, tap: str) -> int:
        """How many numbers a token of a stem or block tap holds. Raises ValueError for one that this tower doesn't have."""
        self._check((tap,), None, prompted=False)
        return self.width if tap.startswith("block") else self.tower.stage_widths[tap == "stem16"]

    @property
    def _together(self) -> int:
        """How many images go through the tower at a time."""
        return CPU_IMAGES if self.device.type == "cpu" else 1 << 30

    def _grid(self, x: Tensor, given: tuple[int, int] | None = None) -> tuple[int, int]:
        """Of pixels [B,3,h,w], or of embedded tokens as given. Raises ValueError for a shape that the tower doesn't take."""
        if x.ndim == 3:
            if given is None or x.shape[1] != self.tower.prefix_tokens + given[0] * given[1]:
                raise ValueError(f"{x.shape[1]} tokens don't lie on a grid of {given}")
            return given
        frame, step = (x.shape[2], x.shape[3]), self.tower.step
        square = frame == (self.image_size, self.image_size)
        if not square and (not self.tower.any_shape or any(side % step for side in frame)):
            raise ValueError(
                f"{self.identity.architecture} takes no images of {frame[0]} × {frame[1]} pixels"
            )
        return self.grid_of(frame)

    def _check(self, taps: Sequence[str], vv_from: int | None, prompted: bool) -> None:
        if (prompted or vv_from is not None) and not self.is_vit:
            raise ValueError(
                f"{self.identity.architecture} has no transformer blocks for prompts or a V-V path"
            )
        if vv_from is not None and not 1 <= vv_from <= self.depth:
            raise ValueError(f"vv_from={vv_from}: {self.identity.architecture} has blocks 1 to {self.depth}")
        known = {"stem8", "stem16"} if self.tower.has_stages else set()
        known |= {f"block{n}" for n in range(1, self.depth + 1)}
        known |= {f"vv{n}" for n in range(vv_from or self.depth + 1, self.depth + 1)}
        if unknown := set(taps) - known:
            raise ValueError(
                f"no taps {sorted(unknown)} in {self.identity.architecture}; it has {sorted(known)}"
            )


def of_images(tokens: Tensor, first: int, count: int) -> Tensor:
    """The learned tokens ([B,K,w], or [K,w] of all) of images `first` … `first + count - 1`; those that all images share stay as they are."""
    return tokens[first : first + count] if tokens.ndim == 3 and len(tokens) > 1 else tokens


def joined(parts: Sequence[Seen]) -> Seen:
    """The features of all images, of those of a few at a time and on one grid."""

    def one(values: Sequence[Any]) -> Any:
        first = values[0]
        if isinstance(first, Tensor):
            return torch.cat(list(values))
        if isinstance(first, tuple):
            return tuple(one(own) for own in zip(*values, strict=True))
        return {name: one([value[name] for value in values]) for name in first} if first else first

    names = [field.name for field in fields(parts[0]) if field.name != "grids"]
    return replace(parts[0], **{name: one([getattr(part, name) for part in parts]) for name in names})


def _deepest(taps: Sequence[str]) -> int:
    return max((int(tap.removeprefix("block")) for tap in taps if tap.startswith("block")), default=0)


def token_count(tokens: Tensor) -> int:
    """How many there are an image in learned tokens [w], [K,w] or [B,K,w]."""
    return 1 if tokens.ndim == 1 else tokens.shape[-2]


def _insert(x: Tensor, tokens: Tensor, start: int, replaced: int) -> Tensor:
    """Put `tokens` ([w], [K,w] or [B,K,w]) at `start` of every sequence, in place of `replaced` tokens."""
    tokens = tokens.to(x.device, x.dtype)
    if tokens.ndim < 3:
        tokens = tokens.reshape(1, -1, tokens.shape[-1])
    return torch.cat([x[:, :start], tokens.expand(x.shape[0], -1, -1), x[:, start + replaced :]], dim=1)

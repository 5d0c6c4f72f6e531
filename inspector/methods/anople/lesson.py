"""What AnoPLe is taught on: five views of every shot at two scales, clean and with simulated defects."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspector.domain import Progress
from inspector.features.framing import resized
from inspector.methods.prompts import defects, training
from inspector.methods.prompts.teaching import Teaching

VIEWS = 5
"""The whole image and the four quarters of twice its size."""


def views(pixels: NDArray[np.uint8], frame: tuple[int, int], scales: str) -> list[NDArray[np.uint8]]:
    """The whole image at `frame`, (h, w), and, unless `scales` is "one", the four quarters of twice its size; uint8
    [h, w, 3] each."""
    (height, width), whole = frame, resized(pixels, frame)
    if scales == "one":
        return [whole]
    double = resized(pixels, (2 * height, 2 * width))
    tiles = [double[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
    return [whole, *map(np.ascontiguousarray, tiles)]


class Lesson:
    """The views of all shots and their damaged copies, as tokens before block 1, and the masks of the defects.

    `names`: the classes; `cells`: (rows, columns) of a mask; `labels` [shots]: the class number of each shot; `grids`: of each
    shot's patches; `tokens`: [views · (1 + variants), T, width] of each shot; `masks` [shots, views · (1 + variants), rows,
    columns] in 0–1.
    """

    def __init__(
        self,
        teaching: Teaching,
        *,
        cells: tuple[int, int],
        scales: str,
        variants: int,
        seed: int,
        progress: Progress,
    ) -> None:
        backbone = teaching.backbone
        self.backbone, self.cells, self.names = backbone, cells, teaching.names
        rng = np.random.default_rng(training.seed_of(seed, 11))
        pictures = [
            (index, image) for index, images in enumerate(teaching.shots.values()) for image in images
        ]
        self.labels = torch.tensor([index for index, _ in pictures])
        frames = [backbone.frame(image.pixels.shape, True) for _, image in pictures]
        self.grids = [backbone.grid_of(frame) for frame in frames]
        self.tokens: list[Tensor] = []
        masks: list[Tensor] = []
        for number, (_, image) in enumerate(pictures):
            teaching.cancel.check()
            clean = views(image.pixels, frames[number], scales)
            batch, where = list(clean), [np.zeros(cells, np.float32)] * len(clean)
            for view in clean:
                for _ in range(variants):
                    source = clean[int(rng.integers(len(clean)))]
                    made, mask = defects.damaged(view, source, rng)
                    batch.append(made)
                    where.append(defects.to_grid(mask, cells))
            parts = [backbone.prepare(batch[i : i + 32], True) for i in range(0, len(batch), 32)]
            self.tokens.append(torch.cat([backbone.embed(part) for part in parts]))
            masks.append(torch.from_numpy(np.stack(where)))
            progress((number + 1) / len(pictures), "", {})
        self.views = 1 if scales == "one" else VIEWS
        self.variants = variants
        self.masks = torch.stack(masks).to(backbone.device)

    def clean(self) -> dict[tuple[int, int], Tensor]:
        """By grid, the tokens [B, T, width] of the undamaged whole views, of at most 64 shots."""
        found: dict[tuple[int, int], list[Tensor]] = {}
        for grid, tokens in zip(self.grids[:64], self.tokens[:64], strict=True):
            found.setdefault(grid, []).append(tokens[0])
        return {grid: torch.stack(tokens) for grid, tokens in found.items()}

    def draw(
        self, chosen: Sequence[int], tiles: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tokens [n, T, width], masks [n, rows, columns], view numbers [n] and class numbers [n] of shots of one grid in one
        step: each shot's whole view and `tiles` quarters, half of them damaged."""
        shot, view, copy = [], [], []
        for number in chosen:
            quarters = (torch.randperm(4, generator=generator)[:tiles] + 1).tolist() if self.views > 1 else []
            for one in [0, *quarters]:
                broken = torch.rand(1, generator=generator).item() < 0.5
                variant = int(torch.randint(self.variants, (1,), generator=generator))
                shot.append(number)
                view.append(one)
                copy.append(self.views + one * self.variants + variant if broken else one)
        tokens = torch.stack([self.tokens[one][number] for one, number in zip(shot, copy, strict=True)])
        return tokens, self.masks[shot, copy], torch.tensor(view), self.labels[shot]

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


def views(pixels: NDArray[np.uint8], size: int, scales: str) -> list[NDArray[np.uint8]]:
    """The whole image and, unless `scales` is "one", the four quarters of twice its size; uint8 [size, size, 3] each."""
    whole = resized(pixels, (size, size))
    if scales == "one":
        return [whole]
    double = resized(pixels, (2 * size, 2 * size))
    tiles = [double[y : y + size, x : x + size] for y in (0, size) for x in (0, size)]
    return [whole, *map(np.ascontiguousarray, tiles)]


class Lesson:
    """The views of all shots and their damaged copies, as tokens before block 1, and the masks of the defects.

    `names`: the classes; `cells`: (rows, columns) of a mask; `labels` [shots]: the class number of each shot; `tokens`
    [shots, views · (1 + variants), T, width]; `masks` [shots, views · (1 + variants), rows, columns] in 0–1.
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
        backbone, size = teaching.backbone, teaching.backbone.image_size
        self.backbone, self.cells, self.names = backbone, cells, teaching.names
        rng = np.random.default_rng(training.seed_of(seed, 11))
        pictures = [
            (index, image) for index, images in enumerate(teaching.shots.values()) for image in images
        ]
        self.labels = torch.tensor([index for index, _ in pictures])
        tokens: list[Tensor] = []
        masks: list[Tensor] = []
        for number, (_, image) in enumerate(pictures):
            teaching.cancel.check()
            clean = views(image.pixels, size, scales)
            batch, where = list(clean), [np.zeros(cells, np.float32)] * len(clean)
            for view in clean:
                for _ in range(variants):
                    source = clean[int(rng.integers(len(clean)))]
                    made, mask = defects.damaged(view, source, rng)
                    batch.append(made)
                    where.append(defects.to_grid(mask, cells))
            embedded = [backbone.embed(backbone.prepare(batch[i : i + 32])) for i in range(0, len(batch), 32)]
            tokens.append(torch.cat(embedded))
            masks.append(torch.from_numpy(np.stack(where)))
            progress((number + 1) / len(pictures), "", {})
        self.views = 1 if scales == "one" else VIEWS
        self.variants = variants
        self.tokens = torch.stack(tokens)  # [shots, views · (1 + variants), T, width]
        self.masks = torch.stack(masks).to(backbone.device)  # [shots, …, h, w]

    def clean(self) -> Tensor:
        """Tokens [B, T, width] of the undamaged whole views, at most 64."""
        return self.tokens[:64, 0]

    def draw(
        self, chosen: Sequence[int], tiles: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tokens [n, T, width], masks [n, rows, columns], view numbers [n] and class numbers [n] of one step:
        each shot's whole view and `tiles` quarters, half of them damaged."""
        shot, view, copy = [], [], []
        for number in chosen:
            quarters = (torch.randperm(4, generator=generator)[:tiles] + 1).tolist() if self.views > 1 else []
            for one in [0, *quarters]:
                broken = torch.rand(1, generator=generator).item() < 0.5
                variant = int(torch.randint(self.variants, (1,), generator=generator))
                shot.append(number)
                view.append(one)
                copy.append(self.views + one * self.variants + variant if broken else one)
        return self.tokens[shot, copy], self.masks[shot, copy], torch.tensor(view), self.labels[shot]

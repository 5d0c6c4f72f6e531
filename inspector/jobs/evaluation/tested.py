"""The images that an evaluation scores: decoded ahead, shrunk, with the masks of their defects."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Image
from inspector.errors import ImageError, InspectorError
from inspector.images import mask, read
from inspector.jobs.evaluation.layouts import Sample
from inspector.text import printable, reason

_log = logging.getLogger("inspector.jobs")

EVALUATION_SIZE = 256
"""Side of the square at which maps and masks are compared."""
BATCH = 8


WITHOUT_MASK = "It counts per image only."
"""How the problem of an image ends that is scored, but whose mask can't be used."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A test image as it is scored: shrunk, None where it can't be read. `mask`: at EVALUATION_SIZE, None where nobody
    marked the defect. `problem`: what is wrong with the image or its mask, ""."""

    sample: Sample
    image: Image | None
    mask: NDArray[np.bool_] | None = None
    problem: str = ""


def load(
    samples: Sequence[Sample],
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    at_least: int,
    white: int | None,
    cancel: CancelToken,
) -> Iterator[list[Loaded]]:
    """Batches in order, read ahead by threads and shrunk by `prepare`, uint8 (h, w, 3) → the same smaller."""

    def load(sample: Sample) -> Loaded:
        try:
            image = read.read(sample.path, at_least, white)
            small = replace(image, pixels=prepare(image.pixels), original_size=image.size)
        except Exception as error:  # of whatever kind: one image does not end an evaluation
            return Loaded(sample, None, problem=_sentence(error))
        try:
            return Loaded(sample, small, _mask(sample, image.size))
        except Exception as error:
            problem = f"{_sentence(error)} {WITHOUT_MASK}"
            return Loaded(replace(sample, masks=()), small, problem=problem)

    coming = iter(samples)
    with ThreadPoolExecutor(2, "read") as readers:
        ahead: deque[Future[Loaded]] = deque()
        try:
            while not cancel.cancelled:
                ahead.extend(readers.submit(load, s) for s in islice(coming, 2 * BATCH - len(ahead)))
                if not ahead:
                    return
                yield [ahead.popleft().result() for _ in range(min(BATCH, len(ahead)))]
        finally:
            for future in ahead:
                future.cancel()
    cancel.check()


_NOTHING = np.zeros((EVALUATION_SIZE, EVALUATION_SIZE), np.bool_)
_NOTHING.flags.writeable = False


def _mask(sample: Sample, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """The defect's pixels at EVALUATION_SIZE (nearest); all false for a good part, None where nobody marked them.

    `size`: (width, height) of the image. Raises ImageError for a mask that can't be used.
    """
    if not sample.anomalous:
        return _NOTHING
    if not sample.masks:
        return None
    marked = mask.read(sample.masks[0], sample.path, size)
    for further in sample.masks[1:]:
        marked |= mask.read(further, sample.path, size)
    if not marked.any():
        raise ImageError(f"The mask of “{printable(sample.path.name)}” marks nothing.", "Mark the defect.")
    rows, columns = (
        ((np.arange(EVALUATION_SIZE) + 0.5) * side / EVALUATION_SIZE).astype(int) for side in marked.shape
    )
    return np.asarray(marked[np.ix_(rows, columns)])


def _sentence(error: Exception) -> str:
    if isinstance(error, InspectorError):
        return str(error)
    _log.error("a test image can't be read", exc_info=error)
    return f"It can't be read: {reason(error)}."

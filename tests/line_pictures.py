"""Pictures that tests draw and write, and the end of the jobs that look at them."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from inspector.domain import JobEnded, JobEvent, JobStatus

Run = Callable[[Callable[..., None]], list[JobEvent]]


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def done(events: list[JobEvent]) -> JobEnded:
    assert isinstance(events[-1], JobEnded)
    assert events[-1].status is JobStatus.DONE, events[-1]
    return events[-1]

"""The words that cross stage borders. Frozen, numpy only, no behaviour beyond what the word means."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.errors import Cancelled


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded image.

    `pixels`: uint8 RGB, shape (height, width, 3), EXIF turn applied; full resolution unless the reader was asked
    for fewer. `original_size`: (width, height) of the file after the EXIF turn, None when that is the pixels' own.
    `sha256`: hex digest of the file's bytes. `name`: file name for people. `path`: where it was read, if a file.
    `mode`: what the file held, for people ("RGB 8 bit", "grey 16 bit", "CMYK" …). `note`: a sentence (without a
    capital) on what they should know about how it was read, or "". `white`: the file's value that became 255, None where
    the file has 8 bits.
    """

    pixels: NDArray[np.uint8]
    sha256: str
    name: str
    path: Path | None = None
    mode: str = "RGB 8 bit"
    original_size: tuple[int, int] | None = None
    note: str = ""
    white: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the original in pixels, also when `pixels` are fewer."""
        return self.original_size or (self.pixels.shape[1], self.pixels.shape[0])


class Pose(StrEnum):
    """Whether the parts of a class lie alike in its shots, so that a picture shows that the camera was moved; FEW: too few
    shots to tell; UNKNOWN: where it can't be seen, as in tiles, or was not measured."""

    FIXED = "fixed"
    ANYHOW = "anyhow"
    FEW = "few"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Lie:
    """How a picture lies against the shots of a class of fixed pose: `moved`, its distance place by place as a multiple of what is
    usual, 0 unless it lies elsewhere; `told`: how it was moved, for people, "" where that can't be said."""

    moved: float = 0.0
    told: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreMap:
    """What a detector says of one image.

    `values`: float32 anomaly map (map_height, map_width) that covers the whole image, higher is more anomalous,
    on the detector's own fixed scale (never normalised per image). `image_score`: on the detector's scale, higher is
    more anomalous. `class_name`: the class it was judged as; `class_confidence`: 0–1 (1 when the class was given).
    `product_distance`: how far the image as a whole lies from the class's shots, from 0 on; None where it isn't asked.
    `lie`: whether it shows its part elsewhere than they do; None where their pose isn't fixed.
    """

    values: NDArray[np.float32]
    image_score: float
    class_name: str
    class_confidence: float = 1.0
    product_distance: float | None = None
    lie: Lie | None = None

    @property
    def finite(self) -> bool:
        """Whether the score and every value are numbers; a map that holds anything else judges nothing."""
        return math.isfinite(self.image_score) and bool(np.isfinite(self.values).all())


class Decision(StrEnum):
    """What is decided of one image, from good to bad; OTHER: it doesn't show this product, or not as its shots do, so that
    nothing can be said of defects."""

    OK = "ok"
    REVIEW = "review"
    NG = "ng"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Region:
    """A connected part of an anomaly map above the threshold, in original-image pixels.

    `box`: (x, y, width, height); `area`: pixels; `peak`: highest map value in it, on the scale of the image score: the
    strongest region's is the image score.
    """

    box: tuple[int, int, int, int]
    area: int
    peak: float


NEVER = 1e9
"""A threshold that no score reaches."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Per class. An image is OK below `review`, NG from `ng` on, REVIEW between. `review` <= `ng`, which is NEVER where
    nothing is to be called NG by itself. The map, put on the scale of the score, is marked from `review` on.

    `pixel`: what earlier versions marked the raw map from; kept in the records, read by nothing. `provenance`: how the numbers came about, in plain
    JSON values (method, scores used, wanted and attainable false-alarm rate, date, who).
    """

    review: float
    ng: float
    pixel: float
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> tuple[float, float, float]:
        """(review, ng, pixel), as they are stored."""
        return self.review, self.ng, self.pixel

    @property
    def calls_ng(self) -> bool:
        """Whether any score is NG."""
        return self.ng < NEVER

    @property
    def strictest(self) -> float:
        """The highest threshold that a score can reach."""
        return self.ng if self.calls_ng else self.review


@dataclass(frozen=True, slots=True)
class Verdict:
    """`image_score` against `thresholds` decides; `regions` are where the map is anomalous."""

    decision: Decision
    image_score: float
    thresholds: Thresholds
    regions: tuple[Region, ...] = ()


class JobKind(StrEnum):
    """What runs in the background."""

    TEACH = "teach"
    INSPECT = "inspect"
    EXPORT = "export"
    EVALUATE = "evaluate"
    DEMO = "demo"
    DOWNLOAD = "download"
    CHECK = "check"
    STATION = "station"
    SMALLEST = "smallest"


class JobStatus(StrEnum):
    """Where a job stands; ABORTED: its process ended without saying so."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class JobStarted:
    """The first event of a job; `total`: how many steps or items it has."""

    job_id: int
    kind: JobKind
    total: int
    title: str


@dataclass(frozen=True, slots=True)
class JobProgress:
    """`done` of `total` units; `rate` in units per second and `seconds_left`, None while unknown."""

    job_id: int
    done: float
    total: float
    message: str = ""
    rate: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class JobItem:
    """One finished item (for inspect: `result_id` of the stored result) or one that failed (`error`)."""

    job_id: int
    name: str
    result_id: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class JobLog:
    """A line for the log; `values`: numbers that change while a method learns, such as {"loss": 0.4}."""

    job_id: int
    message: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobEnded:
    """Exactly one per job. `result`: what the job made (detector id, run id, folder …) in plain values."""

    job_id: int
    kind: JobKind
    status: JobStatus
    message: str
    hint: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


JobEvent = JobStarted | JobProgress | JobItem | JobLog | JobEnded
Emit = Callable[[JobEvent], None]

Progress = Callable[[float, str, Mapping[str, float]], None]
"""What a method reports while teaching: fraction done 0–1, a line for the log, live values such as {"loss": 0.4}."""


class CancelToken:
    """Set by whoever wants the work to stop; checked by the worker in every batch."""

    def __init__(self) -> None:
        self._event = Event()

    def cancel(self) -> None:
        """Ask the job to stop at its next check."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises `Cancelled` once `cancel` was called."""
        if self._event.is_set():
            raise Cancelled


@dataclass(frozen=True, slots=True)
class Flip:
    """A stored result whose decision a proposed detector would change: from `before` to `after`, at `score`."""

    result_id: int
    before: Decision
    after: Decision
    score: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """Why a detector is only proposed: of `compared` stored results it would flip these, and these shots (id → score
    without itself) stood out from the others of their class when it was made."""

    compared: int = 0
    flips: tuple[Flip, ...] = ()
    outliers: Mapping[int, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {
            "compared": self.compared,
            "flips": [[one.result_id, one.before, one.after, one.score] for one in self.flips],
            "outliers": {str(key): score for key, score in self.outliers.items()},
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Proposal":
        """What `as_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        flips = (Flip(key, Decision(a), Decision(b), score) for key, a, b, score in values["flips"])
        outliers = {int(key): score for key, score in values["outliers"].items()}
        return cls(values["compared"], tuple(flips), outliers)


class Role(StrEnum):
    """Who somebody is at the line, from the least to the most that she may do."""

    OPERATOR = "operator"
    INSPECTOR = "inspector"
    ENGINEER = "engineer"


class Deed(StrEnum):
    """What a role may do or not, as it follows "may"."""

    JUDGE = "judge parts"
    RUN = "start and stop stations"
    CHECK = "check the golden set"
    ORDER = "change the order"
    LEAVE = "leave the operator view"
    INSPECT = "inspect images"
    STUDY = "set up studies"
    EXPORT = "export"
    TEACH = "change what is taught"
    THRESHOLDS = "move thresholds"
    GOLDEN = "change the golden set"
    STATIONS = "set up stations"
    REMOVE = "remove results"
    ROLES = "set PINs"


_OPERATOR = frozenset({Deed.JUDGE, Deed.RUN, Deed.CHECK, Deed.ORDER})
_INSPECTOR = _OPERATOR | {Deed.LEAVE, Deed.INSPECT, Deed.STUDY, Deed.EXPORT}
MAY: Mapping[Role, frozenset[Deed]] = {
    Role.OPERATOR: _OPERATOR,
    Role.INSPECTOR: _INSPECTOR,
    Role.ENGINEER: frozenset(Deed),
}
"""What each role may do. It holds only where PINs are set; else everybody may do everything."""


def least_role(deed: Deed) -> Role:
    """The first of the roles that may do it."""
    return next(role for role in Role if deed in MAY[role])

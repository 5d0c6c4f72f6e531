"""What a detector takes along to another project, as plain values: what JSON holds of it, each checked when it is read."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from inspector.domain import Decision, Pose, Thresholds
from inspector.errors import HandOverError, InspectorError
from inspector.images.area import Area
from inspector.images.value_range import FULL, LEAST
from inspector.methods.prompts.description import PartDescription
from inspector.records.names import cleaned, file_name
from inspector.verdicts.product import Limit

T = TypeVar("T")

MOST = 10_000
"""Shots or golden parts of a class."""
_LONGEST = 500
_ODD = KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError


@dataclass(frozen=True, slots=True)
class HandedImage:
    """A shot, place or golden part. `score`, `distance`: what the detector said of it when it was handed over, where it was asked, and
    how far it found it from the shots (None: not asked). `place`: as the database keeps it. `removed`: the detector knows it, though
    it is no shot any more. `expected`: of golden parts alone."""

    sha256: str
    name: str
    score: float | None = None
    place: dict[str, Any] | None = None
    confirmed: bool = False
    removed: bool = False
    expected: Decision | None = None
    distance: float | None = None


@dataclass(frozen=True, slots=True)
class HandedClass:
    """`taught_name`: what the detector calls it. `white`: the range chosen for the class, `taught_white`: that of the detector.
    `calibrated`: as teaching found them; `chosen`: what a person put in their place, `who`. `outliers` in their words are places in
    `shots`. `added`: places of those that only the memory knows, in that order. `product`: from which distance on a picture shows another
    one, None where it can't be told."""

    name: str
    taught_name: str
    calibrated: Thresholds
    chosen: Thresholds | None
    who: str
    held_out: tuple[float, ...]
    shots: tuple[HandedImage, ...]
    added: tuple[int, ...]
    golden: tuple[HandedImage, ...]
    white: int | None = None
    taught_white: int | None = None
    smallest: int | None = None
    area: dict[str, Any] | None = None
    description: dict[str, Any] | None = None
    product: Limit | None = None


@dataclass(frozen=True, slots=True)
class Handed:
    """`backbone`: what it was taught on, as detectors keep it. `project`, `detector`, `made`, `by`: where it comes from, for people.
    `files`: sha256 → suffix of its images. `precision`: "fp32" where scores were computed in full precision, "" in that of the
    computer it comes from."""

    title: str
    method: str
    backbone: dict[str, Any]
    settings: dict[str, Any]
    rate: float
    classes: tuple[HandedClass, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    detector: int = 0
    made: str = ""
    by: str = ""
    precision: str = ""

    def as_json(self) -> dict[str, Any]:
        """In plain JSON values."""
        return {
            "title": self.title,
            "method": self.method,
            "backbone": self.backbone,
            "settings": self.settings,
            "rate": self.rate,
            "classes": [_class_json(one) for one in self.classes],
            "files": dict(self.files),
            "project": self.project,
            "detector": self.detector,
            "made": self.made,
            "by": self.by,
            "precision": self.precision,
        }

    @classmethod
    def of(cls, value: Any) -> "Handed":
        """What `as_json` gave. Raises `HandOverError` for anything else."""
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # else no project could keep it
            found = cls(
                title=_line(value["title"]),
                method=_text(value["method"]),
                backbone=_dict(value["backbone"]),
                settings=_dict(value["settings"]),
                rate=_number(value["rate"]),
                classes=_list(value["classes"], _class),
                files={_sha(key): _suffix(one) for key, one in _dict(value["files"]).items()},
                project=_line(value["project"]),
                detector=_whole(value["detector"]),
                made=_line(value["made"]),
                by=_line(value["by"]),
                precision=_line(value.get("precision", "")),
            )
            found._check()
        except (*_ODD, InspectorError) as error:
            raise HandOverError(
                "The file says of its detector what can't be, so it is damaged or was changed.",
                "Ask for the file again.",
            ) from error
        return found

    def _check(self) -> None:
        if not self.classes or not 0 < self.rate < 1:
            raise ValueError("no class")
        for one in self.classes:
            images = (*one.shots, *one.golden)
            if not any(shot.place is None for shot in one.shots):
                raise ValueError("no shot")
            if any(image.sha256 not in self.files for image in images):
                raise ValueError("an image that is not there")
            if any(not 0 <= place < len(one.shots) for place in one.added):
                raise ValueError("no such shot")
            if any(image.expected is None for image in one.golden):
                raise ValueError("nothing expected")
            whole = [shot.sha256 for shot in one.shots if shot.place is None]
            if len({*whole}) < len(whole) or len({part.sha256 for part in one.golden}) < len(one.golden):
                raise ValueError("twice the same image")
            if one.area is not None:
                Area.from_json(one.area)
            if one.description is not None:
                PartDescription.from_json(one.description)
        if len({one.taught_name for one in self.classes}) < len(self.classes):
            raise ValueError("twice the same class")


def _class_json(one: HandedClass) -> dict[str, Any]:
    return {
        "name": one.name,
        "taught_name": one.taught_name,
        "calibrated": _thresholds_json(one.calibrated),
        "chosen": None if one.chosen is None else _thresholds_json(one.chosen),
        "who": one.who,
        "held_out": list(one.held_out),
        "shots": [_image_json(image) for image in one.shots],
        "added": list(one.added),
        "golden": [_image_json(image) for image in one.golden],
        "white": one.white,
        "taught_white": one.taught_white,
        "smallest": one.smallest,
        "area": one.area,
        "description": one.description,
        "product": None if one.product is None else one.product.as_json(),
    }


def _class(value: Any) -> HandedClass:
    return HandedClass(
        name=_line(value["name"]),
        taught_name=_text(value["taught_name"]),
        calibrated=_thresholds(value["calibrated"]),
        chosen=_maybe(value["chosen"], _thresholds),
        who=_line(value["who"]),
        held_out=_list(value["held_out"], _number),
        shots=_list(value["shots"], _image),
        added=_list(value["added"], _whole),
        golden=_list(value["golden"], _image),
        white=_maybe(value["white"], _white),
        taught_white=_maybe(value["taught_white"], _white),
        smallest=_maybe(value["smallest"], _pixels),
        area=_maybe(value["area"], _dict),
        description=_maybe(value["description"], _dict),
        product=_maybe(value["product"], _limit),
    )


def _image_json(one: HandedImage) -> dict[str, Any]:
    return {
        "sha256": one.sha256,
        "name": one.name,
        "score": one.score,
        "place": one.place,
        "confirmed": one.confirmed,
        "removed": one.removed,
        "expected": None if one.expected is None else one.expected.value,
        "distance": one.distance,
    }


def _image(value: Any) -> HandedImage:
    expected = value["expected"]
    if expected not in (None, Decision.OK.value, Decision.NG.value):
        raise ValueError("neither OK nor NG")
    return HandedImage(
        sha256=_sha(value["sha256"]),
        name=file_name(_text(value["name"])),
        score=_maybe(value["score"], _number),
        place=_maybe(value["place"], _dict),
        confirmed=_flag(value["confirmed"]),
        removed=_flag(value["removed"]),
        expected=None if expected is None else Decision(expected),
        distance=_maybe(value.get("distance"), _distance),
    )


def _thresholds_json(one: Thresholds) -> dict[str, Any]:
    return {
        "review": one.review,
        "ng": one.ng,
        "pixel": one.pixel,
        "provenance": dict(one.provenance),
    }


def _thresholds(value: Any) -> Thresholds:
    found = Thresholds(
        _number(value["review"]), _number(value["ng"]), _number(value["pixel"]), _dict(value["provenance"])
    )
    if found.review > found.ng:
        raise ValueError("review above NG")
    return found


def _maybe(value: Any, read: Callable[[Any], T]) -> T | None:
    return None if value is None else read(value)


def _list(value: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
    if not isinstance(value, list) or len(value) > MOST:
        raise TypeError("no list")
    return tuple(read(one) for one in value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise TypeError("no text")
    return value


def _line(value: Any) -> str:
    """For people to read, whatever was written."""
    return cleaned(_text(value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("no number")
    return float(value)


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise TypeError("no whole number")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither yes nor no")
    return value


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _limit(value: Any) -> Limit:
    distance = _distance(value["from"])
    if distance <= 0:
        raise ValueError("nothing would be of this product")
    moved = _number(value.get("moved", 1.0))
    if moved < 1:
        raise ValueError("every part would have moved")
    return Limit(distance, _flag(value["asked"]), Pose(value.get("pose", Pose.UNKNOWN)), float(moved))


def _distance(value: Any) -> float:
    if _number(value) < 0:
        raise ValueError("no distance")
    return float(value)


def _white(value: Any) -> int:
    if not LEAST <= _whole(value) <= FULL:
        raise ValueError("no range")
    return int(value)


def _pixels(value: Any) -> int:
    if not 2 <= _whole(value) <= 10_000:
        raise ValueError("no size")
    return int(value)


def _sha(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError("no checksum")
    return value


def _suffix(value: Any) -> str:
    if value not in SUFFIXES:
        raise ValueError("no image")
    return str(value)


SUFFIXES = (".png", ".jpg", ".bmp", ".webp", ".tiff")
"""Of the images that a project keeps."""

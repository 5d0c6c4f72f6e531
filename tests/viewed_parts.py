"""Detectors that look at the class “plate” in a view, and parts with a spot."""

from collections.abc import Callable, Mapping
from typing import Any

import cv2

from inspector.domain import CancelToken, Image
from inspector.features.backbone import Backbone
from inspector.features.tiles import View
from inspector.methods import catalogue

QUICK: Mapping[str, Any] = {"epochs": 1, "adaptation_epochs": 1, "variants": 1, "alps": 1, "ahps": 2}
SIZE = (180, 200)


def detector_of(
    method: str, backbone: Backbone, part: Callable[..., Image], view: View, **more: Any
) -> tuple[Any, dict[str, list[Image]]]:
    """A detector of two classes, taught in a moment, and its shots."""
    quick = {key: value for key, value in QUICK.items() if key in catalogue.defaults(method)}
    made: Any = catalogue.make(method, **quick, **more)
    made.views = {"plate": view}
    shots = {name: [part(name, number, SIZE) for number in range(2)] for name in ("disc", "plate")}
    made.fit(shots, backbone, progress=lambda *_: None, cancel=CancelToken())
    return made, shots


def spotted(image: Image, x: int, y: int, radius: int) -> Image:
    pixels = image.pixels.copy()
    cv2.circle(pixels, (x, y), radius, (250, 30, 250), -1)
    return Image(pixels, image.sha256, image.mode)

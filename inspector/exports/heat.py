"""From anomaly map to colours: one fixed scale per detector, transparent below the threshold. Numpy only.

Screen and exports both paint with this, so a part looks the same in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Thresholds

LEVELS = 4096
"""How finely map values are told apart."""

_STOPS = {
    "inferno": "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d04545 e35933 f1711f f98c0a fcaa0f "
    "f9c932 f2e865 fcffa4",
    "turbo": "30123b 4040a2 466be3 4294ff 28bceb 18ddc2 32f298 6dfe62 a4fc3c cbed34 ecd13a fdae35 fb8122 ec530f "
    "d23105 ac1701 7a0403",
    "viridis": "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1f9f88 27ad81 3dbc74 5cc863 81d34d "
    "aadc32 d5e21a fde725",
    "grey": "202020 ffffff",
}
COLOUR_MAPS = tuple(_STOPS)
_FIRST = {"inferno": 0.3, "turbo": 0.2, "viridis": 0.0, "grey": 0.0}  # the darkest end would read as a shadow
MASK_COLOUR = (209, 73, 91)  # vermilion, as NG


class Mode(StrEnum):
    """How a map is laid over its image."""

    HEAT = "heat"
    CONTOUR = "contour"
    MASK = "mask"


@dataclass(frozen=True, slots=True)
class Heat:
    """How a map is shown. `low` and `high`: ends of the detector's colour scale, in map values, the same for every
    image. `threshold`: map value below which nothing is drawn. `opacity`: 0–1."""

    low: float
    high: float
    threshold: float
    colour_map: str = "inferno"
    opacity: float = 0.6
    mode: Mode = Mode.HEAT


def scale(calibrated: Sequence[Thresholds]) -> tuple[float, float]:
    """(low, high) of a detector's colour scale in map values, from the calibrated thresholds of its classes."""
    if not calibrated:
        return 0.0, 1.0
    low = min(one.review for one in calibrated)
    high = max(
        one.review + max(abs(one.review), 2 * (one.ng - one.review) if one.calls_ng else 0.0)
        for one in calibrated
    )
    return low, high if high > low else low + 1.0


def ramp(colour_map: str) -> NDArray[np.float32]:
    """The 256 colours of a scale, (256, 3) in 0–255, from its low end to its high end."""
    stops = np.array(
        [[int(s[i : i + 2], 16) for i in (0, 2, 4)] for s in _STOPS[colour_map].split()], np.float32
    )
    at = np.linspace(_FIRST[colour_map], 1.0, 256) * (len(stops) - 1)
    return np.stack([np.interp(at, np.arange(len(stops)), stops[:, c]) for c in range(3)], axis=1).astype(
        np.float32
    )


def lookup(heat: Heat, lowest: float, highest: float) -> NDArray[np.uint32]:
    """Premultiplied ARGB [LEVELS] for map values evenly between `lowest` and `highest`; 0 is transparent."""
    values = np.linspace(lowest, highest, LEVELS, dtype=np.float32)
    span = max(heat.high - heat.low, 1e-12)
    above = values >= heat.threshold
    if heat.mode is Mode.HEAT:
        colours = ramp(heat.colour_map)[np.clip((values - heat.low) / span * 255, 0, 255).astype(np.intp)]
        # It fades in over the first fifth of the scale, yet its rim stays visible.
        alpha = heat.opacity * (0.4 + 0.6 * np.clip((values - heat.threshold) / (0.2 * span), 0, 1))
    else:
        colours = np.broadcast_to(np.array(MASK_COLOUR, np.float32), (LEVELS, 3))
        alpha = np.full(LEVELS, heat.opacity, np.float32)
    alpha = np.where(above, alpha, 0)
    argb = np.zeros(LEVELS, np.uint32)
    for part, shift in (
        (np.full(LEVELS, 255.0), 24),
        (colours[:, 0], 16),
        (colours[:, 1], 8),
        (colours[:, 2], 0),
    ):
        argb |= np.round(part * alpha).astype(np.uint32) << shift
    return argb


def quantise(field: NDArray[np.float32], lowest: float, highest: float) -> NDArray[np.uint16]:
    """Map values (h, w) → indices (h, w) of `lookup` between `lowest` and `highest`."""
    span = max(highest - lowest, 1e-12)
    steps = np.clip((field - lowest) * ((LEVELS - 1) / span) + 0.5, 0, LEVELS - 1)
    return np.asarray(steps, np.uint16)

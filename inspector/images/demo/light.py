"""What the demo parts share: noise, shapes, light, a camera and the marks that defects leave.

Everything is float32 in linear light on a grid whose unit is 1/512
of the picture's side, so a part looks the same at every size.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float32]
UNITS = 512.0


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The grid: `x`, `y` (size, size) in units; `rng` of this picture; `defect` to draw, if any.

    `marks`: the same canvas with the random numbers of the defect, so that a defective part and the good part
    of the same seed differ in nothing but the defect.
    """

    x: F
    y: F
    rng: np.random.Generator
    defect: str | None = None
    marks: Any = None

    @property
    def size(self) -> int:
        """Pixels a side."""
        return int(self.x.shape[0])

    @property
    def scale(self) -> float:
        """Pixels per unit."""
        return self.size / UNITS


def canvas(size: int, seed: list[int], defect: str | None) -> Canvas:
    """A square of `size` pixels a side; what is drawn on it follows from `seed`."""
    axis = ((np.arange(size) + 0.5) * (UNITS / size)).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    marks = Canvas(x, y, np.random.default_rng([*seed, 1, zlib.crc32((defect or "").encode())]))
    return Canvas(x, y, np.random.default_rng([*seed, 0]), defect, marks)


def smooth(low: float, high: float, value: F) -> F:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def inside(distance: F, soft: float = 1.4) -> F:
    """Coverage 0–1 of a signed distance in units, negative inside."""
    return np.asarray(np.clip(0.5 - distance / np.float32(soft), 0, 1), np.float32)


def rounded_box(u: F, v: F, half_width: float, half_height: float, radius: float) -> F:
    """Signed distance to a rectangle with round corners, in units."""
    a, b = np.abs(u) - np.float32(half_width - radius), np.abs(v) - np.float32(half_height - radius)
    return np.hypot(np.maximum(a, 0), np.maximum(b, 0)) + np.minimum(np.maximum(a, b), 0) - np.float32(radius)


def blur(field: F, sigma: float, c: Canvas) -> F:
    """A field (h, w) smoothed by a Gaussian of `sigma` units."""
    return np.asarray(
        cv2.GaussianBlur(np.asarray(field, np.float32), (0, 0), max(sigma * c.scale, 0.05)), np.float32
    )


def noise(c: Canvas, cell: float, octaves: int = 1, stretch: float = 1.0) -> F:
    """Smooth noise of about unit deviation; `cell`: size of
    its features in units, `stretch`: times as wide as high."""
    total = np.zeros((c.size, c.size), np.float32)
    weight = 1.0
    for _ in range(octaves):
        cols, rows = (int(np.ceil(UNITS / cell / f)) + 4 for f in (stretch, 1.0))
        coarse = c.rng.standard_normal((rows, cols), np.float32)
        whole = (
            max(c.size, round(cols * cell * stretch * c.scale)),
            max(c.size, round(rows * cell * c.scale)),
        )
        fine = cv2.resize(coarse, whole, interpolation=cv2.INTER_CUBIC)
        top, left = c.rng.integers(0, whole[1] - c.size + 1), c.rng.integers(0, whole[0] - c.size + 1)
        total += np.float32(weight * 1.35) * fine[top : top + c.size, left : left + c.size]
        weight, cell = weight * 0.5, max(cell / 2, 1 / c.scale)
    return total


def slopes(height: F, c: Canvas) -> tuple[F, F]:
    """∂h/∂x and ∂h/∂y of a height in units."""
    height, gain = np.asarray(height, np.float32), c.scale / 8
    return (
        np.asarray(cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=gain), np.float32),
        np.asarray(cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=gain), np.float32),
    )


def normals(slope_x: F, slope_y: F) -> tuple[F, F, F]:
    """Slopes (h, w) of a surface → its normals x, y, z, each (h, w), of unit length."""
    z = np.asarray(1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y), np.float32)
    return np.asarray(-slope_x * z, np.float32), np.asarray(-slope_y * z, np.float32), z


def towards(azimuth: float, elevation: float) -> F:
    """Unit vector to a light, angles in degrees; azimuth 0 is right, 90 is down."""
    a, e = np.deg2rad([azimuth, elevation])
    return np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)], np.float32)


def lambert(normal: tuple[F, F, F], light: F, wrap: float = 0.0) -> F:
    """Diffuse light 0–1; `wrap` lets it reach round the edge, as in cloth and pressed powder."""
    dot = normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]
    return np.asarray(np.maximum((dot + wrap) / (1 + wrap), 0), np.float32)


def mirrored(normal: tuple[F, F, F], light: F, sharpness: float) -> F:
    """How much of a soft lamp is mirrored towards the camera above, 0–1."""
    nx, ny, nz = normal
    dot = 2 * nz * (nx * light[0] + ny * light[1] + nz * light[2]) - light[2]
    return np.asarray(np.exp(np.float32(sharpness) * (dot - 1)), np.float32)


def over(below: F, above: F, cover: F) -> F:
    """`above` laid on `below` (h, w, 3) where `cover` (h, w) is 1."""
    return np.asarray(below + (above - below) * cover[..., None], np.float32)


def tint(field: F, colour: tuple[float, float, float]) -> F:
    """A field (h, w) as light of one colour, (h, w, 3)."""
    return np.asarray(field[..., None] * np.array(colour, np.float32), np.float32)


def shadow(cover: F, dx: float, dy: float, softness: float, c: Canvas) -> F:
    """The soft shadow (0–1) that a thing covering `cover` throws by (dx, dy) units."""
    shift = np.array([[1, 0, dx * c.scale], [0, 1, dy * c.scale]], np.float32)
    return blur(np.asarray(cv2.warpAffine(cover, shift, (c.size, c.size)), np.float32), softness, c)


def photograph(light: F, c: Canvas, blur_range: tuple[float, float] = (0.55, 0.95)) -> NDArray[np.uint8]:
    """Linear light (h, w, 3) → uint8 (h, w, 3) as a camera takes
    it: lens blur, vignette, exposure, noise, sRGB curve."""
    rng = c.rng
    radius = ((c.x - UNITS / 2) ** 2 + (c.y - UNITS / 2) ** 2) / np.float32(UNITS * UNITS / 2)
    vignette = 1 - np.float32(rng.uniform(0.10, 0.16)) * radius
    seen = np.asarray(light * vignette[..., None] * np.float32(rng.uniform(0.95, 1.05)), np.float32)
    sharp = blur(seen, rng.uniform(*blur_range), c)
    sharp = sharp + 0.035 * blur(np.maximum(sharp - 0.8, 0), 9, c)  # a little veil round highlights
    sharp = np.maximum(sharp, 0)
    shot = rng.standard_normal(sharp.shape, np.float32)
    noisy = sharp + shot * np.sqrt(sharp * np.float32(2.2e-4) + np.float32(6e-6))
    shoulder = np.where(noisy > 0.75, 0.75 + 0.25 * np.tanh((noisy - 0.75) / 0.5), np.maximum(noisy, 0))
    curve = np.where(
        shoulder <= 0.0031308, 12.92 * shoulder, 1.055 * np.maximum(shoulder, 1e-6) ** (1 / 2.4) - 0.055
    )
    return np.asarray(np.clip(curve * 255 + 0.5, 0, 255), np.uint8)


# --- the marks that defects leave ---


def stroke(c: Canvas, points: NDArray[Any], width: float) -> F:
    """Coverage (h, w) in 0–1 of a line through `points` (n, 2) in units."""
    drawn = np.zeros((c.size, c.size), np.uint8)
    fine = np.round(points * c.scale * 256).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(drawn, [fine], False, 255, max(1, round(width * c.scale)), cv2.LINE_AA, 8)
    return np.asarray(drawn / np.float32(255), np.float32)


def wander(
    c: Canvas, start: tuple[float, float], angle: float, length: float, bend: float, steps: int = 40
) -> NDArray[np.float64]:
    """Points (steps, 2) of a line that starts at `angle` (radians)
    and bends by about `bend` radians over its length."""
    turns = np.cumsum(c.rng.normal(0, bend / np.sqrt(steps), steps)) + c.rng.normal(0, bend) * np.linspace(
        0, 1, steps
    )
    way = np.stack([np.cos(angle + turns), np.sin(angle + turns)], -1) * (length / steps)
    return np.asarray(np.array(start) + np.cumsum(way, 0), np.float64)


def blob(c: Canvas, x: float, y: float, radius: float, ragged: float = 0.35, detail: float = 0.5) -> F:
    """Signed distance (about units, negative inside) of an irregular patch."""
    lumps = noise(c, radius * 1.1) + np.float32(detail) * noise(c, radius * 0.3)
    reach = np.hypot(c.x - x, c.y - y)
    return np.asarray(reach - np.float32(radius) * (1 + np.float32(ragged) * 0.6 * lumps), np.float32)


def dent(c: Canvas, x: float, y: float, radius: float, depth: float) -> tuple[F, F]:
    """Height of a pressed-in spot with a slight rim, in units, and its extent 0–1."""
    angle, squeeze = c.rng.uniform(0, np.pi), c.rng.uniform(0.65, 0.95)
    u = (c.x - x) * np.cos(angle) + (c.y - y) * np.sin(angle)
    v = ((c.y - y) * np.cos(angle) - (c.x - x) * np.sin(angle)) / squeeze
    reach = (np.hypot(u, v) / np.float32(radius)).astype(np.float32) * (1 + 0.05 * noise(c, radius))
    height = np.float32(-depth) * (
        np.exp(-((reach * 1.7) ** 2)) - 0.22 * np.exp(-(((reach - 1.05) * 4) ** 2))
    )
    return np.asarray(height, np.float32), inside((reach - 1.2) * np.float32(radius))

"""A turned steel washer on a dark mat under two lamps and a dome."""

import numpy as np

from inspector.images.demo.light import (
    UNITS,
    Canvas,
    F,
    blob,
    blur,
    dent,
    inside,
    lambert,
    mirrored,
    noise,
    normals,
    over,
    shadow,
    slopes,
    smooth,
    stroke,
    tint,
    towards,
    wander,
)

DEFECTS = ("scratch", "stain", "dent", "missing")
_OUTER, _BORE, _CHAMFER = 182.0, 80.0, 9.0


def draw(c: Canvas) -> tuple[F, F]:
    """Linear light (h, w, 3) and the extent of the defect (h, w), both for `photograph`."""
    rng = c.rng
    near = rng.uniform(0.985, 1.015)
    outer, bore = _OUTER * near, _BORE * near
    cx, cy = UNITS / 2 + rng.uniform(-14, 14, 2)
    x, y = c.x - np.float32(cx), (c.y - np.float32(cy)) * np.float32(rng.uniform(1.0, 1.015))
    r = np.hypot(x, y)
    radial_x, radial_y = x / (r + 1e-3), y / (r + 1e-3)
    edge = np.maximum(r - outer, bore - r)  # signed distance to the ring

    mark = np.zeros_like(r)
    height = np.zeros_like(r)
    marks = c.marks
    at = marks.rng.uniform(0, 2 * np.pi)
    middle = marks.rng.uniform(bore + 30, outer - 30)
    px, py = float(cx + middle * np.cos(at)), float(cy + middle * np.sin(at))
    broken = np.zeros_like(r)
    if c.defect == "missing":
        bite_x, bite_y = cx + outer * np.cos(at), cy + outer * np.sin(at)
        bite = blob(marks, bite_x, bite_y, marks.rng.uniform(30, 48), 0.22, 0.35)
        broken = inside(bite - 5) * inside(edge)
        edge = np.maximum(edge, -bite)
        mark = broken
    elif c.defect == "dent":
        pressed, extent = dent(marks, px, py, marks.rng.uniform(13, 22), marks.rng.uniform(5, 8))
        height += pressed
        mark = extent * inside(edge)

    # The lathe leaves fine circles: across them light scatters widely, along them hardly at all.
    wobble = 0.5 * noise(c, 90)
    groove = _circles(rng, r + wobble)
    patches = 1 + 0.035 * noise(c, 60, 2)
    tilt = 0.55 * groove * patches
    bevel = smooth(outer - _CHAMFER - 1.2, outer - _CHAMFER + 1.2, r) - smooth(
        bore + _CHAMFER - 1.2, bore + _CHAMFER + 1.2, -r + 2 * (bore + _CHAMFER)
    )
    slope_x, slope_y = slopes(height, c)
    face = 1 - np.abs(bevel)

    key = rng.uniform(226, 234)  # the lamp of a line stands still
    steel = np.float32(0.13) + 0.025 * groove
    for azimuth, elevation, strength in ((key, 52, 1.0), (key + 112, 40, 0.40)):
        lamp = towards(azimuth, elevation)
        half = (lamp + np.array([0, 0, 1], np.float32)) / np.linalg.norm(lamp + np.array([0, 0, 1]))
        hx, hy = half[0] + slope_x * half[2] * 1.3, half[1] + slope_y * half[2] * 1.3
        along = hy * radial_x - hx * radial_y
        across = hx * radial_x + hy * radial_y
        ward = np.exp(-((along / 0.17) ** 2) - ((across - 0.20 * tilt) / 0.62) ** 2)
        wide = np.exp(-((along / 0.42) ** 2) - ((across - 0.10 * tilt) / 0.8) ** 2)
        steel = steel + np.float32(strength) * (0.52 * ward + 0.17 * wide) * (1 + 0.10 * groove)
    steel = steel * (1 + 0.035 * noise(c, 1.6)) * patches

    # Chamfers are cut at 40° and mirror lamp and room.
    lean = bevel * np.float32(0.80) + 0.03 * groove
    bright = normals(-radial_x * lean + slope_x, -radial_y * lean + slope_y)
    room = 0.05 + 0.16 * lambert(bright, towards(key, 35))
    rim = (
        room
        + 1.15 * mirrored(bright, towards(key, 25), 5)
        + 0.38 * mirrored(bright, towards(key + 150, 20), 6)
    )
    rim = rim * (1 + 0.08 * groove + 0.05 * noise(c, 3))
    metal = tint(face * steel + (1 - face) * rim, (0.965, 0.985, 1.0))
    line = np.exp(-(((r - outer + _CHAMFER) / 1.1) ** 2)) + np.exp(-(((r - bore - _CHAMFER) / 1.1) ** 2))
    metal = metal * (1 + 0.25 * line * lambert(bright, towards(key, 30)))[..., None]

    if c.defect == "scratch":
        metal, mark = _scratched(marks, metal, (px, py), at, inside(edge), key)
    elif c.defect == "stain":
        metal, mark = _stained(marks, metal, (px, py), inside(edge))
    elif c.defect == "missing":
        grain = noise(marks, 2.2, 2)
        torn = normals(*slopes(1.6 * grain + 0.6 * noise(marks, 7), c))
        fracture = 0.07 + 0.22 * lambert(torn, towards(key, 40)) + 0.25 * mirrored(torn, towards(key, 55), 14)
        lip = smooth(-6.0, -2.0, edge) * broken
        metal = over(metal, tint(fracture, (1.0, 0.99, 0.97)), lip)

    ground = _mat(c, key)
    sun = towards(key, 50)
    cover = inside(edge)
    fall = shadow(cover, -15 * float(sun[0]), -15 * float(sun[1]), 5, c)
    ground = ground * (1 - 0.72 * fall)[..., None] * (1 - 0.35 * blur(cover, 16, c))[..., None]
    return over(ground, metal, cover), mark


def _circles(rng: np.random.Generator, r: F) -> F:
    """Turning marks: the same along each circle, random from one to the next; about unit deviation."""
    steps = np.arange(0, 600, 0.5)
    table = np.zeros(steps.shape)
    for width, weight in ((1.0, 0.75), (2.6, 0.6), (9.0, 0.45), (30.0, 0.35)):
        coarse = rng.standard_normal(int(600 / width) + 3)
        table += weight * np.interp(steps / width, np.arange(len(coarse)), coarse)
    table += 0.35 * np.sin(2 * np.pi * steps / 4.2)  # the feed of the tool
    return np.interp(r, steps, table).astype(np.float32)


def _mat(c: Canvas, key: float) -> F:
    weave = noise(c, 2.2) * 0.5 + noise(c, 5) * 0.3 + 0.35 * noise(c, 120)
    bumps = normals(*slopes(0.35 * noise(c, 3.0), c))
    light = 0.05 * (0.55 + 0.6 * lambert(bumps, towards(key, 45))) * (1 + 0.08 * weave)
    lint = (noise(c, 1.6) > 4.4).astype(np.float32) * 0.05
    return tint(np.asarray(light + blur(lint, 0.7, c), np.float32), (0.90, 0.98, 1.08))


def _scratched(
    c: Canvas, metal: F, at: tuple[float, float], around: float, cover: F, key: float
) -> tuple[F, F]:
    rng = c.rng
    angle = around + rng.uniform(-0.9, 0.9)
    length = rng.uniform(70, 130)
    start = (at[0] - np.cos(angle) * length / 2, at[1] - np.sin(angle) * length / 2)
    mark = np.zeros_like(cover)
    for number in range(int(rng.integers(1, 4))):
        shifted = (start[0] + number * rng.uniform(2, 5), start[1] + number * rng.uniform(2, 5))
        points = wander(c, shifted, angle + rng.normal(0, 0.04), length * rng.uniform(0.6, 1), 0.12)
        width = rng.uniform(2.4, 3.4) if number == 0 else 1.3
        line = stroke(c, points, width) * cover
        cut = normals(*slopes(-1.5 * blur(line, 0.7, c), c))
        glint = mirrored(cut, towards(key + 90, 60), 6)
        metal = over(
            metal, metal * 0.32 + tint(0.85 * glint, (1, 1, 1)), line * (0.95 if number == 0 else 0.7)
        )
        burr = blur(line, 1.5, c) * (1 - line)
        metal = metal * (1 + 0.35 * burr * (mirrored(cut, towards(key, 50), 8) - 0.3))[..., None]
        mark = np.maximum(mark, stroke(c, points, width + 1.2) * cover)
    return metal, mark


def _stained(c: Canvas, metal: F, at: tuple[float, float], cover: F) -> tuple[F, F]:
    rng = c.rng
    patch = blob(c, *at, rng.uniform(17, 30), 0.32, 0.3)
    extent = inside(patch, 8) * cover
    rim = np.exp(-(((patch + 3.5) / 3.5) ** 2)) * extent
    rust = rng.random() < 0.6
    film = np.array((0.62, 0.36, 0.17) if rust else (0.42, 0.40, 0.34), np.float32)
    mottle = np.clip(0.75 + 0.16 * noise(c, 9, 3), 0.2, 1.2)
    dirt = metal * film * mottle[..., None] + tint(
        np.full_like(cover, 0.02), (1.0, 0.55, 0.22) if rust else (1, 1, 1)
    )
    metal = over(metal, np.asarray(dirt, np.float32), extent * np.float32(0.88))
    return metal * (1 - 0.35 * rim)[..., None], extent

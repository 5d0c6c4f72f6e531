"""A blister of twelve scored tablets behind clear domes, on embossed foil."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

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
    rounded_box,
    shadow,
    slopes,
    smooth,
    stroke,
    tint,
    towards,
    wander,
)

DEFECTS = ("scratch", "stain", "dent", "missing")
_COLUMNS, _ROWS, _PITCH = 4, 3, 108.0
_HALF_WIDTH, _HALF_HEIGHT = 226.0, 172.0
_POCKET, _TABLET = 45.0, 35.0
_WHITE = (0.80, 0.775, 0.72)


def draw(c: Canvas) -> tuple[F, F]:
    """Linear light (h, w, 3) and the extent of the defect (h, w), both for `photograph`."""
    rng = c.rng
    turn = np.deg2rad(rng.uniform(-4, 4))
    near = rng.uniform(0.985, 1.015)
    cx, cy = UNITS / 2 + rng.uniform(-8, 8, 2)
    dx, dy = (c.x - np.float32(cx)) / near, (c.y - np.float32(cy)) / near
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    u, v = dx * cos + dy * sin, dy * cos - dx * sin  # on the pack
    key = rng.uniform(227, 235)  # the lamp of a line stands still
    marks = c.marks

    # Each pixel belongs to the nearest pocket; p, q are measured from its middle.
    column = np.clip(np.round(u / _PITCH + (_COLUMNS - 1) / 2), 0, _COLUMNS - 1).astype(np.int32)
    row = np.clip(np.round(v / _PITCH + (_ROWS - 1) / 2), 0, _ROWS - 1).astype(np.int32)
    p = u - (column - np.float32((_COLUMNS - 1) / 2)) * np.float32(_PITCH)
    q = v - (row - np.float32((_ROWS - 1) / 2)) * np.float32(_PITCH)
    reach = np.hypot(p, q)
    cell = row * _COLUMNS + column
    chosen = int(marks.rng.integers(_COLUMNS * _ROWS))
    here = (cell == chosen).astype(np.float32)
    spot_u = (chosen % _COLUMNS - (_COLUMNS - 1) / 2) * _PITCH
    spot_v = (chosen // _COLUMNS - (_ROWS - 1) / 2) * _PITCH
    spot = (
        float(cx + near * (spot_u * cos - spot_v * sin)),
        float(cy + near * (spot_u * sin + spot_v * cos)),
    )

    corner = rounded_box(u, v, _HALF_WIDTH, _HALF_HEIGHT, 18)
    pack = inside(corner)

    foil = _foil(c, u, v, reach, key, rng)
    tablets, on_tablet = _tablets(c, p, q, cell, key, chosen if c.defect == "missing" else -1, rng)
    mark = np.zeros_like(reach)
    if c.defect == "stain":
        x, y = spot[0] + marks.rng.uniform(-14, 14), spot[1] + marks.rng.uniform(-14, 14)
        patch = blob(marks, x, y, marks.rng.uniform(9, 16), 0.3, 0.3)
        mark = inside(patch, 6) * on_tablet
        colour = np.array(
            ((0.55, 0.34, 0.12), (0.30, 0.30, 0.28), (0.62, 0.42, 0.46))[marks.rng.integers(3)], np.float32
        )
        tablets = over(tablets, tablets * colour, mark * np.clip(0.75 + 0.15 * noise(marks, 4, 2), 0, 1))
    elif c.defect == "missing":
        mark = here * inside(reach - _TABLET)

    # Inside a pocket the tablet throws its shadow on the foil, and the wall of the dome darkens the rest.
    sun = towards(key, 50)
    well = inside(reach - _POCKET, 3)
    fall = shadow(on_tablet, -9 * float(sun[0]), -9 * float(sun[1]), 3.2, c)
    floor = foil * (1 - 0.62 * fall * well - 0.18 * well)[..., None]
    scene = over(floor, tablets, on_tablet)

    dome_height = np.zeros_like(reach)
    if c.defect == "dent":
        pressed, extent = dent(
            marks, spot[0] + marks.rng.uniform(-10, 10), spot[1] + marks.rng.uniform(-10, 10), 30, 17
        )
        folds = np.maximum(0, 1 - np.abs(noise(marks, 13)) / 0.16) * extent
        dome_height += (pressed + 1.6 * blur(folds, 0.8, c)) * well
        mark = extent * here * inside(reach - _POCKET - 2)
        crushed = normals(*slopes(0.6 * dome_height, c))  # strained film turns dull and mirrors in facets
        dull = 0.10 + 0.75 * mirrored(crushed, towards(key, 50), 5)
        scene = over(scene, tint(dull, (0.98, 0.99, 1.0)), 0.55 * mark)
    elif c.defect == "scratch":
        angle = marks.rng.uniform(0, np.pi)
        length = marks.rng.uniform(110, 180)
        start = (spot[0] - np.cos(angle) * length / 2, spot[1] - np.sin(angle) * length / 2)
        lines = [stroke(c, wander(marks, start, angle, length, 0.25), marks.rng.uniform(2.8, 3.8))]
        lines += [
            stroke(c, wander(marks, (start[0] + k, start[1] + 3 * k), angle, length * 0.7, 0.2), 1.8)
            for k in (3, 6)
        ]
        line = np.maximum(lines[0], 0.75 * np.maximum(lines[1], lines[2])) * pack
        dome_height -= 4.0 * blur(line, 1.0, c)
        scene = over(scene, scene * 0.34 + 0.03, line * 0.9)
        mark = np.maximum(line > 0.25, blur(line, 0.8, c) > 0.2).astype(np.float32) * pack

    scene = _dome(c, scene, p, q, reach, dome_height, key)
    edge = np.exp(-(((corner + 3) / 1.6) ** 2))
    scene = scene * (1 + 0.35 * edge)[..., None]

    ground = tint(0.20 + 0.0024 * noise(c, 2) + 0.006 * noise(c, 150), (0.62, 0.78, 0.92))
    fall = shadow(pack, -7 * float(sun[0]), -7 * float(sun[1]), 4.5, c)
    ground = ground * (1 - 0.62 * fall)[..., None] * (1 - 0.25 * blur(pack, 18, c))[..., None]
    return over(ground, scene, pack), mark


def _foil(c: Canvas, u: F, v: F, reach: F, key: float, rng: np.random.Generator) -> F:
    """Aluminium with a pressed diamond pattern, the flat ring
    round each pocket, a printed line and soft wrinkles."""
    pitch = np.float32(2 * np.pi / 8.5)
    knurl = np.abs(np.sin((u + v) * pitch / 2)) * np.abs(np.sin((u - v) * pitch / 2))
    flange = smooth(_POCKET + 1.5, _POCKET + 4.5, reach) * smooth(
        _POCKET - 1.0, _POCKET - 5.0, reach
    ) + smooth(_POCKET + 4.0, _POCKET + 6.5, reach)
    pressed = np.clip(flange, 0, 1) * (np.abs(v) < _HALF_HEIGHT - 6) * (np.abs(u) < _HALF_WIDTH - 6)
    wrinkles = 1.0 * noise(c, 26) + 0.5 * noise(c, 11)
    height = 1.15 * knurl * pressed + 0.55 * wrinkles
    ring = -1.4 * np.exp(-(((reach - _POCKET - 2.5) / 1.8) ** 2))
    text = _print(c, u, v, rng)
    slope_x, slope_y = slopes(height + ring - 0.7 * text[0], c)
    n = normals(slope_x * 0.62, slope_y * 0.62)
    light = (
        0.10
        + 0.20 * lambert(n, towards(key, 48))
        + 0.62 * mirrored(n, towards(key, 62), 4.5)
        + 0.20 * mirrored(n, towards(key + 140, 45), 5)
        + 0.10 * mirrored(n, towards(key + 240, 30), 8)
    )
    light = light * (1 + 0.03 * noise(c, 1.5)) * (1 - 0.55 * text[1])
    return tint(np.asarray(light, np.float32), (0.97, 0.985, 1.0))


def _print(c: Canvas, u: F, v: F, rng: np.random.Generator) -> tuple[F, F]:
    """The batch line: pressed (height) and inked (cover), drawn flat and laid along the pack."""
    wide, high, fine = int(2 * _HALF_WIDTH), 30, 4
    plate = np.zeros((high * fine, wide * fine), np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(plate, "LOT 7K3142", (26 * fine, 20 * fine), font, 0.42 * fine, 255, fine + 1, cv2.LINE_AA)
    cv2.putText(plate, "EXP 03-2029", (330 * fine, 20 * fine), font, 0.42 * fine, 255, fine + 1, cv2.LINE_AA)
    plate = cv2.resize(plate, (wide * 2, high * 2), interpolation=cv2.INTER_AREA)
    map_x = ((u + np.float32(_HALF_WIDTH)) * 2).astype(np.float32)
    map_y = ((v - np.float32(_HALF_HEIGHT - high + 1)) * 2).astype(np.float32)
    text = cv2.remap(plate, map_x, map_y, cv2.INTER_LINEAR).astype(np.float32) / 255
    return text, text * np.float32(rng.uniform(0.8, 1.0))


def _tablets(
    c: Canvas,
    p: F,
    q: F,
    cell: NDArray[np.signedinteger[Any]],
    key: float,
    missing: int,
    rng: np.random.Generator,
) -> tuple[F, F]:
    """Round, domed, with a score line that lies as the tablet
    fell; each a little off the middle of its pocket."""
    count = _COLUMNS * _ROWS
    shift = rng.uniform(-3.2, 3.2, (2, count)).astype(np.float32)
    angle = rng.uniform(0, np.pi, count).astype(np.float32)
    shade = rng.normal(1, 0.012, count).astype(np.float32)
    x, y = p - shift[0][cell], q - shift[1][cell]
    r = np.hypot(x, y)
    cover = inside(r - _TABLET) * (cell != missing)
    cup = np.sqrt(np.maximum(1 - (r / np.float32(_TABLET * 1.45)) ** 2, 0.02)) * np.float32(_TABLET * 0.75)
    bevel = -np.maximum(r - (_TABLET - 4.0), 0) * 1.1
    across = x * np.sin(angle)[cell] - y * np.cos(angle)[cell]
    score = -2.6 * np.exp(-((across / 1.9) ** 2)) * smooth(_TABLET, _TABLET - 5, r)
    grain = 0.22 * noise(c, 2.2) + 0.12 * noise(c, 6)
    n = normals(*slopes(np.asarray(cup + bevel + score + grain, np.float32), c))
    light = 0.20 + 0.70 * lambert(n, towards(key, 50), 0.25) + 0.20 * lambert(n, towards(key + 130, 45), 0.3)
    light = light * (1 - 0.10 * smooth(_TABLET - 3, _TABLET, r)) * (1 - 0.13 * np.exp(-((across / 1.5) ** 2)))
    light = light * shade[cell] * (1 + 0.008 * noise(c, 1.6)) + 0.06 * mirrored(n, towards(key, 55), 12)
    return tint(np.asarray(light, np.float32), _WHITE), np.asarray(cover, np.float32)


def _dome(c: Canvas, scene: F, p: F, q: F, reach: F, extra: F, key: float) -> F:
    """The clear thermoformed pocket: steep wall, flat roof, mirrored lamps along its shoulder."""
    shoulder = np.clip((_POCKET - reach) / 14, 0, 1)
    dome = 13 * np.sqrt(np.maximum(1 - (1 - shoulder) ** 2, 0))
    sag = 0.5 * noise(c, 30)
    well = inside(reach - _POCKET, 2)
    n = normals(*slopes(np.asarray((dome + 0.6 * sag) * well + extra, np.float32), c))
    glare = (
        1.25 * mirrored(n, towards(key, 35), 42)
        + 0.50 * mirrored(n, towards(key + 18, 28), 60)
        + 0.32 * mirrored(n, towards(key + 165, 30), 30)
        + 0.12 * mirrored(n, towards(key + 80, 22), 12)
    )
    film = np.float32(0.012) + 0.02 * (1 - n[2])
    wall = 0.30 * np.exp(-(((reach - _POCKET + 2.2) / 2.4) ** 2)) + 0.14 * np.exp(
        -(((reach - _POCKET + 10) / 3.2) ** 2)
    )
    scene = scene * (1 - wall * well)[..., None]
    rough = 1 + 0.10 * noise(c, 3)
    return np.asarray(scene + (glare * rough + film)[..., None], np.float32)

"""A twill of two yarns, woven yarn by yarn: every crossing
decides which yarn lies on top, fibres twist round each."""

import numpy as np

from inspector.images.demo.light import (
    UNITS,
    Canvas,
    F,
    blob,
    blur,
    inside,
    lambert,
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

DEFECTS = ("scratch", "stain", "thread", "missing")
_PITCH = 10.0  # units from yarn to yarn
_REPEAT = 4  # 2/2 twill: over two, under two, shifted by one each row
_WARP = (0.070, 0.135, 0.235)
_WEFT = (0.47, 0.445, 0.39)


def draw(c: Canvas) -> tuple[F, F]:
    """Linear light (h, w, 3) and the extent of the defect (h, w), both for `photograph`."""
    rng = c.rng
    turn = np.deg2rad(rng.uniform(-5, 5))
    near = rng.uniform(0.98, 1.02)
    dx, dy = c.x - UNITS / 2, c.y - UNITS / 2
    u = ((dx * np.cos(turn) + dy * np.sin(turn)) / (_PITCH * near) + rng.uniform(100, 104)).astype(np.float32)
    v = ((dy * np.cos(turn) - dx * np.sin(turn)) / (_PITCH * near) + rng.uniform(100, 104)).astype(np.float32)
    # Cloth is never laid quite straight, and no yarn runs quite straight in it.
    u += 0.22 * noise(c, 170) + 0.045 * noise(c, 24)
    v += 0.22 * noise(c, 170) + 0.045 * noise(c, 24)
    key = rng.uniform(221, 229)  # the lamp of a line stands still
    marks = c.marks
    x, y = (float(k) for k in marks.rng.uniform(120, UNITS - 120, 2))

    mark = np.zeros_like(u)
    gone_warp = gone_weft = np.zeros_like(u)
    if c.defect == "missing":
        hole = blob(marks, x, y, marks.rng.uniform(24, 36), 0.22, 0.3)
        # Each yarn tears where it likes: a torn edge frays.
        ends = marks.rng.normal(0, 4.5, (2, 512)).astype(np.float32)
        gone_warp = inside(hole + ends[0][np.floor(u).astype(np.int32) & 511], 2)
        gone_weft = inside(hole + ends[1][np.floor(v).astype(np.int32) & 511], 2)
        mark = np.maximum(gone_warp, gone_weft)
    elif c.defect == "scratch":
        gone_warp, mark, u = _snag(marks, u, v, x, y)

    scene, height = _weave(c, u, v, key, gone_warp, gone_weft)
    if c.defect == "scratch":
        scene = scene * (1 - 0.45 * blur(gone_warp, 2.0, c))[..., None]
    folds = normals(*slopes(np.asarray(5.5 * noise(c, 150), np.float32), c))
    scene = scene * (0.55 + 0.55 * lambert(folds, towards(key, 50)))[..., None]
    scene = _fuzz(c, scene, key)
    if c.defect == "stain":
        patch = blob(marks, x, y, marks.rng.uniform(28, 52), 0.30, 0.35)
        mark = inside(patch, 8)
        soaked = mark * np.clip(0.82 + 0.25 * height + 0.10 * noise(marks, 12), 0, 1)
        rim = np.exp(-(((patch + 4) / 4) ** 2)) * inside(patch, 5)
        colour = np.array(
            ((0.36, 0.30, 0.22), (0.60, 0.42, 0.22), (0.45, 0.45, 0.47))[marks.rng.integers(3)], np.float32
        )
        scene = over(scene, scene * colour, soaked) * (1 - 0.22 * rim)[..., None]
    elif c.defect == "missing":
        scene = _frayed(marks, scene, mark, x, y)
    elif c.defect == "thread":
        scene, mark = _thread(marks, scene, x, y, key)
    return scene, mark


def _weave(c: Canvas, u: F, v: F, key: float, gone_warp: F, gone_weft: F) -> tuple[F, F]:
    """Linear light (h, w, 3) and the height (h, w) of the topmost yarn, about -1 … 1."""
    rng = c.rng
    i, j = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    thick = rng.normal(1, 0.035, (2, 512)).astype(np.float32)
    shade = rng.normal(1, 0.035, (2, 512)).astype(np.float32)
    a = (u - i - 0.5) / (0.50 * thick[0][i & 511])  # across the warp yarn, -1 … 1
    b = (v - j - 0.5) / (0.50 * thick[1][j & 511])
    slub = 1 + 0.05 * noise(c, 30)

    def lift(along: F, across: NDArrayInt, warp: bool) -> F:
        """Height of a yarn's middle, smooth from crossing to crossing."""
        at = along - 0.5
        first = np.floor(at).astype(np.int32)
        t = smooth(0.0, 1.0, at - first)
        before, after = (_over(across, k) if warp else -_over(k, across) for k in (first, first + 1))
        return np.asarray(before + (after - before) * t, np.float32)

    round_a, round_b = (np.sqrt(np.maximum(1 - k * k, 0)) for k in (a, b))
    warp = 0.50 * lift(v, i, True) + 0.85 * round_a * slub - 3.0 * (np.abs(a) > 1) - 4 * gone_warp
    weft = 0.50 * lift(u, j, False) + 0.85 * round_b * slub - 3.0 * (np.abs(b) > 1) - 4 * gone_weft
    on_warp = smooth(-0.06, 0.06, warp - weft)
    height = np.maximum(np.maximum(warp, weft), np.float32(-1.3))
    hole = smooth(-0.9, -1.25, height)

    # Fibres wind round the yarn: stripes that lean against its axis, finer and rougher than the yarn itself.
    phase = 2 * np.pi * 2.6
    ragged = 1.1 * noise(c, 3.5) + 1.6 * noise(c, 14)
    twist_warp = np.sin(phase * (0.55 * v + 0.42 * np.arcsin(np.clip(a, -1, 1))) + ragged + 1.7 * i)
    twist_weft = np.sin(phase * (0.55 * u + 0.42 * np.arcsin(np.clip(b, -1, 1))) + ragged + 2.3 * j)
    fibre = on_warp * twist_warp + (1 - on_warp) * twist_weft
    relief = 2.6 * height + 0.22 * fibre + 0.20 * noise(c, 1.6)
    n = normals(*slopes(np.asarray(blur(relief, 0.45, c), np.float32), c))
    light = 0.16 + 0.78 * lambert(n, towards(key, 48), 0.20) + 0.18 * lambert(n, towards(key + 150, 50), 0.3)
    deep = smooth(-0.5, 1.0, height) * 0.75 + 0.25
    around = np.clip(1 + 0.55 * (height - blur(height, 5, c)), 0.35, 1.25)
    light = np.asarray(light * deep * around * (1 + 0.10 * fibre + 0.05 * noise(c, 1.3)), np.float32)
    warp_light = tint(light * shade[0][i & 511] * (1 + 0.10 * noise(c, 9)), _WARP)
    weft_light = tint(light * shade[1][j & 511] * (1 + 0.04 * noise(c, 9)), _WEFT)
    cloth = over(weft_light, warp_light, on_warp)
    return over(cloth, np.full_like(cloth, 0.012), hole), height


NDArrayInt = np.ndarray[tuple[int, ...], np.dtype[np.int32]]


def _over(i: NDArrayInt, j: NDArrayInt) -> F:
    """1 where warp yarn `i` lies above weft yarn `j`, else -1."""
    return np.where((i - j) % _REPEAT < _REPEAT // 2, np.float32(1), np.float32(-1))


def _fuzz(c: Canvas, scene: F, key: float) -> F:
    """Loose fibre ends stand out of every woven cloth."""
    rng = c.rng
    hairs = np.zeros(scene.shape[:2], np.float32)
    for _ in range(70):
        start = (float(rng.uniform(0, UNITS)), float(rng.uniform(0, UNITS)))
        points = wander(c, start, rng.uniform(0, 2 * np.pi), rng.uniform(8, 26), 1.2, 12)
        hairs = np.maximum(hairs, stroke(c, points, 1) * np.float32(rng.uniform(0.1, 0.4)))
    return over(scene, tint(np.full_like(hairs, 0.34), (1, 0.97, 0.9)), 0.5 * blur(hairs, 0.5, c))


def _snag(c: Canvas, u: F, v: F, x: float, y: float) -> tuple[F, F, F]:
    """A cut: two warp yarns torn over a stretch, its neighbours pushed aside."""
    at = int(c.size * y / UNITS), int(c.size * x / UNITS)
    i, middle = float(np.floor(u[at])), float(v[at])
    half = c.rng.uniform(5, 9)
    stretch = smooth(half + 0.8, half - 0.8, np.abs(v - middle))
    off = u - np.float32(i + 1.0)
    pull = (
        0.6
        * np.tanh(off * 0.9)
        * np.exp(-np.abs(off) / 1.8)
        * smooth(half + 3.5, half - 2.5, np.abs(v - middle))
    )
    moved = np.asarray(u - pull, np.float32)
    torn = ((np.floor(moved) == i) | (np.floor(moved) == i + 1)).astype(np.float32) * stretch
    return torn, np.maximum(torn, (np.abs(pull) > 0.17).astype(np.float32)), moved


def _frayed(c: Canvas, scene: F, hole: F, x: float, y: float) -> F:
    """Torn fibres that hang into the hole."""
    for _ in range(26):
        way = float(c.rng.uniform(0, 2 * np.pi))
        start = (x + 36 * np.cos(way), y + 36 * np.sin(way))
        fibre = stroke(
            c, wander(c, start, way + np.pi + c.rng.normal(0, 0.4), c.rng.uniform(14, 30), 0.9, 16), 1.3
        )
        colour = _WARP if c.rng.random() < 0.5 else _WEFT
        scene = over(scene, tint(np.full_like(hole, c.rng.uniform(0.4, 0.8)), colour), 0.8 * fibre)
    return scene


def _thread(c: Canvas, scene: F, x: float, y: float, key: float) -> tuple[F, F]:
    """A loose thread lying on the cloth."""
    rng = c.rng
    width = rng.uniform(4.0, 5.2)
    points = wander(c, (x, y), rng.uniform(0, 2 * np.pi), rng.uniform(110, 190), 1.5, 60)
    cover = stroke(c, points, width)
    sun = towards(key, 50)
    fall = shadow(cover, -6 * float(sun[0]), -6 * float(sun[1]), 2.2, c)
    scene = scene * (1 - 0.65 * fall * (1 - cover))[..., None]
    body = blur(cover, width / 3.2, c)
    along = np.sin((c.x * 0.8 + c.y * 1.1) * 1.15 + 1.2 * noise(c, 4))
    n = normals(*slopes(np.asarray(5 * body + 0.25 * along * cover, np.float32), c))
    light = 0.18 + 0.72 * lambert(n, towards(key, 45), 0.3)
    colour = ((0.62, 0.60, 0.55), (0.52, 0.12, 0.10), (0.10, 0.16, 0.30))[rng.integers(3)]
    return over(scene, tint(np.asarray(light * (1 + 0.12 * along), np.float32), colour), cover), cover

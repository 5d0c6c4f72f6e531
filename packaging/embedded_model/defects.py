"""Synthetic defects: each takes a good picture and returns a damaged one with the mask of what changed."""

import cv2
import numpy as np
from pool import SIZE, Grey, Pool, Rgb, jitter, noise, part, texture

KINDS = ["scratch", "crack", "stain", "hole", "missing", "contamination", "dent", "wear"]


def _where(rng: np.random.Generator, silhouette: Grey) -> tuple[int, int]:
    """(x, y) of a point on the part."""
    ys, xs = np.nonzero(silhouette > 0.5)
    if not len(xs):
        return int(rng.integers(SIZE)), int(rng.integers(SIZE))
    n = int(rng.integers(len(xs)))
    return int(xs[n]), int(ys[n])


def _walk(rng: np.random.Generator, start: tuple[int, int], length: float, bend: float) -> np.ndarray:
    angle, points = rng.uniform(0, 2 * np.pi), [np.array(start, np.float64)]
    while length > 0:
        step = rng.uniform(3, 9)
        angle += rng.normal(0, bend)
        points.append(points[-1] + step * np.array([np.cos(angle), np.sin(angle)]))
        length -= step
    return np.array(points)


def _lines(rng: np.random.Generator, silhouette: Grey, kind: str) -> Grey:
    mask = np.zeros((SIZE * 2, SIZE * 2), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        width = int(rng.integers(2, 6)) if kind == "scratch" else int(rng.integers(3, 8))
        path = _walk(rng, _where(rng, silhouette), rng.uniform(25, 150), 0.04 if kind == "scratch" else 0.5)
        cv2.polylines(mask, [(path * 2).astype(np.int32)], False, 255, width, cv2.LINE_AA)
        if kind == "crack" and rng.random() < 0.6:
            start = path[len(path) // 2]
            branch = _walk(rng, (int(start[0]), int(start[1])), rng.uniform(15, 50), 0.5)
            cv2.polylines(mask, [(branch * 2).astype(np.int32)], False, 255, max(1, width - 2), cv2.LINE_AA)
    return cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _blob(rng: np.random.Generator, silhouette: Grey, low: float, high: float) -> Grey:
    """A soft-edged irregular spot of radius low…high pixels."""
    x, y = _where(rng, silhouette)
    radius = rng.uniform(low, high)
    yy, xx = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    squeeze, turn = rng.uniform(0.5, 1), rng.uniform(0, np.pi)
    dx, dy = xx - x, yy - y
    d = np.hypot(dx * np.cos(turn) + dy * np.sin(turn), (dy * np.cos(turn) - dx * np.sin(turn)) / squeeze)
    d = d / radius + rng.uniform(0.2, 0.9) * (noise(rng, SIZE, SIZE / max(radius, 4), 2) - 0.5)
    return np.clip((1 - d) * radius / rng.uniform(1.5, 4), 0, 1).astype(np.float32)


def _perlin(rng: np.random.Generator, silhouette: Grey) -> Grey:
    field = noise(rng, SIZE, rng.uniform(2, 10), 3)
    near = _blob(rng, silhouette, 20, 70)
    return (np.clip((field - rng.uniform(0.45, 0.6)) * 20, 0, 1) * (near > 0)).astype(np.float32)


def damage(
    rng: np.random.Generator, pool: Pool, good: Rgb, silhouette: Grey, back: Rgb
) -> tuple[Rgb, Grey, int]:
    """Picture with one defect, its mask (soft, 0…1) and the index of its kind."""
    kind = int(rng.integers(len(KINDS)))
    name, bad = KINDS[kind], good.copy()
    part_sized = silhouette.mean() < 0.97
    if name in ("scratch", "crack"):
        mask = _lines(rng, silhouette, name) * silhouette
        light = rng.uniform(0.3, 0.9) if name == "scratch" and rng.random() < 0.6 else -rng.uniform(0.25, 0.7)
        bad = bad + mask[..., None] * light * (0.4 + 0.6 * noise(rng, SIZE, 20, 2)[..., None])
    elif name == "stain":
        mask = _blob(rng, silhouette, 8, 55) * silhouette
        colour = rng.uniform(0, 1, 3).astype(np.float32)
        strength = rng.uniform(0.25, 0.75)
        bad = bad * (1 - strength * mask[..., None]) + strength * mask[..., None] * colour * (
            0.5 + 0.5 * good
        )
    elif name == "hole":
        mask = np.zeros((SIZE, SIZE), np.float32)
        for _ in range(int(rng.integers(1, 7))):
            mask = np.maximum(mask, _blob(rng, silhouette, 2.5, 12))
        mask = mask * silhouette
        deep = rng.uniform(0, 0.35)
        rim = np.roll(mask, (2, 2), (0, 1)) * (1 - mask)
        bad = bad * (1 - mask[..., None] * (1 - deep)) + 0.25 * rim[..., None]
    elif name == "missing":
        mask = _perlin(rng, silhouette) if rng.random() < 0.4 else _blob(rng, silhouette, 14, 60)
        if part_sized:
            # From the edge inwards: what is gone shows what lies behind.
            mask = np.maximum(mask, np.roll(mask, rng.integers(-20, 20, 2), (0, 1))) * silhouette
            bad = bad * (1 - mask[..., None]) + back * mask[..., None]
        else:
            flat = cv2.GaussianBlur(good, (0, 0), 25) * rng.uniform(0.4, 1.2)
            bad = bad * (1 - mask[..., None]) + flat * mask[..., None]
    elif name == "contamination":
        mask = (
            _perlin(rng, silhouette) if rng.random() < 0.5 else _blob(rng, silhouette, 6, 35)
        ) * silhouette
        if rng.random() < 0.5:
            other = texture(rng, pool)[0]
        else:
            shift = tuple(int(s) for s in rng.integers(40, 200, 2))
            other = np.rot90(np.roll(good, shift, (0, 1)), rng.integers(1, 4))
        alpha = mask[..., None] * rng.uniform(0.5, 1)
        bad = bad * (1 - alpha) + other * alpha
    elif name == "dent":
        x, y = _where(rng, silhouette)
        radius, pull = rng.uniform(14, 55), rng.uniform(0.35, 0.8) * rng.choice([-1, 1])
        yy, xx = np.mgrid[:SIZE, :SIZE].astype(np.float32)
        fall = np.clip(1 - ((xx - x) ** 2 + (yy - y) ** 2) / radius**2, 0, 1) ** 2
        mx, my = xx + pull * (xx - x) * fall, yy + pull * (yy - y) * fall
        bad = cv2.remap(
            good,
            mx.astype(np.float32),
            my.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        slope = rng.uniform(-0.5, 0.5, 2)
        bad = bad + (fall * ((xx - x) * slope[0] + (yy - y) * slope[1]) / radius)[..., None]
        mask = np.clip(3 * fall, 0, 1).astype(np.float32) * silhouette
    else:
        mask = _perlin(rng, silhouette) if rng.random() < 0.6 else _blob(rng, silhouette, 15, 60)
        mask = mask * silhouette
        rough = cv2.GaussianBlur(good, (0, 0), rng.uniform(1.5, 5)) if rng.random() < 0.5 else good
        rough = (
            rough
            + rng.uniform(0.04, 0.18)
            * cv2.GaussianBlur(rng.normal(0, 1, good.shape[:2]).astype(np.float32), (0, 0), 0.8)[..., None]
            + rng.uniform(-0.15, 0.15)
        )
        bad = bad * (1 - mask[..., None]) + rough * mask[..., None]
    bad = np.clip(bad, 0, 1).astype(np.float32)
    return bad, mask.astype(np.float32), kind


def sample(pool: Pool, seed: int, number: int) -> dict[str, np.ndarray | int | str]:
    """Pair `number`: two uint8 pictures [240,240,3], the share [15,15] of every patch that changed visibly, the
    kind of defect, and a name."""
    rng = np.random.default_rng([seed, number])
    if rng.random() < 0.5:
        good, name = texture(rng, pool)
        silhouette, back = np.ones((SIZE, SIZE), np.float32), good
    else:
        good, silhouette, back, name = part(rng, pool)
    for _ in range(6):  # a defect nobody could see teaches nothing
        bad, mask, kind = damage(rng, pool, good, silhouette, back)
        seen = (mask > 0.2) & (np.abs(cv2.GaussianBlur(bad - good, (0, 0), 1.0)).max(2) > 0.035)
        if 12 < seen.sum() < 0.4 * SIZE * SIZE:
            break
    near = cv2.dilate(seen.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    share = near.reshape(15, 16, 15, 16).mean((1, 3))
    # The two shots of a pair differ in exposure and noise too, so that these can't pass for a defect.
    pictures = [np.round(jitter(rng, p) * 255).astype(np.uint8) for p in (good, bad)]
    return {"good": pictures[0], "bad": pictures[1], "share": share, "kind": kind, "name": name}

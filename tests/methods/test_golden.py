"""Every method against an independent reference: live, on freshly taught detectors, and as golden values that are kept."""

import ast
import dataclasses
import importlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inspector.domain import CancelToken, Image
from inspector.features import loading
from inspector.features.backbone import Backbone
from inspector.methods import catalogue, storage

ROOT = Path(__file__).parent.parent.parent
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("patchcore", {}),
    ("patchcore", {"taps": ["block1", "block4"], "neighbourhood": 5, "sigma": 3.0}),
    ("subspace", {}),
    ("subspace", {"taps": ["block2-4"], "neighbourhood": 1}),
    ("anomalydino", {}),
    ("anomalydino", {"rotated": ["disc"], "masked": None, "sigma": 2.0}),
    ("winclip", {}),
    ("promptad", {}),
    ("promptad", {"temperature": "exp"}),
    ("finegrained", {}),
    ("finegrained", {"queries": "former", "tau": "0.07", "reweight": False}),
    ("mpama", {}),
    ("mpama", {"levels": [1, 5], "class_token": True, "relative": False}),
    ("mpama", {"adaptation": False}),
    ("iipad", {}),
    ("iipad", {"image_score": "code"}),
    ("anople", {}),
    ("anople", {"image_score": "map"}),
    ("anople", {"fusion": "none"}),
    ("anople", {"fusion": "harmonic", "image_score": "maps"}),
    ("anople", {"prompts": "text", "fusion": "sum", "image_score": "maps"}),
    ("anople", {"coupling": "per_layer", "instance_conditioned": True}),
    ("anople", {"bank": "prompted", "fusion": "mean", "image_score": "token", "relative": False}),
)
TOLERANCE = 1e-3
"""On maps of the scale 0–1: single against double precision; the root of a squared distance near 0 shows most of it."""
QUICK = {"epochs": 2, "adaptation_epochs": 2, "variants": 1, "alps": 1, "ahps": 2}


sys.path.insert(0, str(ROOT / "packaging" / "golden"))  # no package: the reference stands by itself
make, reference = importlib.import_module("make"), importlib.import_module("reference")
sys.path.pop(0)


def test_the_reference_imports_nothing_of_the_methods() -> None:
    nodes = [
        node
        for name in ("reference", "memories", "equations")
        for node in ast.walk(ast.parse((ROOT / f"packaging/golden/{name}.py").read_text("utf-8")))
    ]
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    assert {name for name in names if name.startswith("inspector")} == {"inspector.features.backbone"}


def slim(image: Image) -> Image:
    """The left half: seen on another grid than the whole."""
    pixels = np.ascontiguousarray(image.pixels[:, : image.pixels.shape[1] // 2])
    return dataclasses.replace(image, pixels=pixels, sha256=image.sha256[::-1])


@pytest.mark.parametrize(
    ("method", "settings"), [pytest.param(*case, id=f"{case[0]}{json.dumps(case[1])}") for case in CASES]
)
def test_maps_and_scores_are_those_of_the_reference(
    tiny_clip: Backbone,
    parts: dict[str, list[Image]],
    new_part: Any,
    tmp_path: Path,
    method: str,
    settings: dict[str, Any],
) -> None:
    quick = {key: value for key, value in QUICK.items() if key in catalogue.defaults(method)}
    detector = catalogue.make(method, **{**quick, **settings})
    shots = {name: [images[0], slim(images[1]), *images[2:]] for name, images in parts.items()}
    detector.fit(shots, tiny_clip, progress=lambda *_: None, cancel=CancelToken())
    storage.save(detector, tmp_path / "it")
    images, names = (
        [new_part("disc", 7), slim(new_part("disc", 9)), new_part("plate", 8)],
        ["disc", "disc", "plate"],
    )
    for image, name, found in zip(images, names, detector.score(images, names), strict=True):
        values, score = reference.score(tmp_path / "it", tiny_clip, image.pixels, name)
        assert np.abs(found.values - values).max() < TOLERANCE
        assert found.image_score == pytest.approx(score, abs=TOLERANCE)
    for number, found in enumerate(detector.held_out(parts)["plate"]):
        pixels = parts["plate"][number].pixels
        values, score = reference.score(tmp_path / "it", tiny_clip, pixels, "plate", number)
        assert np.abs(found.values - values).max() < TOLERANCE
        assert found.image_score == pytest.approx(score, abs=TOLERANCE)


def test_stored_detectors_of_every_method_give_the_golden_maps_and_scores(tmp_path: Path) -> None:
    """Made by packaging/golden/make.py from the reference, on detectors of an earlier version."""
    with zipfile.ZipFile(make.STORED) as archive:
        archive.extractall(tmp_path)
    backbone, seen = loading.load(device="cpu", dtype=torch.float32), set()
    with np.load(make.TARGET, allow_pickle=False) as golden:
        for file in sorted(tmp_path.glob("detectors/*/detector.json")):
            detector = storage.load(file.parent, backbone)
            images = [Image(make.drawn(*part), "", "") for part in make.PARTS]
            for number, found in enumerate(detector.score(images, [make.PRODUCT] * len(images))):
                wanted = golden[f"{detector.method}.{number}.map"].astype(np.float32)
                assert np.abs(found.values[::2, ::2] - wanted).max() < GOLDEN, detector.method
                score = float(golden[f"{detector.method}.{number}.score"])
                assert found.image_score == pytest.approx(score, abs=GOLDEN), detector.method
            seen.add(detector.method)
    assert seen == set(catalogue.METHODS) - YOUNGER


YOUNGER = {"anomalydino"}
"""Than the version that stored the detectors."""
GOLDEN = 2e-3
"""Half precision keeps 1e-3 at the upper end of the scale; processors differ by less."""

"""How a taught detector is kept on disk: its learned values as safetensors, and a JSON file that says what they are.

`detector.json` holds format, method, classes, backbone identity, settings, `sha256` of the learned values, and
`manifest_sha256` of all that, which files of earlier versions lack; `whites`, `resolutions` and `areas` (see `Detector`, `View`) where there are
any, `finder`: settings of the one that finds classes, whose values are named "finder.…"; `looks`: see `ProductLooks`, which
earlier versions pass over.
Checksums notice damage; a file that was changed on purpose may carry right ones, so every setting and tensor is
checked as well before anything is made of it.
"""

import errno
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from inspector import paths
from inspector.errors import DetectorError, InspectorError
from inspector.features.backbone import Backbone
from inspector.features.tiles import LARGEST, View
from inspector.features.tiles import LEAST as LEAST_SIDE
from inspector.images.area import Area
from inspector.images.value_range import FULL, LEAST
from inspector.methods import catalogue
from inspector.methods.detector import Detector
from inspector.methods.memory_bank import PLACE
from inspector.methods.products.looks import ProductLooks
from inspector.methods.stored_tensors import TEACH_AGAIN
from inspector.text import reason

TENSORS_FILE = "detector.safetensors"
MANIFEST_FILE = "detector.json"
FORMAT = 6
"""Of detectors that remember single places; 5 of those that inspect an area of a class's images, 4 of those that look at a class in tiles, 3 of those with one of NEW_SETTINGS, 2 of those with `whites`, 1 of all others.
Earlier versions, which would not heed what a format stands for, refuse it."""
FINDER = "finder."
"""Before the names of the values of the one that finds classes."""
NEW_SETTINGS = {"proportions", "highest"}
_SHAPE = {"format": int, "method": str, "classes": list, "backbone": dict, "settings": dict, "sha256": str}


def save(detector: Detector, folder: Path) -> None:
    """Write a taught detector as `folder`; one that is there is replaced as a whole or not at all.

    Raises DetectorError when it isn't taught or the folder can't be written.
    """
    if not detector.classes:
        raise DetectorError(
            "This detector was not taught yet, so there is nothing to save.", "Teach it first."
        )
    tensors, settings = detector.state()
    if detector.finder is not None:
        found, about = detector.finder.state()
        tensors = tensors | {f"{FINDER}{name}": value for name, value in found.items()}
    data = safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    )
    manifest = {
        "format": _format(detector, tensors, settings),
        "method": detector.method,
        "classes": list(detector.classes),
        "backbone": detector.backbone.identity.as_json(),
        "settings": settings,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    if detector.whites:
        manifest["whites"] = dict(detector.whites)
    for what, values in _views_as_json(detector).items():
        manifest[what] = values
    if detector.finder is not None:
        manifest["finder"] = about
    if detector.looks.classes:
        manifest["looks"] = detector.looks.as_json()
    manifest["manifest_sha256"] = _digest(manifest)
    try:
        with paths.new_folder(folder) as fresh:
            (fresh / TENSORS_FILE).write_bytes(data)
            (fresh / MANIFEST_FILE).write_bytes(json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DetectorError(
            f"The detector can't be saved: {'the disk is full' if full else error.strerror or error}.",
            "Check the free space and the rights on the project folder.",
        ) from error


def load(folder: Path, backbone: Backbone) -> Detector:
    """Read a detector that `save` wrote, ready to score on `backbone`.

    Raises DetectorError when it is missing, damaged, made by a newer version, taught on another backbone, or holds settings
    or values that its method can't have; what it takes to find out is never more memory than the files themselves.
    """
    manifest = read_manifest(folder)
    if other := backbone.identity.mismatch(manifest["backbone"]):
        raise DetectorError(
            f"This detector can't be used. {other}",
            "Teach it again, or choose the backbone that it was taught on under Weights; stored results stay as they are.",
        )
    implementation = catalogue.implementation(manifest["method"])
    try:
        data = (folder / TENSORS_FILE).read_bytes()
    except OSError as error:
        raise DetectorError("The detector's file of learned values is missing.", TEACH_AGAIN) from error
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise DetectorError("The detector's file of learned values is damaged or was changed.", TEACH_AGAIN)
    try:
        tensors = {
            name: value
            if value.dtype == torch.float64
            else value.to(backbone.device)  # not every device has it
            for name, value in safetensors.torch.load(data).items()
        }
        own = {name: value for name, value in tensors.items() if not name.startswith(FINDER)}
        made = implementation.from_state(own, manifest["settings"], backbone)
        looks = _of_classes(manifest, "resolutions", LEAST_SIDE, LARGEST, folder)
        areas = _areas(manifest, folder)
        made.views = {name: View(looks.get(name, 0), areas.get(name)) for name in {**looks, **areas}}
        if "looks" in manifest:
            made.looks = ProductLooks.from_json(manifest["looks"], made.classes)
        if "finder" in manifest:
            found = {name.removeprefix(FINDER): value for name, value in tensors.items() if name not in own}
            made.finder = catalogue.implementation(catalogue.QUICK).from_state(
                found, manifest["finder"], backbone
            )
    except InspectorError:
        raise
    except Exception as error:  # whatever a file of ours with foreign content provokes
        why = f"The detector in {folder.name} can't be read: {reason(error)[:200]}."
        raise DetectorError(why, TEACH_AGAIN) from error
    if list(made.classes) != manifest["classes"]:
        raise DetectorError(
            f"The detector in {folder.name} names other classes than it was taught.", TEACH_AGAIN
        )
    made.whites = _of_classes(manifest, "whites", LEAST, FULL, folder)
    finds = made.classes if made.finder is None else made.finder.classes
    if set(finds) != set(made.classes) or (made.views and len(finds) > 1 and made.finder is None):
        raise DetectorError(
            f"The detector in {folder.name} can't find all classes that it was taught.", TEACH_AGAIN
        )
    return made


def _of_classes(
    manifest: Mapping[str, Any], what: str, least: int, most: int, folder: Path
) -> dict[str, int]:
    found = manifest.get(what, {})
    if not isinstance(found, dict) or not all(
        name in manifest["classes"] and type(one) is int and least <= one <= most
        for name, one in found.items()
    ):
        raise DetectorError(f"The detector in {folder.name} names {what} that no class has.", TEACH_AGAIN)
    return found


def _areas(manifest: Mapping[str, Any], folder: Path) -> dict[str, Area]:
    found = manifest.get("areas", {})
    if not isinstance(found, dict) or not found.keys() <= set(manifest["classes"]):
        raise DetectorError(f"The detector in {folder.name} names areas that no class has.", TEACH_AGAIN)
    return {name: Area.from_json(value) for name, value in found.items()}


def _views_as_json(detector: Detector) -> dict[str, dict[str, Any]]:
    """What a manifest says of views, without what no class has."""
    found: dict[str, dict[str, Any]] = {"resolutions": {}, "areas": {}}
    for name, view in detector.views.items():
        if view.resolution:
            found["resolutions"][name] = view.resolution
        if view.area is not None:
            found["areas"][name] = view.area.as_json()
    return {what: values for what, values in found.items() if values}


def _format(detector: Detector, tensors: Mapping[str, torch.Tensor], settings: Mapping[str, Any]) -> int:
    if any(f".{PLACE}" in name for name in tensors):
        return FORMAT
    said = _views_as_json(detector)
    if said:
        return 5 if "areas" in said else 4
    return 3 if NEW_SETTINGS & settings.keys() else 2 if detector.whites else 1


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of `detector.json`: format, method, classes, backbone, settings, sha256, and mostly manifest_sha256.

    Raises DetectorError when it is missing, damaged, incomplete or of a newer version.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DetectorError(f"There is no detector in {folder.name}.", TEACH_AGAIN) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DetectorError(
            f"The detector's description in {folder.name} can't be read.", TEACH_AGAIN
        ) from error
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(k), t) for k, t in _SHAPE.items()):
        raise DetectorError(f"The detector's description in {folder.name} is incomplete.", TEACH_AGAIN)
    if manifest["format"] > FORMAT:
        raise DetectorError("This detector was made by a newer version of Inspector.", "Update Inspector.")
    if manifest.get("manifest_sha256", _digest(manifest)) != _digest(manifest):
        raise DetectorError(
            f"The detector's description in {folder.name} is damaged or was changed.", TEACH_AGAIN
        )
    return manifest


def _digest(manifest: Mapping[str, Any]) -> str:
    """sha256 of all that a manifest says, but for this digest itself."""
    said = {name: value for name, value in manifest.items() if name != "manifest_sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

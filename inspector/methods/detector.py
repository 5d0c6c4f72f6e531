"""What every detection method is, and how a taught one is kept on disk."""

import errno
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import safetensors.torch
from torch import Tensor

from inspector import paths
from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError, InspectorError
from inspector.features.backbone import Backbone
from inspector.methods import catalogue

TENSORS_FILE = "detector.safetensors"
MANIFEST_FILE = "detector.json"
FORMAT = 1
TEACH_AGAIN = "Teach the detector again."


class Detector(Protocol):
    """A method with what it learned. Made by `catalogue.make`, taught by `fit`, or read back by `load`."""

    method: ClassVar[str]
    checkpoints: Path | None
    """A folder where a method that learns keeps every finished epoch; None, at first, keeps nothing."""

    def __init__(self, **settings: Any) -> None: ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that were taught, in teaching order; empty before `fit`."""
        ...

    @property
    def backbone(self) -> Backbone:
        """The backbone it was taught on. Raises DetectorError before `fit`."""
        ...

    @property
    def proportions(self) -> bool:
        """Whether it looks at images in their proportions rather than as squares, see `Backbone.prepare_one`.
        Raises DetectorError before `fit`."""
        ...

    def fit(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        """Learn the classes from their normal shots. Raises DetectorError for a class without shots, Cancelled."""
        ...

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        """One ScoreMap an image, in order; None lets the detector find the class."""
        ...

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        """The taught shots scored as if they were new: each without itself, or, for a class with a single shot,
        altered views of it. Feeds the thresholds."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors, settings in plain JSON values): all that `from_state` needs."""
        ...

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self: ...


def save(detector: Detector, folder: Path) -> None:
    """Write a taught detector as `folder`; one that is there is replaced as a whole or not at all.

    Raises DetectorError when it isn't taught or the folder can't be written.
    """
    if not detector.classes:
        raise DetectorError(
            "This detector was not taught yet, so there is nothing to save.", "Teach it first."
        )
    tensors, settings = detector.state()
    data = safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    )
    manifest = {
        "format": FORMAT,
        "method": detector.method,
        "classes": list(detector.classes),
        "backbone": detector.backbone.identity.as_json(),
        "settings": settings,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
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

    Raises DetectorError when it is missing, damaged, made by a newer version or taught on another backbone.
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
        tensors = {name: value.to(backbone.device) for name, value in safetensors.torch.load(data).items()}
        return implementation.from_state(tensors, manifest["settings"], backbone)
    except InspectorError:
        raise
    except Exception as error:  # whatever a file of ours with foreign content provokes
        raise DetectorError(f"The detector in {folder.name} can't be read: {error}.", TEACH_AGAIN) from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """The checked content of `detector.json`: format, method, classes, backbone, settings, sha256."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DetectorError(f"There is no detector in {folder.name}.", TEACH_AGAIN) from error
    except (OSError, ValueError) as error:
        raise DetectorError(
            f"The detector's description in {folder.name} can't be read.", TEACH_AGAIN
        ) from error
    shape = {"format": int, "method": str, "classes": list, "backbone": dict, "settings": dict, "sha256": str}
    if not isinstance(manifest, dict) or not all(isinstance(manifest.get(k), t) for k, t in shape.items()):
        raise DetectorError(f"The detector's description in {folder.name} is incomplete.", TEACH_AGAIN)
    if manifest["format"] > FORMAT:
        raise DetectorError("This detector was made by a newer version of Inspector.", "Update Inspector.")
    return manifest


def need_shots(shots: Mapping[str, Sequence[Image]]) -> None:
    """Raises DetectorError unless there is a class, and each has a shot."""
    if not shots:
        raise DetectorError("There is no class to teach.", "Add a class and its normal shots.")
    for name, images in shots.items():
        if not images:
            raise DetectorError(
                f"The class “{name}” has no normal shots.", "Add at least one image of a good part."
            )

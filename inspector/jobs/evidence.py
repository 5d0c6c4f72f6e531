"""Why a place of a result is red: what of the normal shots it resembles most, and how unusual it is for its class."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from inspector.domain import CancelToken
from inspector.errors import ImageError, ProjectError
from inspector.jobs.engine import Engine
from inspector.jobs.proposal import prepared
from inspector.jobs.teach import read_shot
from inspector.records.detectors import DetectorRow, find_detector, list_memory
from inspector.records.inspected.results import ResultRow, find_result
from inspector.records.project import Project
from inspector.records.shots import ShotRow, list_shots_and_places

if TYPE_CHECKING:
    from inspector.domain import Image
    from inspector.methods.detector import Detector
    from inspector.methods.evidence import Evidence, NormalPatches


@dataclass(frozen=True, slots=True)
class Explanation:
    """`shot`: the one that holds the patch that resembles the place most, to be read in the range that ends at `white`. `shots`:
    how many there are. `learned`: the detector knows more than its memory, to which `evidence` is confined."""

    evidence: Evidence
    shot: ShotRow
    white: int | None
    shots: int
    learned: bool


class Explainer:
    """Keeps what the last question needed for the next one. Any thread may ask; they wait for each other."""

    def __init__(self, engine: Engine | None = None, cancel: CancelToken | None = None) -> None:
        self.cancel = cancel or CancelToken()
        self._engine = engine or Engine()
        self._lock = Lock()
        self._asked: tuple[Any, ...] | None = None
        self._found: tuple[list[ShotRow], NormalPatches] | None = None
        self._image: tuple[int, Image] | None = None  # of which result

    def explain(self, project: Project, result_id: int, x: float, y: float) -> Explanation:
        """Of the place (x, y), in shares of the image's sides, of a result. Raises `InspectorError` for a result, an image, a
        detector or a shot that is gone, and for a place that isn't inspected; Cancelled once `cancel` says so."""
        from inspector.methods import catalogue

        with self._lock:
            result = find_result(project, result_id).row
            if result.files.let_go is not None:
                raise ProjectError(result.files.trouble, "Why a place is red is asked of the image itself.")
            if result.class_id is None or result.path is None or result.image_score is None:
                raise ProjectError("This result has no image or no score, so nothing can be said of a place.")
            try:
                row = find_detector(project, result.detector_id)
            except ProjectError:
                raise ProjectError(
                    "The detector that judged this image was removed, so it can't be asked.",
                    "Inspect the image again.",
                ) from None
            detector = self._engine.detector(project, row)
            name = row.taught_names[result.class_id]
            shots, patches = self._patches(project, row, detector, result.class_id)
            if self._image is None or self._image[0] != result_id:
                self._image = result_id, _image(result, detector, name)
            evidence = patches.find(self._image[1], x, y)
            count = sum(shot.place is None for shot in shots)
            white = row.whites.get(result.class_id)
            info = catalogue.find(row.method)
            learned = info.learns or "text" in info.needs
            return Explanation(evidence, shots[evidence.shot], white, count, learned)

    def _patches(
        self, project: Project, row: DetectorRow, detector: Detector, class_id: int
    ) -> tuple[list[ShotRow], NormalPatches]:
        asked = (project.folder, row.id, row.created, class_id, detector.backbone.device)
        if self._found is not None and asked == self._asked:
            return self._found
        self._asked = self._found = self._image = None
        name = row.taught_names[class_id]
        shots, images = read_remembered(project, row, detector, class_id)
        count = sum(shot.place is None for shot in shots)
        marked = [(image, shot.place) for image, shot in zip(images, shots, strict=True) if shot.place]
        self._found = shots, detector.normal_patches(name, images[:count], marked, self.cancel)
        self._asked = asked
        return self._found


def read_remembered(
    project: Project, row: DetectorRow, detector: Detector, class_id: int
) -> tuple[list[ShotRow], list[Image]]:
    """Rows and images of the shots that a detector knows of a class, in its order, then of the places. Raises `ProjectError` where
    one was removed, `ImageError` where one can't be read."""
    known = {shot.id: shot for shot in list_shots_and_places(project, class_id)}
    remembered = list_memory(project, row.id)[class_id]
    places = list_memory(project, row.id, places=True).get(class_id, [])
    if not known.keys() >= {*remembered, *places}:
        raise ProjectError(
            "What the detector was taught on was removed in part, so there is nothing to compare with.",
            "Bring it back, or teach again and inspect this image anew.",
        )
    shots = [known[key] for key in (*remembered, *places)]
    view = detector.views.get(row.taught_names[class_id])
    look = view.resolution if view else 0
    return shots, [read_shot(shot, detector.backbone, row.whites.get(class_id), look) for shot in shots]


def _image(result: ResultRow, detector: Detector, name: str) -> Image:
    assert result.path is not None
    try:
        return prepared(result.path, detector, name)
    except ImageError as error:
        raise ImageError(
            f"The image of “{result.name}” is missing from the project folder or damaged.",
            "Inspect the image again.",
        ) from error

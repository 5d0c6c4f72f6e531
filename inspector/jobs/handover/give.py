"""Hand over: a detector with all that belongs to it becomes one file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.domain import CancelToken, Emit, JobKind
from inspector.errors import HandOverError
from inspector.exports.files import writing
from inspector.jobs.engine import Engine
from inspector.jobs.events import Reporter, job
from inspector.jobs.handover.container import CONTENT, DETECTOR, SUFFIX, pack, spoken
from inspector.jobs.proposal import prepared
from inspector.records.audit import ActKind, record
from inspector.records.detectors import find_detector
from inspector.records.handed.content import Handed, HandedClass, HandedImage
from inspector.records.handed.rows import read_handed
from inspector.records.project import Project
from inspector.verdicts.product import far

if TYPE_CHECKING:
    from inspector.methods.detector import Detector

PROBES = 3
"""So many shots of each class are scored too, so that there is something to compare where nothing is golden."""


def hand_over(
    project: Project,
    engine: Engine,
    target: Path,
    *,
    class_name: str | None = None,
    detector_id: int | None = None,
    who: str = "",
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Write the detector in charge of a class, or one by number, as a file: with all classes that it knows, since it tells them from
    each other; their thresholds with how they came about, area, range, smallest defect, description, shots and golden set, and what it
    says of golden parts and of some shots here and now, in full precision. The weights under it stay out, and are named.

    `JobEnded.result`: `file`, `fingerprint`, `classes`, `golden`, `weights` (name) that are needed there. Writes an act where the
    project can be written. Raises nothing, as every job.
    """
    from inspector.features.weights.catalogue import EMBEDDED

    with job(project, JobKind.EXPORT, emit) as report:
        row = find_detector(project, detector_id, class_name)
        report.start(f"Hand over #{row.id}", 0)
        if target.suffix.lower() != SUFFIX:
            raise HandOverError(
                f"“{target.name}” must end in {SUFFIX}.", f"Call it {target.stem}{SUFFIX}, for instance."
            )
        detector = engine.detector(project, row, exact=True)
        content, files = read_handed(project, row, who)
        content = _scored(content, files, detector, report, cancel)
        folder = row.folder
        members: dict[str, bytes | Path] = {CONTENT: _as_bytes(content)}
        for name in ("detector.json", "detector.safetensors"):
            members[f"{DETECTOR}/{name}"] = folder / name
        for sha256, path in files.items():
            members[f"images/{sha256}{path.suffix}"] = path
        cancel.check()
        with writing(target) as temporary:
            fingerprint = pack(temporary, members)
        names = [one.name for one in content.classes]
        golden = sum(len(one.golden) for one in content.classes)
        if not project.read_only:
            told = f"{target.name}, sha256 {fingerprint}"
            record(project, ActKind.HANDED_OVER, f"#{row.id} {row.title}", new=told)
        weights = str(content.backbone.get("weights", ""))
        report.message = (
            f"#{row.id} is in “{target.name}”: {', '.join(names)}, with {golden} golden "
            f"{'part' if golden == 1 else 'parts'}. Fingerprint {spoken(fingerprint)}."
        )
        if weights != EMBEDDED:
            report.message += f" The other computer needs the weights “{weights}”: they are not in the file."
        report.result = {
            "file": str(target),
            "fingerprint": fingerprint,
            "classes": names,
            "golden": golden,
            "weights": weights,
        }


def _scored(
    content: Handed, files: dict[str, Path], detector: "Detector", report: Reporter, cancel: CancelToken
) -> Handed:
    """With what the detector says of golden parts and of some shots."""

    def ask(one: HandedClass, images: Sequence[HandedImage], most: int | None) -> tuple[HandedImage, ...]:
        name, found, asked = one.taught_name, [], 0
        for image in images:
            cancel.check()
            if image.place is None and not image.removed and (most is None or asked < most):
                asked += 1
                report.progress(0, f"Scoring “{image.name}”")
                (score_map,) = detector.score([prepared(files[image.sha256], detector, name)], [name])
                if not score_map.finite:
                    raise HandOverError(
                        f"The detector gives no number for “{image.name}”, so it can't be compared elsewhere.",
                        "Check the golden set first.",
                    )
                distance = far(score_map, one.product)
                image = replace(image, score=float(score_map.image_score), distance=distance)
            found.append(image)
        return tuple(found)

    classes = [
        replace(one, golden=ask(one, one.golden, None), shots=ask(one, one.shots, PROBES))
        for one in content.classes
    ]
    return replace(content, classes=tuple(classes), precision="fp32")


def _as_bytes(content: Handed) -> bytes:
    import json

    return json.dumps(content.as_json(), ensure_ascii=False, allow_nan=False).encode()

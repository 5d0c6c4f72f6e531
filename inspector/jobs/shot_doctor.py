"""What each shot of a class is good for, and which part that people confirmed good would be the best next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from inspector.errors import ImageError, ProjectError
from inspector.jobs.evidence import read_remembered
from inspector.jobs.proposal import prepared, standing_out
from inspector.records.detectors import list_detectors
from inspector.records.inspected.results import ResultRow, list_results
from inspector.records.reviews import list_judged_parts

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Image
    from inspector.jobs.engine import Engine
    from inspector.methods.detector import Detector
    from inspector.methods.shot_doctor import ShotFinding
    from inspector.records.project import Project
    from inspector.records.shots import ShotRow

MOST = 12
"""So many parts of a class that people judged, the newest, are looked at; each good one is tried as a shot."""
HIDES = 0.1
"""From which share on a shot hides a defect."""
HELPS = 0.02
"""From which share on a next shot is worth adding."""
COVERED = 0.5
"""A shot whose score without itself is less than this share of the usual one says nothing that the others don't say."""


@dataclass(frozen=True, slots=True)
class Found:
    """`odd`: it stands out from the others. `covered`: they show all that it shows; None below three shots."""

    shot: ShotRow
    finding: ShotFinding
    odd: bool
    covered: bool | None


@dataclass(frozen=True, slots=True)
class Examined:
    """Of every shot what was found. `best`: the part that would be the best next shot, and the share by which the other `good`
    ones would score lower; None where none helps. `good`, `defects`: how many judged parts were looked at."""

    findings: Sequence[Found]
    best: tuple[ResultRow, float] | None
    good: int
    defects: int


def examine(project: Project, engine: Engine, class_id: int, cancel: CancelToken) -> Examined:
    """By the memory of the detector in charge. Some seconds: for a worker. Raises `InspectorError` for a class that nothing judges,
    and where shots are gone; Cancelled."""
    row = next((one for one in list_detectors(project) if class_id in one.in_charge), None)
    if row is None:
        raise ProjectError(
            "Nothing judges this class yet, so its shots can't be examined.", "Teach it first."
        )
    detector = engine.detector(project, row)
    name = row.taught_names[class_id]
    shots, images = read_remembered(project, row, detector, class_id)
    whole = [number for number, shot in enumerate(shots) if shot.place is None]
    images = [images[number] for number in whole]
    doctor = detector.shot_doctor(name, images, cancel)
    rows = [shots[number] for number in whole]
    odd = standing_out(rows, detector.held_out({name: images})[name])
    cancel.check()
    parts, _ = list_judged_parts(project, class_id)
    good, good_images = _read(project, detector, name, [one.result_id for one in parts if one.good])
    bad, bad_images = _read(project, detector, name, [one.result_id for one in parts if not one.good])
    findings = doctor.findings(bad_images)
    found = doctor.next_shot(good_images)
    best = (good[found.number], found.gain) if found is not None and found.gain >= HELPS else None
    usual = median(one.score for one in findings)
    said = [
        Found(shot, one, shot.id in odd, one.score < COVERED * usual if len(rows) > 2 else None)
        for shot, one in zip(rows, findings, strict=True)
    ]
    return Examined(said, best, len(good), len(bad))


def _read(
    project: Project, detector: Detector, name: str, ids: Sequence[int]
) -> tuple[list[ResultRow], list[Image]]:
    """The newest of these results whose image can be read."""
    rows, images = [], []
    for row in list_results(project, ids[-MOST:]):
        try:
            if row.path is not None:
                images.append(prepared(row.path, detector, name))
                rows.append(row)
        except ImageError:  # gone or damaged, as the lists say
            continue
    return rows, images

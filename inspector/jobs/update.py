"""Update: shots that were added since go into the memory of the newest detector at once, without teaching it again."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inspector.domain import CancelToken, Emit, Image, JobKind
from inspector.errors import Cancelled, DetectorError, InspectorError, ProjectError
from inspector.jobs.engine import Engine, least_side
from inspector.jobs.events import Reporter, job
from inspector.jobs.teach import read_shot
from inspector.records.detectors import (
    DetectorRow,
    add_detector,
    detector_staging,
    find_detector,
    list_memory,
)
from inspector.records.project import Project
from inspector.records.shots import ShotRow, list_shots
from inspector.records.thresholds import list_calibrated, list_thresholds, set_thresholds

_READ, _ADDED, _HELD_OUT = 30.0, 60.0, 95.0
"""Per cent of the bar after reading the shots, remembering the new ones and scoring all without themselves."""


def news(project: Project, row: DetectorRow) -> dict[int, list[ShotRow]]:
    """Class id → shots that a detector does not know and can simply remember.

    Classes without such shots are left out, and those of which it remembers a shot that was removed: a memory can't
    forget one.
    """
    known = list_memory(project, row.id)
    found: dict[int, list[ShotRow]] = {}
    for shot in list_shots(project):
        if shot.class_id in known:
            found.setdefault(shot.class_id, []).append(shot)
    return {
        class_id: fresh
        for class_id, shots in found.items()
        if set(known[class_id]) <= {shot.id for shot in shots}
        and (fresh := [shot for shot in shots if shot.id not in known[class_id]])
    }


def update(project: Project, engine: Engine, *, emit: Emit, cancel: CancelToken) -> None:
    """Add the `news` of the newest detector to its memory and store it as a new detector.

    Held-out scores and thresholds of the changed classes are made anew; everything else stays. Thresholds that people
    moved stay moved, those of a changed class by the same factor. Learned prompts stay as they are: their classes are
    then out of date. Shots that can't be read are left out, and so are classes of which a known shot can't be read.
    `JobEnded.result`: `detector_id`, `classes`, `shots`. An update that fails or is stopped leaves nothing behind.
    """
    with job(project, JobKind.TEACH, emit) as report:
        from inspector.features.cached_backbone import Remembering
        from inspector.methods import catalogue, detector
        from inspector.methods.memory.patchcore import batches
        from inspector.verdicts import calibrate

        project.require_writable()
        row = find_detector(project)
        fresh = news(project, row)
        count = sum(map(len, fresh.values()))
        report.start(f"Add {_shots(count)} to the memory", 100)
        if not fresh:
            raise ProjectError("There are no new shots that the memory could learn.", "Teach again.")
        report.progress(0, "Loading the detector")
        backbone = engine.backbone(row.backbone.get("weights"))
        made = detector.load(row.folder, Remembering(backbone))
        remember: Callable[[str, Sequence[Image]], None] | None = getattr(made, "add_shots", None)
        if remember is None:
            raise DetectorError(f"{row.title} has no memory for single shots.", "Teach again.")

        known = list_memory(project, row.id)
        old, new = _read(project, known, fresh, least_side(backbone), report, cancel)
        report.progress(_READ, "Adding the new shots")
        names = {class_id: row.taught_names[class_id] for class_id in new}
        for class_id, name in names.items():
            for batch in batches(list(new[class_id].values())):
                cancel.check()
                remember(name, batch)
        cancel.check()
        report.progress(_ADDED, "Scoring each shot without itself")
        shots = {name: [*old[class_id], *new[class_id].values()] for class_id, name in names.items()}
        held_out = made.held_out(shots)
        cancel.check()
        report.progress(_HELD_OUT, "Setting thresholds")
        thresholds = {
            class_id: calibrate.thresholds(held_out[name], row.false_alarm_rate, len(shots[name]))
            for class_id, name in names.items()
        }
        added = {class_id: (*row.added_shots.get(class_id, ()), *new[class_id]) for class_id in names}
        scores = {
            class_id: [score_map.image_score for score_map in held_out[name]]
            for class_id, name in names.items()
        }

        staging = detector_staging(project)
        try:
            with project.plain_errors():
                detector.save(made, staging)
            cancel.check()
            present = {shot.id for shot in list_shots(project)}
            if not all(present.issuperset(images) for images in new.values()):
                report.message = "The new shots were removed again, so the detector stays as it was."
                raise Cancelled
            detector_id = add_detector(
                project,
                staging,
                title=row.title,
                method=row.method,
                backbone=row.backbone,
                settings=row.settings,
                false_alarm_rate=row.false_alarm_rate,
                shot_ids=[*_flat(known.values()), *_flat(new.values())],
                held_out={**row.held_out, **scores},
                thresholds={**list_calibrated(project, row.id), **thresholds},
                taught_names=row.taught_names,
                added_shots={**row.added_shots, **added},
                job_id=report.job_id,
            )
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        along = _keep_chosen(project, row, detector_id)
        for line in along.values():
            report.log(line)
        count = sum(map(len, new.values()))
        of = next(iter(names.values())) if len(names) == 1 else f"{len(names)} classes"
        info = catalogue.METHODS.get(row.method)
        renew = "; teach again to renew the prompts" if info is not None and info.learns else ""
        report.progress(100, "Updated")
        moved = f"; thresholds moved by hand went along: {', '.join(along)}" if along else ""
        report.message = f"The memory knows {_shots(count, 'new ')} of {of}{renew}{moved}."
        report.result = {"detector_id": detector_id, "classes": list(names.values()), "shots": count}


def _shots(count: int, kind: str = "new ") -> str:
    return f"{count} {kind}shot{'s' if count != 1 else ''}"


def _flat(groups: Any) -> list[int]:
    return [one for group in groups for one in group]


def _read(
    project: Project,
    known: Mapping[int, Sequence[int]],
    fresh: Mapping[int, Sequence[ShotRow]],
    at_least: int,
    report: Reporter,
    cancel: CancelToken,
) -> tuple[dict[int, list[Image]], dict[int, dict[int, Image]]]:
    """Class id → images of the known shots, in the memory's order; class id → shot id → image of the new ones."""
    old: dict[int, list[Image]] = {}
    new: dict[int, dict[int, Image]] = {}
    for class_id, added in fresh.items():
        rows = {shot.id: shot for shot in list_shots(project, class_id)}
        images: dict[int, Image] = {}
        for shot_id in (*known[class_id], *(shot.id for shot in added)):
            cancel.check()
            try:
                images[shot_id] = read_shot(rows[shot_id], at_least)
            except InspectorError as error:
                report.item(rows[shot_id].name, error=str(error))
        if any(shot_id not in images for shot_id in known[class_id]):
            report.log(f"“{added[0].class_name}” is left out: a shot that it was taught on can't be read.")
            continue
        readable = {shot.id: images[shot.id] for shot in added if shot.id in images}
        if readable:
            old[class_id] = [images[shot_id] for shot_id in known[class_id]]
            new[class_id] = readable
    if not new:
        raise ProjectError(
            "The new shots can't be added to the memory, because shots can't be read.",
            "See which are marked in the Teach page; put them back or remove them, then teach again.",
        )
    return old, new


def _keep_chosen(project: Project, before: DetectorRow, after: int) -> dict[str, str]:
    """Put what people moved into the new detector; class → a sentence where the numbers had to change."""
    from inspector.verdicts import calibrate

    found, again = list_calibrated(project, before.id), list_calibrated(project, after)
    along: dict[str, str] = {}
    for class_id, chosen in list_thresholds(project, before.id).items():
        if chosen.thresholds == found[class_id]:
            continue
        kept = calibrate.carried(chosen.thresholds, found[class_id], again[class_id])
        set_thresholds(project, after, class_id, kept, who=chosen.who)
        if kept != chosen.thresholds:
            name = before.classes[class_id]
            along[name] = (
                f"“{name}” is NG from {kept.ng:.3f} instead of {chosen.thresholds.ng:.3f} on: its scores "
                "changed with the memory, and the threshold that was moved went along."
            )
    return along

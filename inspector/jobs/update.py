"""Update: shots that were added since go into the memory of the newest detector at once, without teaching it again."""

import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inspector import settings
from inspector.domain import CancelToken, Emit, Image, JobKind, Proposal, Thresholds
from inspector.errors import Cancelled, InspectorError, ProjectError
from inspector.jobs.engine import Engine, check_ranges
from inspector.jobs.events import Reporter, job
from inspector.jobs.golden import GoldenTrial
from inspector.jobs.proposal import (
    doubted,
    find_flips,
    said,
    set_thresholds_from,
    told,
)
from inspector.jobs.teach import add_places, read_shot
from inspector.records.detectors import DetectorRow, find_detector, list_memory
from inspector.records.project import Project
from inspector.records.shots import (
    ShotRow,
    list_places,
    list_shots,
    list_shots_and_places,
    same_pictures,
)
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging
from inspector.records.thresholds import ThresholdRow, list_calibrated, list_thresholds
from inspector.verdicts.product import is_asked
from inspector.verdicts.provenance import number

if TYPE_CHECKING:
    from inspector.methods.detector import Detector

_READ, _ADDED = 30.0, 60.0
"""Per cent of the bar after reading the shots and remembering the new ones."""


def news(project: Project, row: DetectorRow) -> dict[int, list[ShotRow]]:
    """Class id → shots that a detector does not know and can simply remember.

    Classes without such shots are left out, and those of which it remembers a shot that was removed, or a place that was taken
    back: a memory can't forget one. A copy of a picture that the class has counts once, so it isn't news.
    """
    known = _unforgotten(project, row)
    found: dict[int, list[ShotRow]] = {}
    for shot in list_shots(project):
        if shot.class_id in known:
            found.setdefault(shot.class_id, []).append(shot)
    fresh = {
        class_id: shots
        for class_id, shots in found.items()
        if set(known[class_id]) < {shot.id for shot in shots}
    }
    copies = same_pictures([shot for shots in fresh.values() for shot in shots])
    left = {
        class_id: [shot for shot in shots if shot.id not in known[class_id] and shot.id not in copies]
        for class_id, shots in fresh.items()
    }
    return {class_id: shots for class_id, shots in left.items() if shots}


def new_places(project: Project, row: DetectorRow) -> dict[int, list[ShotRow]]:
    """Class id → places called no defect that a detector does not know and can simply remember, as for `news`."""
    remembered, known = _unforgotten(project, row), list_memory(project, row.id, places=True)
    found: dict[int, list[ShotRow]] = {}
    for place in list_places(project):
        if place.class_id in remembered and place.id not in known.get(place.class_id, ()):
            found.setdefault(place.class_id, []).append(place)
    return found


def _unforgotten(project: Project, row: DetectorRow) -> dict[int, list[int]]:
    """Class id → the shots that a detector remembers, of the classes that it judges and of which all that it remembers is still
    there."""
    places = list_memory(project, row.id, places=True)
    gone, judged = set(row.gone_shots), row.in_charge or row.takes
    return {
        class_id: shots
        for class_id, shots in list_memory(project, row.id).items()
        if class_id in judged and not gone.intersection([*shots, *places.get(class_id, ())])
    }


def update(
    project: Project,
    engine: Engine,
    *,
    detector_id: int | None = None,
    propose: bool = False,
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Add the `news` and the `new_places` of a detector (the one in charge when None) to its memory and store it as a new
    detector, which takes charge of the classes that the former judged, or, with `propose` and where it judges parts of the golden
    set otherwise than they must be, waits to be accepted.

    Held-out scores and thresholds of the changed classes are made anew; everything else stays. Thresholds that people
    moved stay moved, those of a changed class by the same factor. Learned prompts stay as they are: their classes are
    then out of date. Shots and places that can't be read are left out, and so are classes of which a known shot can't be read.
    `JobEnded.result`: `detector_id`, `classes`, `shots`, `places`; `outliers`: shot id (as text) → score without itself of those
    that stand out and that nobody called good, which holds back the promise; `proposed`; `compared`: how many stored
    results were scored anew, and `flips`: [result id, decision before, decision after, score] of those that would
    change. An update that fails or is stopped leaves nothing behind.
    """
    with job(project, JobKind.TEACH, emit) as report:
        from inspector.features.cached_backbone import CachedBackbone
        from inspector.methods import catalogue, storage
        from inspector.methods.taught import batches

        project.require_writable()
        row = find_detector(project, detector_id)
        fresh, places = news(project, row), new_places(project, row)
        report.start(f"Add {_counted(fresh, places)} to the memory", 100)
        if not fresh and not places:
            raise ProjectError("There are no new shots that the memory could learn.", "Teach again.")
        report.progress(0, "Loading the detector")
        made = storage.load(row.folder, CachedBackbone(engine.backbone(row.backbone.get("weights"))))
        check_ranges(made, row)
        info = catalogue.find(row.method)

        known = list_memory(project, row.id)
        wanted = {class_id: fresh.get(class_id, []) for class_id in (*fresh, *places)}
        rows, images = _read(project, known, wanted, places, row, made, report, cancel)
        report.progress(_READ, "Adding the new shots")
        names = {class_id: row.taught_names[class_id] for class_id in rows}
        new = {
            class_id: [shot.id for shot in own if shot.id not in known[class_id]]
            for class_id, own in rows.items()
        }
        for class_id, name in names.items():
            for batch in batches(images[class_id][len(known[class_id]) :]):
                cancel.check()
                made.add_shots(name, batch)
        places = {key: add_places(made, name, places.get(key, []), report) for key, name in names.items()}
        if not any(new.values()) and not any(places.values()):
            raise ProjectError("None of the new places can be remembered, so the detector stays as it was.")
        cancel.check()
        report.progress(_ADDED, "Scoring each shot without itself")
        held_out = made.held_out({name: images[class_id] for class_id, name in names.items()})
        cancel.check()
        anew = set_thresholds_from(project, made, names, rows, held_out, row.false_alarm_rate, report, cancel)
        thresholds = anew.thresholds
        products = {key: limit for key, limit in row.products.items() if key not in names} | {
            key: replace(limit, asked=is_asked(row.products.get(key))) for key, limit in anew.products.items()
        }
        found = list_calibrated(project, row.id)
        current = list_thresholds(project, row.id)
        kept = _carried(current, found, thresholds)
        doubtful = doubted(rows, anew.outliers)
        now = {**found, **thresholds, **{key: chosen for key, (chosen, _) in kept.items()}}
        judged = {key: name for key, name in row.taught_names.items() if key in row.in_charge}
        golden = GoldenTrial(project, made, judged, (now, products), report, cancel)
        proposal = None
        if propose or golden.missed:
            compared, flips = find_flips(project, made, names, (now, products), report, cancel)
            proposal = Proposal(compared, tuple(flips), doubtful)

        staging = detector_staging(project)
        try:
            with project.plain_errors():
                storage.save(made, staging)
            cancel.check()
            added = {class_id: [*own, *(one.id for one in places[class_id])] for class_id, own in new.items()}
            present = {one.id for one in list_shots_and_places(project)}
            if not present.issuperset(_flat(added.values())):
                report.message = "What is new was removed again, so the detector stays as it was."
                raise Cancelled
            later = {class_id: [*row.added_shots.get(class_id, ()), *own] for class_id, own in added.items()}
            scores = {key: [one.image_score for one in held_out[name]] for key, name in names.items()}
            detector_id = add_detector(
                project,
                NewDetector(
                    folder=staging,
                    title=row.title,
                    method=row.method,
                    backbone=row.backbone,
                    settings=row.settings,
                    false_alarm_rate=row.false_alarm_rate,
                    shot_ids=[
                        *_flat(known.values()),
                        *_flat(list_memory(project, row.id, places=True).values()),
                        *_flat(added.values()),
                    ],
                    held_out={**row.held_out, **scores},
                    thresholds={**found, **thresholds},
                    chosen=kept,
                    taught_names=row.taught_names,
                    whites=row.whites,
                    added_shots={**row.added_shots, **later},
                    updated_from=row.id,
                    takes=row.in_charge or row.takes,
                    products=products,
                    proposal=proposal,
                    job_id=report.job_id,
                ),
                lambda key: golden.keep(key, settings.load().reviewer),
            )
            if golden.late and proposal is None:
                proposal = Proposal(outliers=doubtful)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        along = []
        for class_id, (chosen, _) in kept.items():
            before = current[class_id].thresholds
            if (chosen.review, chosen.ng) != (before.review, before.ng):
                along.append(row.classes[class_id])
                report.log(
                    f"“{along[-1]}” is NG from {number(chosen.ng)} instead of {number(before.ng)} on: its scores changed with "
                    "the memory, and the threshold that was moved went along."
                )
        counts = sum(map(len, new.values())), sum(map(len, places.values()))
        of = next(iter(names.values())) if len(names) == 1 else f"{len(names)} classes"
        renew = "; teach again to renew the prompts" if info.learns and counts[0] else ""
        report.progress(100, "Updated")
        moved = f"; thresholds moved by hand went along: {', '.join(along)}" if along else ""
        report.message = f"The memory knows {_counted(new, places)} of {of}{renew}{moved}.{golden.said}{said(proposal, doubtful)}"
        report.result = {"detector_id": detector_id, "classes": list(names.values())}
        report.result |= {"shots": counts[0], "places": counts[1]}
        report.result |= told(proposal, doubtful)


def _counted(shots: Mapping[int, Sequence[Any]], places: Mapping[int, Sequence[Any]]) -> str:
    """ "2 new shots and 1 new place" """
    counts = {"shot": sum(map(len, shots.values())), "place": sum(map(len, places.values()))}
    said = [f"{count} new {what}{'s' if count != 1 else ''}" for what, count in counts.items() if count]
    return " and ".join(said) or "nothing new"


def _flat(groups: Any) -> list[int]:
    return [one for group in groups for one in group]


def _read(
    project: Project,
    known: Mapping[int, Sequence[int]],
    fresh: Mapping[int, Sequence[ShotRow]],
    places: Container[int],
    row: DetectorRow,
    made: "Detector",
    report: Reporter,
    cancel: CancelToken,
) -> tuple[dict[int, list[ShotRow]], dict[int, list[Image]]]:
    """Rows and images of the shots of the classes that can be updated, by class id: those that the memory knows, in its
    order, then the new ones. `places`: ids of classes that can be updated without a new shot too."""
    rows: dict[int, list[ShotRow]] = {}
    images: dict[int, list[Image]] = {}
    for class_id, added in fresh.items():
        present = {shot.id: shot for shot in list_shots(project, class_id)}
        found: dict[int, Image] = {}
        for shot_id in (*known[class_id], *(shot.id for shot in added)):
            cancel.check()
            try:
                view = made.views.get(row.taught_names[class_id])
                look = view.resolution if view else 0
                found[shot_id] = read_shot(present[shot_id], made.backbone, row.whites.get(class_id), look)
            except InspectorError as error:
                report.item(present[shot_id].name, error=str(error))
        if any(shot_id not in found for shot_id in known[class_id]):
            report.log(f"“{row.classes[class_id]}” is left out: a shot that it was taught on can't be read.")
        elif len(found) > len(known[class_id]) or class_id in places:
            rows[class_id] = [present[shot_id] for shot_id in found]
            images[class_id] = list(found.values())
            for shot in added:
                if shot.id in found and (note := found[shot.id].note):
                    report.log(f"“{shot.name}”: {note}")
    if not rows:
        raise ProjectError(
            "The new shots can't be added to the memory, because shots can't be read.",
            "See which are marked in the Teach page; put them back or remove them, then teach again.",
        )
    return rows, images


def _carried(
    current: Mapping[int, ThresholdRow], found: Mapping[int, Thresholds], again: Mapping[int, Thresholds]
) -> dict[int, tuple[Thresholds, str]]:
    """By class id, what was chosen since the thresholds were `found`: as it is, or carried over to those found `again`, unless
    these follow from the same good parts."""
    from inspector.verdicts import calibrate
    from inspector.verdicts.provenance import is_chosen

    kept = {}
    for class_id, row in current.items():
        chosen, before = row.thresholds, found.get(class_id)
        if before is None:  # damaged: nothing can be carried over from it
            if class_id not in again:
                kept[class_id] = chosen, row.who
            continue
        if (chosen.review, chosen.ng) == (before.review, before.ng):
            continue
        if class_id not in again:
            kept[class_id] = chosen, row.who
        elif is_chosen(chosen):
            kept[class_id] = calibrate.carried(chosen, before, again[class_id], row.who), row.who
    return kept

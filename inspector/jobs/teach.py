"""Teach: normal shots → detector with thresholds, stored with the very shots it was taught on."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inspector import settings as user_settings
from inspector.domain import CancelToken, Emit, Image, JobKind, Proposal, Thresholds
from inspector.errors import ImageError, InspectorError, ProjectError
from inspector.images import read
from inspector.images.value_range import FULL
from inspector.jobs.engine import Engine, least_side, with_size_noted
from inspector.jobs.events import Reporter, job
from inspector.jobs.golden import GoldenTrial
from inspector.jobs.proposal import (
    doubted,
    find_flips,
    said,
    set_thresholds_from,
    told,
)
from inspector.methods import catalogue
from inspector.records.classes import ClassRow, list_classes, list_descriptions
from inspector.records.detectors import list_detectors
from inspector.records.disk.recovery import CHECKPOINTS
from inspector.records.project import Project
from inspector.records.shots import ShotRow, list_places, list_shots, same_pictures
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging
from inspector.verdicts.product import is_asked

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.methods.detector import Detector

_FITTED = 70.0
"""Per cent of the bar after fitting."""


def teach(
    project: Project,
    engine: Engine,
    *,
    method: str | None = None,
    class_ids: Iterable[int] | None = None,
    false_alarm_rate: float | None = None,
    propose: bool = False,
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Teach one detector on the shots of these classes (all that have shots when None).

    `method`, `false_alarm_rate` (0.001–0.5): the user's settings when None. `method` may carry settings of its own, see
    `catalogue.parse`. A method that reads descriptions gets the project's, and its own suggestion for a class without
    one. Classes without a shot are left out, with a line in the log; a shot that can't be read fails the job. With
    `propose`, a detector of a class that is taught already, or with shots that stand out and that nobody called good,
    is only proposed, and always one that judges parts of the golden set otherwise than they must be. `JobEnded.result`: `detector_id`, `classes`, `shots`, and as `update` says. A teaching that fails
    or is stopped leaves nothing behind. The memory gets what people called no defect.
    """
    with job(project, JobKind.TEACH, emit) as report:
        from inspector.features.cached_backbone import CachedBackbone
        from inspector.features.tiles import View, resolution
        from inspector.methods import storage

        project.require_writable()
        chosen = user_settings.load()
        variant = catalogue.parse(method or chosen.method or catalogue.RECOMMENDED)
        info = catalogue.find(variant.method)
        rate = chosen.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        wanted = None if class_ids is None else set(class_ids)
        classes = {row.id: row for row in list_classes(project) if wanted is None or row.id in wanted}
        ready = sum(row.shots > 0 for row in classes.values())
        count = f"{ready} class" if ready == 1 else f"{ready} classes"
        report.start(f"Teach {count} with {info.title}", 100)
        report.progress(0, "Loading the backbone")
        backbone = engine.backbone()
        catalogue.check(variant)
        report.log(f"Backbone {backbone.identity.architecture} on {backbone.device_note}.")

        whites = {key: row.white for key, row in classes.items() if row.white not in (None, FULL)}
        looks = {
            key: resolution(row.smallest, row.sides, backbone.image_size) for key, row in classes.items()
        }
        rows, images = _read_shots(project, classes, whites, looks, backbone, report, cancel)
        names = {class_id: classes[class_id].name for class_id in rows}
        shots = {names[class_id]: images[class_id] for class_id in rows}
        smallest = {name: size for key, name in names.items() if (size := classes[key].smallest)}
        areas = {name: area.as_json() for key, name in names.items() if (area := classes[key].area)}
        options = {**_described(project, info.name, names, report), **variant.settings}
        made = catalogue.make(info.name, **options)
        made.views = {name: View(looks[key], classes[key].area) for key, name in names.items()}
        made.whites = {names[key]: end for key, end in whites.items() if key in names}
        if info.learns:  # a teaching that is killed goes on from its last epoch when it is started again
            made.checkpoints = project.path(f"detectors/{CHECKPOINTS}")

        def progress(done: float, message: str, values: Mapping[str, float]) -> None:
            report.progress(_FITTED * min(max(done, 0.0), 1.0), message)
            if message or values:
                report.log(message, values)

        made.fit(shots, CachedBackbone(backbone), progress=progress, cancel=cancel)
        places = [
            place.id
            for key, name in names.items()
            for place in add_places(made, name, list_places(project, key), report)
        ]
        cancel.check()
        report.progress(_FITTED, "Scoring each shot without itself")
        held_out = made.held_out(shots)
        cancel.check()
        found = set_thresholds_from(project, made, names, rows, held_out, rate, report, cancel)
        thresholds = found.thresholds
        before = {row.id: row.products for row in list_detectors(project)}
        products = {
            key: replace(limit, asked=is_asked(before.get(classes[key].detector_id or 0, {}).get(key)))
            for key, limit in found.products.items()
        }
        doubtful = doubted(rows, found.outliers)
        golden = GoldenTrial(project, made, names, (thresholds, products), report, cancel)
        taught = [key for key in names if classes[key].detector_id is not None]
        proposal = None
        if golden.missed or (propose and (taught or doubtful)):
            known = {key: names[key] for key in taught}
            compared, flips = find_flips(project, made, known, (thresholds, products), report, cancel)
            proposal = Proposal(compared, tuple(flips), doubtful)

        staging = detector_staging(project)
        try:
            with project.plain_errors():
                storage.save(made, staging)
            cancel.check()
            detector_id = add_detector(
                project,
                NewDetector(
                    folder=staging,
                    title=f"{info.title}, {', '.join(names.values()) if len(names) < 4 else f'{len(names)} classes'}",
                    method=info.name,
                    backbone=engine.identity(),
                    settings=options
                    | ({catalogue.SMALLEST: smallest} if smallest else {})
                    | ({catalogue.AREAS: areas} if areas else {}),
                    false_alarm_rate=rate,
                    shot_ids=[*(row.id for own in rows.values() for row in own), *places],
                    held_out={
                        class_id: [score_map.image_score for score_map in held_out[name]]
                        for class_id, name in names.items()
                    },
                    thresholds=thresholds,
                    taught_names=names,
                    whites={key: end for key, end in whites.items() if key in names},
                    products=products,
                    proposal=proposal,
                    job_id=report.job_id,
                ),
                lambda key: golden.keep(key, chosen.reviewer),
            )
            if golden.late and proposal is None:
                proposal = Proposal(outliers=doubtful)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(
            project.path(f"detectors/{CHECKPOINTS}"), ignore_errors=True
        )  # also of another teaching
        report.progress(100, "Taught")
        total = sum(map(len, rows.values()))
        copies = sum(classes[key].shots for key in rows) - total
        once = (
            f" {copies} of its shots {'is a copy' if copies == 1 else 'are copies'} of another."
            if copies
            else ""
        )
        report.message = (
            f"{info.title} taught on {total} {'shot' if total == 1 else 'shots'} of {_listed(names)}{_knowing(places)}."
            f"{once}{_single(names, thresholds)}{golden.said}{said(proposal, doubtful)}"
        )
        report.result = {"detector_id": detector_id, "classes": list(names.values()), "shots": total}
        report.result["places"] = len(places)
        report.result |= told(proposal, doubtful)


def _described(
    project: Project, method: str, names: Mapping[int, str], report: Reporter
) -> dict[str, dict[str, Any]]:
    """What the classes look like, as the setting of a method that reads it."""
    if not catalogue.reads_descriptions(method):
        return {}
    known = list_descriptions(project)
    report.log(f"Described by people: {', '.join(names[i] for i in names if i in known) or 'no class'}.")
    return {
        catalogue.DESCRIPTIONS: {
            name: known[class_id].as_json() for class_id, name in names.items() if class_id in known
        }
    }


def _knowing(places: Sequence[int]) -> str:
    if not places:
        return ""
    return f", and {len(places)} {'place' if len(places) == 1 else 'places'} called no defect"


def _single(names: Mapping[int, str], thresholds: Mapping[int, Thresholds]) -> str:
    """Which classes have nothing called NG, as a sentence to follow another; "" where there is none."""
    single = {key: name for key, name in names.items() if not thresholds[key].calls_ng}
    if not single:
        return ""
    return f" Nothing of {_listed(single)} is called NG, only sent to review: one shot doesn't tell how good parts differ."


def _listed(names: Mapping[int, str]) -> str:
    return next(iter(names.values())) if len(names) == 1 else f"{len(names)} classes"


def _read_shots(
    project: Project,
    classes: Mapping[int, ClassRow],
    whites: Mapping[int, int],
    looks: Mapping[int, int],
    backbone: "Backbone",
    report: Reporter,
    cancel: CancelToken,
) -> tuple[dict[int, list[ShotRow]], dict[int, list[Image]]]:
    """Rows and images of all shots, by class id. Raises `ProjectError` when one can't be read: a detector of the others
    would look like one of all."""
    rows: dict[int, list[ShotRow]] = {}
    images: dict[int, list[Image]] = {}
    lost: list[ShotRow] = []
    for class_id, row in classes.items():
        shots = list_shots(project, class_id)
        copies = same_pictures(shots)
        for shot in shots:
            cancel.check()
            if shot.id in copies:
                report.log(
                    f"“{shot.name}” is the same picture as “{copies[shot.id].name}” and counts once: remove it."
                )
                continue
            try:
                image = read_shot(shot, backbone, whites.get(class_id), looks[class_id])
            except InspectorError as error:
                report.item(shot.name, error=str(error))
                lost.append(shot)
                continue
            if image.note:
                report.log(f"“{shot.name}”: {image.note}")
            rows.setdefault(class_id, []).append(shot)
            images.setdefault(class_id, []).append(image)
        if not row.shots:
            report.log(f"“{row.name}” is left out: it has no shots yet.")
    if lost:
        of = f"“{lost[0].name}” of {lost[0].class_name}" + (
            f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        )
        raise ProjectError(
            f"{'A shot' if len(lost) == 1 else f'{len(lost)} shots'} can't be read ({of}), so nothing was taught.",
            "Put the image back or remove the shot, then teach again.",
        )
    if not rows:
        raise ProjectError("There is no class with a shot, so nothing can be taught.", "Add good shots.")
    return rows, images


def add_places(detector: "Detector", name: str, places: Sequence[ShotRow], report: Reporter) -> list[ShotRow]:
    """Let a taught detector remember places called no defect as normal for the class of this name; those that it remembers. One
    whose image is gone or can't be read, or that is no longer inspected, is named in the log and left out."""
    view, kept = detector.views.get(name), []
    for place in places:
        assert place.place is not None
        try:
            look = view.resolution if view else 0
            image = read_shot(place, detector.backbone, detector.whites.get(name), look)
            detector.add_places(name, [(image, place.place)])
        except InspectorError as error:
            report.log(f"A place of “{place.name}” that was called no defect is left out: {error.message}")
            continue
        kept.append(place)
    return kept


def read_shot(shot: ShotRow, backbone: "Backbone", white: int | None = None, resolution: int = 0) -> Image:
    """A shot's image for a backbone (`white`: see `images.read`; `resolution`: see `least_side`). Raises
    `ImageError` when its file is missing or no longer the same."""
    from inspector.features.framing import resized
    from inspector.features.tiles import View, tiles
    from inspector.methods.taught import map_size

    if shot.missing:
        raise ImageError(f"The image of “{shot.name}” is missing from the project folder.", "Add it again.")
    try:
        image = read.read(shot.path, least_side(backbone, resolution), white)
    except InspectorError:
        raise
    except Exception as error:  # whatever a decoder makes of a damaged file
        raise ImageError(
            f"The image of “{shot.name}” can't be decoded ({type(error).__name__}).", "Add it again."
        ) from error
    if image.sha256 != shot.sha256:
        raise ImageError(
            f"The image of “{shot.name}” was changed inside the project folder.", "Add it again."
        )
    found = tiles(image.pixels.shape, View(resolution), backbone.image_size, map_size(backbone))
    if found is not None:  # all that teaching looks at, so that many large shots fit into memory
        image = replace(image, pixels=resized(image.pixels, found.shape), original_size=image.size)
    side = max(backbone.image_size, resolution)
    return with_size_noted(image, (side, side))

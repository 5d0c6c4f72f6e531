"""What a detector that was just made would change: stored results that it would judge otherwise, shots that stand out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.domain import CancelToken, Decision, Flip, Image, Proposal, ScoreMap, Thresholds
from inspector.errors import InspectorError
from inspector.images import read
from inspector.jobs.events import Reporter
from inspector.records.inspected.results import ResultRow, list_results, result_ids
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import list_judged_parts
from inspector.records.shots import ShotRow
from inspector.verdicts.product import Limit

if TYPE_CHECKING:
    from inspector.methods.detector import Detector

_COMPARING = 96.0
"""Per cent of the bar where it begins; one result hardly moves it."""
_SCORING, HELD_OUT = 90.0, 95.0
"""Per cent of the bar while good parts are scored, and when thresholds are set."""
MOST_GOOD = 100
"""So many parts of a class that people confirmed good are scored by a new detector at least, the newest: what 1 % needs."""
_NOTHING = np.zeros((0, 0), np.float32)
MOST = 50
"""How many results of each decision and class are looked at again, the newest first."""


def standing_out(shots: Sequence[ShotRow], held_out: Sequence[ScoreMap]) -> dict[int, float]:
    """Shot id → score of those of a class that don't look like the others, also when a person called them good."""
    from inspector.verdicts.calibrate import stand_out

    if len(shots) != len(held_out):  # altered views of a single shot
        return {}
    return {shots[index].id: float(held_out[index].image_score) for index in stand_out(held_out)}


@dataclass(frozen=True, slots=True)
class _GoodParts:
    """Image id → score of parts of a class that people confirmed good; `picked`: they may have been, see `picked_runs`.
    `distances`: how far they lie from the shots as a whole, where that is asked; `moved`: see `product.moved_from`."""

    scores: Mapping[int, float]
    picked: bool
    distances: Sequence[float]
    moved: float


def _score_good_parts(
    project: Project,
    detector: "Detector",
    names: Mapping[int, str],
    rate: float,
    report: Reporter,
    cancel: CancelToken,
) -> dict[int, _GoodParts]:
    """By class id, the newest parts that people confirmed good, as many as a false-alarm `rate` needs, MOST_GOOD at least.
    Those whose image is gone or can't be read are named in the log and passed over. `names`: class id → what the detector
    calls it."""
    from inspector.verdicts.calibrate import parts_needed
    from inspector.verdicts.product import moved_from

    found: dict[int, _GoodParts] = {}
    for class_id, name in names.items():
        parts, picked = list_judged_parts(project, class_id)
        images = {one.result_id: one.image_id for one in parts if one.good}
        ids = [*images][-max(MOST_GOOD, parts_needed(rate)) :]
        scores: dict[int, float] = {}
        good: list[ScoreMap] = []
        for place, row in enumerate(list_results(project, ids)):
            cancel.check()
            report.progress(_SCORING, f"Scoring {place + 1} of {len(ids)} good parts of “{name}”")
            if row.path is None:
                if gone := row.files.trouble:
                    report.log(f"“{row.name}” no longer counts as a good part: {gone}")
                continue
            try:
                (score_map,) = detector.score([prepared(row.path, detector, name)], [name])
            except InspectorError as error:
                report.log(f"“{row.name}” no longer counts as a good part: {error.message}")
                continue
            if score_map.finite:
                scores[images[row.id]] = float(score_map.image_score)
                good.append(replace(score_map, values=_NOTHING))
        distances = [one.product_distance for one in good if one.product_distance is not None]
        found[class_id] = _GoodParts(scores, picked, distances, moved_from(good))
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """By class id what the shots and the good parts show: `outliers`, the shots that stand out (see `standing_out`); `thresholds`;
    `products`, from which distance on a picture shows another product, without classes where it can't be told."""

    outliers: dict[int, dict[int, float]]
    thresholds: dict[int, Thresholds]
    products: dict[int, Limit]


def set_thresholds_from(
    project: Project,
    detector: "Detector",
    names: Mapping[int, str],
    shots: Mapping[int, Sequence[ShotRow]],
    held_out: Mapping[str, Sequence[ScoreMap]],
    rate: float,
    report: Reporter,
    cancel: CancelToken,
) -> Found:
    """Thresholds at a false-alarm `rate`, from the shots and from the parts that people confirmed good, which the detector scores
    now. A promise waits for every outlier to be called good. `names`: class id → what the detector calls it."""
    from inspector.methods import catalogue
    from inspector.verdicts import calibrate, product
    from inspector.verdicts.usual_spread import usual_spread

    good = _score_good_parts(project, detector, names, rate, report, cancel)
    report.progress(HELD_OUT, "Setting thresholds")
    outliers = {key: standing_out(shots[key], held_out[name]) for key, name in names.items()}
    spread = usual_spread(detector.method, detector.backbone.identity.as_json())
    usual = product.usual(detector.backbone.identity.as_json())
    thresholds, products = {}, {}
    for key, name in names.items():
        found = calibrate.thresholds(
            held_out[name],
            rate,
            len(shots[key]),
            independent=catalogue.find(detector.method).independent,
            outliers=list(outliers[key]),
            spread=spread,
            good=good[key].scores,
            picked=good[key].picked,
        )
        thresholds[key] = calibrate.confirmed(found, [shot.id for shot in shots[key] if shot.confirmed_good])
        far = [one.product_distance for one in held_out[name]]
        limit = product.limit(far, len(shots[key]), usual, good[key].distances) if usual else None
        if limit is not None:
            products[key] = Limit(limit, pose=detector.looks.poses.pose(name), moved=good[key].moved)
    return Found(outliers, thresholds, products)


def doubted(
    shots: Mapping[int, Sequence[ShotRow]], outliers: Mapping[int, Mapping[int, float]]
) -> dict[int, float]:
    """Of the outliers of all classes (by class id), those that nobody called good: shot id → score."""
    good = {shot.id for own in shots.values() for shot in own if shot.confirmed_good}
    return {key: score for own in outliers.values() for key, score in own.items() if key not in good}


def told(proposal: Proposal | None, doubtful: Mapping[int, float]) -> dict[str, Any]:
    """What `JobEnded.result` says of it, in plain values."""
    flips = proposal.flips if proposal else ()
    return {
        "proposed": proposal is not None,
        "compared": proposal.compared if proposal else 0,
        "flips": [[one.result_id, str(one.before), str(one.after), one.score] for one in flips],
        "outliers": {str(key): score for key, score in doubtful.items()},
    }


def said(proposal: Proposal | None, doubtful: Mapping[int, float]) -> str:
    """The same for people, to follow a sentence; "" when there is nothing to say."""
    parts = []
    if doubtful:
        one = len(doubtful) == 1
        parts.append(
            f" {len(doubtful)} shot{'' if one else 's'} stand{'s' if one else ''} out from the others; nothing is "
            f"promised until somebody has said that {'it is' if one else 'they are'} good."
        )
    if proposal is not None:
        passed = sum(one.after is Decision.OK for one in proposal.flips)
        changes = f"would change {len(proposal.flips)} of {proposal.compared} stored results, {passed} of them to OK, and"
        parts.append(
            f" It {changes if proposal.flips else ''} waits on the Teach page for your decision.".replace(
                "  ", " "
            )
        )
    return "".join(parts)


def find_flips(
    project: Project,
    detector: "Detector",
    names: Mapping[int, str],
    found: tuple[Mapping[int, Thresholds], Mapping[int, Limit]],
    report: Reporter,
    cancel: CancelToken,
) -> tuple[int, list[Flip]]:
    """Score the newest stored results anew: (how many were compared, those whose decision would be another one).

    `names`: class id → what the detector calls it; `found`: see `GoldenTrial`. Results whose image is gone or can't be read are passed over.
    """
    from inspector.verdicts.judge import judge
    from inspector.verdicts.product import far

    compared, flips, (thresholds, limits) = 0, [], found
    for class_id, name in names.items():
        limit = limits.get(class_id)
        rows = _newest(project, class_id)
        for place, row in enumerate(rows):
            cancel.check()
            report.progress(_COMPARING + place / len(rows), f"Comparing with stored results of “{name}”")
            assert row.path is not None
            try:
                (score_map,) = detector.score([prepared(row.path, detector, name)], [name])
                until = limit.in_force if limit else None
                score_map = replace(score_map, product_distance=far(score_map, limit))
                after = judge(score_map, thresholds[class_id], row.size, until).decision
            except InspectorError as error:
                report.log(f"“{row.name}” is not compared: {error.message}")
                continue
            compared += 1
            if row.decision is not None and after is not row.decision:
                flips.append(Flip(row.id, row.decision, after, float(score_map.image_score)))
    return compared, flips


def _newest(project: Project, class_id: int) -> list[ResultRow]:
    """The newest results of each verdict, every image once."""
    found: dict[str, ResultRow] = {}
    for verdict in Decision:
        where = ResultFilter(class_id=class_id, verdict=verdict)
        for row in list_results(project, result_ids(project, where, descending=True, limit=MOST)):
            if row.path is not None and not row.is_shot:
                found.setdefault(row.sha256, row)
    return list(found.values())


def prepared(path: Path, detector: "Detector", name: str) -> Image:
    """A stored image as `inspect` hands it to the detector for the class of this name. Raises `ImageError`."""
    image = read.read(path, detector.least_side(name), detector.whites.get(name))
    return replace(image, pixels=detector.prepare_one(image.pixels, name), original_size=image.size)

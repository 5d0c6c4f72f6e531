"""The golden set scored anew: on demand, and by every detector before it is put in charge."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from inspector.domain import CancelToken, Emit, JobKind, Thresholds
from inspector.errors import ImageError, InspectorError, ProjectError
from inspector.jobs.engine import Engine
from inspector.jobs.events import Reporter, job
from inspector.jobs.judging import check_shape, shapes_of
from inspector.jobs.proposal import prepared
from inspector.records.audit import few
from inspector.records.detectors import find_detector, propose_detector
from inspector.records.line.stations import StationRow
from inspector.records.project import Project
from inspector.records.qualification.checks import add_check
from inspector.records.qualification.golden import (
    GoldenPart,
    GoldenWord,
    Seen,
    golden_word,
    judge_golden,
    keep_golden_scores,
    list_golden,
    newly_missed,
)
from inspector.verdicts.product import Limit, far, why_moved

if TYPE_CHECKING:
    from inspector.methods.detector import Detector

Scores = dict[int, Seen]
"""By golden part."""

_ONE = "Golden set: its only part is judged as it must be."


def check_golden(
    project: Project,
    engine: Engine,
    *,
    detector_id: int | None = None,
    station: StationRow | None = None,
    who: str = "",
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Score the golden set anew, each part by the detector in charge of its class, and keep a record of what was said; or, with
    `detector_id`, by this detector, to know what it would say (no record, as nothing is decided yet). With a `station`, the parts
    of its class by its detector, for a record that names it.

    A part that can't be read, or whose class nothing judges, fails by name and the rest goes on. `JobEnded.result`: `parts`,
    `missed` (names of those judged otherwise than they must be), `changed` (names of those that score otherwise than the same
    detector scored them before), `check` (id of the record).
    """
    with job(project, JobKind.CHECK, emit) as report:
        project.require_writable()
        of, occasion = None, "On demand"
        if station is not None:
            detector_id, occasion = station.detector_id, f"Shift check of “{station.name}”"
            of = None if station.class_id is None else [station.class_id]
        parts = list_golden(project, of)
        report.start(f"Check the golden set, {_count(parts)}", len(parts))
        if not parts:
            raise ProjectError(
                f"There is no golden set {f'of “{station.class_name}” ' if of and station else ''}yet.",
                "Right click a result, and add it as OK or as NG.",
            )
        before = {word.part.id: word for word in judge_golden(project, detector_id, of)}
        if not before:
            raise ProjectError(
                "The station's detector knows no class of the golden set, so nothing can be checked.",
                "Choose another detector for the station, or add parts of its classes to the golden set.",
            )
        judges: dict[int, list[GoldenPart]] = {}
        for word in before.values():
            if word.detector_id is not None:
                judges.setdefault(word.detector_id, []).append(word.part)
            else:
                report.item(word.part.name, error=f"No detector judges “{word.part.class_name}”.")
        for key, own in judges.items():
            keep_golden_scores(project, key, _score(project, engine, key, own, report, cancel))
        words = [word for word in judge_golden(project, detector_id, of) if word.part.id in before]
        changed = [
            word.part.name
            for word in words
            if (then := before[word.part.id].score) is not None
            and word.detector_id == before[word.part.id].detector_id
            and (
                _moved(word.score, then, engine.rounding)
                or _moved(word.distance, before[word.part.id].distance, engine.rounding)
            )
        ]
        missed = [word.part.name for word in words if not word.kept]
        report.message = said(words)
        words = [
            replace(word, error=f"No detector judges “{word.part.class_name}”.")
            if word.detector_id is None
            else word
            for word in words
        ]
        if changed:
            report.message += (
                f" {_named(changed)} {'scores' if len(changed) == 1 else 'score'} otherwise than before, though the detector is "
                "the same: look whether its image was changed."
            )
        report.result = {"parts": len(words), "missed": missed, "changed": changed}
        if detector_id is None or station is not None:
            report.result["check"] = add_check(
                project, words, occasion=occasion, who=who, station_id=station.id if station else None
            )


def _score(
    project: Project,
    engine: Engine,
    detector_id: int,
    parts: Sequence[GoldenPart],
    report: Reporter,
    cancel: CancelToken,
) -> Scores:
    """What a stored detector scores; where it can't be used, none of its parts has a score, and the others go on."""
    try:
        row = find_detector(project, detector_id)
        detector = engine.detector(project, row)
        shapes = shapes_of(project, detector, row.taught_names)
    except InspectorError as error:
        for part in parts:
            report.item(part.name, error=error.message)
        return {part.id: Seen(None, error=error.message) for part in parts}
    found: Scores = {}
    for place, part in enumerate(parts):
        cancel.check()
        seen = found[part.id] = _score_part(
            detector, row.taught_names, part, shapes, row.products.get(part.class_id)
        )
        report.item(part.name, error=seen.error if seen.score is None else "")
        report.progress(place + 1, f"Golden set: “{part.name}”")
    return found


def _score_part(
    detector: "Detector",
    names: Mapping[int, str],
    part: GoldenPart,
    shapes: Mapping[int, Sequence[float]],
    limit: Limit | None,
) -> Seen:
    """What a detector scores a golden part as a part of its class. `names`: class id → what the detector calls it; `shapes`: see
    `shapes_of`; `limit`: from where on it shows another product."""
    name = names[part.class_id]
    try:
        if part.missing:
            raise ImageError("Its image is missing from the project folder.")
        image = prepared(part.path, detector, name)
        if image.sha256 != part.sha256:
            raise ImageError("Its image was changed inside the project folder.")
        check_shape(image.size, shapes.get(part.class_id, ()))
        (score_map,) = detector.score([image], [name])
        if not score_map.finite:
            raise ImageError("The detector gave no number for it.")
        return Seen(float(score_map.image_score), far(score_map, limit), why_moved(score_map, limit))
    except InspectorError as error:
        return Seen(None, error=error.message)


def _moved(now: float | None, then: float | None, rounding: float) -> bool:
    """Whether a number that was taken again is another, or none any more."""
    return then is not None and (now is None or abs(now - then) > rounding * max(abs(then), 1e-6))


class GoldenTrial:
    """What a detector that was just made says of the golden set, before it has a number."""

    def __init__(
        self,
        project: Project,
        detector: "Detector",
        names: Mapping[int, str],
        found: tuple[Mapping[int, Thresholds], Mapping[int, Limit]],
        report: Reporter,
        cancel: CancelToken,
    ) -> None:
        """`names`: class id → what the detector calls it, of the classes that it would judge; `found`: their thresholds, and from
        where on a picture shows another product."""
        self._project = project
        self._scores: Scores = {}
        self.words: list[GoldenWord] = []
        self.late = False
        shapes, (thresholds, limits) = shapes_of(project, detector, names), found
        for part in list_golden(project, names):
            cancel.check()
            limit = limits.get(part.class_id)
            seen = self._scores[part.id] = _score_part(detector, names, part, shapes, limit)
            self.words.append(golden_word(part, None, seen, thresholds[part.class_id], limit))
        self.missed = newly_missed(judge_golden(project, class_ids=[*names]), self.words)
        for word in self.missed:
            report.log(
                f"Golden part “{word.part.name}” must be {word.part.expected.upper()}, and would not be."
            )

    def keep(self, detector_id: int, who: str) -> None:
        """In the transaction in which the detector joins the project: its scores, and a record where it is in charge. It is only
        proposed after all where parts joined the golden set meanwhile (`late`)."""
        keep_golden_scores(self._project, detector_id, self._scores)
        row = find_detector(self._project, detector_id)
        words = [] if row.proposed else judge_golden(self._project, detector_id, row.in_charge)
        self.late = any(not word.scored for word in words)
        if self.late:
            propose_detector(self._project, detector_id)
        elif words:
            add_check(self._project, words, occasion=f"Detector #{detector_id} in charge", who=who)

    @property
    def said(self) -> str:
        """For people, to follow a sentence; "" without a golden set."""
        if self.late:
            return " Parts joined the golden set while it was taught: it is only proposed until it has seen them."
        if not self.words:
            return ""
        if self.missed:
            names = _named([word.part.name for word in self.missed])
            return f" {names} of the golden set would be judged otherwise than they must be: somebody has to sign for that."
        return f" {said(self.words)}"


def said(words: Sequence[GoldenWord]) -> str:
    """How the golden set is judged, in a sentence."""
    missed = [word for word in words if not word.kept]
    if not words:
        return "There is no golden set."
    if not missed:
        return f"Golden set: all {len(words)} parts are judged as they must be." if len(words) > 1 else _ONE
    what = [word.part.name for word in missed]
    are = "is" if len(missed) == 1 else "are"
    return f"Golden set: {len(missed)} of {_count(words)} {are} not judged as they must be: {_named(what)}."


def _count(parts: Sequence[object]) -> str:
    return "1 part" if len(parts) == 1 else f"{len(parts)} parts"


def _named(names: Sequence[str]) -> str:
    return few([f"“{name}”" for name in names])

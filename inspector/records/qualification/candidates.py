"""Which parts a study could be made of, and a proposal."""

import random
from dataclasses import dataclass

from sqlalchemy import select

from inspector.domain import Decision
from inspector.records import schema as t
from inspector.records.files import is_kept
from inspector.records.project import Project
from inspector.records.qualification.studies import NewPart
from inspector.records.result_filter import ResultFilter, filtered
from inspector.records.thresholds import newest_thresholds

USUAL, FEWEST = 50, 20
"""Parts that AIAG recommends for a study, and below which its figures say little."""
NEAR_SHARE = 0.3
"""Of the parts should lie near the limit, where judging is hard."""
NEAR = 0.2
"""A score this close to the limit is near it, in shares of that."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part whose newest word is OK or NG. `distance`: of its score from the middle of the thresholds, in shares of that; None where
    either isn't known. `detector_id`: the one that judged it."""

    part: NewPart
    distance: float | None
    detector_id: int = 0

    @property
    def near(self) -> bool:
        """Whether it lies near the limit."""
        return self.distance is not None and self.distance <= NEAR


def list_candidates(
    project: Project, *, class_id: int | None = None, run_id: int | None = None
) -> list[Candidate]:
    """The parts (of one class, of one run) that people judged, each image once by its newest word, without those that taught the
    detector; in the order of their results."""
    columns = (
        t.Result.id,
        t.Result.detector_id,
        t.Result.image_id,
        t.Result.class_id,
        t.Result.name,
        t.Result.override,
        t.Result.decision,
        t.Result.image_score,
    )
    found: dict[int, tuple[int, Candidate]] = {}
    limits: dict[int, dict[int, float]] = {}
    seen: set[int] = set()
    with project.reading() as session:
        where = ResultFilter(run_id=run_id, class_id=class_id, reviewed=True)
        rows = session.execute(
            filtered(session, select(*columns), where)
            .where(t.Result.is_shot.is_(False), is_kept(), t.Result.class_id.is_not(None))
            .order_by(t.Result.reviewed.desc(), t.Result.id.desc())
        ).all()
        for result_id, detector_id, image_id, of_class, name, override, decision, score in rows:
            expected = t.word(Decision, override)
            if image_id in seen:
                continue
            seen.add(image_id)
            if expected not in (Decision.OK, Decision.NG):
                continue  # taken back: an earlier word no longer counts
            if detector_id not in limits:
                newest = newest_thresholds(session, detector_id)
                limits[detector_id] = {
                    key: (row.thresholds.review + row.thresholds.strictest) / 2 for key, row in newest.items()
                }
            middle = limits[detector_id].get(of_class)
            part = NewPart(image_id, of_class, name, expected, t.word(Decision, decision), score)
            known = middle is not None and middle > 0 and score is not None
            found[image_id] = (
                result_id,
                Candidate(part, abs(score / middle - 1) if known else None, detector_id),
            )
    return [candidate for _, candidate in sorted(found.values(), key=lambda one: one[0])]


def propose(candidates: list[Candidate], count: int, seed: int = 0) -> list[Candidate]:
    """At most `count` of them, as many OK as NG where there are so many; of each, NEAR_SHARE are those nearest to the limit and the
    others are drawn."""
    good = [one for one in candidates if one.part.expected is Decision.OK]
    bad = [one for one in candidates if one.part.expected is Decision.NG]
    of_bad = min(len(bad), max(count // 2, count - len(good)))
    drawn = random.Random(seed)
    chosen = [*_draw(good, min(len(good), count - of_bad), drawn), *_draw(bad, of_bad, drawn)]
    wanted = {one.part.image_id for one in chosen}
    return [one for one in candidates if one.part.image_id in wanted]


def _draw(among: list[Candidate], count: int, drawn: random.Random) -> list[Candidate]:
    by_distance = sorted(among, key=lambda one: float("inf") if one.distance is None else one.distance)
    nearest = by_distance[: round(count * NEAR_SHARE)]
    rest = by_distance[len(nearest) :]
    return [*nearest, *drawn.sample(rest, count - len(nearest))]


def warnings(chosen: list[Candidate]) -> list[str]:
    """What speaks against a study of these parts, in sentences; none when all is well."""
    good = sum(1 for one in chosen if one.part.expected is Decision.OK)
    bad, near = len(chosen) - good, sum(1 for one in chosen if one.near)
    said = []
    if len(chosen) < FEWEST:
        said.append(f"Fewer than {FEWEST} parts: the figures will say little. {USUAL} are usual.")
    if not bad:
        said.append("No NG part: how many defects are missed can't be told.")
    elif not good:
        said.append("No OK part: how many false alarms there are can't be told.")
    if len({one.detector_id for one in chosen}) > 1:
        said.append("Several detectors judged them: the study's row “Detector” tells of all together.")
    if len(chosen) >= FEWEST and near < 0.2 * len(chosen):
        said.append("Few parts lie near the limit: easy parts make everybody look good.")
    return said

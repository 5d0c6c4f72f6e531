"""The golden set: parts of which the verdict is known and must never change, what detectors score them, and every check of it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from inspector.domain import Decision, Thresholds
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.audit import ActKind, few, note
from inspector.records.detectors import in_charge
from inspector.records.files import find_image, is_kept
from inspector.records.project import Project
from inspector.records.thresholds import all_limits, newest_thresholds
from inspector.verdicts.judge import decide
from inspector.verdicts.product import Limit, is_other, why_other


@dataclass(frozen=True, slots=True)
class GoldenPart:
    """`expected`: OK or NG. `is_shot`: it is among the shots of its class, so that its verdict shows nothing. `path`, `missing`: see
    `find_image`."""

    id: int
    class_id: int
    class_name: str
    image_id: int
    name: str
    sha256: str
    expected: Decision
    who: str
    created: datetime
    is_shot: bool
    path: Path
    missing: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a detector makes of a golden part: its score and its distance from the shots (None: not asked). `error`: where it has no
    score, why; else what `verdicts.product.why_moved` says of it."""

    score: float | None
    distance: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class GoldenWord:
    """What a detector says of a golden part. `detector_id` None: none judges its class. `decision` None: it was never scored
    (`error` ""), could not be, or the detector has no thresholds for it. `error` also: why it is taken for another product."""

    part: GoldenPart
    detector_id: int | None
    score: float | None
    decision: Decision | None
    error: str = ""
    distance: float | None = None

    @property
    def scored(self) -> bool:
        """Whether this detector has looked at it, be it in vain."""
        return self.score is not None or bool(self.error)

    @property
    def kept(self) -> bool:
        """Whether it is judged as it must be: a good part is OK, a defective one is held back, as NG or for review; neither is
        another product."""
        return as_it_must_be(self.decision, self.part.expected)


@dataclass(frozen=True, slots=True)
class GoldenChange:
    """Ids of golden parts that were added, and of those whose place they took; `switch_golden` takes it back. `left_out`: results that
    can't be golden parts, for want of a class or an image, or as shots."""

    added: tuple[int, ...]
    removed: tuple[int, ...]
    left_out: int = 0


def add_golden(project: Project, words: Mapping[int, Decision], *, who: str) -> GoldenChange:
    """Take the images of results (id → OK or NG, as it must always be judged) into the golden set, as parts of the class that
    each was judged as, with what they scored; one that is there already with the other word is replaced.

    Raises ProjectError where none can be taken: a result without class or image, and an image that is a shot of the class.
    """
    if not all(expected in (Decision.OK, Decision.NG) for expected in words.values()):
        raise ValueError("a golden part is OK or NG")
    added: list[t.GoldenPart] = []
    removed: list[int] = []
    with project.writing() as session:
        rows = session.execute(
            select(
                t.Result.id,
                t.Result.name,
                t.Result.class_id,
                t.Result.image_id,
                t.Result.detector_id,
                t.Result.image_score,
                t.Result.product_distance,
                t.Result.hint,
            )
            .join(t.Class, t.Result.class_id == t.Class.id)
            .where(t.Result.id.in_(words), is_kept(), t.Class.removed.is_(None))
            .order_by(t.Result.id)
        ).all()
        shots, there = _shots(session), {}
        for part in session.scalars(select(t.GoldenPart).where(t.GoldenPart.removed.is_(None))):
            there[part.class_id, part.image_id] = part
        new: dict[tuple[int, int], tuple[str, Decision]] = {}
        seen: dict[tuple[int, int], dict[int, Seen]] = {}
        taken = 0
        for result_id, name, class_id, image_id, detector_id, score, far, hint in rows:
            if class_id is not None and image_id is not None and (class_id, image_id) not in shots:
                new[class_id, image_id] = name, words[result_id]
                taken += 1
                if score is not None:
                    seen.setdefault((class_id, image_id), {})[detector_id] = Seen(score, far, hint)
        for key, (name, expected) in new.items():
            before = there.get(key)
            if before is not None and before.expected == expected:
                session.add_all(
                    _golden_score(detector_id, before.id, said)
                    for detector_id, said in seen.get(key, {}).items()
                    if session.get(t.GoldenScore, (detector_id, before.id)) is None
                )
                continue
            if before is not None:
                before.removed = t.now()
                removed.append(before.id)
                session.flush()
            made = t.GoldenPart(class_id=key[0], image_id=key[1], name=name, expected=expected, who=who)
            session.add(made)
            session.flush()
            session.add_all(
                _golden_score(detector_id, made.id, said) for detector_id, said in seen.get(key, {}).items()
            )
            added.append(made)
        change = GoldenChange(tuple(part.id for part in added), tuple(removed), len(words) - taken)
        _note(session, ActKind.GOLDEN_ADDED, change.added, who, was=removed)
    if not new:
        raise ProjectError(
            "Nothing was added to the golden set: these images are shots of their class, have no class, or were let go.",
            "Choose parts that the detector was not taught on: only these show what it does.",
        )
    return change


def switch_golden(project: Project, *, on: Collection[int] = (), off: Collection[int] = ()) -> None:
    """Take parts out of the golden set (`off`) and bring back those that were taken out (`on`)."""
    with project.writing() as session:
        for ids, removed in ((off, t.now()), (on, None)):
            if not ids:
                continue
            session.execute(update(t.GoldenPart).where(t.GoldenPart.id.in_([*ids])).values(removed=removed))
            _note(session, ActKind.GOLDEN_REMOVED if removed else ActKind.GOLDEN_ADDED, ids)


def list_golden(project: Project, class_ids: Collection[int] | None = None) -> list[GoldenPart]:
    """The golden set (of these classes), by class and name."""
    with project.reading() as session:
        return _parts(project, session, class_ids)


def keep_golden_scores(project: Project, detector_id: int, scores: Mapping[int, Seen]) -> None:
    """What a detector scores golden parts, by part id."""
    with project.writing() as session:
        for part_id, said in scores.items():
            session.merge(_golden_score(detector_id, part_id, said))


def judge_golden(
    project: Project,
    detector_id: int | None = None,
    class_ids: Collection[int] | None = None,
    thresholds: Mapping[int, Thresholds] | None = None,
    asked: Mapping[int, bool] | None = None,
) -> list[GoldenWord]:
    """What is said of each golden part (of these classes) by the stored scores: of the detector in charge of its class, or of one
    of the project's; by its newest thresholds, or by these (class id → thresholds), and other products told apart as they are, or
    as `asked` (class id → whether). A detector says nothing of classes that it doesn't know. Milliseconds for a thousand parts."""
    with project.reading() as session:
        parts = _parts(project, session, class_ids)
        if not parts:
            return []
        charged = in_charge(session) if detector_id is None else {}
        if detector_id is not None:
            known = set(
                session.scalars(
                    select(t.DetectorShot.class_id)
                    .where(t.DetectorShot.detector_id == detector_id)
                    .distinct()
                )
            )
            parts = [part for part in parts if part.class_id in known]
        judges = {part.id: charged.get(part.class_id, detector_id) for part in parts}
        of = {key: newest_thresholds(session, key) for key in set(judges.values()) if key is not None}
        limits = {key: all_limits(session, key) for key in of}
        scores = {
            (row.detector_id, row.part_id): row
            for row in session.scalars(select(t.GoldenScore).where(t.GoldenScore.detector_id.in_(of)))
        }
    words = []
    for part in parts:
        judge = judges[part.id]
        row = scores.get((judge or 0, part.id))
        found = of.get(judge or 0, {}).get(part.class_id)
        now = (thresholds or {}).get(part.class_id) or (found.thresholds if found else None)
        said = limits.get(judge or 0, {}).get(part.class_id)
        if said is not None and asked is not None and part.class_id in asked:
            said = replace(said, asked=asked[part.class_id])
        seen = Seen(row.image_score, row.product_distance, row.error) if row else Seen(None)
        words.append(golden_word(part, judge, seen, now, said))
    return words


def golden_word(
    part: GoldenPart, detector_id: int | None, seen: Seen, thresholds: Thresholds | None, limit: Limit | None
) -> GoldenWord:
    """What a detector that has `seen` a part says of it by these thresholds; `limit`: from which distance on it shows another
    product."""
    if seen.score is None or thresholds is None:
        return GoldenWord(part, detector_id, seen.score, None, seen.error, seen.distance)
    start = limit.in_force if limit is not None else None
    decision = decide(seen.score, thresholds, is_other(seen.distance, start))
    return GoldenWord(
        part, detector_id, seen.score, decision, why_other(seen.distance, start, seen.error), seen.distance
    )


def charges(project: Project) -> dict[int, int]:
    """Class id → the detector in charge of it."""
    with project.reading() as session:
        return in_charge(session)


def newly_missed(before: Iterable[GoldenWord], after: Iterable[GoldenWord]) -> list[GoldenWord]:
    """Of what is said `after` a change, the parts that are judged otherwise than they must be and weren't `before`."""
    missed = {word.part.id for word in before if word.scored and not word.kept}
    return [word for word in after if word.scored and not word.kept and word.part.id not in missed]


def _golden_score(detector_id: int, part_id: int, said: Seen) -> t.GoldenScore:
    return t.GoldenScore(
        detector_id=detector_id,
        part_id=part_id,
        image_score=said.score,
        product_distance=said.distance,
        error=said.error,
    )


def _note(
    session: Session, kind: ActKind, ids: Collection[int], who: str = "", was: Collection[int] = ()
) -> None:
    """A line in the audit for these parts, where there are any. `was`: those whose place they took."""

    def named(ids: Collection[int]) -> list[str]:
        parts = select(t.GoldenPart.name, t.GoldenPart.expected).where(t.GoldenPart.id.in_([*ids]))
        return [f"{name} ({expected})" for name, expected in session.execute(parts.order_by(t.GoldenPart.id))]

    if names := named(ids):
        parts = "1 part" if len(names) == 1 else f"{len(names)} parts"
        note(session, kind, parts, who=who, old=few(named(was)), new=few(names))


def as_it_must_be(said: Decision | None, expected: Decision) -> bool:
    """Whether a part is judged as `expected`: a good one OK, a defective one held back."""
    known = said is not None and said is not Decision.OTHER
    return known and (said is Decision.OK) == (expected is Decision.OK)


def _parts(project: Project, session: Session, class_ids: Collection[int] | None) -> list[GoldenPart]:
    query = (
        select(t.GoldenPart, t.StoredImage, t.Class.name)
        .join(t.StoredImage, t.GoldenPart.image_id == t.StoredImage.id)
        .join(t.Class, t.GoldenPart.class_id == t.Class.id)
        .where(t.GoldenPart.removed.is_(None), t.Class.removed.is_(None))
        .order_by(t.Class.name, t.GoldenPart.name, t.GoldenPart.id)
    )
    if class_ids is not None:
        query = query.where(t.GoldenPart.class_id.in_([*class_ids]))
    found, rows = [], session.execute(query).all()
    shots = _shots(session) if rows else set()
    for row, image, class_name in rows:
        expected = t.word(Decision, row.expected)
        if expected is None:  # damage: nothing can be held against anything
            continue
        path, missing = find_image(project, image.sha256, image.suffix)
        found.append(
            GoldenPart(
                id=row.id,
                class_id=row.class_id,
                class_name=class_name,
                image_id=row.image_id,
                name=row.name,
                sha256=image.sha256,
                expected=expected,
                who=row.who,
                created=row.created,
                is_shot=(row.class_id, row.image_id) in shots,
                path=path,
                missing=missing,
            )
        )
    return found


def _shots(session: Session) -> set[tuple[int, int]]:
    """(class, image) of every shot, and of those that a detector in charge still remembers."""
    known = select(t.DetectorShot.shot_id).where(
        t.DetectorShot.detector_id.in_(set(in_charge(session).values()))
    )
    rows = session.execute(
        select(t.Shot.class_id, t.Shot.image_id).where(
            t.Shot.place.is_(None), or_(t.Shot.removed.is_(None), t.Shot.id.in_(known))
        )
    )
    return {(class_id, image_id) for class_id, image_id in rows}

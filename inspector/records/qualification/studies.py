"""Studies of who judges how: their parts, the words that were said blind, and whose turn it is.

`studies.plan` holds {"appraisers", "trials", "seed", "finished": [[appraiser, trial], …]}.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.files import find_image
from inspector.records.names import checked, class_key, file_name
from inspector.records.project import Project

SKIPPED = "skipped"
"""The word of somebody whose picture could not be shown."""
MOST_APPRAISERS = 6


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part as a study takes it in. `expected`: what it is known to be, OK or NG. `decision`, `image_score`: what the detector says of
    it now, None where it said nothing."""

    image_id: int
    class_id: int
    name: str
    expected: Decision
    decision: Decision | None = None
    image_score: float | None = None


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part of a study, see `NewPart`. `expected` None: its row is damaged. `path`: the project's own copy of the image; `missing`:
    whether it isn't there. `white`: the end of the range of its class, see `images.read`."""

    position: int
    class_name: str
    name: str
    expected: Decision | None
    decision: Decision | None
    image_score: float | None
    sha256: str
    path: Path
    missing: bool
    white: int | None


@dataclass(frozen=True, slots=True)
class StudyRow:
    """`trials`: how often each of the `appraisers` judges all `parts`. `said`: by (appraiser, trial), of how many parts. `finished`:
    trials whose words count for good. `closed`: when the last one was, or somebody ended it."""

    id: int
    title: str
    who: str
    created: datetime
    closed: datetime | None
    parts: int
    trials: int
    appraisers: tuple[str, ...]
    seed: int
    said: Mapping[tuple[str, int], int]
    finished: frozenset[tuple[str, int]]

    def turn(self, appraiser: str) -> int | None:
        """The trial that somebody is in or comes to next, from 1; None when there is none left."""
        left = (n for n in range(1, self.trials + 1) if (appraiser, n) not in self.finished)
        return None if self.closed else next(left, None)

    def done(self, appraiser: str) -> int:
        """How many trials somebody has finished."""
        return sum(1 for name, _ in self.finished if name == appraiser)

    @property
    def progress(self) -> str:
        """Trials that are finished, for instance "Ada 2/2, Bo 1/2"."""
        return ", ".join(f"{name} {self.done(name)}/{self.trials}" for name in self.appraisers)


def add_study(
    project: Project,
    title: str,
    parts: Sequence[NewPart],
    appraisers: Sequence[str],
    trials: int,
    *,
    who: str,
) -> int:
    """Begin a study; its id. Raises `ProjectError` where it has no parts, one twice, or other than 2 or 3 trials, or names are empty
    or the same."""
    title = checked(title, "study")
    names = [checked(name, "person") for name in appraisers]
    if not 1 <= len(names) <= MOST_APPRAISERS or len({class_key(name) for name in names}) < len(names):
        raise ProjectError(
            f"A study takes 1 to {MOST_APPRAISERS} people, each under a name of their own.",
            "Name two or three people who judge such parts every day.",
        )
    if trials not in (2, 3):
        raise ProjectError("Everybody judges two or three times.", "Choose 2 or 3 trials.")
    if not parts or len({one.image_id for one in parts}) < len(parts):
        raise ProjectError("A study needs parts, and each of them once.", "Choose other results.")
    if any(one.expected not in (Decision.OK, Decision.NG) for one in parts):
        raise ProjectError("A part of a study must be known to be OK or NG.", "Review it first.")
    with project.writing() as session:
        plan = {"appraisers": names, "trials": trials, "seed": secrets.randbits(48), "finished": []}
        row = t.Study(title=title, plan=plan, who=who)
        session.add(row)
        session.flush()
        session.add_all(
            t.StudyPart(
                study_id=row.id,
                position=position,
                image_id=one.image_id,
                class_id=one.class_id,
                name=file_name(one.name),
                expected=one.expected,
                decision=one.decision,
                image_score=one.image_score,
            )
            for position, one in enumerate(parts, 1)
        )
        new = f"{len(parts)} parts, {trials} trials, {', '.join(names)}"
        note(session, ActKind.STUDY_BEGUN, title, who=who, new=new)
        return row.id


def list_studies(project: Project) -> list[StudyRow]:
    """Those that were not removed, newest first."""
    with project.reading() as session:
        rows = session.scalars(select(t.Study).where(t.Study.removed.is_(None)).order_by(t.Study.id.desc()))
        return [_row(session, row) for row in rows.all()]


def find_study(project: Project, study_id: int) -> StudyRow:
    """One study. Raises `ProjectError` when there is none, or it was removed."""
    with project.reading() as session:
        return _row(session, _stored(session, study_id))


def study_parts(project: Project, study_id: int) -> list[PartRow]:
    """The parts of a study by position, from 1, with what lies on the disk looked up."""
    with project.reading() as session:
        rows = session.execute(
            select(t.StudyPart, t.StoredImage.sha256, t.StoredImage.suffix, t.Class.name, t.Class.white)
            .join(t.StoredImage, t.StudyPart.image_id == t.StoredImage.id)
            .outerjoin(t.Class, t.StudyPart.class_id == t.Class.id)
            .where(t.StudyPart.study_id == study_id)
            .order_by(t.StudyPart.position)
        ).all()
    found = []
    for part, sha256, suffix, class_name, white in rows:
        path, missing = find_image(project, sha256, suffix)
        expected, decision = t.word(Decision, part.expected), t.word(Decision, part.decision)
        found.append(
            PartRow(
                position=part.position,
                class_name=class_name or "",
                name=part.name,
                expected=expected if expected in (Decision.OK, Decision.NG) else None,
                decision=decision,
                image_score=part.image_score,
                sha256=sha256,
                path=path,
                missing=missing,
                white=white,
            )
        )
    return found


def order_of(study: StudyRow, appraiser: str, trial: int) -> list[int]:
    """The positions of all parts as one person meets them in one trial: at random, and the same after every start."""

    def place(position: int) -> bytes:
        text = f"{study.seed}/{class_key(appraiser)}/{trial}/{position}"
        return hashlib.sha256(text.encode()).digest()

    return sorted(range(1, study.parts + 1), key=place)


def words_of(project: Project, study_id: int) -> dict[tuple[str, int], dict[int, Decision | None]]:
    """(appraiser, trial) → position → the newest word; None for a part that was skipped."""
    said: dict[tuple[str, int], dict[int, Decision | None]] = {}
    with project.reading() as session:
        for appraiser, trial, position, decision in session.execute(
            select(t.StudyWord.appraiser, t.StudyWord.trial, t.StudyWord.position, t.StudyWord.decision)
            .where(t.StudyWord.study_id == study_id)
            .order_by(t.StudyWord.id)
        ):
            if trial is not None and position is not None:
                said.setdefault((appraiser, trial), {})[position] = t.word(Decision, decision)
    return said


def next_part(project: Project, study_id: int, appraiser: str, trial: int) -> int | None:
    """The position of the part that somebody judges next in a trial; None when all have a word. Raises `ProjectError`."""
    study = find_study(project, study_id)
    said = words_of(project, study_id).get((appraiser, trial), {})
    return next((position for position in order_of(study, appraiser, trial) if position not in said), None)


def say(
    project: Project, study_id: int, appraiser: str, trial: int, position: int, decision: Decision | None
) -> None:
    """A word on a part, OK or NG, or None where it can't be shown; the newest counts. Raises `ProjectError` for a trial that is
    finished or not begun yet, and for what the study doesn't have."""
    with project.writing() as session:
        study = _row(session, _stored(session, study_id))
        _require_turn(study, appraiser, trial)
        if not 1 <= position <= study.parts or decision in (Decision.REVIEW, Decision.OTHER):
            raise ProjectError("This word does not belong to the study.", "Say OK or NG of one of its parts.")
        session.add(
            t.StudyWord(
                study_id=study_id,
                position=position,
                appraiser=appraiser,
                trial=trial,
                decision=decision or SKIPPED,
            )
        )


def finish(project: Project, study_id: int, appraiser: str, trial: int) -> StudyRow:
    """Somebody is done with a trial: its words stay as they are. The last one closes the study. Raises `ProjectError` while parts have
    no word."""
    with project.writing() as session:
        row = _stored(session, study_id)
        study = _row(session, row)
        _require_turn(study, appraiser, trial)
        left = study.parts - study.said.get((appraiser, trial), 0)
        if left:
            raise ProjectError(f"{left} of {study.parts} parts have no word yet.", "Judge them first.")
        finished = [[name, number] for name, number in (*study.finished, (appraiser, trial))]
        row.plan = {**row.plan, "finished": sorted(finished)}
        if len(finished) == len(study.appraisers) * study.trials:
            row.closed = t.now()
            note(session, ActKind.STUDY_ENDED, row.title, who=appraiser, new="everybody has judged")
        session.flush()
        return _row(session, row)


def close(project: Project, study_id: int) -> None:
    """End a study before everybody has judged everything; what was said so far counts."""
    _set(project, study_id, ActKind.STUDY_ENDED, closed=t.now())


def reopen(project: Project, study_id: int) -> None:
    """Take back `close`."""
    _set(project, study_id, ActKind.STUDY_REOPENED, closed=None)


def remove(project: Project, study_id: int) -> None:
    """Hide a study; `restore` brings it back."""
    _set(project, study_id, ActKind.STUDY_REMOVED, removed=t.now())


def restore(project: Project, study_id: int) -> None:
    """Take back `remove`."""
    _set(project, study_id, ActKind.STUDY_RESTORED, removed=None)


def _set(project: Project, study_id: int, kind: ActKind, **values: Any) -> None:
    with project.writing() as session:
        session.execute(update(t.Study).where(t.Study.id == study_id).values(**values))
        title = session.scalar(select(t.Study.title).where(t.Study.id == study_id))
        note(session, kind, title or "")


def _require_turn(study: StudyRow, appraiser: str, trial: int) -> None:
    if appraiser not in study.appraisers or study.turn(appraiser) != trial:
        raise ProjectError(
            "Nothing more is said in this trial: it is finished, or another one comes first.",
            "Begin the next trial from the list of studies.",
        )


def _stored(session: Session, study_id: int) -> t.Study:
    row = session.scalars(select(t.Study).where(t.Study.id == study_id, t.Study.removed.is_(None))).first()
    if row is None:
        raise ProjectError("This study is no longer in the project.", "Go back to the list of studies.")
    return row


def _row(session: Session, row: t.Study) -> StudyRow:
    """What is damaged in a plan reads as nobody, and as nothing finished."""
    plan = row.plan
    names, done = plan.get("appraisers"), plan.get("finished")
    trials, seed = plan.get("trials"), plan.get("seed")
    parts = session.scalar(select(func.count()).where(t.StudyPart.study_id == row.id)) or 0
    said: dict[tuple[str, int], int] = {}
    for appraiser, trial, count in session.execute(
        select(t.StudyWord.appraiser, t.StudyWord.trial, func.count(t.StudyWord.position.distinct()))
        .where(t.StudyWord.study_id == row.id)
        .group_by(t.StudyWord.appraiser, t.StudyWord.trial)
    ):
        if trial is not None:
            said[appraiser, trial] = count
    finished = [one for one in done if _is_trial(one)] if isinstance(done, list) else []
    return StudyRow(
        id=row.id,
        title=row.title,
        who=row.who,
        created=row.created,
        closed=row.closed,
        parts=parts,
        trials=trials if trials in (2, 3) else 2,
        appraisers=tuple(map(str, names)) if isinstance(names, list) else (),
        seed=seed if isinstance(seed, int) else 0,
        said=said,
        finished=frozenset((str(name), number) for name, number in finished),
    )


def _is_trial(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)

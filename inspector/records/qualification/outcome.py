"""What came out of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records.project import Project
from inspector.records.qualification.studies import PartRow, StudyRow, find_study, study_parts, words_of
from inspector.verdicts.agreement import Agreement, agreement


@dataclass(frozen=True, slots=True)
class PartWords:
    """A part and what each person said of it, trial by trial; None where no word was said."""

    part: PartRow
    words: Mapping[str, tuple[Decision | None, ...]]

    @property
    def disputed(self) -> bool:
        """Whether words of people differ from each other or from what the part is known to be."""
        said = {word for words in self.words.values() for word in words if word is not None}
        return bool(said) and said != {self.part.expected}


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Parts that the detector sent to review, or took for another product, by what they are known to be. Both count as NG, since they
    stop the part."""

    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reviewed`: sent to review by the detector; `others`: taken for another product; `parts`: all of them, by position."""

    study: StudyRow
    agreement: Agreement
    reviewed: Reviewed
    others: Reviewed
    parts: tuple[PartWords, ...]

    @property
    def disputed(self) -> tuple[PartWords, ...]:
        """See `PartWords.disputed`."""
        return tuple(one for one in self.parts if one.disputed)

    @property
    def left_out(self) -> tuple[PartWords, ...]:
        """Parts that lack a word of somebody who judged, so that they don't count for that person, or whose row is damaged."""
        judged = {one.name for one in self.agreement.people}
        return tuple(
            one
            for one in self.parts
            if one.part.expected is None or any(None in one.words[name] for name in judged)
        )


def outcome(project: Project, study_id: int) -> Outcome:
    """The figures of a study that is closed. Raises `ProjectError` for one that isn't: those who still judge must not learn what is
    known of the parts."""
    study = find_study(project, study_id)
    if study.closed is None:
        raise ProjectError(
            f"The study “{study.title}” isn't finished: its report would no longer leave those blind who still judge.",
            "Finish every trial, or end the study.",
        )
    said = words_of(project, study_id)
    parts = tuple(
        PartWords(
            part,
            {
                name: tuple(
                    said.get((name, trial), {}).get(part.position) for trial in range(1, study.trials + 1)
                )
                for name in study.appraisers
            },
        )
        for part in study_parts(project, study_id)
    )
    known = [one for one in parts if one.part.expected is not None]
    expected = np.array([one.part.expected is Decision.NG for one in known], np.bool_)
    words = {name: _numbers([one.words[name] for one in known], study.trials) for name in study.appraisers}
    detector = _numbers([(one.part.decision,) for one in known], 1)[:, 0]
    return Outcome(
        study,
        agreement(expected, words, detector),
        _said(known, Decision.REVIEW),
        _said(known, Decision.OTHER),
        parts,
    )


def _said(parts: Sequence[PartWords], decision: Decision) -> Reviewed:
    known = [one.part.expected for one in parts if one.part.decision is decision]
    return Reviewed(known.count(Decision.OK), known.count(Decision.NG))


def _numbers(words: Sequence[Sequence[Decision | None]], trials: int) -> NDArray[np.float64]:
    """As `agreement` takes them, (parts, trials)."""
    numbers = {None: np.nan, Decision.OK: 0.0, Decision.REVIEW: 1.0, Decision.NG: 1.0, Decision.OTHER: 1.0}
    return np.array([[numbers[word] for word in said] for said in words], np.float64).reshape(-1, trials)

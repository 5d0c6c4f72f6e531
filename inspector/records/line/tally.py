"""What came to a station, counted: today, since a shift began, of an order."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from inspector.domain import Decision
from inspector.records import schema as t
from inspector.records.project import Project


@dataclass(frozen=True, slots=True)
class Tally:
    """`counts`: how many by what counts of them, a person's word or else what was said; None: failed. `last`: the highest id of
    those that were looked at, 0 for none."""

    counts: Mapping[Decision | None, int]
    last: int = 0

    @property
    def total(self) -> int:
        """All, failed ones too."""
        return sum(self.counts.values())

    @property
    def share_ok(self) -> float | None:
        """The yield: which share of those that were judged is OK; None where none was."""
        judged = self.total - self.counts.get(None, 0)
        return self.counts.get(Decision.OK, 0) / judged if judged else None

    def __add__(self, later: "Tally") -> "Tally":
        """With what came after it."""
        return Tally(Counter(self.counts) + Counter(later.counts), max(self.last, later.last))


def tally(
    project: Project,
    station_id: int,
    *,
    since: datetime | None = None,
    lot: str | None = None,
    after: int = 0,
) -> Tally:
    """Of the arrivals of a station with an id above `after`: those since a moment, of an order ("" for those of none)."""
    word = func.coalesce(t.Result.override, t.Arrival.said)
    query = (
        select(word, func.count(), func.max(t.Arrival.id))
        .join(t.Result, t.Arrival.result_id == t.Result.id)
        .where(t.Arrival.station_id == station_id, t.Arrival.id > after)
        .group_by(word)
    )
    if since is not None:
        query = query.where(t.Arrival.arrived >= since)
    if lot is not None:
        query = query.where(t.Arrival.lot == lot)
    with project.reading() as session:
        rows = session.execute(query).all()
    counts: Counter[Decision | None] = Counter()
    for said, count, _last in rows:
        counts[t.word(Decision, said)] += count
    return Tally(counts, max((last for *_, last in rows), default=after))

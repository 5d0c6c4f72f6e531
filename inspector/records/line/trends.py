"""How a station goes over time, bucket by bucket, counted by the database: a million arrivals take less than a second.

What is said of arrivals is counted from an index that holds nothing else. Looks, scores and times are of at most `_SAMPLE` parts of
each bucket, drawn evenly: their quantiles are as good as can be seen, and nothing is sorted that needn't be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Dialect, func, select
from sqlalchemy.orm import Session

from inspector.records import schema as t
from inspector.records.project import Project
from inspector.records.tables.columns import EPOCH, Utc
from inspector.verdicts.watch import LOOKS

SQLITE = Dialect()
WORDS = ("ok", "review", "ng", "other", "failed")
"""The columns of counts. `other`: not this product."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SAMPLE = 500
_MOST = 100
"""Buckets of a trend, about."""
_STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 7 * 1440)
)
# At equal light, as in `watch.ratios`.
_LIGHT = "max(a.brightness, 1.0)"
VALUES = (
    "a.brightness",
    f"a.sharpness / ({_LIGHT} * {_LIGHT})",
    f"a.red_green / {_LIGHT}",
    f"a.blue_yellow / {_LIGHT}",
    "r.class_confidence",
    "r.image_score",
)
"""`LOOKS` in SQL, of arrival `a` with result `r`."""
assert len(VALUES) == len(LOOKS)
# Not every k-th: a machine with eight nests would be seen from one of them.
DRAWN = "(((a.id * 2654435761) >> 12) % {every} = 0)"
JOINED = "arrivals AS a JOIN results AS r ON r.id = a.result_id"


@dataclass(frozen=True, slots=True)
class TrendOf:
    """Which arrivals: of a station, and where set, of a class, an order and a run."""

    station_id: int
    class_id: int | None = None
    lot: str | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """Buckets between `edges` (b + 1 moments, aware). `said` [b, WORDS]: how many were said to be what when they were judged;
    `words` [b, WORDS]: with people's words instead. `means`, `spreads` [b, LOOKS]; `scores` [b, QUANTILES]; `took` [b, 2]: median
    and 95 % of the seconds from coming to being stored. NaN where there are none. `last`: the highest id of the arrivals."""

    edges: tuple[datetime, ...]
    said: NDArray[np.int64]
    words: NDArray[np.int64]
    means: NDArray[np.float64]
    spreads: NDArray[np.float64]
    scores: NDArray[np.float64]
    took: NDArray[np.float64]
    last: int

    @property
    def parts(self) -> NDArray[np.int64]:
        """How many of each bucket were judged: without those that failed, [b]."""
        counts: NDArray[np.int64] = self.words[:, :-1].sum(1)
        return counts

    @property
    def ng(self) -> NDArray[np.int64]:
        """How many of each bucket are NG, with people's words, [b]."""
        counts: NDArray[np.int64] = self.words[:, WORDS.index("ng")]
        return counts

    @property
    def total(self) -> NDArray[np.int64]:
        """With people's words, of all buckets, [WORDS]."""
        counts: NDArray[np.int64] = self.words.sum(0)
        return counts


def edges_of(since: datetime, until: datetime, most: int = _MOST) -> tuple[datetime, ...]:
    """Moments (aware, local) between buckets of a minute to a week, that cover a span in about `most` buckets at most. Hours and days
    begin where local clocks say."""
    span = max(until - since, timedelta(minutes=1))
    step = next((one for one in _STEPS if span / one <= most), _STEPS[-1])
    since, until = since.astimezone(), until.astimezone()
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    passed = since.replace(tzinfo=None) - midnight
    at = midnight + (passed // step) * step
    edges = [at.astimezone()]
    while edges[-1] < until:
        at += step
        if (moment := at.astimezone()) > edges[-1]:  # a clock that is put back says an hour twice
            edges.append(moment)
    return tuple(edges)


def span_of(project: Project, of: TrendOf) -> tuple[datetime, datetime] | None:
    """When the first and the last arrival came, whatever their class; None where there is none."""
    query = select(func.min(t.Arrival.arrived)).where(t.Arrival.station_id == of.station_id)
    last = select(func.max(t.Arrival.arrived)).where(t.Arrival.station_id == of.station_id)
    if of.lot is not None:
        query, last = (one.where(t.Arrival.lot == of.lot) for one in (query, last))
    if of.run_id is not None:
        own = select(t.Result.id).where(t.Result.run_id == of.run_id)
        query, last = (one.where(t.Arrival.result_id.in_(own)) for one in (query, last))
    with project.reading() as session:
        begun, ended = session.scalars(query).one(), session.scalars(last).one()
    return (begun, ended) if begun and ended and begun > EPOCH else None


def list_lots(project: Project, station_id: int, limit: int = 200) -> list[str]:
    """The orders of a station, the one that came last first; each is found with one step into an index, however many parts it has."""
    with project.reading() as session:
        rows = session.connection().exec_driver_sql(_LOTS, (station_id, station_id, station_id)).all()
    ordered = sorted(rows, key=lambda row: str(row[1]), reverse=True)
    return [str(lot) for lot, _ in ordered if lot][:limit]


_LOTS = """WITH RECURSIVE lots(lot) AS (
        SELECT min(lot) FROM arrivals WHERE station_id = ?
        UNION ALL
        SELECT (SELECT min(lot) FROM arrivals WHERE station_id = ? AND lot > lots.lot) FROM lots WHERE lots.lot IS NOT NULL)
    SELECT lot, (SELECT max(arrived) FROM arrivals WHERE station_id = ? AND lot = lots.lot) FROM lots WHERE lot IS NOT NULL"""


def read_trend(project: Project, of: TrendOf, edges: Sequence[datetime]) -> Trend:
    """The buckets between `edges` (aware, ascending, at least two)."""
    buckets = len(edges) - 1
    means, spreads = (np.full((buckets, len(LOOKS)), np.nan) for _ in range(2))
    scores, took = np.full((buckets, len(QUANTILES)), np.nan), np.full((buckets, 2), np.nan)
    texts = [moment_text(one) for one in edges]
    with project.reading() as session:
        connection = session.connection()
        condition, given, _ = conditions(session, of)
        said = _said(session, of, edges)
        sample = f"SELECT a.took, {', '.join(VALUES)} FROM {JOINED} WHERE {condition} AND " + DRAWN
        for place, within in enumerate(pairwise(texts)):
            if not (every := -(-int(said[place].sum()) // _SAMPLE)):
                continue
            found = connection.exec_driver_sql(sample.format(every=every), (*given, *within))
            values = _numbers(found.cursor.fetchall())  # raw rows: there are many
            if len(values):
                took[place] = _quantiles(values[:, 0], (0.5, 0.95))
                means[place], spreads[place] = _moments(values[:, 1:])
                scores[place] = _quantiles(values[:, -1], QUANTILES)
        words = _with_words(session, of, edges, said)
        last = connection.exec_driver_sql(
            "SELECT max(id) FROM arrivals WHERE station_id = ?", (of.station_id,)
        ).scalar_one()
    return Trend(tuple(edges), said, words, means, spreads, scores, took, last or 0)


def read_counts(project: Project, of: TrendOf, edges: Sequence[datetime]) -> NDArray[np.int64]:
    """`Trend.words` of the buckets between `edges`, [b, WORDS], and nothing else."""
    with project.reading() as session:
        found = _said(session, of, edges)
        return _with_words(session, of, edges, found)


def _said(session: Session, of: TrendOf, edges: Sequence[datetime]) -> NDArray[np.int64]:
    condition, given, joins = conditions(session, of)
    rest = f"FROM {JOINED if joins else 'arrivals AS a'} WHERE {condition}"
    texts = map(moment_text, edges)
    rows = [_counted(session.connection(), rest, (*given, *within)) for within in pairwise(texts)]
    return np.array(rows, np.int64).reshape(-1, len(WORDS))


def _with_words(
    session: Session, of: TrendOf, edges: Sequence[datetime], said: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The counts `said` with what people said instead: few results, found by their own index."""
    condition, given, _ = conditions(session, of)
    texts, words = [moment_text(one) for one in edges], said.copy()
    for moment, before, after in session.connection().exec_driver_sql(
        f"SELECT a.arrived, a.said, r.override FROM results AS r CROSS JOIN arrivals AS a ON a.result_id = r.id "
        f"WHERE r.reviewed IS NOT NULL AND r.override IS NOT NULL AND {condition}",
        (*given, texts[0], texts[-1]),
    ):
        place = int(np.searchsorted(texts, str(moment), "right")) - 1
        if 0 <= place < len(words) and after in WORDS:
            words[place, _column(before)] -= 1
            words[place, _column(after)] += 1
    return words


def conditions(session: Session, of: TrendOf) -> tuple[str, tuple[Any, ...], bool]:
    """What arrivals must meet, with two moments to come (from, until), in SQL; its values before those; and whether results `r` are in it."""
    removed = session.scalars(
        select(t.Run.id).where(t.Run.station_id == of.station_id, t.Run.removed.is_not(None))
    ).all()
    parts, given = ["a.station_id = ?"], [of.station_id]
    values: list[Any] = [*given]
    if of.lot is not None:
        parts.append("a.lot = ?")
        values.append(of.lot)
    if of.class_id is not None:
        parts.append("r.class_id = ?")
        values.append(of.class_id)
    if of.run_id is not None:
        parts.append("r.run_id = ?")
        values.append(of.run_id)
    elif removed:
        parts.append(f"r.run_id NOT IN ({', '.join(map(str, map(int, removed)))})")
    parts.append("a.arrived >= ? AND a.arrived < ?")
    return " AND ".join(parts), tuple(values), bool((of.class_id, of.run_id) != (None, None) or removed)


def moment_text(moment: datetime) -> str:
    """As columns keep it."""
    return str(Utc().process_bind_param(moment, SQLITE))


def threshold_steps(project: Project, of: TrendOf) -> list[tuple[datetime, float, float]]:
    """(since, review, NG) of the thresholds that judged a class at a station, in order of time; none without a class."""
    if of.class_id is None:
        return []
    with project.reading() as session:
        runs = session.execute(
            select(t.Run.created, t.Run.detector_id)
            .where(t.Run.station_id == of.station_id)
            .order_by(t.Run.id)
        ).all()
        rows = session.execute(
            select(t.Threshold.detector_id, t.Threshold.created, t.Threshold.review, t.Threshold.ng)
            .where(
                t.Threshold.class_id == of.class_id,
                t.Threshold.detector_id.in_({detector_id for _, detector_id in runs}),
            )
            .order_by(t.Threshold.id)
        ).all()
    found: list[tuple[datetime, float, float]] = []
    for place, (begun, detector_id) in enumerate(runs):
        ends = runs[place + 1][0] if place + 1 < len(runs) else None
        of_run: list[tuple[datetime, float, float]] = []
        for key, created, review, ng in rows:
            if key != detector_id or review is None or ng is None or (ends and created >= ends):
                continue
            if created <= begun or not of_run:
                of_run = [(begun, review, ng)]
            else:
                of_run.append((created, review, ng))
        found += of_run
    return [one for place, one in enumerate(found) if not place or one[1:] != found[place - 1][1:]]


_COUNTS = "count(*), total(a.said = 'ok'), total(a.said = 'review'), total(a.said = 'ng')"


def _counted(connection: Connection, rest: str, given: tuple[Any, ...]) -> list[int]:
    """[WORDS]. What is seldom said is counted only where something is left."""
    every, *words = connection.exec_driver_sql(f"SELECT {_COUNTS} {rest}", given).one()
    left = every - sum(words)
    other = 0
    if left:
        other = connection.exec_driver_sql(f"SELECT total(a.said = 'other') {rest}", given).scalar_one() or 0
    return [int(one) for one in (*words, other, left - other)]


def _column(word: Any) -> int:
    return WORDS.index(word) if word in WORDS else len(WORDS) - 1


def _numbers(rows: Sequence[Any]) -> NDArray[np.float64]:
    """Values [rows, columns]; NaN for none and for what damage left."""
    try:
        values = np.array(rows, np.float64).reshape(len(rows), -1)
    except (ValueError, TypeError):
        values = np.array(
            [[one if isinstance(one, int | float) else np.nan for one in row] for row in rows], np.float64
        ).reshape(len(rows), -1)
    values[~np.isfinite(values)] = np.nan
    return values


def _quantiles(values: NDArray[np.float64], at: Sequence[float]) -> NDArray[np.float64]:
    known = values[np.isfinite(values)]
    return np.quantile(known, at) if len(known) else np.full(len(at), np.nan)


def _moments(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = np.isfinite(values)
    count = known.sum(0)
    clean = np.where(known, values, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = clean.sum(0) / count
        spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(0) / count)
    return mean, spread

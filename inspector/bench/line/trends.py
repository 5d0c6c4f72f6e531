"""What following a station costs that has judged very many parts, and the rows that this is measured on."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.bench.records import THRESHOLDS, make
from inspector.domain import Decision, Thresholds
from inspector.records import project as projects
from inspector.records import schema as t
from inspector.records.inspected.runs import list_runs, start_run
from inspector.records.line.alarms import Following, watch_station
from inspector.records.line.stations import Part, StationSettings, add_station
from inspector.records.line.trends import TrendOf, edges_of, list_lots, read_trend, span_of
from inspector.records.project import Project
from inspector.verdicts.judge import decide_all

_PIECE = 20_000
_DAYS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Where arrivals belong to; `images`: (image row, map) of files that they share, none where they have none. `thresholds`: what judges."""

    station_id: int
    class_id: int
    detector_id: int
    run_id: int
    images: Sequence[tuple[int, str | None]] = ()
    lot: str = ""
    thresholds: Thresholds = THRESHOLDS


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What came to a station: `moments` [n] in seconds, `scores`, `took` and `confidences` [n], `looks` [n, 4] as `arrivals.Looks`."""

    moments: NDArray[np.float64]
    scores: NDArray[np.float64]
    took: NDArray[np.float64]
    confidences: NDArray[np.float64]
    looks: NDArray[np.float64]

    @classmethod
    def quiet(cls, moments: NDArray[np.float64], rng: np.random.Generator) -> "Parts":
        """Good parts in light that doesn't change, at these `moments` [n]; about one of sixty is NG."""
        n = len(moments)
        scores = rng.gamma(9, 0.03, n)
        bad = rng.random(n) < 0.012
        scores[bad] = rng.uniform(0.62, 0.95, int(bad.sum()))
        looks = np.column_stack(
            [
                rng.normal(112, 2.2, n),
                rng.normal(2400, 160, n),
                rng.normal(-2.6, 0.1, n),
                rng.normal(4.2, 0.15, n),
            ]
        )
        return cls(moments, scores, rng.gamma(16, 0.006, n), np.clip(rng.normal(0.96, 0.01, n), 0, 1), looks)


def store(project: Project, line: Line, parts: Parts) -> tuple[int, int]:
    """Rows of arrivals and their results as a station writes them, judged by the line's thresholds; their first id and the one after the
    last."""
    decisions = list(Decision)
    severities = decide_all(parts.scores, line.thresholds).tolist()
    with project.writing() as session:
        connection = session.connection()
        first = 1 + max(
            connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {table}").scalar_one()
            for table in ("results", "arrivals")
        )
    for start in range(0, len(parts.moments), _PIECE):
        results, arrivals = [], []
        for place in range(start, min(start + _PIECE, len(parts.moments))):
            key = first + place
            image_id, kept = line.images[place % len(line.images)] if line.images else (None, None)
            moment = datetime.fromtimestamp(float(parts.moments[place]), UTC)
            said = decisions[severities[place]].value
            score, took = float(parts.scores[place]), float(parts.took[place])
            results.append(
                {
                    "id": key,
                    "run_id": line.run_id,
                    "detector_id": line.detector_id,
                    "image_id": image_id,
                    "class_id": line.class_id,
                    "name": f"part {key:07}.png",
                    "image_score": score,
                    "class_confidence": float(parts.confidences[place]),
                    "decision": said,
                    "map": kept,
                    "regions_threshold_id": 1,
                    "created": moment + timedelta(seconds=took),
                }
            )
            light, sharp, red, blue = parts.looks[place].tolist()
            arrivals.append(
                {
                    "id": key,
                    "station_id": line.station_id,
                    "result_id": key,
                    "mark": f"part {key:07}.png",
                    "lot": line.lot,
                    "said": said,
                    "arrived": moment,
                    "took": took,
                    "brightness": light,
                    "sharpness": sharp,
                    "red_green": red,
                    "blue_yellow": blue,
                }
            )
        tables: dict[Any, list[dict[str, Any]]] = {t.Result: results, t.Arrival: arrivals}
        with project.writing() as session:
            for table, rows in tables.items():
                session.execute(table.__table__.insert(), rows)
    return first, first + len(parts.moments)


def line_of(project: Project, detector_id: int, class_id: int, name: str, begun: datetime) -> Line:
    """A new station with a run that began then."""
    station_id = add_station(
        project, name, StationSettings(Part("folder", {"folder": "/line"})), class_id=class_id
    )
    run_id = start_run(project, detector_id, name, class_id=class_id)
    with project.writing() as session:
        run = session.get_one(t.Run, run_id)
        run.station_id, run.created = station_id, begun
    return Line(station_id, class_id, detector_id, run_id)


def _next_part(project: Project, line: Line, following: Following) -> None:
    moments = datetime.now(UTC).timestamp() + np.linspace(0, 60, 20)
    store(project, line, Parts.quiet(moments, np.random.default_rng(5)))
    watch_station(project, line.station_id, following)


def trends(arrivals: int = 1_000_000, *, repeats: int = 3) -> dict[str, Any]:
    """Seconds, medians of `repeats`, on a station that judged so many parts in 30 days, spread over seven orders.

    `month_s`, `day_s`, `class_s`, `order_s`: a trend of all, of the last day, of one class, of an order; `alarms_s`: what moved since
    the beginning, `alarms_again_ms`: a minute later, once 20 more came (with storing them), `alarms_again_cpu_ms`: for how long a
    processor was busy with that; `orders_s`: the list of orders. `month_cpu_s`, `alarms_cpu_s`: for how long a processor was busy with them, whatever
    else the machine had to do. `mib`: the database.
    """
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as name:
        folder = Path(name) / "project"
        detector_id, class_id, _ = make(folder, 0)
        with projects.open(folder) as project:
            until = datetime.now(UTC)
            since = until - timedelta(days=_DAYS)
            line = line_of(project, detector_id, class_id, "Line 1", since)
            assert list_runs(project)
            rng = np.random.default_rng(1)
            for part in range(7):
                span = np.linspace(part, part + 1, arrivals // 7, endpoint=False) / 7
                moments = since.timestamp() + span * _DAYS * 86400
                store(project, replace(line, lot=f"A-{part}"), Parts.quiet(moments, rng))
            of = TrendOf(line.station_id)
            whole = span_of(project, of)
            assert whole is not None

            def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
                found = []
                for _ in range(repeats):
                    began = clock()
                    work()
                    found.append(clock() - began)
                return round(statistics.median(found), 4)

            following = Following()
            watch_station(project, line.station_id, following)
            month, day = edges_of(*whole), edges_of(until - timedelta(days=1), until)
            return {
                "arrivals": arrivals,
                "buckets": len(month) - 1,
                "month_s": seconds(lambda: read_trend(project, of, month)),
                "day_s": seconds(lambda: read_trend(project, of, day)),
                "class_s": seconds(lambda: read_trend(project, replace(of, class_id=class_id), month)),
                "order_s": seconds(lambda: read_trend(project, replace(of, lot="A-3"), month)),
                "alarms_s": seconds(lambda: watch_station(project, line.station_id)),
                "alarms_again_ms": round(1000 * seconds(lambda: _next_part(project, line, following)), 1),
                "alarms_again_cpu_ms": round(
                    1000 * seconds(lambda: _next_part(project, line, following), time.process_time), 1
                ),
                "month_cpu_s": seconds(lambda: read_trend(project, of, month), time.process_time),
                "alarms_cpu_s": seconds(lambda: watch_station(project, line.station_id), time.process_time),
                "orders_s": seconds(lambda: list_lots(project, line.station_id)),
                "alarms": len(watch_station(project, line.station_id).alarms),
                "mib": round((folder / "project.sqlite").stat().st_size / 2**20),
            }

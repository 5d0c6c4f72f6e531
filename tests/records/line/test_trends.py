"""How a station goes over time, from real rows of a real project."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from at_the_line.followed import NOON

from inspector.bench.line.trends import Line, Parts, line_of, store
from inspector.bench.records import THRESHOLDS
from inspector.domain import Decision
from inspector.records import schema as t
from inspector.records.classes import list_classes
from inspector.records.inspected.runs import remove_run
from inspector.records.line.alarms import SHOWN, watch_station
from inspector.records.line.trends import (
    WORDS,
    Trend,
    TrendOf,
    edges_of,
    list_lots,
    read_counts,
    read_trend,
    span_of,
    threshold_steps,
)
from inspector.records.project import Project
from inspector.records.reviews import add_review, withdraw_review
from inspector.records.thresholds import set_thresholds
from inspector.verdicts.watch import Cause, Look


def parts_at(*minutes: float, scores: list[float] | None = None) -> Parts:
    found = Parts.quiet(NOON.timestamp() + 60 * np.array(minutes), np.random.default_rng(1))
    return found if scores is None else replace(found, scores=np.array(scores))


def hours(count: int) -> list[datetime]:
    return [NOON + timedelta(hours=number) for number in range(count + 1)]


def counts(trend: Trend) -> list[list[int]]:
    return [row.tolist() for row in trend.said]


def test_what_was_said_is_counted_by_bucket_whatever_thresholds_are_later(
    project: Project, line: Line
) -> None:
    store(project, line, parts_at(1, 2, 59, 61, 125, scores=[0.2, 0.55, 0.9, 0.3, 0.7]))
    set_thresholds(project, line.detector_id, line.class_id, replace(THRESHOLDS, ng=0.95))
    trend = read_trend(project, TrendOf(line.station_id), hours(3))
    assert counts(trend) == [[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert trend.words.tolist() == trend.said.tolist()
    assert trend.parts.tolist() == [3, 1, 1]
    assert trend.ng.tolist() == [1, 0, 1]
    assert trend.total.sum() == 5


def test_what_failed_or_is_another_product_is_no_part_of_the_rates(project: Project, line: Line) -> None:
    first, _ = store(project, line, parts_at(1, 2, 3))
    with project.writing() as session:
        connection = session.connection()
        connection.exec_driver_sql("DROP TRIGGER arrivals_no_update")
        connection.exec_driver_sql("UPDATE arrivals SET said = NULL WHERE id = ?", (first,))
        connection.exec_driver_sql("UPDATE arrivals SET said = 'other' WHERE id = ?", (first + 1,))
    trend = read_trend(project, TrendOf(line.station_id), hours(1))
    assert counts(trend) == [[1, 0, 0, 1, 1]]
    assert trend.parts.tolist() == [2]


def test_peoples_words_count_beside_what_was_said_and_go_with_their_undo(
    project: Project, line: Line
) -> None:
    first, _ = store(project, line, parts_at(1, 2, 61, scores=[0.9, 0.2, 0.3]))
    added = add_review(project, [first, first + 2], Decision.OK, who="Ada")
    add_review(project, [first + 2], Decision.NG, who="Ada")
    trend = read_trend(project, TrendOf(line.station_id), hours(2))
    assert counts(trend) == [[1, 0, 1, 0, 0], [1, 0, 0, 0, 0]]
    assert trend.words.tolist() == [[2, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    withdraw_review(project, added[:1], who="Ada")
    assert read_counts(project, TrendOf(line.station_id), hours(2))[0].tolist() == [1, 0, 1, 0, 0]


def test_station_class_order_run_and_removed_runs_are_kept_apart(project: Project, line: Line) -> None:
    other_class = list_classes(project)[1].id
    other = line_of(project, 1, other_class, "Line 2", NOON)
    store(project, replace(line, lot="A"), parts_at(1, 2, 3))
    store(project, replace(line, lot="B", class_id=other_class), parts_at(4, 5))
    store(project, other, parts_at(6))

    def count(**of: object) -> int:
        return int(read_counts(project, replace(TrendOf(line.station_id), **of), hours(1)).sum())  # type: ignore[arg-type]

    assert count() == 5
    assert count(class_id=line.class_id) == 3
    assert count(lot="B") == 2
    assert count(lot="B", class_id=line.class_id) == 0
    assert count(run_id=line.run_id) == 5
    assert count(station_id=other.station_id) == 1
    assert list_lots(project, line.station_id) == ["B", "A"]
    assert list_lots(project, other.station_id) == []
    assert span_of(project, TrendOf(line.station_id, lot="A")) == (
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=3),
    )
    assert span_of(project, TrendOf(other.station_id, run_id=line.run_id)) is None
    remove_run(project, line.run_id)
    assert count() == 0


def test_quantiles_looks_and_latency_are_those_of_the_rows(project: Project, line: Line) -> None:
    parts = parts_at(*np.linspace(0, 59, 400))
    store(project, line, parts)
    trend = read_trend(project, TrendOf(line.station_id), hours(2))
    assert trend.scores[0] == pytest.approx(
        np.quantile(parts.scores, (0.05, 0.25, 0.5, 0.75, 0.95)), rel=1e-9
    )
    assert trend.took[0] == pytest.approx(np.quantile(parts.took, (0.5, 0.95)), rel=1e-9)
    light = parts.looks[:, 0]
    assert trend.means[0, :2] == pytest.approx([light.mean(), (parts.looks[:, 1] / light**2).mean()])
    assert trend.spreads[0, 2] == pytest.approx((parts.looks[:, 2] / light).std())
    assert np.isnan(trend.scores[1]).all()
    assert np.isnan(trend.means[1]).all()


def test_of_many_parts_a_fair_sample_says_what_they_are_like(project: Project, line: Line) -> None:
    """Each eighth part is from a bad nest: taking every k-th would see all of them or none."""
    parts = parts_at(*np.linspace(0, 59, 16_000))
    scores = np.full(16_000, 0.2) + np.random.default_rng(3).normal(0, 0.01, 16_000)
    scores[::8] = 0.45
    store(project, line, replace(parts, scores=scores))
    trend = read_trend(project, TrendOf(line.station_id), hours(1))
    assert trend.said.sum() == 16_000
    assert trend.means[0, -1] == pytest.approx(scores.mean(), abs=0.02)
    assert trend.scores[0, 2] == pytest.approx(np.median(scores), abs=0.005)


def test_damaged_values_hide_nothing_else(project: Project, line: Line) -> None:
    first, _ = store(project, line, parts_at(1, 2, 3))
    with project.writing() as session:
        connection = session.connection()
        connection.exec_driver_sql("DROP TRIGGER arrivals_no_update")
        connection.exec_driver_sql("UPDATE arrivals SET took = 'x', brightness = 'y' WHERE id = ?", (first,))
        connection.exec_driver_sql("UPDATE results SET image_score = 'z' WHERE id = ?", (first + 1,))
    trend = read_trend(project, TrendOf(line.station_id), hours(1))
    assert trend.said.sum() == 3
    assert np.isfinite(trend.scores[0]).all()
    assert np.isfinite(trend.took[0]).all()
    assert watch_station(project, line.station_id).alarms == ()


@pytest.mark.parametrize(
    "span", [timedelta(minutes=20), timedelta(hours=8), timedelta(days=30), timedelta(days=900)]
)
def test_buckets_follow_the_span_and_the_clock(span: timedelta) -> None:
    since = datetime(2026, 10, 24, 5, 7, tzinfo=UTC).astimezone()
    edges = edges_of(since, since + span)
    assert 5 <= len(edges) <= 132
    assert edges[0] <= since
    assert edges[-1] >= since + span
    assert all(one < other for one, other in pairwise(edges))
    if span.days >= 900:
        assert all((one.hour, one.minute) == (0, 0) for one in edges)


def test_the_thresholds_that_judged_follow_runs_and_changes(project: Project, line: Line) -> None:
    of = TrendOf(line.station_id, line.class_id)
    assert [(review, ng) for _, review, ng in threshold_steps(project, of)] == [(0.5, 0.6)]
    set_thresholds(project, line.detector_id, line.class_id, replace(THRESHOLDS, ng=0.8))
    steps = threshold_steps(project, of)
    assert [(review, ng) for _, review, ng in steps] == [(0.5, 0.6), (0.5, 0.8)]
    assert steps[0][0] == NOON - timedelta(days=1)
    assert threshold_steps(project, TrendOf(line.station_id)) == []


def test_a_darker_lamp_is_found_with_its_moment_and_the_first_pictures(project: Project, line: Line) -> None:
    minutes = np.linspace(0, 720, 2400)
    parts = parts_at(*minutes)
    dark = minutes >= 512
    parts.looks[dark] *= [0.9, 0.81, 0.9, 0.9]
    first, _ = store(project, line, parts)
    found = watch_station(project, line.station_id)
    assert [one.causes for one in found.alarms] == [(Cause.LIGHT,)]
    alarm = found.alarms[0]
    assert alarm.words == "The pictures themselves are darker by 10\u00a0%: light or exposure."
    assert abs(alarm.since - (NOON + timedelta(minutes=512))) < timedelta(minutes=2)
    assert alarm.until is None
    assert alarm.noticed - alarm.since < timedelta(minutes=40)
    start = first + int(dark.argmax())
    assert len(alarm.result_ids) == SHOWN
    assert all(start - 3 <= key < start + 20 for key in alarm.result_ids)
    with project.reading() as session:
        shown = session.query(t.Arrival.brightness).filter(t.Arrival.result_id.in_(alarm.result_ids))
        assert all(light < 108 for (light,) in shown)
    assert found.usual[line.class_id][Look.BRIGHTNESS].mean == pytest.approx(112, abs=1)


def test_another_detector_begins_anew(project: Project, line: Line) -> None:
    """Who teaches again takes the new light for the usual one, and scores of another scale are no drift."""
    store(project, line, parts_at(*np.linspace(0, 500, 1500)))
    with project.writing() as session:
        before = session.get_one(t.Detector, line.detector_id)
        session.expunge(before)
        values = {c.name: getattr(before, c.name) for c in t.Detector.__table__.columns if c.name != "id"}
        again = t.Detector(**values)
        session.add(again)
        session.flush()
        other = again.id
    later = parts_at(*np.linspace(510, 1000, 1500))
    later.looks[:, 0] *= 0.8
    run = line_of(project, other, line.class_id, "Line 1b", NOON + timedelta(minutes=510)).run_id
    store(project, replace(line, detector_id=other, run_id=run), replace(later, scores=later.scores * 3))
    found = watch_station(project, line.station_id)
    assert found.alarms == ()
    assert found.usual[line.class_id][Look.BRIGHTNESS].mean == pytest.approx(112 * 0.8, abs=1)


def test_every_word_has_a_column() -> None:
    assert WORDS[: len(Decision)] == tuple(one.value for one in Decision)[: len(WORDS)]

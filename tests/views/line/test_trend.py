"""Following a station in the window."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QDate, QPointF, Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from inspector.bench.line.trends import Line, Parts, line_of, store
from inspector.domain import Decision, Thresholds
from inspector.records import schema as t
from inspector.records.audit import list_acts
from inspector.records.line.stations import Reference, set_reference
from inspector.records.reviews import add_review
from inspector.views.line.trend.section import TrendSection
from inspector.views.look import theme
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
NOW = datetime.now(UTC)


def parts(hours: float, count: int) -> Parts:
    moments = np.linspace(NOW.timestamp() - hours * 3600, NOW.timestamp() - 30, count)
    return Parts.quiet(moments, np.random.default_rng(3))


@pytest.fixture
def line(hand: Any) -> Line:
    """A station of the stocked project."""
    made = line_of(hand.project, hand.detector_id, hand.class_id, "Press & <4>", NOW - timedelta(days=3))
    with hand.project.reading() as session:
        images = session.query(t.Result.image_id, t.Result.map).filter(t.Result.map.is_not(None)).all()
    return replace(
        made,
        images=[(image, kept) for image, kept in images],
        lot="A-1",
        thresholds=Thresholds(0.4, 0.6, 0.4),
    )


@pytest.fixture
def show(hand: Any, window: MainWindow, idle: Idle) -> Callable[[], TrendSection]:
    def shown() -> TrendSection:
        window.show_page("line")
        page: Any = window.page
        page.show_section("trend")
        idle()
        found = page.section
        assert isinstance(found, TrendSection)
        return found

    return shown


@pytest.fixture
def followed(hand: Any, line: Line, show: Callable[[], TrendSection]) -> TrendSection:
    """Fourteen hours of parts, and for the last two it is darker."""
    some = parts(14, 2800)
    dark = some.moments > NOW.timestamp() - 7200
    some.looks[dark] *= [0.9, 0.81, 0.9, 0.9]
    some.scores[-3:] = 0.9
    store(hand.project, line, some)
    return show()


def test_without_parts_there_is_one_sentence_that_leads_to_the_stations(
    hand: Any, show: Callable[[], TrendSection], window: MainWindow
) -> None:
    section = show()
    assert section.body.currentWidget() is section.empty
    assert not section.export_button.isEnabled()
    assert not section.export()
    section.empty.button.click()
    page: Any = window.page
    assert page.section is page.sections["stations"]


def test_the_charts_show_what_came_with_limits_thresholds_and_drift(followed: TrendSection) -> None:
    shown = followed.shown
    assert shown is not None
    assert shown.trend is not None
    assert int(shown.trend.total.sum()) == 2800
    assert shown.limits is not None
    assert [step[1:] for step in shown.steps] == [(0.4, 0.6)]
    assert followed.body.currentWidget() is not followed.empty
    rate, scores, looks, latency = followed.charts
    assert "2,800 parts" in rate.said.text()
    assert "yield" in rate.said.text()
    assert len(followed.alarms.cards) == 1
    card = followed.alarms.cards[0]
    assert card.words.text() == "The pictures themselves are darker by 10\u00a0%: light or exposure."
    assert card.when.text().startswith("Since ")
    marked = followed.charts[0]._since.getData()[0]
    assert abs(marked[0] - (NOW.timestamp() - 7200)) < 900
    assert looks.moves(shown)[-3, 0] < -1  # type: ignore[union-attr]
    assert {chart.area().left() for chart in (rate, scores, looks, latency)} == {52}
    assert len({chart.area().width() for chart in (rate, scores, looks, latency)}) == 1


def test_the_bucket_under_the_cursor_is_said_in_every_chart(followed: TrendSection, qtbot: QtBot) -> None:
    chart = followed.charts[2]
    area = chart.area()
    qtbot.mouseMove(chart, chart.rect().center())
    at = QPointF(area.left() + area.width() * 0.6, area.center().y())
    chart.hovered.emit(chart.bucket(at))
    assert followed.shown is not None
    assert followed.shown.trend is not None
    bucket = chart.under
    assert bucket >= 0
    count = int(followed.shown.trend.parts[bucket])
    assert f"{count} parts" in followed.charts[0].said.text()
    assert "median" in followed.charts[1].said.text()
    assert "brightness 11" in chart.said.text()
    assert "ms" in followed.charts[3].said.text()
    chart.hovered.emit(-1)
    assert followed.charts[3].said.text() == ""
    assert chart.bucket(QPointF(2, 10)) == -1


def test_an_alarm_opens_the_first_pictures_that_show_it(
    followed: TrendSection, window: MainWindow, qtbot: QtBot, idle: Idle
) -> None:
    card = followed.alarms.cards[0]
    ids = card.row.result_ids
    assert ids
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    idle()
    assert window.page is window.pages["inspect"]
    page: Any = window.page
    qtbot.waitUntil(lambda: [row.id for row in page.at_hand.rows] == [ids[0]])


def test_a_point_opens_the_ng_parts_of_its_time(
    followed: TrendSection, window: MainWindow, qtbot: QtBot, idle: Idle
) -> None:
    assert followed.shown is not None
    assert followed.shown.trend is not None
    bucket = int(np.flatnonzero(followed.shown.trend.ng)[-1])
    followed.charts[0].picked.emit(bucket)
    qtbot.waitUntil(lambda: window.page is window.pages["inspect"])
    page: Any = window.page
    qtbot.waitUntil(lambda: [row.verdict for row in page.at_hand.rows] == [Decision.NG])
    assert page.at_hand.rows[0].image_score == 0.9


def test_what_comes_while_it_is_in_sight_appears_and_out_of_sight_nobody_asks(
    followed: TrendSection, hand: Any, line: Line, window: MainWindow, qtbot: QtBot, idle: Idle
) -> None:
    store(hand.project, line, replace(parts(0.01, 5)))
    followed._clock.setInterval(20)
    qtbot.waitUntil(lambda: "2,805 parts" in followed.charts[0].said.text())
    assert followed._clock.interval() >= 5000  # calm again
    window.show_page("results")
    idle()
    before = followed.shown
    followed._clock.setInterval(5)
    qtbot.waitUntil(lambda: not followed._clock.isActive())
    assert followed.shown is before
    window.show_page("line")
    idle()
    assert followed._clock.isActive()


def test_a_persons_word_counts_at_once(
    followed: TrendSection, hand: Any, window: MainWindow, qtbot: QtBot
) -> None:
    assert followed.shown is not None
    assert followed.shown.trend is not None
    before = int(followed.shown.trend.ng.sum())
    with hand.project.reading() as session:
        last = session.query(t.Arrival.result_id).order_by(t.Arrival.id.desc()).first()[0]
    add_review(hand.project, [last], Decision.OK, who="Ada")
    window.context.results_changed.emit()
    qtbot.waitUntil(lambda: int(followed.shown.trend.ng.sum()) == before - 1)  # type: ignore[union-attr]


def test_span_order_and_station_choose_what_is_shown(
    followed: TrendSection, hand: Any, line: Line, idle: Idle, qtbot: QtBot
) -> None:
    moments = np.linspace(NOW.timestamp() - 60 * 3600, NOW.timestamp() - 50 * 3600, 300)
    store(hand.project, replace(line, lot="A-0"), Parts.quiet(moments, np.random.default_rng(4)))
    followed.spans["week"].click()
    idle()
    assert "3,100 parts" in followed.charts[0].said.text()
    followed.spans["day"].click()
    idle()
    assert "2,800 parts" in followed.charts[0].said.text()
    assert not followed.later.isEnabled()
    for _ in range(2):
        followed.earlier.click()
        idle()
    assert "300 parts" in followed.charts[0].said.text()
    assert followed.later.isEnabled()
    followed.lot.setCurrentIndex(followed.lot.findData("A-0"))
    followed.lot.activated.emit(followed.lot.currentIndex())
    idle()
    assert followed.spans["all"].isChecked()
    assert "300 parts" in followed.charts[0].said.text()
    assert followed.station.currentText() == "Press & <4>"


@pytest.mark.parametrize("suffix", [".pdf", ".html"])
def test_a_report_is_written_as_pdf_and_html(
    followed: TrendSection,
    hand: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
    suffix: str,
) -> None:
    target = tmp_path / f"report{suffix}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    followed.report_button.click()
    qtbot.waitUntil(target.exists, timeout=20000)
    qtbot.waitUntil(lambda: any(act.kind == "report written" for act in list_acts(hand.project)))
    data = target.read_bytes()
    if suffix == ".pdf":
        assert data.startswith(b"%PDF")
        assert data.count(b"/Type /Page\n") >= 2
        assert len(data) > 20_000  # with its pictures
    else:
        assert b"Press &amp; &lt;4&gt;" in data


def test_the_trend_is_exported_as_csv_by_ctrl_e(
    followed: TrendSection,
    hand: Any,
    window: MainWindow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    target = tmp_path / "trend"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), ""))
    assert window.page.export()
    made = target.with_suffix(".csv")
    qtbot.waitUntil(made.exists)
    rows = list(csv.DictReader(made.read_text("utf-8-sig").splitlines()))
    assert sum(int(row["said ok"]) + int(row["said ng"]) + int(row["said review"]) for row in rows) == 2800


def test_the_band_of_the_scores_ends_where_no_part_came(followed: TrendSection) -> None:
    """The day has 24 hours, and parts came for 14."""
    scores = followed.charts[1]
    x, high = scores._high.getData()
    assert x[0] > scores.edges[0] + 9 * 3600
    assert high.min() > 0.05


def test_charts_take_the_colours_of_the_other_theme(followed: TrendSection, idle: Idle) -> None:
    theme.apply("light")
    idle()
    ground = followed.charts[0].box.background.brush().color().name()
    assert ground == theme.LIGHT.base
    assert followed.charts[0]._lines[2].opts["pen"].color().name() == theme.LIGHT.text
    theme.apply("dark")


def test_another_project_begins_empty(
    followed: TrendSection, window: MainWindow, tmp_path: Path, qtbot: QtBot, idle: Idle
) -> None:
    window.projects.create(tmp_path / "Line 9", "Line 9")
    qtbot.waitUntil(lambda: window.context.project is not None and window.context.project.name == "Line 9")
    window.show_page("line")
    idle()
    assert followed.body.currentWidget() is followed.empty


def test_a_shift_that_somebody_calls_good_is_what_drift_and_limits_are_told_from_and_can_be_taken_back(
    hand: Any, line: Line, show: Callable[[], TrendSection], qtbot: QtBot, idle: Idle, window: MainWindow
) -> None:
    """For two days it was dark, yesterday it was as it should be."""
    some = parts(72, 6000)
    good = some.moments > NOW.timestamp() - 30 * 3600
    some.looks[~good] *= [0.85, 0.85**2, 0.85, 0.85]
    store(hand.project, line, some)
    section = show()
    section._span("week")
    idle()
    (said,) = (card.row.words for card in section.alarms.cards)
    assert re.fullmatch(r"The pictures themselves are brighter by 1[78]\u00a0%: light or exposure\.", said)
    assert section.alarms.reference.text() == "Held against the first hours"
    yesterday = (NOW - timedelta(hours=24)).astimezone()

    qtbot.mouseClick(section.reference_button, Qt.MouseButton.LeftButton)
    dialog = section.dialog
    assert dialog is not None
    assert dialog.first.isChecked()
    dialog.shift.setChecked(True)
    dialog.date.setDate(QDate(2020, 1, 1))
    qtbot.waitUntil(lambda: dialog.said.text() == "! No part came then.")
    dialog.date.setDate(QDate(yesterday.year, yesterday.month, yesterday.day))
    qtbot.waitUntil(lambda: "parts came then" in dialog.said.text())
    chosen = dialog.reference()
    qtbot.mouseClick(dialog.take, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: section.alarms.reference.text() == f"Held against {chosen.words}")
    idle()
    assert section.alarms.cards == []
    assert f"limits from the reference, {chosen.words}" in section.when.text()
    station = section.shown and section.shown.station
    assert station
    assert station.settings
    assert station.settings.reference == chosen
    act = list_acts(hand.project)[0]
    assert (act.kind, act.old, act.new) == (
        "station changed",
        "drift from the first hours",
        f"drift from {chosen.words}",
    )
    window.context.undo.undo()
    qtbot.waitUntil(lambda: section.alarms.reference.text() == "Held against the first hours")
    idle()
    assert len(section.alarms.cards) == 1


def test_a_reference_in_which_too_few_parts_came_is_said(
    followed: TrendSection, hand: Any, idle: Idle, window: MainWindow
) -> None:
    since = (NOW - timedelta(hours=20)).astimezone()
    set_reference(hand.project, followed.asked.station_id, Reference(0, since, since + timedelta(hours=1)))
    window.context.stations_changed.emit()
    idle()
    assert followed.alarms.none.text() == (
        "Too few parts came in the reference to say what is usual. Choose another one."
    )

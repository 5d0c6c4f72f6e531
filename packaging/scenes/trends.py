"""Following a station, on the Line page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF
from stage import Stage

from inspector.bench.line.trends import Line, Parts, line_of, store
from inspector.domain import Thresholds
from inspector.records import schema as t
from inspector.records.line.stations import Reference, set_reference
from inspector.records.project import Project
from inspector.records.thresholds import list_thresholds

_NAME = "Washers, press 4"


def scene_line_trend_empty(stage: Stage) -> None:
    stage.new_project()
    _section(stage)


def scene_line_trend(stage: Stage) -> None:
    section = _followed(stage)
    section._span("day")
    stage.settle()


def scene_line_trend_hover(stage: Stage) -> None:
    section = _followed(stage)
    section._span("day")
    stage.settle()
    chart = section.charts[0]
    area = chart.area()
    chart.hovered.emit(chart.bucket(QPointF(area.left() + area.width() * 0.72, area.center().y())))


def scene_line_trend_week(stage: Stage) -> None:
    section = _followed(stage)
    section._span("week")
    stage.settle()


def scene_line_trend_reference(stage: Stage) -> None:
    """Drift and limits told from a shift that somebody chose."""
    section = _chosen(stage)
    section._span("week")
    stage.settle()


def scene_line_trend_reference_choice(stage: Stage) -> None:
    section = _chosen(stage)
    section.choose_reference()
    stage.settle(1.0)


def after_line_trend_reference_choice(stage: Stage) -> None:
    section = stage.window.page.section
    if section.dialog is not None:
        section.dialog.reject()
    stage.settle()


def _chosen(stage: Stage) -> Any:
    section = _followed(stage)
    begins = (datetime.now().astimezone() - timedelta(days=4)).replace(
        hour=6, minute=0, second=0, microsecond=0
    )
    chosen = Reference(0, begins, begins + timedelta(hours=8))
    set_reference(stage.window.context.project, section.asked.station_id, chosen)
    stage.window.context.stations_changed.emit()
    stage.settle()
    return section


def scene_line_trend_shift(stage: Stage) -> None:
    section = _followed(stage)
    section._span("shift")
    stage.settle()


def _section(stage: Stage) -> Any:
    stage.window.show_page("line")
    stage.window.page.show_section("trend")
    stage.settle()
    return stage.window.page.section


def _followed(stage: Stage) -> Any:
    stage.open_demo("line")
    project = stage.window.context.project
    with project.reading() as session:
        there = session.query(t.Station).count()
    if not there:
        _work(project)
    section = _section(stage)
    section._watched = None
    section.refresh()
    stage.wait(lambda: section.shown is not None and section.shown.trend is not None)
    stage.settle()
    return section


def _work(project: Project) -> None:
    """Eight days of a station; since five hours it is darker, and for one hour two days ago the focus was off."""
    with project.reading() as session:
        class_id, _ = session.query(t.Class.id, t.Class.name).order_by(t.Class.name.desc()).first()
        detector_id = session.query(t.Detector.id).first()[0]
        images = (
            session.query(t.Result.image_id, t.Result.map)
            .filter(t.Result.class_id == class_id, t.Result.map.is_not(None))
            .all()
        )
    judged = list_thresholds(project, detector_id)[class_id].thresholds
    now = datetime.now(UTC)
    since = now - timedelta(days=8)
    line: Line = line_of(project, detector_id, class_id, _NAME, since)
    line = replace(
        line, images=[tuple(one) for one in images], thresholds=Thresholds(*judged.numbers), lot="A-1042"
    )
    rng = np.random.default_rng(4)
    moments = np.sort(since.timestamp() + rng.uniform(0, 8 * 86400, 40_000))
    parts = Parts.quiet(moments, rng)
    scores = parts.scores * judged.strictest / 0.6
    dark = moments > now.timestamp() - 5 * 3600
    parts.looks[dark, 0] *= 0.93
    parts.looks[dark, 1] *= 0.93**2
    parts.looks[dark, 2:] *= 0.93
    scores[dark] *= 1.22
    soft = (moments > now.timestamp() - 53 * 3600) & (moments < now.timestamp() - 50 * 3600)
    parts.looks[soft, 1] *= 0.6
    store(project, line, replace(parts, scores=scores))

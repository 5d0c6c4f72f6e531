"""How small a defect is found, tested in the real window with a real detector."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken
from inspector.images.demo import parts as demo_parts
from inspector.jobs import smallest
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class, set_scale
from inspector.records.shots import add_shots
from inspector.records.thresholds import list_thresholds, set_thresholds
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def section(
    window: MainWindow, tmp_path: Path, idle: Idle, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr(smallest, "SIZES", (0.01, 0.2))
    monkeypatch.setattr(smallest, "PLACES", 1)
    shots = demo_parts.write_demo(tmp_path, shots=2, good=1, defective=1, kinds=("washer",), size=128)
    with projects.create(tmp_path / "project", "Line 7") as project:
        class_id = add_class(project, "washer")
        set_scale(project, class_id, 0.5)
        add_shots(project, class_id, sorted((shots / "washer/train/good").iterdir()))
        teach(
            project,
            Engine("inspector-tiny", "cpu"),
            method="patchcore",
            emit=lambda event: None,
            cancel=CancelToken(),
        )
    window.context.settings.reviewer = "Ada"
    window.open_project(tmp_path / "project")
    qtbot.waitUntil(lambda: window.context.project is not None)
    window.show_page("qualify")
    page: Any = window.page
    page.show_section("smallest")
    idle()
    return page.section


def test_a_test_shows_its_curves_in_millimetres_and_is_exported(
    section: Any, window: MainWindow, idle: Idle, qtbot: QtBot, tmp_path: Path
) -> None:
    assert "press Test now" in section.heading.text()
    assert not section.export_button.isEnabled()
    section.test_button.click()
    qtbot.waitUntil(lambda: section.test is not None, timeout=60000)
    idle()
    assert section.heading.text().startswith("Nine of ten are found: spots ")
    assert section.series.rowCount() == 7
    assert section.chart.curve == section.test.found.curves[1]
    section.series.selectRow(6)
    assert section.chart.curve.kind == "missing"
    assert " mm" in section.series.item(1, 2).text() + section.heading.text()
    assert "others by now" not in section.said.text()
    section.export_to(section.test, tmp_path / "found.csv")
    idle()
    with (tmp_path / "found.csv").open(encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 14
    assert {(line["size (px)"], line["size (mm)"]) for line in lines} == {("1", "0.5"), ("26", "13")}

    project = window.context.project
    assert project is not None
    (row,) = list_thresholds(project, 1).values()
    values = row.thresholds
    set_thresholds(project, 1, row.class_id, type(values)(0.9, 0.95, 0.9), who="Ada")
    section.refresh()
    idle()
    assert "others by now: test again" in section.said.text()


def test_without_a_taught_class_it_says_what_to_do(project_window: MainWindow, idle: Idle) -> None:
    project_window.show_page("qualify")
    page: Any = project_window.page
    page.show_section("smallest")
    idle()
    assert page.section._stack.currentWidget() is page.section.empty
    page.section.empty.button.click()
    assert project_window.page is project_window.pages["teach"]

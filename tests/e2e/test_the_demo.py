"""The first impression: one click on Start, and every verdict is right."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.images.demo import parts as demo_parts
from inspector.jobs.demo import _LOT
from inspector.records.inspected.results import find_result, list_results, result_ids
from inspector.views.inspect.page import InspectPage
from inspector.views.window.main_window import MainWindow


@pytest.mark.timeout(900)  # 20 s on a quiet machine
def test_the_demo_judges_every_part_right_marks_the_defects_and_opens_on_a_clear_one(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], tmp_path: Path
) -> None:
    qtbot.mouseClick(window.start.demo_card, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.context.project is not None, timeout=800_000)
    idle()
    project = window.context.project
    assert project is not None
    rows = list_results(project, result_ids(project))
    assert len(rows) == 48
    wrong = {
        row.name: (row.verdict, row.image_score)
        for row in rows
        if row.verdict is not (Decision.OK if row.name.endswith("_good.png") else Decision.NG)
    }
    assert not wrong
    turn = dict.fromkeys(sorted({row.name.split("_", 1)[1] for row in rows}), 0)
    for row in rows:
        _, kind, state = row.name.removesuffix(".png").split("_")
        details = find_result(project, row.id)
        if state == "good":
            assert not details.regions, row.name
            continue
        # the lot gives two parts to each defect; the second was put in the list first
        turn[f"{kind}_{state}.png"] += 1
        index = demo_parts.DEFECTS[kind].index(state) + len(demo_parts.DEFECTS[kind]) * (
            2 - turn[f"{kind}_{state}.png"]
        )
        _, mask = demo_parts.draw(kind, _LOT * 100_000 + 20_000 + index, state)
        assert details.regions, row.name
        for region in details.regions:
            x, y, width, height = region.box
            assert mask[y : y + height, x : x + width].any(), (row.name, region)
    page = window.page
    assert isinstance(page, InspectPage)
    qtbot.waitUntil(lambda: page.at_hand.shown is not None)
    assert page.at_hand.shown is not None
    first = page.at_hand.shown.detail.row
    assert first.verdict is Decision.NG
    assert (first.image_score or 0) > 1.5 * rows[1].image_score  # type: ignore[operator]

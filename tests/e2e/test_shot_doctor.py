"""What each shot is good for, and the best next one: seen, added and removed through the window."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken, Decision, Image
from inspector.errors import Cancelled
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.methods import catalogue
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.reviews import add_review
from inspector.records.shots import list_shots
from inspector.views.teach.page import TeachPage
from inspector.views.teach.shot_doctor_dialog import ShotDoctorDialog
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


def _settle(qtbot: QtBot, idle: Idle) -> None:
    idle()
    qtbot.wait(200)
    idle()


def _open(page: TeachPage, qtbot: QtBot, idle: Idle) -> ShotDoctorDialog:
    qtbot.mouseClick(page.header.examine_button, Qt.MouseButton.LeftButton)
    dialog = next(one for one in page.findChildren(ShotDoctorDialog) if one.isVisible())
    qtbot.waitUntil(lambda: dialog.examined is not None, timeout=60_000)
    idle()
    return dialog


def _marked(path: Path, target: Path) -> Path:
    pixels = cv2.imread(str(path))
    height, width = pixels.shape[:2]
    cv2.circle(pixels, (width // 2, height // 5), height // 25, (40, 200, 30), -1)
    assert cv2.imwrite(str(target), pixels)
    return target


def test_the_best_next_shot_is_the_part_that_others_look_like_and_one_click_adds_it(
    qtbot: QtBot,
    window: MainWindow,
    page: TeachPage,
    idle: Idle,
    drop: Drop,
    washers: Path,
    tmp_path: Path,
) -> None:
    plain, other = sorted((washers / "test" / "good").iterdir())
    marked = [_marked(path, tmp_path / f"marked {number}.png") for number, path in enumerate((plain, other))]
    window.show_page("inspect")
    drop(plain, *marked)
    project = window.context.project
    assert project is not None
    window.show_page("teach")
    idle()
    dialog = _open(page, qtbot, idle)
    assert dialog.table.rowCount() == 3
    assert "Confirm at least two good parts" in dialog.next.text()
    assert not dialog.add_button.isVisible()
    dialog.close()

    add_review(project, result_ids(project).tolist(), Decision.OK, who="Ada")
    dialog = _open(page, qtbot, idle)
    assert dialog.examined is not None
    assert dialog.examined.best is not None
    best, gain = dialog.examined.best
    name = Path(best.name).name
    assert name.startswith("marked")
    assert gain > 0.1
    assert f"“{name}”" in dialog.next.text()
    qtbot.mouseClick(dialog.add_button, Qt.MouseButton.LeftButton)
    _settle(qtbot, idle)
    assert [shot.name for shot in list_shots(project)][-1] == name
    assert page.proposal.isVisible()  # its memory learns it, and waits
    window.context.undo.undo()
    _settle(qtbot, idle)
    assert len(list_shots(project)) == 3


def test_a_shot_that_hides_a_marked_defect_is_named_and_removed(
    qtbot: QtBot,
    window: MainWindow,
    page: TeachPage,
    idle: Idle,
    drop: Drop,
    washers: Path,
    defective: list[Path],
    tmp_path: Path,
) -> None:
    bad = shutil.copy(defective[0], tmp_path / "slipped in.png")
    window.show_page("teach")
    drop(Path(bad))
    _settle(qtbot, idle)
    page.proposal.good_button.click()  # somebody overlooks what it shows
    _settle(qtbot, idle)
    page.proposal.accept_button.click()
    _settle(qtbot, idle)
    window.show_page("inspect")
    twin = tmp_path / "same defect again.png"
    pixels = cv2.imread(str(defective[0]))
    assert cv2.imwrite(str(twin), cv2.convertScaleAbs(pixels, alpha=1.01, beta=1))
    drop(twin)
    project = window.context.project
    assert project is not None
    (row,) = list_results(project, result_ids(project).tolist())
    add_review(project, [row.id], Decision.NG, who="Ada")
    window.show_page("teach")
    idle()
    dialog = _open(page, qtbot, idle)
    assert dialog.examined is not None
    names = [one.shot.name for one in dialog.examined.findings]
    place = names.index("slipped in.png")
    finding = dialog.examined.findings[place].finding
    assert finding.hides is not None
    assert finding.hides > 0.3
    assert all((one.finding.hides or 0) < 0.1 for n, one in enumerate(dialog.examined.findings) if n != place)
    dialog.table.selectRow(place)
    qtbot.mouseClick(dialog.remove_button, Qt.MouseButton.LeftButton)
    _settle(qtbot, idle)
    assert "slipped in.png" not in [shot.name for shot in list_shots(project)]


def test_what_a_nearly_equal_shot_shows_the_others_show_too(engine: Engine, washers: Path) -> None:
    backbone = engine.backbone()
    shots = [read.read(path) for path in sorted((washers / "train" / "good").iterdir())]
    twin = Image(
        cv2.convertScaleAbs(shots[0].pixels, alpha=1.0, beta=1), "twin", "twin.png"
    )  # nearly the same picture
    made = catalogue.make("patchcore")
    every = [*shots, twin]
    made.fit({"washer": every}, backbone, progress=lambda *_: None, cancel=CancelToken())
    found = made.shot_doctor("washer", every).findings([])
    assert all(one.hides is None for one in found)
    assert max(found[0].score, found[3].score) < 0.5 * min(found[1].score, found[2].score)
    token = CancelToken()
    doctor = made.shot_doctor("washer", every, token)
    token.cancel()
    with pytest.raises(Cancelled):
        doctor.findings([])


def test_one_shot_tells_nothing(engine: Engine, washers: Path) -> None:
    shots = [read.read(sorted((washers / "train" / "good").iterdir())[0])]
    made = catalogue.make("patchcore")
    made.fit({"washer": shots}, engine.backbone(), progress=lambda *_: None, cancel=CancelToken())
    (found,) = made.shot_doctor("washer", shots).findings([])
    assert found.hides is None
    assert made.shot_doctor("washer", shots).next_shot(shots) is None

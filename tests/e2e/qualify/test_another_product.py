"""A picture of another product, or by a moved camera, is dropped on the open window."""

from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox

from inspector.domain import Decision
from inspector.images.demo import parts as demo_parts
from inspector.images.read import read
from inspector.records.inspected.results import count_results, list_results, result_ids
from inspector.records.qualification.checks import list_checks


def test_a_picture_of_another_product_says_so_and_its_class_can_stop_asking(
    window, qtbot, idle, drop, taught, defective, tmp_path: Path
):
    cloth = demo_parts.write_demo(tmp_path / "cloth", 1, 1, 0, kinds=("cloth",), size=256) / "cloth/test/good"
    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    drop(cloth / "000.png", *defective)
    page, project = window.pages["inspect"], window.context.project
    counts = count_results(project)
    assert (counts.other, counts.ng) == (1, len(defective))
    other = next(row for row in list_results(project, result_ids(project)) if row.verdict is Decision.OTHER)
    page.queue.list.choose(other.id)
    qtbot.waitUntil(lambda: [row.id for row in page.at_hand.rows] == [other.id])
    idle()
    panel = page.panel
    assert panel.chip.words == "≠ Not this product"
    assert "It looks unlike the shots: distance" in panel.remark.text()
    assert page.viewer.view.regions == ()
    assert "≠ 1" in page.queue.counts.text()

    live = page.live.scores.current
    panel.show_moving(type(live)(0.0, 0.0, 0.0))  # a hand on the thresholds
    assert panel.chip.words == "≠ Not this product"

    assert panel.product.isVisible()
    products = page.judging.edits.products

    def toggle(agree: bool) -> str:
        qtbot.mouseClick(panel.product.box, Qt.MouseButton.LeftButton)
        return answer(agree)

    def answer(agree: bool) -> str:
        qtbot.waitUntil(lambda: products.box is not None)
        box = products.box
        words = box.text()
        (goes,) = [one for one in box.buttons() if box.buttonRole(one) is QMessageBox.ButtonRole.AcceptRole]
        qtbot.mouseClick(goes if agree else box.defaultButton(), Qt.MouseButton.LeftButton)
        idle()
        return words

    def said() -> Decision | None:
        return list_results(project, [other.id])[0].verdict

    assert toggle(agree=False) == "1 verdict would change: 1 from Not this product to NG."
    assert said() is Decision.OTHER
    assert panel.product.box.isChecked()
    toggle(agree=True)
    assert said() is Decision.NG
    assert panel.chip.words == "✕ NG"
    assert not panel.product.box.isChecked()
    assert page.viewer.view.regions
    window.menus.undo.trigger()
    assert answer(agree=False) == "1 verdict would change: 1 from NG to Not this product."
    assert said() is Decision.NG
    window.menus.undo.trigger()
    answer(agree=True)
    assert said() is Decision.OTHER
    assert panel.chip.words == "≠ Not this product"
    assert panel.product.box.isChecked()

    # a golden part that must be NG is caught without the question, and would be another product with it
    toggle(agree=True)
    page.judging.edits.call_golden([other.id], Decision.NG)
    idle()
    toggle(agree=True)
    gate = page.judging.edits.golden
    qtbot.waitUntil(lambda: gate.box is not None)
    assert "1 golden part of 1 would not be judged as it must be" in gate.box.said.text()
    assert gate.box.table.item(0, 3).text() == "≠ Not this product"
    gate.box.leave.click()
    idle()
    assert said() is Decision.NG
    toggle(agree=True)
    qtbot.waitUntil(lambda: gate.box is not None)
    gate.box.reason.setText("it is a cloth, and was never golden")
    gate.box.sign.click()
    idle()
    assert said() is Decision.OTHER
    (check, *_) = list_checks(project)
    assert (check.signed, [part.said for part in check.missed]) == (
        "it is a cloth, and was never golden",
        [Decision.OTHER],
    )

    page.override()
    idle()
    assert page.popup.chosen is Decision.NG
    page.popup.choices.button(0).click()
    page.popup.save()
    assert "it is a good part of this product" in page.popup.missing.text()
    page.popup.reason.setText("the cloth of the new line")
    page.popup.save()
    idle()
    assert list_results(project, [other.id])[0].verdict is Decision.OK
    assert "instead of Not this product" in panel.remark.text()


def test_a_part_by_a_shifted_camera_says_how_it_moved_in_inspect_and_in_results(
    window, qtbot, idle, drop, taught, washers, tmp_path: Path
):
    pixels = read(sorted((washers / "test/good").iterdir())[0]).pixels
    height, width = pixels.shape[:2]
    shift = np.float32([[1, 0, -0.2 * width], [0, 1, 0]])
    shifted = cv2.warpAffine(pixels, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    cv2.imwrite(str(tmp_path / "shifted.png"), cv2.cvtColor(shifted, cv2.COLOR_RGB2BGR))
    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    drop(tmp_path / "shifted.png")
    page, project = window.pages["inspect"], window.context.project
    (row,) = list_results(project, result_ids(project))
    assert row.verdict is Decision.OTHER
    qtbot.waitUntil(lambda: [one.id for one in page.at_hand.rows] == [row.id])
    idle()
    assert page.panel.chip.words == "≠ Not this product"
    assert (
        "The camera or the part has moved: about 20 % of the picture to the left." in page.panel.remark.text()
    )
    assert "A camera that was moved is noticed" in page.panel.product.words.text()

    window.show_page("results")
    results = window.pages["results"]
    qtbot.waitUntil(lambda: results.model.rowCount() == 1)
    idle()
    assert "has moved: about 20 %" in results.model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)

"""The Evaluate page over a real evaluation of drawn parts."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QPixmap
from scipy.integrate import trapezoid

from inspector.errors import InspectorError
from inspector.jobs.evaluation import stored
from inspector.jobs.evaluation.plan import Series
from inspector.jobs.evaluation.stored import MEAN
from inspector.views.evaluate import scores
from inspector.views.evaluate.curves import KINDS
from inspector.views.evaluate.page import EvaluatePage
from inspector.views.evaluate.report import HEADINGS

ONE_SHOT = Series("patchcore", 1)


def cells(report, column):
    place = HEADINGS.index(column)
    return [report.model.index(row, place).data() for row in range(report.model.rowCount())]


def test_an_empty_page_says_one_sentence_and_its_button_asks_for_a_folder(page, parts, qtbot, monkeypatch):
    assert page.stack.currentWidget() is page.empty
    assert not page.panel.isVisible()
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: str(parts))
    page.empty.button.click()
    assert page.stack.currentWidget() is page.setup
    qtbot.waitUntil(lambda: page.setup.found is not None)


def test_the_table_shows_what_results_json_says_and_sorts(open_first, qtbot):
    report = open_first()
    stored = json.loads((report.evaluation.listed.folder / "results.json").read_text("utf-8"))
    assert cells(report, "Class") == ["Mean of classes", "cloth", "washer"]
    mean = stored["summary"]["patchcore"]["1"]["image_auroc"]
    assert cells(report, "Image AUROC")[0] == f"{100 * mean:.1f}"
    header = report.table.horizontalHeader()
    place = HEADINGS.index("AUPRO")
    at = QPoint(header.sectionViewportPosition(place) + 20, 10)
    for descending in (False, True):
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)
        values = [float(text.split()[0]) for text in cells(report, "AUPRO")]
        assert values == sorted(values, reverse=descending)
    assert report.model.rows[report.table.currentIndex().row()].class_name == MEAN  # still the chosen one


def test_what_confirmed_parts_make_of_false_alarms_is_shown_as_the_command_line_prints_it_and_copied(
    open_first, qtbot
):
    report = open_first()
    page = (report.evaluation.listed.folder / "results.md").read_text("utf-8")
    report.shown.setCurrentIndex(report.shown.findData("confirmed"))
    report.shown.activated.emit(report.shown.currentIndex())
    table = report.confirmed.table
    assert table.isVisible()
    assert not report.table.isVisible()
    shown = [table.item(0, column).text() for column in range(table.columnCount())]
    assert shown[:3] == ["PatchCore", "1", "0"]
    assert table.rowCount() == 1  # there are no 500
    assert f"| {' | '.join(shown[1:])} |" in page
    assert f"## {report.confirmed.title.text()}" in page
    report.copy.click()
    assert QGuiApplication.clipboard().text().split("\n")[1].split("\t") == shown
    report.shown.setCurrentIndex(0)
    report.shown.activated.emit(0)
    assert report.table.isVisible()
    assert open_first("second").shown.findData("confirmed") < 0


def test_the_table_goes_to_the_clipboard_and_the_folder_opens(page, open_first, monkeypatch):
    report = open_first()
    report.copy.click()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].split("\t") == list(HEADINGS)
    assert len(lines) == 4
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    page.export()
    assert opened == [QUrl.fromLocalFile(str(report.evaluation.listed.folder))]


def test_each_curve_is_drawn_for_each_class_and_a_click_chooses_its_class(open_first, qtbot):
    report = open_first()
    for number, kind in enumerate(KINDS):
        report.kind.setCurrentIndex(number)
        assert [line.name for line in report.curves.lines] == ["cloth", "washer"], kind
        assert report.curves.kind == kind
    assert max(line.x[-1] for line in report.curves.lines) == pytest.approx(0.3)
    washer = report.curves.lines[1]
    x, y = report.curves._points(washer)
    middle = len(x) // 2
    qtbot.mouseClick(report.curves, Qt.MouseButton.LeftButton, pos=QPoint(round(x[middle]), round(y[middle])))
    chosen = report.model.rows[report.table.currentIndex().row()].class_name
    looks = {line.name: line.look for line in report.curves.lines}
    assert looks == {name: "main" if name == chosen else "quiet" for name in ("cloth", "washer")}
    assert chosen in ("cloth", "washer")
    drawn = QPixmap(report.curves.size())
    report.curves.render(drawn)  # Qt's complaints fail the test


def choose(report, name):
    report.table.setCurrentIndex(report.model.index(cells(report, "Class").index(name), 0))


def test_the_matrix_counts_what_the_threshold_parts(open_first):
    report = open_first()
    choose(report, "washer")
    confusion, scores = report.confusion, report.confusion.scores
    assert scores.scores.size == 6
    best = confusion.threshold
    for threshold in (best, float(scores.scores.min()) - 1, float(scores.scores.max()) + 1):
        confusion.set_threshold(threshold)
        for (defective, ng), button in confusion.cells.items():
            wanted = sum(
                bool(d) == defective and (s >= threshold) == ng
                for d, s in zip(scores.defective, scores.scores, strict=True)
            )
            assert button.text().split()[0] == str(wanted)
            assert button.isEnabled() == (wanted > 0)
    confusion.best.click()
    assert confusion.threshold == best
    confusion.slider.setValue(confusion.slider.maximum())
    assert confusion.threshold == pytest.approx(confusion.histogram.high)
    assert "0.0\u00a0% of defects found" in confusion.words.text()


def test_all_classes_together_are_counted_each_at_its_own_threshold(open_first):
    report = open_first()
    counted = {}
    for name in ("cloth", "washer"):
        choose(report, name)
        counted[name] = {key: int(button.text().split()[0]) for key, button in report.confusion.cells.items()}
    choose(report, "Mean of classes")
    confusion = report.confusion
    for key, button in confusion.cells.items():
        assert int(button.text().split()[0]) == counted["cloth"][key] + counted["washer"][key]
    assert confusion.own.isVisible()
    assert not confusion.slider.isVisible()
    assert not confusion.box.isVisible()
    choose(report, "cloth")
    assert confusion.slider.isVisible()
    assert not confusion.own.isVisible()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("abc-5", "“abc-5” isn't taken"),
        ("-5", "a number from"),
        ("99999", "a number from"),
        ("nan", "a number from"),
        ("", "Type a number"),
    ],
)
def test_a_threshold_that_can_not_be_taken_is_refused_in_words(open_first, qtbot, typed, said):
    report = open_first()
    choose(report, "cloth")
    confusion = report.confusion
    before, shown = confusion.threshold, confusion.box.text()
    confusion.box.selectAll()
    qtbot.keyClick(confusion.box, Qt.Key.Key_Backspace)
    qtbot.keyClicks(confusion.box, typed)
    qtbot.keyClick(confusion.box, Qt.Key.Key_Return)
    assert confusion.threshold == before
    assert confusion.box.text() == shown
    assert said in confusion.words.text()


def test_a_typed_threshold_is_taken(open_first, qtbot):
    report = open_first()
    choose(report, "cloth")
    confusion = report.confusion
    middle = (confusion.histogram.low + confusion.histogram.high) / 2
    confusion.box.selectAll()
    qtbot.keyClicks(confusion.box, f"{middle:.4f}".replace(".", ","))
    qtbot.keyClick(confusion.box, Qt.Key.Key_Return)
    assert confusion.threshold == pytest.approx(middle, abs=1e-3)


def test_a_cell_opens_its_images_and_escape_leads_back(page, open_first, qtbot):
    report = open_first()
    report.table.setCurrentIndex(report.model.index(cells(report, "Class").index("cloth"), 0))
    report.confusion.set_threshold(float(report.confusion.scores.scores.min()))
    report.confusion.cells[True, True].click()
    images = report.images
    assert report.pages.currentWidget() is images
    assert images.model.rowCount() == 3
    assert all(item.defect != "good" for item in images.model.items)
    scores = [item.score for item in images.model.items]
    assert scores == sorted(scores)  # the closest calls first
    qtbot.waitUntil(lambda: images.view.picture is not None and images.view.values is not None)
    reading = images.model.items[0].reading
    shown = stored.read_map(report.evaluation.listed.folder, reading, images.model.items[0].number)
    np.testing.assert_array_equal(images.view.values, shown)
    assert (images.view.heat.low, images.view.heat.high) == reading.scale  # one for all images of the class
    assert images.detail.text().startswith(f"cloth · {images.model.items[0].defect}")
    plain = images.view.picture.small.copy()
    images.outline.toggle()
    qtbot.waitUntil(lambda: not np.array_equal(images.view.picture.small, plain))
    first = images.name.text()
    qtbot.keyClick(images.list, Qt.Key.Key_Right)
    assert images.name.text() != first
    qtbot.waitUntil(lambda: page.context.runner.reading is False)
    qtbot.keyClick(images.list, Qt.Key.Key_Escape)
    assert report.pages.currentWidget() is report._figures


def test_images_that_were_moved_can_be_found_again(open_first, page, parts, tmp_path, qtbot):
    report = open_first()
    report._source = tmp_path / "gone"
    report.open_cell(*next(key for key, button in report.confusion.cells.items() if button.isEnabled()))
    qtbot.waitUntil(report.images.elsewhere.isVisible)
    assert "moved" in report.images.view.message
    report.look_in(parts)
    qtbot.waitUntil(lambda: report.images.view.picture is not None)
    assert not report.images.elsewhere.isVisible()


def test_draws_and_numbers_of_shots_can_be_chosen(open_first):
    report = open_first("second")
    assert cells(report, "Shots") == ["1", "2"]
    assert report.draw.isVisible()
    assert [report.draw.itemText(n) for n in range(2)] == ["Draw 4", "Draw 5"]  # seeds 3 and 4
    before = report.confusion.scores.scores.tolist()
    report.draw.setCurrentIndex(1)
    assert report.confusion.scores.scores.tolist() != before
    report.shown.setCurrentIndex(1)
    report.shown.activated.emit(1)
    assert cells(report, "Class") == ["Mean of classes", "cloth", "washer"] * 2


def test_two_evaluations_stand_side_by_side_with_their_difference(page, open_first, qtbot):
    open_first("first")
    open_first("second")
    qtbot.waitUntil(lambda: page.list.count() == 2)
    page.list.selectAll()
    compare = page.compare
    qtbot.waitUntil(lambda: page.stack.currentWidget() is compare)
    assert not compare.note.isVisible()
    a, b = compare.sides()
    assert [a[0].listed.folder.name, b[0].listed.folder.name] == [
        entry.folder.name for entry in reversed(page.chosen())
    ]
    assert a[1] == b[1] == ONE_SHOT
    place = compare.figure.findData("aupro")
    compare.figure.setCurrentIndex(place)
    for row, name in enumerate((MEAN, "cloth", "washer")):
        left, right = (evaluation.row(candidate, name).means[-1] for evaluation, candidate in compare.sides())
        assert compare.model.index(row, 1).data().startswith(f"{100 * left:.1f}")
        assert compare.model.index(row, 2).data().startswith(f"{100 * right:.1f}")
        shown = compare.model.index(row, 3).data().replace("−", "-")
        assert float(shown) == pytest.approx(100 * (right - left), abs=0.051)
    assert {line.look for line in compare.curves.lines} == {"main", "second"}
    # The row of means shows the mean of the classes' curves, a class's row its own.
    compare.kind.setCurrentIndex(compare.kind.findData("pro"))
    assert compare.of.text().startswith("Mean over 2 classes: ")
    drawn = iter(compare.curves.lines)
    for evaluation, candidate in (a, b):
        for seed in evaluation.seeds:
            line, own = next(drawn), [r.curves["pro"] for r in evaluation.find(candidate, MEAN, seed)]
            assert trapezoid(line.y, line.x) == pytest.approx(np.mean([trapezoid(y, x) for x, y in own]))
    compare.table.setCurrentIndex(compare.model.index(1, 0))
    assert compare.of.text().startswith("cloth: ")
    compare.copy.click()
    assert QGuiApplication.clipboard().text().startswith("Class\tA\tB\tB − A\n")


def test_the_mean_of_two_steps_has_both_steps(measured):
    reading = stored.load(measured / "first").readings[ONE_SHOT][0]
    steps = [([0, 0, 1], [0, 1, 1]), ([0, 0.5, 0.5, 1], [0, 0, 1, 1])]
    readings = [
        replace(reading, curves={"image_roc": (np.array(x, float), np.array(y, float))}) for x, y in steps
    ]
    x, y = scores.mean_curve(readings, "image_roc")
    assert x.tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert y.tolist() == [0, 0.5, 0.5, 1, 1, 1]
    assert scores.mean_curve(readings, "pro") is None


def test_one_draw_shows_no_spread_and_several_do(open_first):
    assert not any("±" in text for text in cells(open_first("first"), "AUPRO"))
    assert all("±" in text for text in cells(open_first("second"), "AUPRO"))


def test_a_damaged_evaluation_is_refused_with_the_next_step(measured, tmp_path):
    folder = shutil.copytree(measured / "first", tmp_path / "broken")
    whole = (folder / "details.json").read_text("utf-8")
    for text in ("", "[\n{}\n]\n", whole[: len(whole) // 2]):
        (folder / "details.json").write_text(text, "utf-8")
        with pytest.raises(InspectorError) as raised:
            stored.load(folder)
        assert raised.value.hint
    (folder / "results.json").write_text("[]", "utf-8")
    with pytest.raises(InspectorError):
        stored.load(folder)
    assert stored.listed(tmp_path) == []


def test_the_page_is_a_tab_that_needs_no_project(window, qtbot):
    assert window.tab_row.tabs["evaluate"].isEnabled()
    window.tab_row.tabs["evaluate"].click()
    assert window.page_name == "evaluate"
    assert isinstance(window.page, EvaluatePage)

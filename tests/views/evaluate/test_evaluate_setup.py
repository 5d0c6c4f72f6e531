"""The form for a new evaluation, and the job that it starts."""

import shutil

from PySide6.QtCore import Qt

from inspector.domain import CancelToken, JobStatus
from inspector.jobs.evaluation.plan import EvaluationPlan, method_title
from inspector.jobs.evaluation.run import evaluate
from inspector.methods import catalogue


def test_a_dropped_folder_is_recognised_and_told_class_by_class(page, parts, qtbot):
    page.accept_paths([parts])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    assert page.setup.words.text() == "MVTec AD layout · 2 classes · 12 test images"
    table = page.setup.table
    assert [[table.item(r, c).text() for c in range(5)] for r in range(2)] == [
        ["cloth", "3", "3", "3", "3"],
        ["washer", "3", "3", "3", "3"],
    ]
    assert page.setup.shots[2].isEnabled()
    assert not page.setup.shots[4].isEnabled()
    assert page.setup.few.text().startswith(
        "4 shots can't be drawn: “cloth” has only 3 good parts and 1 other class too few."
    )


def test_a_folder_without_labels_is_refused_with_the_next_step(page, context, tmp_path, qtbot):
    with qtbot.waitSignal(context.error_raised) as raised:
        page.accept_paths([tmp_path])
    assert raised.args[0].hint
    assert not page.setup.run.isEnabled()
    with qtbot.waitSignal(context.error_raised) as raised:
        page.accept_paths([tmp_path / "single.png"])
    assert "folder" in raised.args[0].message


def test_run_measures_in_the_background_and_shows_the_report(page, context, parts, home, qtbot):
    page.accept_paths([parts])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    assert page.setup.methods["patchcore"].isChecked()
    page.setup.seeds.setValue(1)
    assert page.setup.plan().shots == (1,)  # 4 is ticked but can't be had
    events = []
    context.job_event.connect(events.append)
    page.setup.run.click()
    assert not page.setup.run.isEnabled()
    assert page.setup.side.currentWidget() is page.setup.progress
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.report, timeout=60_000)
    assert events[-1].status is JobStatus.DONE, events[-1].message
    assert page.setup.progress.figures.text().startswith("100\u00a0%")
    assert "PatchCore, 1 shot, draw 1: image AUROC" in page.setup.progress.lines.toPlainText()
    folder = page.report.evaluation.listed.folder
    assert folder.parent == home / "projects" / "evaluations"
    assert {p.name for p in folder.iterdir()} >= {"results.json", "results.md", "results.csv"}
    assert [entry.folder for entry in page.chosen()] == [folder]
    assert page.setup.run.isEnabled()


def test_a_cancelled_run_leaves_the_form_ready_and_nothing_on_disk(page, context, parts, home, qtbot):
    page.accept_paths([parts])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    with qtbot.waitSignal(context.runner.ended, timeout=30_000) as ended:
        page.setup.run.click()
        page.setup.progress.cancel.click()
        assert not page.setup.progress.cancel.isEnabled()
    assert ended.args[1].status is JobStatus.CANCELLED
    assert page.stack.currentWidget() is page.setup
    assert page.setup.run.isEnabled()
    assert not list((home / "projects").rglob("results.json"))


def test_a_run_that_fails_says_so_and_leaves_the_form_ready(page, context, parts, tmp_path, qtbot):
    folder = shutil.copytree(parts, tmp_path / "parts")
    page.accept_paths([folder])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    shutil.rmtree(folder)
    with qtbot.waitSignal(context.runner.ended, timeout=30_000) as ended:
        page.setup.run.click()
    assert ended.args[1].status is JobStatus.FAILED
    assert ended.args[1].hint
    assert page.stack.currentWidget() is page.setup
    assert page.setup.run.isEnabled()


def test_results_of_a_project_lie_in_its_folder(page, context, project, qtbot):
    context.set_project(project)
    assert page.setup.root == project.folder / "evaluations"
    context.set_project(None)
    assert page.setup.root.name == "evaluations"
    assert project.folder not in page.setup.root.parents


def test_a_class_can_be_left_out(page, parts, tmp_path, qtbot):
    folder = shutil.copytree(parts, tmp_path / "parts")
    for further in (3, 4, 5):
        shutil.copy(folder / "washer/train/good/000.png", folder / f"washer/train/good/{further:03}.png")
    page.accept_paths([folder])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    setup = page.setup
    assert setup.plan().classes == ()
    assert not setup.shots[4].isEnabled()
    setup.table.setCurrentCell(0, 0)  # cloth
    qtbot.keyClick(setup.table, Qt.Key.Key_Space)
    assert setup.plan().classes == ("washer",)
    assert setup.shots[4].isEnabled()
    assert "8 shots can't be drawn: “washer” has only 6" in setup.few.text()
    assert "on 6 test images" in setup.reason.text()
    setup.table.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
    assert setup.plan() is None
    assert setup.reason.text() == "Tick a class to measure on."


def test_how_long_it_takes_is_said_from_earlier_evaluations(page, parts, measured, home, qtbot):
    page.accept_paths([parts])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    assert "PatchCore was not measured here before" in page.setup.reason.text()
    shutil.copytree(measured / "first", home / "projects" / "evaluations" / "first")
    page.activated()
    qtbot.waitUntil(lambda: "going by earlier evaluations" in page.setup.reason.text())
    page.setup.methods["anople"].setChecked(True)
    assert "AnoPLe was not measured here before" in page.setup.reason.text()


def test_images_without_a_usable_mask_are_counted_in_setup_and_report(
    page, parts, engine, open_first, tmp_path, qtbot
):
    folder = shutil.copytree(parts, tmp_path / "parts")
    next((folder / "cloth/ground_truth").glob("*/*")).unlink()
    page.accept_paths([folder])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    assert page.setup.words.text().endswith("1 defective without a mask: they count per image only")
    plan = EvaluationPlan(folder, ("patchcore",), (1,), (0,), tmp_path / "out")
    evaluate(plan, backbone=engine.backbone(), emit=lambda event: None, cancel=CancelToken())
    page.open(tmp_path / "out")
    qtbot.waitUntil(page.report.note.isVisible)
    assert page.report.note.text().endswith("cloth 1 of 3.")


def test_ablations_and_the_control_join_the_chosen_methods(page, parts, qtbot):
    page.accept_paths([parts])
    qtbot.waitUntil(lambda: page.setup.found is not None)
    setup = page.setup
    assert setup.plan().methods == ("patchcore",)
    setup.ablations.setChecked(True)
    setup.control.setChecked(True)
    methods = setup.plan().methods
    assert methods[1:5] == tuple(catalogue.ABLATIONS)
    assert methods[5:] == catalogue.CONTROLS
    assert setup.reason.text().startswith(f"{7 * 3} detectors")  # one shot and three draws
    titles = [method_title(name) for name in methods]
    assert "AnoPLe (scales one)" in titles
    assert "PatchCore (random weights)" in titles

"""Walk through the window as a hurried hand would, on a class of a data set, and say what became of its defects.

Four good parts are taught; defective ones are pasted on Inspect; one of them is added to the good shots, undone, done
again and undone; after each step all are inspected anew. Ends with 1 where a step lets a defect pass that the first
inspection didn't.

    python packaging/hurried_hand.py DATA/hazelnut --defect colour --method patchcore
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["INSPECTOR_HOME"] = tempfile.mkdtemp(prefix="hurried-home-")

from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QGuiApplication

from inspector.domain import Decision
from inspector.records.inspected.results import list_results, result_ids
from inspector.settings import Settings
from inspector.views import app
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

PATIENCE = 1800  # seconds for one step


def wait(window: MainWindow, until: Callable[[], bool] = lambda: True, quiet: float = 0.5) -> None:
    """Until nothing is going on and `until()` holds for so long. Raises `TimeoutError`."""
    runner, end, still = window.context.runner, time.monotonic() + PATIENCE, time.monotonic()
    while time.monotonic() - still < quiet:
        QGuiApplication.processEvents()
        time.sleep(0.005)
        if runner.busy or runner.reading or not until():
            still = time.monotonic()
        if still > end:
            raise TimeoutError("a step takes too long")


def inspected(window: MainWindow, paths: list[Path]) -> dict[str, Decision | None]:
    """The verdict on each image that is pasted on Inspect."""
    project = window.context.project
    assert project is not None
    known = len(result_ids(project))
    window.show_page("inspect")
    wait(window)
    copied = QMimeData()
    copied.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    QGuiApplication.clipboard().setMimeData(copied)
    window.menus.paste.trigger()
    QGuiApplication.clipboard().clear()  # Qt's offscreen one doesn't outlive what lies in it
    wait(window, lambda: len(result_ids(project)) == known + len(paths))
    return {row.name: row.verdict for row in list_results(project, result_ids(project)[known:])}


def walk(window: MainWindow, good: list[Path], bad: list[Path]) -> bool:
    """Whether every defect that was held back at first was held back to the end."""
    window.projects.create(Path(tempfile.mkdtemp(prefix="hurried-")) / "Walk", "Walk")
    wait(window, lambda: window.context.project is not None)
    page = window.pages["teach"]
    assert isinstance(page, TeachPage)
    page.add_class("part")
    wait(window, lambda: page.chosen_class is not None)
    window.take_paths(good)
    wait(window, lambda: len(page.shots.rows) == len(good))
    page.panel.button.click()
    wait(window)
    held: set[str] = set()
    harmless = True

    def judge(step: str) -> None:
        nonlocal held, harmless
        found = inspected(window, bad)
        passed = {name for name, verdict in found.items() if verdict in (Decision.OK, None)}
        held = held or set(found) - passed
        harmless &= not held & passed
        counts = ", ".join(f"{sum(v is d for v in found.values())} {d.value}" for d in reversed(Decision))
        print(f"{step:<34}{counts}")

    judge("taught")
    window.show_page("teach")
    window.take_paths(bad[:1])
    wait(window, page.proposal.isVisible, 4)
    card = page.proposal
    print(f"  proposed: {card.line.text()} {card.alarm.text()}")
    print(f"  stands out: {[card.doubtful.item(n).text() for n in range(card.doubtful.count())]}")
    print(f"  can be put in charge at once: {card.accept_button.isEnabled()}")
    judge("a defective part among the shots")
    for step, action in (
        ("undone", window.menus.undo),
        ("done again", window.menus.redo),
        ("undone again", window.menus.undo),
    ):
        action.trigger()
        wait(window, quiet=4)
        judge(step)
    return harmless


def main() -> int:
    about = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    about.add_argument("data", type=Path, help="a class with train/good and test/<defect>")
    about.add_argument("--defect", default="", help="which of its defects; the first by default")
    about.add_argument("--method", default="patchcore")
    asked = about.parse_args()
    kinds = sorted(path.name for path in (asked.data / "test").iterdir() if path.name != "good")
    bad = sorted((asked.data / "test" / (asked.defect or kinds[0])).iterdir())
    app.application()
    window = app.build(Settings(theme="dark", method=asked.method, reviewer="Walk"))
    window.show()
    try:
        return 0 if walk(window, sorted((asked.data / "train" / "good").iterdir())[:4], bad) else 1
    finally:
        window.shut_down()


if __name__ == "__main__":
    sys.exit(main())

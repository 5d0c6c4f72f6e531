"""A window that is killed while it inspects: what it had stored is there, and the rest is inspected once."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector import settings
from inspector.records.inspected.results import list_results, result_ids
from inspector.views.inspect.page import InspectPage
from inspector.views.window.main_window import MainWindow

_CHILD = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from inspector.views import app
from inspector.views.inspect.page import InspectPage

def act():
    page = window.page
    if not isinstance(page, InspectPage) or window.context.project is None or window.context.runner.reading:
        return
    if sys.argv[2:]:
        assert page.accept_paths([Path(sys.argv[2])])
    elif page.queue.continue_button.isVisible():
        page.queue.continue_button.click()
    else:
        return
    timer.stop()

application = app.application()
window = app.build()
window.show()
window.open_project(Path(sys.argv[1]), "inspect")
timer = QTimer()
timer.timeout.connect(act)
timer.start(20)
application.exec()
"""


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_a_window_killed_twice_while_it_inspects_leaves_a_run_that_is_finished_with_nothing_twice(
    qtbot: QtBot,
    window: MainWindow,
    idle: Callable[[], None],
    taught: Path,
    washers: Path,
    tmp_path: Path,
) -> None:
    images = tmp_path / "to inspect"
    for number in range(16):
        shutil.copytree(washers / "test", images / f"{number:02}")
    files = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    settings.save(settings.Settings(device="cpu", batch_size=4))

    first = _kill_once_it_stored(taught, str(images))
    second = _kill_once_it_stored(taught)
    assert 0 < first < second < len(files)

    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    page, project = window.page, window.context.project
    assert isinstance(page, InspectPage)
    assert project is not None
    assert not window.banner.isVisible()
    assert page.queue.interrupted.text() == f"Interrupted: {second} of {len(files)} inspected."
    kept = list_results(project, result_ids(project))
    qtbot.mouseClick(page.queue.continue_button, Qt.MouseButton.LeftButton)
    idle()
    rows = list_results(project, result_ids(project))
    assert sorted(row.name for row in rows) == files
    assert len({row.run_id for row in rows}) == 1
    scores = {row.id: row.image_score for row in rows}
    assert {row.id: row.image_score for row in kept}.items() <= scores.items()
    assert all(row.map_path is not None and row.map_path.is_file() for row in rows)
    assert not page.queue.interrupted.isVisible()
    assert [path for path in taught.rglob(".*") if path.name != ".teaching"] == []


def _kill_once_it_stored(folder: Path, *images: str) -> int:
    """Start a window on a project that inspects these, or goes on, and kill it; how many results it left there."""
    before = _stored(folder)
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(folder), *images], env=dict(os.environ), stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None and _stored(folder) == before:
            time.sleep(0.02)
        assert process.returncode is None
    finally:
        process.kill()
        process.wait()
    return _stored(folder)


def _stored(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder / 'project.sqlite'}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])

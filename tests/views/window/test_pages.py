"""The code of the pages, in a window of a process of its own: here it is loaded already."""

import json
import os
import subprocess
import sys
from pathlib import Path

from inspector.records import project as projects

WINDOW = """
import json, logging, sys, threading
import shiboken6
from PySide6.QtCore import QObject, QTimer

told, warnings, threads, foreign = [], [], {}, []


class Watch:
    def find_spec(self, name, path=None, target=None):
        threads.setdefault(name, threading.current_thread() is threading.main_thread())
        return None


class Warned(logging.Handler):
    def emit(self, record):
        warnings.append(record.getMessage())


sys.meta_path.insert(0, Watch())
logging.getLogger("inspector").addHandler(Warned(logging.WARNING))

from inspector.views import app
from inspector.views.window import pages

PAGES = {page.factory.partition(":")[0] for page in pages.PAGES if page.name != "start"}
app.display.problem = lambda: ""  # a window that nobody sees will do
application = app.application()


def look():
    window = next((one for one in application.topLevelWidgets() if hasattr(one, "pages")), None)
    if window is None or window.context.runner.reading or not PAGES <= sys.modules.keys():
        return
    if not told:
        objects = [one for one in shiboken6.getAllValidWrappers() if isinstance(one, QObject)]
        foreign.extend(repr(one) for one in objects if one.thread() is not application.thread())
        told.append({name: threads[name] for name in (*PAGES, "pyqtgraph", "superqt")})
        window.open_project(PROJECT)
    elif window.context.project is not None:
        for page in pages.PAGES:
            window.show_page(page.name)
        timer.stop()
        print(json.dumps({"on_gui_thread": told[0], "foreign": foreign, "warnings": warnings}))
        window.close()


timer = QTimer()
timer.timeout.connect(look)
timer.start(20)
sys.exit(app.run())
"""


def test_the_pages_are_loaded_beside_the_window_and_open_without_a_warning(
    home: Path, tmp_path: Path
) -> None:
    with projects.create(tmp_path / "Line 3", "Line 3") as project:
        folder = project.folder
    code = f"from pathlib import Path\nPROJECT = Path({str(folder)!r})\n{WINDOW}"
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["on_gui_thread"]) == 10
    assert not any(found["on_gui_thread"].values())
    assert found["foreign"] == []
    assert found["warnings"] == []
    assert "QObject" not in done.stderr

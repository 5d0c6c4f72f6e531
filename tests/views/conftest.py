"""The real window over real projects, offscreen."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from judged_parts import detector_of

from inspector.domain import Region, Thresholds
from inspector.images import read
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.runs import list_runs, start_run
from inspector.records.project import Project
from inspector.records.shots import add_shots
from inspector.records.thresholds import list_thresholds
from inspector.settings import Settings

with contextlib.suppress(ImportError):  # without Qt, every module of this folder is skipped (../conftest.py)
    from pytestqt.qtbot import QtBot

    from inspector.views import app
    from inspector.views.look import theme
    from inspector.views.shared.context import WindowContext
    from inspector.views.shared.job_runner import JobRunner
    from inspector.views.window.main_window import MainWindow


@pytest.fixture
def window(qtbot: QtBot, home: Path) -> Iterator[MainWindow]:
    app.application()
    made = app.build(Settings(theme="dark", method="patchcore"))
    made.show()
    yield made
    made.context.runner.close()
    made.close()
    made.shut_down()
    made.deleteLater()


@pytest.fixture
def project_window(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> MainWindow:
    """The window with a new, empty project, at its Teach page."""
    window.projects.create(tmp_path / "Line 3", "Line 3")
    qtbot.waitUntil(lambda: window.context.project is not None)
    return window


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small picture; another `seed` is another picture."""

    def write(name: str, seed: int = 0, size: tuple[int, int] = (64, 48)) -> Path:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
        options = {"compress_level": 0} if target.suffix == ".png" else {}  # noise does not shrink
        PIL.Image.fromarray(pixels).save(target, **options)
        return target

    return write


@pytest.fixture
def idle(qtbot: QtBot, window: MainWindow) -> Callable[..., Any]:
    """Wait until nothing is being read or written and its answers were shown."""

    def wait() -> None:
        for _ in range(3):  # an answer may ask for more
            qtbot.waitUntil(lambda: not window.context.runner.reading, timeout=20000)
            qtbot.wait(5)

    return wait


# pages on their own, over a project with results

THRESHOLDS = Thresholds(0.4, 0.6, 0.4, {"method": "leave-one-out"})


@dataclass(frozen=True)
class Stock:
    """Scores of the results: 0.2 (OK), 0.5 (review), 0.8 (NG), then a file that failed."""

    project: Project
    class_id: int
    detector_id: int
    run_id: int
    ids: tuple[int, ...]
    thresholds: Thresholds = THRESHOLDS

    def add(self, name: str, score: float, seed: int) -> int:
        return _add_result(self.project, self.run_id, self.class_id, name, score, seed)


@pytest.fixture
def context(qapp: object) -> Iterator[WindowContext]:
    theme.apply("dark")
    made = WindowContext(JobRunner(), Settings(theme="dark", reviewer="Ada", method="patchcore"))
    yield made
    assert made.runner.close(20)
    made.deleteLater()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with projects.create(tmp_path / "project", "Line 4") as opened:
        yield opened


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Stock]:
    """The folder that every test gets a copy of, for making one takes a while."""
    folder = tmp_path_factory.mktemp("stocked") / "project"
    with projects.create(folder, "Line 4") as project:
        return folder, _fill(project)


@pytest.fixture
def stock(stocked: tuple[Path, Stock], tmp_path: Path) -> Iterator[Stock]:
    folder = shutil.copytree(stocked[0], tmp_path / "stock")
    with projects.open(folder) as project:
        yield replace(stocked[1], project=project)


def _fill(project: Project) -> Stock:
    class_id = add_class(project, "washer")
    add_shots(project, class_id, [(f"shot {n}.png", _png(100 + n)) for n in range(3)])
    detector_id = detector_of(project, class_id, THRESHOLDS, (0.15, 0.2, 0.3))
    run_id = start_run(project, detector_id, "Monday", class_id=class_id)
    ids = [
        _add_result(project, run_id, class_id, f"part {number}.png", score, number)
        for number, score in enumerate((0.2, 0.5, 0.8))
    ]
    failed = NewResult("broken.png", error="“broken.png” is truncated.", hint="Copy it again.")
    ids += record_results(project, run_id, [failed])
    return Stock(project, class_id, detector_id, run_id, tuple(ids))


def _png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(90, 160, (64, 96, 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def _add_result(project: Project, run_id: int, class_id: int, name: str, score: float, seed: int) -> int:
    """An inspected image whose map has one spot as hot as its score."""
    data = _png(seed)
    values = np.full((16, 24), 0.1, np.float32)
    values[4:8, 6:12] = score
    regions = [Region((24, 16, 24, 16), 384, score)] if score >= THRESHOLDS.review else []
    detector_id = next(row.detector_id for row in list_runs(project) if row.id == run_id)
    item = NewResult(
        name,
        ImageFacts.of(read.decode(data, name), data),
        data,
        class_id,
        0.9,
        score,
        values,
        regions,
        list_thresholds(project, detector_id)[class_id].id,
    )
    return record_results(project, run_id, [item])[0]


# the window over such a project


@pytest.fixture
def hand(
    window: MainWindow,
    stocked: tuple[Path, Stock],
    tmp_path: Path,
    qtbot: QtBot,
    idle: Callable[[], None],
) -> Stock:
    """The stocked project, open in the window; `reviewer` is known."""
    window.context.settings.reviewer = "Ada"
    folder = shutil.copytree(stocked[0], tmp_path / "stock")
    window.open_project(folder, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    assert window.context.project is not None
    return replace(stocked[1], project=window.context.project)


@pytest.fixture
def choose(window: MainWindow, qtbot: QtBot, idle: Callable[[], None]) -> Callable[[int], Any]:
    """Show one result on Inspect."""

    def chosen(result_id: int) -> Any:
        page: Any = window.pages["inspect"]
        page.queue.list.choose(result_id)
        qtbot.waitUntil(lambda: [row.id for row in page.at_hand.rows] == [result_id])
        idle()
        return page

    return chosen

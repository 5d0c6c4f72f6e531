from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stem_engine
from stations import station_runs

from inspector.domain import CancelToken
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.project import Project
from inspector.records.shots import add_shots


@pytest.fixture(scope="session")
def engine() -> Engine:
    return stem_engine.make()


@pytest.fixture(scope="session")
def washers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn small: train/good, test/good, test/<defect>."""
    folder = tmp_path_factory.mktemp("demo")
    return demo_parts.write_demo(folder, shots=3, good=3, defective=3, kinds=("washer",), size=96) / "washer"


@pytest.fixture(scope="session")
def _taught(tmp_path_factory: pytest.TempPathFactory, washers: Path, engine: Engine) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "project"
    with projects.create(folder, "Line 4") as opened:
        add_shots(opened, add_class(opened, "washer"), sorted((washers / "train/good").iterdir()))
        teach(opened, engine, method="patchcore", emit=lambda event: None, cancel=CancelToken())
    return folder


@pytest.fixture
def project(tmp_path: Path, _taught: Path) -> Iterator[Project]:
    """Washers, taught with PatchCore."""
    import shutil

    shutil.copytree(_taught, tmp_path / "project")
    with projects.open(tmp_path / "project") as opened:
        yield opened


@pytest.fixture
def start(project: Project, engine: Engine) -> Iterator[Callable[..., station_runs.Running]]:
    """Start a station on a thread; all are stopped at the end."""
    running: list[station_runs.Running] = []

    def begin(station_id: int) -> station_runs.Running:
        running.append(station_runs.Running(project, engine, station_id))
        return running[-1]

    yield begin
    for one in running:
        one.stop()

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stem_engine

from inspector.domain import CancelToken, Emit, JobEnded, JobEvent, JobStarted
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.detectors import list_detectors
from inspector.records.project import Project
from inspector.records.shots import add_shots

Run = Callable[[Callable[[Emit], None]], list[JobEvent]]


@pytest.fixture(scope="session")
def engine() -> Engine:
    return stem_engine.make()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two products, drawn small: <product>/train/good, <product>/test/<state>."""
    folder = tmp_path_factory.mktemp("demo")
    return demo_parts.write_demo(folder, shots=3, good=3, defective=3, kinds=("washer", "cloth"), size=160)


@pytest.fixture
def more(demo: Path) -> list[Path]:
    """Good washers that are no shots yet."""
    return sorted((demo / "washer" / "test" / "good").iterdir())


@pytest.fixture
def project(tmp_path: Path, demo: Path) -> Iterator[Project]:
    """Both products as classes with three shots each, not taught."""
    with projects.create(tmp_path / "project", "Line 4") as opened:
        for product in sorted(demo.iterdir()):
            class_id = add_class(opened, product.name)
            add_shots(opened, class_id, sorted((product / "train" / "good").iterdir()))
        yield opened


@pytest.fixture(scope="session")
def _taught(tmp_path_factory: pytest.TempPathFactory, demo: Path, engine: Engine) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "project"
    with projects.create(folder, "Taught") as opened:
        for product in sorted(demo.iterdir()):
            class_id = add_class(opened, product.name)
            add_shots(opened, class_id, sorted((product / "train" / "good").iterdir()))
        teach(opened, engine, method="patchcore", emit=lambda event: None, cancel=CancelToken())
        assert list_detectors(opened)
    return folder


@pytest.fixture
def taught(tmp_path: Path, _taught: Path) -> Iterator[Project]:
    """The same, taught with PatchCore."""
    import shutil

    shutil.copytree(_taught, tmp_path / "taught")
    with projects.open(tmp_path / "taught") as opened:
        yield opened


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a job and give all it emitted, having checked that it began once and ended once, last of all."""

    def collect(work: Callable[[Emit], None]) -> list[JobEvent]:
        events: list[JobEvent] = []
        work(events.append)
        assert [event for event in events if isinstance(event, JobEnded)] == events[-1:]
        assert [type(event) for event in events].count(JobStarted) == 1
        assert isinstance(events[0], JobStarted)
        assert len({event.job_id for event in events}) == 1
        return events

    return collect

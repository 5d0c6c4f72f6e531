import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, JobStatus
from inspector.images.area import Area
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.handover.give import hand_over
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.methods.prompts.description import template
from inspector.records import project as projects
from inspector.records.classes import add_class, describe_class, set_area, set_smallest
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.qualification.golden import add_golden
from inspector.records.shots import add_place, add_shots
from inspector.records.thresholds import list_thresholds, set_thresholds


@pytest.fixture(scope="session")
def tiny() -> Engine:
    return Engine("inspector-tiny", "cpu")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """<product>/train/good, <product>/test/<state>, of two products."""
    folder = tmp_path_factory.mktemp("drawn")
    return demo_parts.write_demo(folder, shots=4, good=2, defective=2, kinds=("washer", "cloth"), size=160)


def ended(work: Callable[[Callable[[JobEvent], None]], None]) -> JobEnded:
    events: list[JobEvent] = []
    work(events.append)
    last = events[-1]
    assert isinstance(last, JobEnded)
    return last


@pytest.fixture(scope="session")
def _giver(tmp_path_factory: pytest.TempPathFactory, drawn: Path, tiny: Engine) -> Path:
    folder = tmp_path_factory.mktemp("giver") / "project"
    with projects.create(folder, "Line 4") as project:
        project.who = "Ada"
        ids = {}
        for product in sorted(drawn.iterdir()):
            ids[product.name] = add_class(project, product.name)
            add_shots(project, ids[product.name], sorted((product / "train/good").iterdir())[:3])
        describe_class(project, ids["washer"], template("washer"))
        set_smallest(project, ids["cloth"], 40)
        area = Area(inspected=(((0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95)),))
        set_area(project, ids["washer"], area)
        done = ended(lambda emit: teach(project, tiny, method="patchcore", emit=emit, cancel=CancelToken()))
        assert done.status is JobStatus.DONE, done
        tests = [product / "test" for product in sorted(drawn.iterdir())]
        ended(lambda emit: inspect(project, tiny, tests, emit=emit, cancel=CancelToken()))
        rows = list_results(project, result_ids(project))
        good = next(row for row in rows if "good" in row.name)
        add_place(project, good.id, ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6)), "Ada")
        add_shots(project, ids["washer"], sorted((drawn / "washer/train/good").iterdir())[3:])
        done = ended(lambda emit: update(project, tiny, emit=emit, cancel=CancelToken()))
        assert done.status is JobStatus.DONE, done
        add_golden(
            project, {row.id: Decision.OK if "good" in row.name else Decision.NG for row in rows}, who="Ada"
        )
        row = find_detector(project)
        now = list_thresholds(project, row.id)[ids["washer"]].thresholds
        moved = type(now)(now.review, now.ng * 1.01, now.pixel)
        set_thresholds(project, row.id, ids["washer"], moved, who="Ada")
    return folder


@pytest.fixture
def giver(_giver: Path, tmp_path: Path) -> Iterator[Project]:
    """Two classes with all that a detector can have: area, smallest defect, description, a place, an added shot, thresholds that were
    moved, a golden set."""
    shutil.copytree(_giver, tmp_path / "giver")
    with projects.open(tmp_path / "giver") as opened:
        yield opened


@pytest.fixture(scope="session")
def handed(_giver: Path, tmp_path_factory: pytest.TempPathFactory, tiny: Engine) -> Path:
    """Its detector as a file."""
    file = tmp_path_factory.mktemp("handed") / "washer.inspector"
    with projects.open(_giver, read_only=True) as project:
        done = ended(
            lambda emit: hand_over(
                project, tiny, file, class_name="washer", who="Ada", emit=emit, cancel=CancelToken()
            )
        )
    assert done.status is JobStatus.DONE, done
    return file

"""A project with classes and thresholds, and a line in it whose parts a test makes up."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from at_the_line.followed import NOON

from inspector.bench.line.trends import Line, line_of
from inspector.bench.records import make
from inspector.records import project as projects
from inspector.records.classes import list_classes
from inspector.records.project import Project


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line") / "project"
    make(folder, 0)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    with projects.open(shutil.copytree(made, tmp_path / "project")) as opened:
        yield opened


@pytest.fixture
def line(project: Project) -> Line:
    return line_of(project, 1, list_classes(project)[0].id, "Line 1", NOON - timedelta(days=1))

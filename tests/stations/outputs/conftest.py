from collections.abc import Iterator
from pathlib import Path

import pytest
from stations.outputs.arriving_parts import Line


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("line") / "project"


@pytest.fixture
def line(tmp_path: Path, template: Path) -> Iterator[Line]:
    """A project with a detector, at which parts arrive."""
    made = Line(tmp_path / "project", template)
    with made.project:
        yield made

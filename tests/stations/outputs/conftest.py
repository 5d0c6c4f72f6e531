from collections.abc import Iterator
from pathlib import Path

import pytest
from arriving_parts import Line


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A project with a detector, at which parts arrive."""
    made = Line(tmp_path / "project")
    with made.project:
        yield made

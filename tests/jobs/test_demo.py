"""What the demo draws lies in the system's temporary folder while it is made, and stays there in no case."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from inspector import paths
from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
from inspector.images.demo import parts as demo_parts
from inspector.jobs.demo import make_demo_project

KILLED_AFTER_DRAWING = """
import os, signal, sys, tempfile
from pathlib import Path
from inspector.domain import CancelToken
from inspector.images.demo import parts as demo_parts
from inspector.jobs.demo import make_demo_project
tempfile.tempdir = sys.argv[1]
def draw(folder, **_):
    (folder / "washer").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
demo_parts.write_demo = draw
make_demo_project(Path(sys.argv[2]), None, emit=lambda event: None, cancel=CancelToken())
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows empties its temporary folder itself")
def test_a_killed_demo_is_swept_by_the_next_one_and_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", KILLED_AFTER_DRAWING, str(temporary), str(tmp_path / "killed")]
    assert subprocess.run(command, check=False).returncode == -9
    (left,) = temporary.glob("inspector-demo-*")
    assert (left / "washer").is_dir()

    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    living = paths.scratch_folder("demo")
    assert not left.exists()
    (temporary / left.name).mkdir()
    (temporary / "inspector-demo-notes").mkdir()  # somebody's own
    cancel = CancelToken()
    monkeypatch.setattr(demo_parts, "write_demo", lambda *_, **__: cancel.cancel())
    events: list[JobEvent] = []
    make_demo_project(tmp_path / "stopped", None, emit=events.append, cancel=cancel)  # type: ignore[arg-type]
    assert isinstance(events[-1], JobEnded)
    assert events[-1].status is JobStatus.CANCELLED
    assert {path.name for path in temporary.iterdir()} == {living.name, "inspector-demo-notes"}

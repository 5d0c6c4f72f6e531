"""What jobs meet where work goes on all day: open files, connections and pictures that pile up, other programs, odd drives."""

import errno
import gc
import os
import shutil
import sqlite3
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stem_engine import in_batches
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, JobEnded, JobEvent, JobItem, JobProgress, JobStatus
from inspector.errors import InspectorError
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.methods.taught import Taught
from inspector.records import project as projects
from inspector.records.disk import database as db
from inspector.records.inspected.results import result_ids
from inspector.records.project import Project

Run = Callable[[Callable[..., None]], list[JobEvent]]
_OPEN = Path("/proc/self/fd")


def _ended(events: list[JobEvent]) -> JobStatus:
    assert isinstance(events[-1], JobEnded)
    return events[-1].status


@pytest.mark.skipif(not _OPEN.is_dir(), reason="counts open files in /proc")
def test_runs_and_cancelled_teachings_leave_no_file_open_and_no_picture_in_memory(
    taught: Project, engine: Engine, run: Run, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures: list[weakref.ref[np.ndarray]] = []
    real = Taught.score

    def score(self: Taught, images: object, names: object) -> object:
        pictures.extend(weakref.ref(image.pixels) for image in images)  # type: ignore[attr-defined]
        return real(self, images, names)  # type: ignore[arg-type]

    monkeypatch.setattr(Taught, "score", score)

    def day() -> None:
        source = demo / "washer" / "test"
        done = run(
            lambda emit: inspect(
                taught, in_batches(engine, 2), [source], class_name="washer", emit=emit, cancel=CancelToken()
            )
        )
        assert _ended(done) is JobStatus.DONE
        cancel = CancelToken()

        def stop(emit: Callable[[JobEvent], None]) -> None:
            def told(event: JobEvent) -> None:
                emit(event)
                if isinstance(event, JobProgress) and event.done > 0:
                    cancel.cancel()

            teach(taught, engine, method="patchcore", emit=told, cancel=cancel)

        assert _ended(run(stop)) is JobStatus.CANCELLED

    day()  # opens what stays open
    before = sorted(file.name for file in _OPEN.iterdir())
    for _ in range(6):
        day()
    gc.collect()
    assert len(pictures) == 7 * 6
    assert [found for found in pictures if found() is not None] == []
    assert len(list(_OPEN.iterdir())) <= len(before)


def test_another_program_that_holds_the_database_ends_a_run_in_a_sentence_and_what_was_stored_stays(
    taught: Project, engine: Engine, run: Run, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught.close()
    monkeypatch.setattr(db, "_TIMEOUT", 0.1)
    washers = demo / "washer" / "test"
    held: list[sqlite3.Connection] = []
    with projects.open(taught.folder) as project:

        def work(emit: Callable[[JobEvent], None]) -> None:
            def watch(event: JobEvent) -> None:
                emit(event)
                if isinstance(event, JobItem) and not held:
                    database = project.folder / "project.sqlite"
                    held.append(sqlite3.connect(database, isolation_level=None, check_same_thread=False))
                    held[0].execute("BEGIN IMMEDIATE")

            inspect(
                project,
                in_batches(engine, 1),
                [washers],
                class_name="washer",
                emit=watch,
                cancel=CancelToken(),
            )

        events = run(work)
        ended = events[-1]
        assert isinstance(ended, JobEnded)
        assert ended.status is JobStatus.FAILED
        assert ended.message.startswith("Another program holds the database of the project")
        assert "Close programs that look into project.sqlite" in ended.hint
        announced = [event.result_id for event in events if isinstance(event, JobItem)]
        assert announced
        assert result_ids(project).tolist() == announced
        held[0].close()
        again = run(
            lambda emit: inspect(
                project, engine, [washers], class_name="washer", emit=emit, cancel=CancelToken()
            )
        )[-1]
        assert isinstance(again, JobEnded)
        assert again.status is JobStatus.DONE


@pytest.mark.skipif(os.name != "posix", reason="flock is a call of Unix")
def test_a_project_on_a_drive_without_locks_can_be_exported_and_the_other_commands_say_why_not(
    taught: Project, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine, run: Run
) -> None:
    import fcntl

    run(lambda emit: inspect(taught, engine, [demo / "washer" / "test"], emit=emit, cancel=CancelToken()))
    taught.close()
    folder = shutil.copytree(taught.folder, tmp_path / "share")

    def unknown(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", unknown)
    done = CliRunner().invoke(app, ["export", str(folder), str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "results.csv").is_file()
    done = CliRunner().invoke(app, ["inspect", str(folder), str(demo / "washer" / "test")])
    assert done.exit_code == 1
    said = f"{done.output} {done.exception if isinstance(done.exception, InspectorError) else ''}"
    assert "viewing only" in said

"""What drives and other programs do to a job, and what the commands say of it."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from stem_engine import in_batches
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, JobEnded, JobEvent, JobItem, JobStatus
from inspector.errors import InspectorError
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.records import project as projects
from inspector.records.disk import database as db
from inspector.records.project import Project
from inspector.records.results import result_ids

Run = Callable[[Callable[..., None]], list[JobEvent]]


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

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QObject, QThread
from pytestqt.qtbot import QtBot

from inspector.domain import (
    CancelToken,
    Emit,
    JobEnded,
    JobEvent,
    JobKind,
    JobProgress,
    JobStarted,
    JobStatus,
)
from inspector.errors import Cancelled, InspectorError
from inspector.jobs.engine import Engine
from inspector.views.shared.job_runner import Job, JobRunner


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[JobRunner]:
    made = JobRunner()
    yield made
    assert made.close(10)
    made.deleteLater()


@pytest.fixture
def events(runner: JobRunner) -> list[JobEvent]:
    seen: list[JobEvent] = []
    runner.job_event.connect(seen.append)
    return seen


def _ends(events: list[JobEvent]) -> list[JobEnded]:
    return [event for event in events if isinstance(event, JobEnded)]


def _counting(job_id: int) -> Any:
    def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
        emit(JobStarted(job_id, JobKind.INSPECT, 2, f"Job {job_id}"))
        emit(JobProgress(job_id, 1, 2))
        emit(JobEnded(job_id, JobKind.INSPECT, JobStatus.DONE, f"Job {job_id} done."))

    return work


def _until_cancelled(started: threading.Event) -> Any:
    def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
        started.set()
        while True:
            cancel.check()
            time.sleep(0.001)

    return work


def test_jobs_run_one_after_another_on_one_thread_and_each_ends_once(
    qtbot: QtBot, runner: JobRunner, events: list[JobEvent]
) -> None:
    threads = set()

    def noting(job_id: int) -> Any:
        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            threads.add((threading.get_ident(), id(engine)))
            _counting(job_id)(engine, emit, cancel)

        return work

    for job_id in (1, 2, 3):
        runner.start(JobKind.INSPECT, f"Job {job_id}", noting(job_id))
    qtbot.waitUntil(lambda: not runner.busy)
    assert [event.job_id for event in events] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [end.status for end in _ends(events)] == [JobStatus.DONE] * 3
    assert len(threads) == 1
    assert threading.get_ident() not in {thread for thread, _ in threads}


def test_events_arrive_on_the_gui_thread(qtbot: QtBot, runner: JobRunner) -> None:
    threads = []
    runner.job_event.connect(lambda _event: threads.append(threading.get_ident()))
    runner.start(JobKind.INSPECT, "Job", _counting(1))
    qtbot.waitUntil(lambda: not runner.busy)
    assert set(threads) == {threading.get_ident()}


@pytest.mark.parametrize(
    ("error", "status", "message", "hint"),
    [
        (
            InspectorError("The disk is full.", "Free some space."),
            JobStatus.FAILED,
            "The disk is full.",
            "Free some space.",
        ),
        (Cancelled(), JobStatus.CANCELLED, "Stopped.", ""),
        (
            ZeroDivisionError("oops"),
            JobStatus.FAILED,
            "Job failed: oops.",
            "The log has the details (Help, Show log).",
        ),
    ],
)
def test_a_job_that_raises_ends_with_what_went_wrong(
    qtbot: QtBot,
    runner: JobRunner,
    events: list[JobEvent],
    error: Exception,
    status: JobStatus,
    message: str,
    hint: str,
) -> None:
    def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
        emit(JobStarted(7, JobKind.TEACH, 1, "Job"))
        raise error

    job = runner.start(JobKind.TEACH, "Job", work)
    with qtbot.waitSignal(runner.ended) as ended:
        pass
    assert ended.args == [job, JobEnded(7, JobKind.TEACH, status, message, hint)]
    runner.start(JobKind.INSPECT, "Next", _counting(8))
    qtbot.waitUntil(lambda: not runner.busy)
    assert _ends(events)[-1].job_id == 8


def test_what_a_job_says_after_its_end_is_dropped(
    qtbot: QtBot, runner: JobRunner, events: list[JobEvent]
) -> None:
    def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
        _counting(1)(engine, emit, cancel)
        emit(JobProgress(1, 2, 2))
        raise InspectorError("too late")

    runner.start(JobKind.INSPECT, "Job", work)
    qtbot.waitUntil(lambda: not runner.busy)
    assert len(events) == 3
    assert _ends(events)[0].status == JobStatus.DONE


def test_cancel_ends_the_running_job_and_the_next_begins(
    qtbot: QtBot, runner: JobRunner, events: list[JobEvent]
) -> None:
    started = threading.Event()
    runner.start(JobKind.TEACH, "Endless", _until_cancelled(started))
    runner.start(JobKind.INSPECT, "Next", _counting(2))
    qtbot.waitUntil(started.is_set)
    assert runner.waiting == 1
    runner.cancel()
    qtbot.waitUntil(lambda: not runner.busy)
    assert [end.status for end in _ends(events)] == [JobStatus.CANCELLED, JobStatus.DONE]


def test_a_job_cancelled_while_it_waits_never_begins(
    qtbot: QtBot, runner: JobRunner, events: list[JobEvent]
) -> None:
    started = threading.Event()
    touched = []
    runner.start(JobKind.TEACH, "Endless", _until_cancelled(started))
    second = runner.start(JobKind.INSPECT, "Second", lambda *_: touched.append(1))
    qtbot.waitUntil(started.is_set)
    runner.cancel(second)
    runner.cancel()
    qtbot.waitUntil(lambda: not runner.busy)
    assert not touched
    assert [end.status for end in _ends(events)] == [JobStatus.CANCELLED] * 2


def test_a_download_keeps_nobody_waiting(qtbot: QtBot, runner: JobRunner, events: list[JobEvent]) -> None:
    started = threading.Event()
    said: list[Job] = []
    runner.said.connect(lambda job, _event: said.append(job))
    download = runner.start(JobKind.DOWNLOAD, "Download", _until_cancelled(started))
    second = runner.start(JobKind.DOWNLOAD, "Second", lambda *_: None)
    qtbot.waitUntil(started.is_set)
    assert not runner.busy
    assert runner.active
    assert runner.current is download
    inspection = runner.start(JobKind.INSPECT, "Inspect", _counting(1))
    assert runner.current is inspection
    qtbot.waitUntil(lambda: len(events) == 3)
    qtbot.waitUntil(lambda: runner.current is download)
    assert set(said) == {inspection}
    runner.cancel()
    qtbot.waitUntil(lambda: not runner.active)
    assert said[-2:] == [download, second]
    assert len(events) == 3


def test_closing_stops_a_download_and_a_job(qtbot: QtBot) -> None:
    runner = JobRunner()
    started = threading.Event(), threading.Event()
    runner.start(JobKind.DOWNLOAD, "Endless", _until_cancelled(started[0]))
    runner.start(JobKind.TEACH, "Endless", _until_cancelled(started[1]))
    qtbot.waitUntil(lambda: all(one.is_set() for one in started))
    with qtbot.waitSignal(runner.stopped):
        runner.stop()
    assert runner.close(10)
    runner.deleteLater()


def test_closing_stops_a_job_whose_begin_was_not_heard_of_yet(qtbot: QtBot) -> None:
    runner = JobRunner()
    started = threading.Event()
    runner.start(JobKind.TEACH, "Endless", _until_cancelled(started))
    assert started.wait(60)  # and no event was delivered meanwhile
    assert runner.close(10)
    runner.deleteLater()


def test_closing_stops_a_running_job_and_its_thread(qtbot: QtBot) -> None:
    runner = JobRunner()
    started = threading.Event()
    runner.start(JobKind.TEACH, "Endless", _until_cancelled(started))
    qtbot.waitUntil(started.is_set)
    assert runner.close(10)
    assert not any(lane.isRunning() for lane in runner._lanes)
    runner.deleteLater()


def test_a_read_is_answered_on_the_gui_thread(qtbot: QtBot, runner: JobRunner) -> None:
    owner = QObject()
    answers: list[tuple[int, int, int]] = []
    runner.read(
        owner,
        threading.get_ident,
        lambda value: answers.append((value, threading.get_ident(), id(QThread.currentThread()))),
    )
    qtbot.waitUntil(lambda: bool(answers))
    assert answers[0][0] != threading.get_ident()
    assert answers[0][1] == threading.get_ident()


def test_a_read_that_fails_calls_failed_only(qtbot: QtBot, runner: JobRunner) -> None:
    owner = QObject()
    done: list[object] = []
    failed: list[BaseException] = []

    def work() -> None:
        raise InspectorError("No.")

    runner.read(owner, work, done.append, failed.append)
    qtbot.waitUntil(lambda: bool(failed))
    assert str(failed[0]) == "No."
    assert not done


def test_an_answer_for_a_deleted_owner_is_dropped(qtbot: QtBot, runner: JobRunner) -> None:
    owner = QObject()
    begun, go = threading.Event(), threading.Event()
    answers: list[object] = []

    def work() -> int:
        begun.set()
        go.wait(5)
        return 1

    runner.read(owner, work, answers.append)
    qtbot.waitUntil(begun.is_set)
    with qtbot.waitSignal(owner.destroyed):
        owner.deleteLater()
    go.set()
    qtbot.waitUntil(lambda: not runner._reads._open)
    assert not answers


def test_writes_keep_their_order_and_are_done_when_the_runner_closes(qtbot: QtBot) -> None:
    runner = JobRunner()
    owner = QObject()
    written: list[int] = []
    for number in range(50):
        runner.write(
            owner, lambda number=number: (time.sleep(0.0005), written.append(number)), lambda _: None
        )
    runner.close()
    assert written == list(range(50))
    runner.deleteLater()

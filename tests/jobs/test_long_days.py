"""What an application that is never closed must not collect: open files, connections, pictures."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stem_engine import in_batches

from inspector.domain import CancelToken, JobEnded, JobEvent, JobProgress, JobStatus
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.methods.taught import Taught
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

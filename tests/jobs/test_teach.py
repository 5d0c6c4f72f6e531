"""Teaching a project."""

import io
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, JobEnded, JobEvent, JobItem, JobKind, JobLog, JobProgress, JobStatus
from inspector.jobs.engine import Engine, least_side
from inspector.jobs.teach import teach
from inspector.jobs.update import news
from inspector.methods import storage
from inspector.methods.memory.patchcore import PatchCore
from inspector.methods.prompts.description import template
from inspector.records import project as projects
from inspector.records.classes import ClassState, add_class, describe_class, find_class, list_classes
from inspector.records.detectors import find_detector, list_detectors
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots, remove_shots
from inspector.records.thresholds import list_thresholds

Run = Callable[[Callable[..., None]], list[JobEvent]]


def end(events: list[JobEvent]) -> JobEnded:
    assert isinstance(events[-1], JobEnded)
    return events[-1]


def start(
    project: Project, engine: Engine, run: Run, cancel: CancelToken | None = None, **options: Any
) -> list[JobEvent]:
    return run(
        lambda emit: teach(
            project,
            engine,
            method=options.pop("method", "patchcore"),
            emit=emit,
            cancel=cancel or CancelToken(),
            **options,
        )
    )


def leftovers(project: Project) -> list[str]:
    return [path.name for path in (project.folder / "detectors").iterdir()]


def test_teaching_stores_a_detector_with_its_shots_thresholds_and_held_out_scores(
    project: Project, engine: Engine, run: Run
) -> None:
    events = start(project, engine, run, false_alarm_rate=0.1)
    assert end(events).status is JobStatus.DONE
    (row,) = list_detectors(project)
    assert end(events).result["detector_id"] == row.id
    assert (row.method, row.shots, row.false_alarm_rate, row.problem) == ("patchcore", 6, 0.1, "")
    assert set(row.classes.values()) == {"washer", "cloth"}
    assert row.backbone["key"] == engine.backbone().identity.key
    assert {name: len(row.held_out[key]) for key, name in row.classes.items()} == {"washer": 3, "cloth": 3}
    assert set(list_thresholds(project, row.id)) == set(row.classes)
    assert all(item.thresholds.provenance for item in list_thresholds(project, row.id).values())
    assert {item.state for item in list_classes(project)} == {ClassState.TAUGHT}
    (job,) = list_jobs(project)
    assert (job.kind, job.status) == (JobKind.TEACH, JobStatus.DONE)


def test_progress_only_ever_grows_to_a_hundred(project: Project, engine: Engine, run: Run) -> None:
    done = [event.done for event in start(project, engine, run) if isinstance(event, JobProgress)]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 100)


def test_classes_without_shots_are_left_out_with_a_note(project: Project, engine: Engine, run: Run) -> None:
    add_class(project, "Nut")
    events = start(project, engine, run)
    assert end(events).status is JobStatus.DONE
    assert any("“Nut” is left out" in event.message for event in events if isinstance(event, JobLog))
    assert set(list_detectors(project)[0].classes.values()) == {"washer", "cloth"}


def test_one_shot_is_enough(project: Project, engine: Engine, run: Run) -> None:
    remove_shots(project, [row.id for row in list_shots(project)[1:]])
    events = start(project, engine, run)
    assert end(events).status is JobStatus.DONE, end(events)
    (row,) = list_detectors(project)
    assert row.shots == 1
    assert all(len(scores) > 1 for scores in row.held_out.values())


def test_only_the_chosen_classes_are_taught(project: Project, engine: Engine, run: Run) -> None:
    washer = find_class(project, "washer")
    start(project, engine, run, class_ids=[washer.id])
    assert list(list_detectors(project)[0].classes) == [washer.id]


def test_shots_that_can_not_be_read_are_named_and_no_detector_of_the_others_is_made(
    project: Project, engine: Engine, run: Run
) -> None:
    first, second = list_shots(project)[:2]
    first.path.unlink()
    second.path.write_bytes(list_shots(project)[3].path.read_bytes())
    events = start(project, engine, run)
    errors = [event.error for event in events if isinstance(event, JobItem)]
    assert len(errors) == 2
    assert "missing" in errors[0]
    assert "changed" in errors[1]
    assert end(events).status is JobStatus.FAILED
    assert "2 shots can't be read" in end(events).message
    assert "remove the shot" in end(events).hint
    assert list_detectors(project) == []
    remove_shots(project, [first.id, second.id])
    assert end(start(project, engine, run)).status is JobStatus.DONE
    assert list_detectors(project)[0].shots == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "magic"}, "no method named"),
        ({"method": "patchcore:nonsense=1"}, "nonsense"),
        ({"false_alarm_rate": 3.0}, "not between 0 and 1"),
        ({"class_ids": []}, "nothing can be taught"),
    ],
)
def test_what_can_not_be_taught_fails_with_a_sentence_and_leaves_nothing(
    project: Project, engine: Engine, run: Run, options: dict[str, Any], words: str
) -> None:
    ended = end(start(project, engine, run, **options))
    assert ended.status is JobStatus.FAILED
    assert words in ended.message
    assert ended.hint
    assert list_detectors(project) == []
    assert leftovers(project) == []


def test_a_cancelled_teaching_leaves_no_half_detector(project: Project, engine: Engine, run: Run) -> None:
    cancel = CancelToken()

    def work(emit: Callable[[JobEvent], None]) -> None:
        def watch(event: JobEvent) -> None:
            emit(event)
            if isinstance(event, JobProgress) and event.done > 20:
                cancel.cancel()

        teach(project, engine, method="patchcore", emit=watch, cancel=cancel)

    events = run(work)
    assert end(events).status is JobStatus.CANCELLED
    assert list_detectors(project) == []
    assert leftovers(project) == []
    assert list_jobs(project)[0].status is JobStatus.CANCELLED


def test_an_unexpected_error_ends_the_job_with_a_short_message(
    project: Project,
    engine: Engine,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def burst(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("boom\nsecond line")

    monkeypatch.setattr("inspector.jobs.teach.add_detector", burst)
    ended = end(start(project, engine, run))
    assert (ended.status, ended.message) == (JobStatus.FAILED, "Teach failed unexpectedly: boom")
    assert "ZeroDivisionError" in caplog.text
    assert leftovers(project) == []


def test_teaching_again_makes_a_second_detector_and_keeps_the_first(
    taught: Project, engine: Engine, run: Run, demo: Path
) -> None:
    washer = find_class(taught, "washer")
    extra = sorted((demo / "washer" / "test" / "good").iterdir())[:1]
    add_shots(taught, washer.id, extra)
    assert find_class(taught, "washer").state is ClassState.OUT_OF_DATE
    start(taught, engine, run)
    assert [row.shots for row in list_detectors(taught)] == [7, 6]
    assert find_class(taught, "washer").state is ClassState.TAUGHT


def test_the_description_of_a_class_reaches_the_method_that_reads_it(
    project: Project, engine: Engine, run: Run
) -> None:
    washer, cloth = find_class(project, "washer"), find_class(project, "cloth")
    record = replace(template("washer"), background="black belt")
    describe_class(project, washer.id, record)
    start(project, engine, run, method="finegrained:epochs=1:ahps=1:alps=1")
    row = find_detector(project)
    assert row.settings["descriptions"] == {"washer": record.as_json()}
    made = storage.load(row.folder, engine.backbone())
    _, about = made.state()
    assert about["settings"]["descriptions"] == {
        "washer": record.as_json(),
        "cloth": template("cloth").as_json(),
    }
    assert washer.state is ClassState.READY
    assert find_class(project, "washer").state is ClassState.TAUGHT
    describe_class(project, cloth.id, replace(template("cloth"), background="table"))
    assert find_class(project, "cloth").state is ClassState.OUT_OF_DATE
    start(project, engine, run, method="patchcore")
    assert "descriptions" not in find_detector(project).settings


def test_a_teaching_that_is_killed_goes_on_from_its_last_epoch_when_the_command_is_given_again(
    tmp_path: Path, demo: Path
) -> None:
    folder = tmp_path / "project"
    with projects.create(folder, "Line 4") as opened:
        shots = sorted((demo / "washer" / "train" / "good").iterdir())[:1]
        add_shots(opened, add_class(opened, "washer"), shots)
    command = [sys.executable, "-m", "inspector", "teach", str(folder), "--method", "finegrained:epochs=4"]

    def epochs(*, kill_after: int | None = None) -> list[int]:
        """Run the command and give the epochs that it says it learned."""
        seen: list[int] = []
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.search(r"Epoch (\d+) of", line):
                    seen.append(int(found[1]))
                    if seen[-1] == kill_after:
                        process.kill()
        assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
        return seen

    first = epochs(kill_after=2)
    again = epochs()
    assert first[0] == 1
    assert again[0] in (first[-1], first[-1] + 1)  # the last epoch may have been killed before it was kept
    with projects.open(folder) as opened:
        (row,) = list_detectors(opened)
        assert row.problem == ""
        assert [job.status for job in list_jobs(opened)] == [JobStatus.DONE, JobStatus.ABORTED]
        assert leftovers(opened) == [str(row.id)]


def test_large_shots_are_held_no_larger_than_the_backbone_looks_at_them(
    project: Project, engine: Engine, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[tuple[int, ...]] = []
    real = PatchCore.teach

    def teach_and_tell(self: PatchCore, shots: Any, backbone: Any, **rest: Any) -> Any:
        taught.extend(image.pixels.shape for images in shots.values() for image in images)
        return real(self, shots, backbone, **rest)

    monkeypatch.setattr(PatchCore, "teach", teach_and_tell)
    large = tmp_path / "large.png"
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    PIL.Image.fromarray(noise).resize((6000, 4000)).save(large, compress_level=1)  # 24 megapixels
    class_id = add_class(project, "large")
    add_shots(project, class_id, [large])
    assert end(start(project, engine, run, class_ids=[class_id])).status is JobStatus.DONE
    ((height, width, _),) = taught
    least = least_side(engine.backbone())
    assert least <= height < 2 * least
    assert width * 4000 == pytest.approx(height * 6000, rel=0.01)


def copy_of(path: Path) -> bytes:
    file = io.BytesIO()
    PIL.Image.open(path).convert("RGB").save(file, "JPEG", quality=60)
    return file.getvalue()


def test_a_copy_among_the_shots_of_an_earlier_version_counts_once_and_is_said(
    project: Project, engine: Engine, run: Run
) -> None:
    cloth, washer = list_classes(project)
    events = start(project, engine, run, class_ids=[washer.id])
    plain = list_thresholds(project, end(events).result["detector_id"])[washer.id].thresholds
    first = list_shots(project, washer.id)[0]
    (added,) = add_shots(project, cloth.id, [("copy.jpg", copy_of(first.path))])
    with sqlite3.connect(project.folder / "project.sqlite") as database:  # as it was stored before
        database.execute("UPDATE shots SET class_id = ? WHERE id = ?", (washer.id, added.shot_id))
    database.close()
    assert len(list_shots(project, washer.id)) == 4
    assert not news(project, find_detector(project))
    events = start(project, engine, run, class_ids=[washer.id])
    assert end(events).result["shots"] == 3
    assert "1 of its shots is a copy of another" in end(events).message
    assert any(
        isinstance(event, JobLog) and f"“copy.jpg” is the same picture as “{first.name}”" in event.message
        for event in events
    )
    again = list_thresholds(project, end(events).result["detector_id"])[washer.id].thresholds
    assert again.numbers == plain.numbers
    assert again.provenance["good_parts"] == 3


def test_the_command_says_which_pictures_are_copies_and_teaches_each_once(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shots" / "washer"
    folder.mkdir(parents=True)
    for path in sorted((demo / "washer/train/good").iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
        (folder / f"{path.stem} copy.jpg").write_bytes(copy_of(path))
    made = tmp_path / "made"
    done = CliRunner().invoke(app, ["teach", str(made), "--shots", str(folder), "--method", "patchcore"])
    assert done.exit_code == 0, done.output
    assert done.output.count("is the same picture as") == 3
    with projects.open(made) as opened:
        (row,) = list_classes(opened)
        assert row.shots == 3
        limits = list_thresholds(opened, find_detector(opened).id)[row.id].thresholds
        assert limits.provenance["good_parts"] == 3
        assert limits.ng > 0.05

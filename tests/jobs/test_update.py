"""New shots go into the memory of the newest detector."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inspector.domain import (
    CancelToken,
    JobEnded,
    JobEvent,
    JobItem,
    JobLog,
    JobProgress,
    JobStatus,
    Thresholds,
)
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.jobs.update import news, update
from inspector.methods import storage
from inspector.records import project as projects
from inspector.records.classes import ClassRow, ClassState, find_class
from inspector.records.detectors import find_detector, list_detectors, list_memory
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots, remove_shots, restore_shots
from inspector.records.thresholds import list_calibrated, list_thresholds, set_thresholds

Run = Callable[[Callable[..., None]], list[JobEvent]]


def washer(project: Project) -> ClassRow:
    return find_class(project, "washer")


def start(project: Project, engine: Engine, run: Run, cancel: CancelToken | None = None) -> JobEnded:
    events = run(lambda emit: update(project, engine, emit=emit, cancel=cancel or CancelToken()))
    assert isinstance(events[-1], JobEnded)
    done = [event.done for event in events if isinstance(event, JobProgress)]
    assert done == sorted(done)
    return events[-1]


def count_new(project: Project) -> dict[int, int]:
    return {class_id: len(rows) for class_id, rows in news(project, find_detector(project)).items()}


def test_an_updated_patch_memory_is_the_one_that_teaching_would_make(
    taught: Project, engine: Engine, run: Run, more: list[Path], demo: Path
) -> None:
    add_shots(taught, washer(taught).id, more[:2])
    assert count_new(taught) == {washer(taught).id: 2}
    ended = start(taught, engine, run)
    assert (ended.status, ended.message) == (JobStatus.DONE, "The memory knows 2 new shots of washer.")
    assert washer(taught).state is ClassState.TAUGHT
    assert count_new(taught) == {}
    teach(taught, engine, method="patchcore", emit=lambda event: None, cancel=CancelToken())
    fresh, updated, first = list_detectors(taught)
    assert (first.shots, updated.shots, fresh.shots) == (6, 8, 8)
    assert (updated.title, updated.method, updated.backbone) == (first.title, first.method, first.backbone)
    assert updated.held_out == fresh.held_out
    assert updated.held_out[washer(taught).id] != first.held_out[washer(taught).id]
    images = [read.read(path) for path in sorted((demo / "washer" / "test").glob("*/*"))[:2]]
    backbone = engine.backbone()
    one, other = (
        storage.load(row.folder, backbone).score(images, ["washer"] * 2) for row in (updated, fresh)
    )
    assert all(np.array_equal(a.values, b.values) for a, b in zip(one, other, strict=True))
    new, again = list_thresholds(taught, updated.id), list_thresholds(taught, fresh.id)
    for class_id, item in new.items():
        assert item.thresholds.ng == again[class_id].thresholds.ng


def test_a_second_update_goes_on_from_the_first_in_the_order_of_the_memory(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    oldest = list_shots(taught, washer(taught).id)[0]
    remove_shots(taught, [oldest.id])
    teach(taught, engine, method="patchcore", emit=lambda event: None, cancel=CancelToken())
    add_shots(taught, washer(taught).id, more[:1])
    start(taught, engine, run)
    restore_shots(taught, [oldest.id])
    start(taught, engine, run)
    newest = find_detector(taught)
    order = list_memory(taught, newest.id)[washer(taught).id]
    assert order[-1] == oldest.id
    assert len(order) == 4
    assert min(newest.held_out[washer(taught).id]) > 0  # none was compared with itself
    assert washer(taught).state is ClassState.TAUGHT


def test_other_classes_keep_their_scores_and_the_thresholds_that_people_moved(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    cloth = find_class(taught, "cloth")
    before = find_detector(taught)
    found = list_calibrated(taught, before.id)[cloth.id]
    moved = Thresholds(found.review, found.ng + 0.1, found.pixel)
    set_thresholds(taught, before.id, cloth.id, moved, who="Ada")
    add_shots(taught, washer(taught).id, more[:1])
    start(taught, engine, run)
    after = find_detector(taught)
    assert after.held_out[cloth.id] == before.held_out[cloth.id]
    now = list_thresholds(taught, after.id)[cloth.id]
    assert now.who == now.thresholds.provenance["who"] == "Ada"
    assert (now.thresholds.review, now.thresholds.ng, now.thresholds.pixel) == (
        moved.review,
        moved.ng,
        moved.pixel,
    )
    assert list_calibrated(taught, after.id)[cloth.id] == found
    assert list_memory(taught, before.id) != list_memory(taught, after.id)


def test_a_moved_threshold_of_a_class_that_changes_is_moved_along(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    before, washers = find_detector(taught), washer(taught).id
    found = list_calibrated(taught, before.id)[washers]
    moved = replace(found, ng=1.25 * found.ng)
    set_thresholds(taught, before.id, washers, moved, who="Ada")
    add_shots(taught, washers, more[:1])
    seen = run(lambda emit: update(taught, engine, emit=emit, cancel=CancelToken()))
    after = find_detector(taught)
    now, again = list_thresholds(taught, after.id)[washers], list_calibrated(taught, after.id)[washers]
    assert again.ng != found.ng
    assert now.thresholds.ng == pytest.approx(1.25 * again.ng)
    assert (now.thresholds.review, now.thresholds.pixel) == (again.review, again.pixel)
    assert now.thresholds.provenance["method"] == "moved by hand"
    assert now.who == "Ada"
    said = [event.message for event in seen if isinstance(event, JobLog)]
    assert isinstance(seen[-1], JobEnded)
    assert seen[-1].message.endswith("; thresholds moved by hand went along: washer.")
    assert any(
        f"“washer” is NG from {now.thresholds.ng:.3f} instead of {moved.ng:.3f}" in line for line in said
    )


@pytest.mark.parametrize("method", ["anople:epochs=1:variants=1", "iipad:epochs=1"])
def test_learned_prompts_are_out_of_date_after_an_update_and_the_memory_is_not(
    project: Project, engine: Engine, run: Run, more: list[Path], method: str
) -> None:
    teach(
        project,
        engine,
        method=method,
        class_ids=[washer(project).id],
        emit=lambda event: None,
        cancel=CancelToken(),
    )
    before = find_detector(project)
    add_shots(project, washer(project).id, more[:1])
    ended = start(project, engine, run)
    assert ended.message == "The memory knows 1 new shot of washer; teach again to renew the prompts."
    row = washer(project)
    assert row.state is ClassState.OUT_OF_DATE
    assert row.note.startswith("The memory knows all shots")
    after = find_detector(project)
    assert after.settings == before.settings
    assert len(after.held_out[row.id]) == 4
    backbone = engine.backbone()
    old, new = (storage.load(one.folder, backbone) for one in (before, after))
    assert (getattr(old, "outdated"), getattr(new, "outdated")) == (False, True)  # noqa: B009
    shot = [read.read(more[0])]
    assert new.score(shot, ["washer"])[0].image_score < old.score(shot, ["washer"])[0].image_score
    learned = [
        {
            name: value
            for name, value in one.state()[0].items()
            if name.startswith(("learned.prompts", "learned.generator"))
        }
        for one in (old, new)
    ]
    assert learned[0]
    assert all(learned[1][name].equal(value) for name, value in learned[0].items())


def test_removed_shots_ask_for_teaching_and_are_no_news(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    add_shots(taught, washer(taught).id, more[:1])
    remove_shots(taught, [list_shots(taught, washer(taught).id)[0].id])
    assert count_new(taught) == {}
    ended = start(taught, engine, run)
    assert (ended.status, ended.hint) == (JobStatus.FAILED, "Teach again.")
    assert washer(taught).state is ClassState.OUT_OF_DATE


def test_shots_that_are_taken_back_while_the_update_runs_leave_the_detector_alone(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    (added,) = add_shots(taught, washer(taught).id, more[:1])

    def work(emit: Callable[[JobEvent], None]) -> None:
        def watch(event: JobEvent) -> None:
            emit(event)
            if isinstance(event, JobProgress) and event.message.startswith("Scoring"):
                remove_shots(taught, [added.shot_id or 0])

        update(taught, engine, emit=watch, cancel=CancelToken())

    ended = run(work)[-1]
    assert isinstance(ended, JobEnded)
    assert ended.status is JobStatus.CANCELLED
    assert len(list_detectors(taught)) == 1
    assert washer(taught).state is ClassState.TAUGHT


def test_a_cancelled_update_leaves_nothing(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    add_shots(taught, washer(taught).id, more[:1])
    cancel = CancelToken()
    cancel.cancel()
    assert start(taught, engine, run, cancel).status is JobStatus.CANCELLED
    assert [path.name for path in (taught.folder / "detectors").iterdir()] == ["1"]


def test_a_new_shot_that_can_not_be_read_is_named_and_the_others_are_remembered(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    add_shots(taught, washer(taught).id, more[:2])
    lost = list_shots(taught, washer(taught).id)[-1]
    lost.path.unlink()
    events = run(lambda emit: update(taught, engine, emit=emit, cancel=CancelToken()))
    assert [event.name for event in events if isinstance(event, JobItem) and event.error] == [lost.name]
    assert find_detector(taught).shots == 7
    assert count_new(taught) == {washer(taught).id: 1}


def test_a_class_of_which_a_known_shot_is_lost_is_left_out(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    list_shots(taught, washer(taught).id)[0].path.unlink()
    add_shots(taught, washer(taught).id, more[:1])
    ended = start(taught, engine, run)
    assert ended.status is JobStatus.FAILED
    assert "can't be read" in ended.message
    assert len(list_detectors(taught)) == 1


def test_a_damaged_detector_is_a_sentence_and_stays_the_newest(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    row = find_detector(taught)
    (row.folder / "detector.safetensors").write_bytes(b"garbage")
    add_shots(taught, washer(taught).id, more[:1])
    ended = start(taught, engine, run)
    assert ended.status is JobStatus.FAILED
    assert "damaged" in ended.message
    assert ended.hint == "Teach the detector again."
    assert [one.id for one in list_detectors(taught)] == [row.id]


def test_a_project_open_for_viewing_is_not_updated(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    add_shots(taught, washer(taught).id, more[:1])
    folder = taught.folder
    taught.close()
    with projects.open(folder, read_only=True) as viewed:
        ended = start(viewed, engine, run)
        assert ended.status is JobStatus.FAILED
        assert "viewing only" in ended.message

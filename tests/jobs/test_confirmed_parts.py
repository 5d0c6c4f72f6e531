"""Parts that people confirmed good count for every detector that is made afterwards, as it scores them itself."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from sqlalchemy import select

from inspector.domain import (
    CancelToken,
    Decision,
    JobEnded,
    JobEvent,
    JobLog,
    JobProgress,
    JobStatus,
    Thresholds,
)
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.records import schema as t
from inspector.records.classes import find_class
from inspector.records.detectors import find_detector
from inspector.records.files import pairs
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.reviews import add_review
from inspector.records.shots import add_shots
from inspector.records.thresholds import list_thresholds, propose_thresholds, set_thresholds
from inspector.verdicts.provenance import good_parts, words

Run = Callable[[Callable[..., None]], list[JobEvent]]


def inspected(project: Project, engine: Engine, run: Run, paths: list[Path]) -> dict[str, int]:
    """Name → result of the newest run."""
    before = set(result_ids(project).tolist())
    run(lambda emit: inspect(project, engine, paths, class_name="washer", emit=emit, cancel=CancelToken()))
    new = [one for one in result_ids(project).tolist() if one not in before]
    return {row.name: row.id for row in list_results(project, new)}


def images(project: Project, results: Iterable[int]) -> list[int]:
    """Ids of the images of these results."""
    wanted = list(results)
    with project.reading() as session:
        found = pairs(session.execute(select(t.Result.id, t.Result.image_id)))
    return [found[one] for one in wanted]


def score(project: Project, result_id: int) -> float:
    found = list_results(project, [result_id])[0].image_score
    assert found is not None
    return found


def chosen(project: Project) -> Thresholds:
    row = find_detector(project, class_name="washer")
    return list_thresholds(project, row.id)[find_class(project, "washer").id].thresholds


def test_a_detector_that_is_taught_anew_scores_confirmed_parts_itself(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    ids = inspected(taught, engine, run, more)
    add_review(taught, ids.values(), Decision.OK, who="Ada")
    events = run(lambda emit: teach(taught, engine, method="anomalydino", emit=emit, cancel=CancelToken()))
    assert isinstance(events[-1], JobEnded)
    assert events[-1].status is JobStatus.DONE, events[-1]
    done = [event.done for event in events if isinstance(event, JobProgress)]
    assert done == sorted(done)
    assert good_parts(chosen(taught)).keys() == set(images(taught, ids.values()))
    assert f"and {len(more)} parts confirmed good" in words(chosen(taught))
    again = inspected(taught, engine, run, more)  # by the new one
    for name, image_id in zip(ids, images(taught, ids.values()), strict=True):
        assert good_parts(chosen(taught))[image_id] == pytest.approx(score(taught, again[name]), abs=1e-4)
    found = propose_thresholds(taught, find_detector(taught).id, find_class(taught, "washer").id)
    assert found is not None
    assert not found.news  # what it knows already proposes nothing


def test_a_new_detector_promises_nothing_from_parts_that_were_picked(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    ids = inspected(taught, engine, run, more)
    add_review(taught, [*ids.values()][:-1], Decision.OK, who="Ada")
    run(
        lambda emit: teach(
            taught, engine, method="patchcore", false_alarm_rate=0.5, emit=emit, cancel=CancelToken()
        )
    )
    assert chosen(taught).provenance["picked"]
    assert not chosen(taught).provenance["promised"]
    add_review(taught, [*ids.values()][-1:], Decision.NG, who="Ada")  # now nothing was
    run(
        lambda emit: teach(
            taught, engine, method="patchcore", false_alarm_rate=0.5, emit=emit, cancel=CancelToken()
        )
    )
    assert not chosen(taught).provenance["picked"]
    assert chosen(taught).provenance["promised"]


def test_a_part_that_becomes_a_shot_or_whose_image_is_gone_does_not_count(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    ids = inspected(taught, engine, run, more)
    add_review(taught, ids.values(), Decision.OK, who="Ada")
    rows = {row.name: row for row in list_results(taught, ids.values())}
    lost = rows[more[1].name].path
    assert lost is not None
    lost.unlink()
    rows[more[2].name].path.write_bytes(b"no image")  # type: ignore[union-attr]
    add_shots(taught, find_class(taught, "washer").id, more[:1])
    events = run(lambda emit: update(taught, engine, emit=emit, cancel=CancelToken()))
    assert isinstance(events[-1], JobEnded)
    assert events[-1].status is JobStatus.DONE, events[-1]
    assert good_parts(chosen(taught)) == {}
    said = " ".join(event.message for event in events if isinstance(event, JobLog))
    assert f"“{more[2].name}” no longer counts as a good part" in said


def test_shots_that_are_added_keep_thresholds_from_parts_and_carry_those_moved_by_hand(
    taught: Project, engine: Engine, run: Run, more: list[Path]
) -> None:
    class_id, detector_id = find_class(taught, "washer").id, find_detector(taught).id
    ids = inspected(taught, engine, run, more)
    add_review(taught, ids.values(), Decision.OK, who="Ada")
    found = propose_thresholds(taught, detector_id, class_id)
    assert found is not None
    assert found.proposed is not None
    set_thresholds(taught, detector_id, class_id, found.proposed, proposed=True)
    add_shots(taught, class_id, more[:1])
    run(lambda emit: update(taught, engine, emit=emit, cancel=CancelToken()))
    now = chosen(taught)
    assert good_parts(now).keys() == set(images(taught, [ids[path.name] for path in more[1:]]))
    assert "From 4 normal shots, each left out once, and 2 parts confirmed good." in words(now)
    set_thresholds(
        taught, find_detector(taught).id, class_id, Thresholds(now.review * 2, now.ng * 2, 0.1), who="Ada"
    )
    add_shots(taught, class_id, more[1:2])
    run(lambda emit: update(taught, engine, emit=emit, cancel=CancelToken()))
    assert words(chosen(taught)).startswith("Moved by hand by Ada")


def test_a_class_of_one_shot_calls_nothing_ng_until_good_parts_are_confirmed(
    project: Project, engine: Engine, run: Run, demo: Path, more: list[Path]
) -> None:
    from inspector.records.shots import list_shots, remove_shots

    washers = find_class(project, "washer").id
    remove_shots(project, [shot.id for shot in list_shots(project, washers)[1:]])
    run(lambda emit: teach(project, engine, method="patchcore", emit=emit, cancel=CancelToken()))
    bad = [path for path in sorted((demo / "washer" / "test").rglob("*.png")) if path not in more]
    ids = inspected(project, engine, run, [*more, *bad])
    assert not chosen(project).calls_ng
    decisions = {row.decision for row in list_results(project, ids.values())}
    assert Decision.NG not in decisions
    add_review(project, [one for name, one in ids.items() if name.startswith("good")], Decision.OK, who="Ada")
    found = propose_thresholds(project, find_detector(project).id, washers)
    assert found is not None
    assert found.proposed is not None
    assert found.proposed.calls_ng

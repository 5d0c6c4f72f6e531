"""A changed set of shots makes a detector that is only proposed, and undoing the change leaves the earlier one in charge."""

from collections.abc import Callable
from pathlib import Path

from stem_engine import in_batches

from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, JobStatus
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.records.classes import find_class
from inspector.records.detectors import (
    accept_detector,
    find_detector,
    list_detectors,
    list_proposed,
    propose_detector,
    remove_detector,
    restore_detector,
)
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.shots import add_shots, confirm_shots, list_shots, remove_shots, restore_shots
from inspector.records.thresholds import list_thresholds

Run = Callable[[Callable[..., None]], list[JobEvent]]


def _end(events: list[JobEvent]) -> JobEnded:
    ended = events[-1]
    assert isinstance(ended, JobEnded)
    assert ended.status is JobStatus.DONE, ended
    return ended


def _inspect(
    project: Project, engine: Engine, folder: Path, detector_id: int | None = None
) -> dict[str, Decision]:
    events: list[JobEvent] = []
    inspect(
        project,
        engine,
        [folder],
        detector_id=detector_id,
        class_name="washer",
        emit=events.append,
        cancel=CancelToken(),
    )
    where = ResultFilter(run_id=_end(events).result["run_id"])
    rows = list_results(project, result_ids(project, where))
    return {row.name: row.verdict for row in rows if row.verdict is not None}


def _propose(project: Project, engine: Engine, run: Run) -> JobEnded:
    return _end(run(lambda emit: update(project, engine, propose=True, emit=emit, cancel=CancelToken())))


def test_a_defective_part_added_as_a_shot_and_taken_back_changes_no_verdict(
    taught: Project, engine: Engine, run: Run, demo: Path
) -> None:
    tests = demo / "washer" / "test"
    stained = next(path for path in sorted(tests.glob("*/*")) if path.parent.name != "good")
    before = _inspect(taught, engine, tests)
    first = find_detector(taught)
    (added,) = add_shots(taught, find_class(taught, "washer").id, [stained])
    assert added.shot_id is not None
    ended = _propose(taught, engine, run)
    assert ended.result["proposed"]
    assert "waits on the Teach page" in ended.message
    assert find_detector(taught).id == find_class(taught, "washer").detector_id == first.id
    assert _inspect(taught, engine, tests) == before

    (proposed,) = list_proposed(taught)
    assert proposed.id == ended.result["detector_id"]
    accept_detector(taught, proposed.id)
    assert find_detector(taught).id == find_class(taught, "washer").detector_id == proposed.id
    remove_shots(taught, [added.shot_id])
    assert find_detector(taught).id == find_class(taught, "washer").detector_id == first.id
    assert _inspect(taught, engine, tests) == before
    restore_shots(taught, [added.shot_id])
    assert find_detector(taught).id == proposed.id
    assert list_proposed(taught) == []


def test_a_proposal_tells_which_stored_results_it_would_change(
    taught: Project, engine: Engine, run: Run, demo: Path
) -> None:
    tests = demo / "washer" / "test"
    before = _inspect(taught, engine, tests)
    class_id = find_class(taught, "washer").id
    defective = [path for path in sorted(tests.glob("*/*")) if path.parent.name != "good"]
    cloths = sorted((demo / "cloth" / "test" / "good").iterdir())[:2]
    add_shots(taught, class_id, [defective[0], *cloths])
    ended = _propose(taught, engine, run)
    (row,) = list_proposed(taught)
    assert row.proposal is not None
    # The shot itself is not compared, as its result was stored before it became one.
    assert row.proposal.compared == len(before)
    after = _inspect(taught, engine, tests, row.id)
    flipped = {
        list_results(taught, [one.result_id])[0].name: (one.before, one.after) for one in row.proposal.flips
    }
    assert flipped == {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    assert flipped
    assert [one[0] for one in ended.result["flips"]] == [one.result_id for one in row.proposal.flips]
    assert ended.result["compared"] == row.proposal.compared


def test_accepting_a_proposal_can_be_undone_and_a_discarded_one_comes_back(
    taught: Project, engine: Engine, run: Run, demo: Path
) -> None:
    first = find_detector(taught)
    good = sorted((demo / "washer" / "test" / "good").iterdir())[:1]
    add_shots(taught, find_class(taught, "washer").id, good)
    proposed = _propose(taught, engine, run).result["detector_id"]
    accept_detector(taught, proposed)
    propose_detector(taught, proposed)
    assert find_detector(taught).id == first.id
    remove_detector(taught, proposed)
    assert list_proposed(taught) == []
    restore_detector(taught, proposed)
    assert [row.id for row in list_proposed(taught)] == [proposed]


def test_teaching_a_taught_class_again_is_only_proposed_when_asked_for(
    taught: Project, engine: Engine, run: Run
) -> None:
    first = find_detector(taught)

    def again(propose: bool) -> JobEnded:
        return _end(
            run(
                lambda emit: teach(
                    taught, engine, method="patchcore", propose=propose, emit=emit, cancel=CancelToken()
                )
            )
        )

    ended = again(True)
    assert ended.result["proposed"]
    assert ended.result["flips"] == []
    assert find_detector(taught).id == first.id
    assert not again(False).result["proposed"]
    assert find_detector(taught).id != first.id
    assert list_proposed(taught) == []  # the newer one in charge has made it pointless


def test_a_shot_that_stands_out_is_named_and_holds_back_detector_and_promise_until_it_is_called_good(
    project: Project, engine: Engine, run: Run, demo: Path
) -> None:
    class_id = find_class(project, "washer").id
    (cloth,) = add_shots(project, class_id, sorted((demo / "cloth" / "test" / "good").iterdir())[:1])
    assert cloth.shot_id is not None

    def start() -> JobEnded:
        return _end(
            run(
                lambda emit: teach(
                    project,
                    engine,
                    method="patchcore",
                    class_ids=[class_id],
                    propose=True,
                    emit=emit,
                    cancel=CancelToken(),
                )
            )
        )

    ended = start()
    assert list(ended.result["outliers"]) == [str(cloth.shot_id)]
    assert ended.result["proposed"]
    assert "stands out" in ended.message
    assert list_detectors(project) == []
    (row,) = list_proposed(project)
    assert row.proposal is not None
    assert list(row.proposal.outliers) == [cloth.shot_id]
    told = list_thresholds(project, row.id)[class_id].thresholds.provenance
    assert (told["outliers"], told["confirmed"]) == ([cloth.shot_id], [])

    confirm_shots(project, [cloth.shot_id])
    assert [shot.confirmed_good for shot in list_shots(project, class_id)].count(True) == 1
    assert list_thresholds(project, row.id)[class_id].thresholds.provenance["confirmed"] == [cloth.shot_id]
    confirm_shots(project, [cloth.shot_id], good=False)
    assert list_thresholds(project, row.id)[class_id].thresholds.provenance["confirmed"] == []
    confirm_shots(project, [cloth.shot_id])
    ended = start()
    assert ended.result["outliers"] == {}
    assert not ended.result["proposed"]
    assert find_detector(project).id == ended.result["detector_id"]


def test_every_detector_and_run_has_a_label_of_its_own(
    taught: Project, engine: Engine, run: Run, demo: Path
) -> None:
    run(lambda emit: teach(taught, engine, method="patchcore", emit=emit, cancel=CancelToken()))
    labels = [row.label for row in list_detectors(taught)]
    assert len(set(labels)) == 2
    assert labels[0].startswith("#2 PatchCore · cloth, washer · ")
    for _ in range(2):
        _inspect(taught, engine, demo / "washer" / "test")
    runs = list_runs(taught)
    assert len({row.label for row in runs}) == 2
    assert {row.detector_label for row in runs} == {labels[0]}
    assert all(row.total == row.counts.total for row in runs)


def test_an_interrupted_run_says_how_many_images_were_asked_for(
    taught: Project, engine: Engine, demo: Path
) -> None:
    cancel = CancelToken()

    def stop(event: JobEvent) -> None:
        if getattr(event, "result_id", None) is not None:
            cancel.cancel()

    inspect(
        taught,
        in_batches(engine, 1),
        [demo / "washer" / "test"],
        class_name="washer",
        emit=stop,
        cancel=cancel,
    )
    (row,) = list_runs(taught)
    assert row.total == len(list((demo / "washer" / "test").glob("*/*.png")))
    assert 0 < row.counts.total < row.total

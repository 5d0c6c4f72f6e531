"""What a detector says is the same on a computer that computes scores by another runtime, or with other digits."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from inspector.domain import CancelToken, Decision, Emit, JobEnded, JobEvent, JobStatus
from inspector.features import loading
from inspector.features.runtimes.engines import RUNTIMES
from inspector.jobs.engine import Engine
from inspector.jobs.handover.give import hand_over
from inspector.jobs.handover.take import TOLERANCE, take_over
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.project import Project
from inspector.records.qualification.golden import add_golden
from inspector.records.shots import add_shots


def engine_on(runtime: str, dtype: torch.dtype = torch.float32) -> Engine:
    """An engine whose scores a runtime computes."""
    made = Engine("inspector-tiny", "cpu", runtime=runtime)
    made.use(loading.load(device="cpu", dtype=dtype), "inspector-tiny")
    return made


def ended(work: Callable[[Emit], None]) -> JobEnded:
    events: list[JobEvent] = []
    work(events.append)
    done = events[-1]
    assert isinstance(done, JobEnded)
    assert done.status is JobStatus.DONE, done
    return done


def judged(project: Project, engine: Engine, drawn: Path) -> tuple[dict[str, tuple[float, str]], str]:
    """(name → score and decision, what computed them) of a new run."""
    tests = [drawn / "washer" / "test"]
    done = ended(lambda emit: inspect(project, engine, tests, emit=emit, cancel=CancelToken()))
    found = {}
    for row in list_results(project, result_ids(project)):
        if row.run_id == done.result["run_id"]:
            assert row.image_score is not None
            found[row.name] = row.image_score, str(row.decision)
    return found, done.result["computed_by"]


@pytest.fixture
def washers(drawn: Path, tmp_path: Path) -> Iterator[Project]:
    """One class, taught and inspected by torch, with a golden set."""
    with projects.create(tmp_path / "washers", "Line 4") as project:
        class_id, engine = add_class(project, "washer"), engine_on("torch")
        add_shots(project, class_id, sorted((drawn / "washer/train/good").iterdir())[:3])
        ended(lambda emit: teach(project, engine, method="patchcore", emit=emit, cancel=CancelToken()))
        assert judged(project, engine, drawn)[1] == "CPU"
        rows = list_results(project, result_ids(project))
        words = {row.id: Decision.OK if "good" in row.name else Decision.NG for row in rows}
        add_golden(project, words, who="Ada")
        yield project


def handed(project: Project, engine: Engine, file: Path) -> Path:
    ended(lambda emit: hand_over(project, engine, file, class_name="washer", emit=emit, cancel=CancelToken()))
    return file


def test_its_golden_set_scores_the_same_and_so_do_images(
    washers: Project, drawn: Path, tmp_path: Path
) -> None:
    file = handed(washers, engine_on("torch"), tmp_path / "washer.inspector")
    there, _ = judged(washers, engine_on("torch"), drawn)
    for runtime in (one for one in RUNTIMES.values() if one.version):
        other = engine_on(runtime.name)
        with projects.create(tmp_path / runtime.name, "Line 5") as project:
            done = ended(lambda emit: take_over(project, other, file, emit=emit, cancel=CancelToken()))  # noqa: B023
            assert not done.result["proposed"], done.message
            assert done.result["largest"] < TOLERANCE
            assert done.result["compared"] == 7
            here, by = judged(project, other, drawn)
            assert by == f"CPU, {runtime.title} (fp32)"
            assert here.keys() == there.keys()
            for name, (score, decision) in there.items():
                assert decision == here[name][1]
                assert score == pytest.approx(here[name][0], rel=TOLERANCE)
            assert find_detector(project).backbone["key"] == find_detector(washers).backbone["key"]
            assert list_runs(project)[0].computed_by == by


def test_a_computer_that_rounds_to_three_digits_hands_over_to_one_that_does_not(
    washers: Project, tmp_path: Path
) -> None:
    file = handed(washers, engine_on("torch", torch.bfloat16), tmp_path / "washer.inspector")
    exact = engine_on("torch")
    with projects.create(tmp_path / "new", "Line 5") as project:
        done = ended(lambda emit: take_over(project, exact, file, emit=emit, cancel=CancelToken()))
    assert not done.result["proposed"], done.message
    assert done.result["largest"] < TOLERANCE

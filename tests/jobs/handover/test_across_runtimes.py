"""What a detector says is the same on a computer that computes scores by another runtime, or with other digits."""

from pathlib import Path

import pytest
import torch

from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
from inspector.features import loading
from inspector.features.runtimes.engines import RUNTIMES
from inspector.jobs.engine import Engine
from inspector.jobs.handover.give import hand_over
from inspector.jobs.handover.take import TOLERANCE, take_over
from inspector.jobs.inspect import inspect
from inspector.records import project as projects
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.project import Project


def engine_on(runtime: str, dtype: torch.dtype = torch.float32) -> Engine:
    """An engine whose scores a runtime computes."""
    made = Engine("inspector-tiny", "cpu", runtime=runtime)
    made.use(loading.load(device="cpu", dtype=dtype), "inspector-tiny")
    return made


def judged(project: Project, engine: Engine, drawn: Path) -> tuple[dict[str, tuple[float, str]], str]:
    """(name → score and decision, what computed them) of a new run."""
    events: list[JobEvent] = []
    inspect(project, engine, [drawn / "washer" / "test"], emit=events.append, cancel=CancelToken())
    done = events[-1]
    assert isinstance(done, JobEnded)
    assert done.status is JobStatus.DONE, done
    rows = [row for row in list_results(project, result_ids(project)) if row.run_id == done.result["run_id"]]
    found = {}
    for row in rows:
        assert row.image_score is not None
        found[row.name] = row.image_score, str(row.decision)
    return found, done.result["computed_by"]


def test_its_golden_set_scores_the_same_and_so_do_images(
    giver: Project, handed: Path, drawn: Path, tmp_path: Path
) -> None:
    there, torchs = judged(giver, engine_on("torch"), drawn)
    assert torchs == "CPU"
    for runtime in (one for one in RUNTIMES.values() if one.version):
        other = engine_on(runtime.name)
        with projects.create(tmp_path / runtime.name, "Line 5") as project:
            events: list[JobEvent] = []
            take_over(project, other, handed, who="Bo", emit=events.append, cancel=CancelToken())
            done = events[-1]
            assert isinstance(done, JobEnded)
            assert done.status is JobStatus.DONE, done
            assert not done.result["proposed"], done.message
            assert done.result["largest"] < TOLERANCE
            assert done.result["compared"] > 6
            here, by = judged(project, other, drawn)
            assert by == f"CPU, {runtime.title} (fp32)"
            assert here.keys() == there.keys()
            for name, (score, decision) in there.items():
                assert decision == here[name][1]
                assert score == pytest.approx(here[name][0], rel=TOLERANCE)
            assert find_detector(project).backbone["key"] == find_detector(giver).backbone["key"]
            assert list_runs(project)[0].computed_by == by


def test_a_computer_that_rounds_to_three_digits_hands_over_to_one_that_does_not(
    giver: Project, tmp_path: Path
) -> None:
    rounds = engine_on("torch", torch.bfloat16)
    file, events = tmp_path / "washer.inspector", list[JobEvent]()
    hand_over(giver, rounds, file, class_name="washer", emit=events.append, cancel=CancelToken())
    with projects.create(tmp_path / "new", "Line 5") as project:
        take_over(project, engine_on("torch"), file, who="Bo", emit=events.append, cancel=CancelToken())
    for done in (one for one in events if isinstance(one, JobEnded)):
        assert done.status is JobStatus.DONE, done
    assert not done.result["proposed"], done.message
    assert done.result["largest"] < TOLERANCE

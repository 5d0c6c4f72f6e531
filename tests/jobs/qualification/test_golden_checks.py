"""The golden set with a real detector: checked anew, and asked of every new one before it judges."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, JobStatus
from inspector.images import read
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.golden import check_golden
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.methods import storage
from inspector.records import project as projects
from inspector.records.classes import add_class, find_class
from inspector.records.detectors import find_detector, list_proposed
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.qualification.checks import list_checks
from inspector.records.qualification.golden import add_golden, judge_golden, list_golden, switch_golden
from inspector.records.shots import add_shots


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("inspector-tiny", "cpu")


@pytest.fixture(scope="module")
def washers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("washers")
    return demo_parts.write_demo(folder, shots=3, good=2, defective=2, kinds=("washer",), size=160) / "washer"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, washers: Path, engine: Engine) -> Path:
    folder = tmp_path_factory.mktemp("golden") / "project"
    with projects.create(folder, "Golden") as project:
        add_shots(project, add_class(project, "washer"), sorted((washers / "train/good").iterdir()))
        _done(lambda emit: teach(project, engine, method="patchcore", emit=emit, cancel=CancelToken()))
        _done(
            lambda emit: inspect(
                project, engine, [washers / "test"], class_name="washer", emit=emit, cancel=CancelToken()
            )
        )
        words = {}
        for row in list_results(project, result_ids(project)):
            words[row.id] = Decision.OK if "good" in row.name else Decision.NG
        add_golden(project, words, who="Ada")
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    """Its golden set: two good washers, defective ones."""
    shutil.copytree(made, tmp_path / "project")
    with projects.open(tmp_path / "project") as opened:
        yield opened


def _done(work: object) -> JobEnded:
    events: list[JobEvent] = []
    work(events.append)  # type: ignore[operator]
    ended = events[-1]
    assert isinstance(ended, JobEnded)
    assert ended.status is JobStatus.DONE, ended
    return ended


def test_a_check_scores_the_parts_as_the_inspection_did_and_keeps_a_record(
    project: Project, engine: Engine
) -> None:
    before = {word.part.id: word.score for word in judge_golden(project)}
    ended = _done(lambda emit: check_golden(project, engine, who="Ada", emit=emit, cancel=CancelToken()))
    assert (ended.result["changed"], ended.result["parts"]) == ([], len(before))
    words = judge_golden(project)
    assert {word.part.id: word.score for word in words} == pytest.approx(before, rel=1e-3)
    (record,) = list_checks(project)
    assert (record.occasion, record.who, len(record.parts)) == ("On demand", "Ada", len(before))
    assert [part.name for part in record.missed] == ended.result["missed"]


def test_an_image_that_is_gone_fails_by_name_and_the_rest_goes_on(project: Project, engine: Engine) -> None:
    part = list_golden(project)[0]
    part.path.unlink()
    events: list[JobEvent] = []
    check_golden(project, engine, emit=events.append, cancel=CancelToken())
    record = list_checks(project)[0]
    said = {one.name: one for one in record.parts}
    assert "missing" in said[part.name].error
    assert said[part.name] in record.missed
    assert sum(one.said is not None for one in record.parts) == len(record.parts) - 1
    ended = events[-1]
    assert isinstance(ended, JobEnded)
    assert ended.result["changed"] == [part.name]


def test_a_detector_that_misses_a_golden_part_is_only_proposed_even_where_nobody_asked_for_that(
    project: Project, engine: Engine, washers: Path
) -> None:
    """A stained part among the shots makes a detector to which stains are normal."""
    class_id = find_class(project, "washer").id
    charged = find_detector(project).id
    kept = {word.part.sha256 for word in judge_golden(project) if word.kept and word.part.expected == "ng"}
    assert kept
    shots = [path for path in sorted((washers / "test").rglob("*.png")) if read.read(path).sha256 in kept]
    add_shots(project, class_id, shots)
    ended = _done(lambda emit: teach(project, engine, method="patchcore", emit=emit, cancel=CancelToken()))
    assert "has to sign" in ended.message
    assert find_detector(project).id == charged
    (waiting,) = list_proposed(project)
    assert any(word.scored and not word.kept for word in judge_golden(project, waiting.id))
    assert list_checks(project) == []


def test_a_detector_that_keeps_the_golden_set_takes_charge_with_a_record(
    project: Project, engine: Engine, washers: Path
) -> None:
    fresh = demo_parts.write_demo(
        washers.parent / "more", shots=1, good=1, defective=0, kinds=("washer",), size=160, seed=9
    )
    add_shots(project, find_class(project, "washer").id, sorted((fresh / "washer/train/good").iterdir()))
    _done(lambda emit: update(project, engine, emit=emit, cancel=CancelToken()))
    words = judge_golden(project)
    assert all(word.scored for word in words)
    newest = find_detector(project).id
    assert list_checks(project)[0].occasion == f"Detector #{newest} in charge"


def test_the_command_checks_prints_and_tells_by_its_exit_code(made: Path, tmp_path: Path, home: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "project")
    target = tmp_path / "records.csv"
    done = CliRunner().invoke(app, ["golden", str(folder), "--who", "Ada", "--export", str(target)])
    with projects.open(folder) as project:
        (record,) = list_checks(project)
    assert done.exit_code == (2 if record.missed else 0), done.output
    assert target.read_text("utf-8-sig").count("\n") == len(record.parts) + 1
    with projects.open(folder) as project:
        list_golden(project)[0].path.unlink()
    assert CliRunner().invoke(app, ["golden", str(folder)]).exit_code == 3


def test_an_image_that_was_replaced_in_the_folder_is_named(project: Project, engine: Engine) -> None:
    first, second = list_golden(project)[:2]
    first.path.write_bytes(second.path.read_bytes())
    ended = _done(lambda emit: check_golden(project, engine, emit=emit, cancel=CancelToken()))
    assert first.name in ended.result["missed"]
    said = {one.name: one.error for one in list_checks(project)[0].parts}
    assert "changed" in said[first.name]


def test_a_detector_that_can_not_be_used_leaves_its_parts_unjudged_and_makes_a_record(
    project: Project, engine: Engine
) -> None:
    engine.forget()
    (find_detector(project).folder / "detector.safetensors").unlink()
    ended = _done(lambda emit: check_golden(project, engine, emit=emit, cancel=CancelToken()))
    (record,) = list_checks(project)
    assert len(record.missed) == len(record.parts) == ended.result["parts"]
    assert all("missing" in one.error for one in record.parts)


def test_a_detector_is_only_proposed_where_a_part_joined_the_golden_set_while_it_was_taught(
    project: Project, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged = find_detector(project).id
    switch_golden(project, off=[late := list_golden(project)[0].id])
    save = storage.save

    def save_late(*given: Any) -> None:
        switch_golden(project, on=[late])
        save(*given)

    monkeypatch.setattr(storage, "save", save_late)
    ended = _done(
        lambda emit: teach(
            project, engine, method="patchcore", propose=False, emit=emit, cancel=CancelToken()
        )
    )
    assert "joined the golden set while it was taught" in ended.message
    assert ended.result["proposed"]
    assert find_detector(project).id == charged
    assert [row.id for row in list_proposed(project)] == [ended.result["detector_id"]]
    assert [record.occasion for record in list_checks(project)] == []

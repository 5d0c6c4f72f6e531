"""Stored projects of every released schema, with a detector of every method: they open, inspect and export."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.inspect import inspect
from inspector.methods import catalogue
from inspector.records import project as projects
from inspector.records import schema
from inspector.records.classes import list_classes, list_descriptions
from inspector.records.detectors import DetectorRow, list_detectors
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.results import list_results, result_ids
from inspector.records.reviews import list_reviews
from inspector.records.shots import list_shots

STORED = Path(__file__).parent.parent / "data" / "projects"
REVISIONS = [int(revision) for revision in schema.KNOWN_REVISIONS if revision != schema.REVISION]


def _unpack(revision: int, target: Path) -> dict[str, object]:
    """Put the stored project at `target`; what it must say."""
    if (STORED / f"v{revision}").is_dir():
        shutil.copytree(STORED / f"v{revision}", target)
    else:
        with zipfile.ZipFile(STORED / f"v{revision}.zip") as archive:
            archive.extractall(target)
    expected: dict[str, object] = json.loads((target / "expected.json").read_text("utf-8"))
    return expected


def _done(events: list[JobEvent]) -> JobEnded:
    (ended,) = [event for event in events if isinstance(event, JobEnded)]
    assert ended.status is JobStatus.DONE, ended
    return ended


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_stored_project_of_an_older_revision_says_the_same_today(tmp_path: Path, revision: int) -> None:
    expected = _unpack(revision, tmp_path / "old")
    with projects.open(tmp_path / "old") as project:
        assert project.name == expected["name"]
        assert {row.name: row.state for row in list_classes(project)} == expected["classes"]
        assert not any(row.missing for row in list_shots(project))
        assert not any(row.problem for row in list_detectors(project))
        rows = list_results(project, result_ids(project))
        if "verdicts" in expected:
            assert {row.name: row.verdict for row in rows} == expected["verdicts"]
        else:
            methods = {row.id: row.method for row in list_detectors(project)}
            found = [[methods[row.detector_id], row.name, row.verdict, row.image_score] for row in rows]
            assert found == expected["results"]
            assert [*list_descriptions(project)]
        assert [word.who for row in rows for word in list_reviews(project, row.id)] == expected["reviewers"]
        _done(_exported(project, tmp_path / "export"))
    assert (tmp_path / "export" / "results.csv").is_file()


def _exported(project: Project, target: Path) -> list[JobEvent]:
    events: list[JobEvent] = []
    export(project, target, ["csv", "coco", "overlays"], emit=events.append, cancel=CancelToken())
    return events


def test_a_stored_detector_of_every_method_still_gives_the_scores_that_it_gave(tmp_path: Path) -> None:
    _unpack(2, tmp_path / "old")
    engine = Engine("inspector-tiny", "cpu")
    with projects.open(tmp_path / "old") as project:
        detectors = list_detectors(project)
        assert {row.method for row in detectors} == set(catalogue.METHODS)
        for row in detectors:
            _check_scores(project, engine, row)


def _check_scores(project: Project, engine: Engine, row: DetectorRow) -> None:
    before = list_results(project, result_ids(project, ResultFilter(detector_id=row.id, failed=False)))
    files = [one.path for one in before if one.path is not None]
    events: list[JobEvent] = []
    (name,) = row.classes.values()
    inspect(
        project, engine, files, detector_id=row.id, class_name=name, emit=events.append, cancel=CancelToken()
    )
    run_id = _done(events).result["run_id"]
    after = list_results(project, result_ids(project, ResultFilter(run_id=run_id)))
    scores = {one.sha256: one.image_score for one in before}
    assert {one.sha256: one.image_score for one in after} == pytest.approx(scores, rel=0.02), row.method

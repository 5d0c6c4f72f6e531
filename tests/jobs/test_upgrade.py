"""Stored projects of every schema, since the second with a detector of every method: they open, inspect and export."""

import csv
import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import stem_engine

from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
from inspector.errors import DetectorError
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.methods import catalogue
from inspector.records import audit, schema
from inspector.records import project as projects
from inspector.records.classes import list_classes, list_descriptions
from inspector.records.detectors import DetectorRow, list_detectors
from inspector.records.inspected.results import ResultRow, list_results, result_ids
from inspector.records.line.arrivals import list_arrivals
from inspector.records.line.stations import list_stations
from inspector.records.outlines import list_outlines
from inspector.records.project import Project
from inspector.records.qualification.golden import list_golden
from inspector.records.qualification.smallest import list_smallest
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import list_reviews
from inspector.records.shots import list_places, list_shots

YOUNGER = {"anomalydino"}
"""Methods that came with the fifth."""
STORED = Path(__file__).parent.parent / "data" / "projects"
REVISIONS = [
    int(revision)
    for revision in schema.KNOWN_REVISIONS
    # one that is still in the making gets its project when it is done: tests/data/make_project.py
    if revision != schema.REVISION or (STORED / f"v{int(revision)}.zip").exists()
]


def _unpack(revision: int, target: Path) -> dict[str, Any]:
    """Put the stored project at `target`; what it must say."""
    if (STORED / f"v{revision}").is_dir():
        shutil.copytree(STORED / f"v{revision}", target)
    else:
        with zipfile.ZipFile(STORED / f"v{revision}.zip") as archive:
            archive.extractall(target)
    expected: dict[str, Any] = json.loads((target / "expected.json").read_text("utf-8"))
    return expected


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_stored_project_says_the_same_today(tmp_path: Path, revision: int) -> None:
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
        places = [[list(corner) for corner in row.place or ()] for row in list_places(project)]
        assert places == expected.get("places", [])
        assert [word.who for row in rows for word in list_reviews(project, row.id)] == expected["reviewers"]
        golden = [[one.name, one.expected] for one in list_golden(project)]
        assert golden == expected.get("golden", [])
        drawn = [
            json.loads(json.dumps(one.rings))
            for one in list_outlines(project, [row.id for row in rows]).values()
        ]
        assert drawn == expected.get("outlines", [])
        assert [one.name for one in list_stations(project)] == expected.get("stations", [])
        came = [[one.name, one.said] for one in list_arrivals(project, 1)]
        assert came == expected.get("arrivals", [])
        tested = [[one.class_name, one.found.curves[0].sure] for one in list_smallest(project)]
        assert tested == expected.get("smallest", [])
        assert audit.verify(project).broken is None
        _export(project, tmp_path / "export", rows)


@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_a_stored_detector_of_every_method_inspects_as_it_did_and_its_results_are_exported(
    tmp_path: Path, revision: int
) -> None:
    _unpack(revision, tmp_path / "old")
    engine = Engine("inspector-tiny", "cpu")
    with projects.open(tmp_path / "old") as project:
        detectors = list_detectors(project)
        assert {row.method for row in detectors} == {*catalogue.METHODS} - (
            YOUNGER if revision < 5 else set()
        )
        for row in detectors:
            before = _results_of(project, row)
            after = _inspected(project, engine, row, before)
            scores = {one.sha256: one.image_score for one in before}
            assert {one.sha256: one.image_score for one in after} == pytest.approx(scores, rel=0.02), (
                row.method
            )
            _export(project, tmp_path / f"export {row.id}", after)


def test_a_stored_detector_on_a_backbone_that_is_gone_is_refused_by_name_and_teaching_mends_it(
    tmp_path: Path,
) -> None:
    _unpack(1, tmp_path / "old")
    engine, events = stem_engine.make(), list[JobEvent]()
    with projects.open(tmp_path / "old") as project:
        (row,) = list_detectors(project)
        before = _results_of(project, row)
        with pytest.raises(DetectorError, match=r"can't be used.*backbone"):
            engine.detector(project, row)
        assert _results_of(project, row) == before
        teach(project, engine, method=row.method, emit=events.append, cancel=CancelToken())
        _done(events)
        taught = list_detectors(project)[0]
        assert taught.id != row.id
        _export(project, tmp_path / "export", _inspected(project, engine, taught, before))


def _results_of(project: Project, row: DetectorRow) -> Sequence[ResultRow]:
    """What a detector has judged."""
    return list_results(project, result_ids(project, ResultFilter(detector_id=row.id, failed=False)))


def _inspected(
    project: Project, engine: Engine, row: DetectorRow, before: Sequence[ResultRow]
) -> Sequence[ResultRow]:
    """The results of one more inspection of the same images."""
    files, events = list({one.path for one in before if one.path is not None}), list[JobEvent]()
    name = before[0].class_name
    inspect(
        project, engine, files, detector_id=row.id, class_name=name, emit=events.append, cancel=CancelToken()
    )
    after = ResultFilter(run_id=_done(events).result["run_id"])
    assert len(result_ids(project, after)) == len(files) > 0
    return list_results(project, result_ids(project, after))


def _export(project: Project, target: Path, rows: Sequence[ResultRow]) -> None:
    """These rows' tables and pictures: every row is there, and an overlay of each that was judged."""
    events: list[JobEvent] = []
    where = ResultFilter(run_id=rows[0].run_id) if len({row.run_id for row in rows}) == 1 else ResultFilter()
    formats = ["csv", "coco", "overlays"]
    export(project, target, formats, filter=where, emit=events.append, cancel=CancelToken())
    _done(events)
    with (target / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert sorted(line["image"] for line in csv.DictReader(file)) == sorted(row.name for row in rows)
    assert len([*(target / "overlays").rglob("*.png")]) == len([row for row in rows if not row.error])


def _done(events: Sequence[JobEvent]) -> JobEnded:
    (ended,) = [event for event in events if isinstance(event, JobEnded)]
    assert ended.status is JobStatus.DONE, ended
    return ended

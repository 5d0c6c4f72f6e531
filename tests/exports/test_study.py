"""The report of a study: names are no markup and no formulas, and a picture that is gone is named."""

import csv
import json

import pytest
from judged_parts import inspected, taught

from inspector.domain import Decision
from inspector.errors import ExportError
from inspector.exports.study import export_study, share_words
from inspector.records import project as projects
from inspector.records import schema
from inspector.records.qualification import studies
from inspector.records.qualification.candidates import list_candidates
from inspector.records.qualification.outcome import outcome
from inspector.records.reviews import add_review
from inspector.verdicts.agreement import Grade, share

EVIL = "=1+1<script>alert(1)</script>"


@pytest.fixture
def project(tmp_path):
    with projects.create(tmp_path / "project", "Line 4") as opened:
        yield opened


@pytest.fixture
def judged(project):
    """Two parts that Mallory, who has an odd name, both calls NG, twice."""
    class_id, detector_id = taught(project)
    _, ids = inspected(project, class_id, detector_id, [0.1, 0.9])
    add_review(project, ids[:1], Decision.OK, who="Eve")
    add_review(project, ids[1:], Decision.NG, who="Eve")
    parts = [one.part for one in list_candidates(project)]
    study = studies.add_study(project, EVIL, parts, [EVIL], 2, who=EVIL)
    for trial in (1, 2):
        for position in (1, 2):
            studies.say(project, study, EVIL, trial, position, Decision.NG)
        studies.finish(project, study, EVIL, trial)
    return study


def test_names_are_neither_markup_nor_formulas(project, judged, tmp_path):
    found = outcome(project, judged)
    assert export_study(found, tmp_path / "study.html") == []
    page = (tmp_path / "study.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert export_study(found, tmp_path / "study.csv") == []
    with (tmp_path / "study.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith("=") for cell in cells)
    assert f"'{EVIL}, trial 1" in cells


def test_parts_that_the_detector_takes_for_another_product_are_told_apart(project, judged, tmp_path):
    with project.writing() as session:  # as a study keeps what the detector said when it began
        session.get_one(schema.StudyPart, (judged, 1)).decision = Decision.OTHER
    found = outcome(project, judged)
    assert (found.others.good, found.others.bad) == (1, 0)
    assert found.agreement.detector.false_alarms.count == 1
    export_study(found, tmp_path / "study.html")
    words = "The detector takes 1 of them for another product (1 OK, 0 NG)."
    assert words in (tmp_path / "study.html").read_text("utf-8")
    export_study(found, tmp_path / "study.json")
    told = json.loads((tmp_path / "study.json").read_text("utf-8"))
    assert told["taken_for_another_product"] == {"good": 1, "bad": 0}


def test_a_picture_that_is_gone_is_named_in_the_report(project, judged, tmp_path):
    found = outcome(project, judged)
    (disputed,) = found.disputed
    disputed.part.path.unlink()
    (problem,) = export_study(found, tmp_path / "study.html")
    assert disputed.part.name in problem
    assert disputed.part.name in (tmp_path / "study.html").read_text("utf-8")
    with pytest.raises(ExportError, match="replaces nothing"):
        export_study(found, tmp_path / "study.html")


def test_a_share_just_below_a_limit_does_not_read_as_the_limit():
    assert share_words(share(43, 48, 48), Grade.MARGINAL) == "? 89.6\u00a0% (77–97)"
    assert share_words(share(45, 50, 50), Grade.ACCEPTABLE) == "✓ 90\u00a0% (78–97)"
    assert share_words(share(0, 0, 0)) == "–"

"""What goes out where one shot calls nothing NG, and where thousands of confirmed parts set the thresholds."""

import csv
import io
import json

from judged_parts import inspected, taught

from inspector.domain import CancelToken, Decision
from inspector.jobs.export import export
from inspector.records import project as projects
from inspector.records.reviews import add_review
from inspector.records.thresholds import propose_thresholds, set_thresholds


def exported(project, target):
    export(project, target, ("csv", "jsonl", "report"), emit=lambda event: None, cancel=CancelToken())
    rows = list(csv.DictReader(io.StringIO((target / "results.csv").read_text("utf-8-sig"))))
    lines = [json.loads(line) for line in (target / "results.jsonl").read_text("utf-8").splitlines()]
    return rows, lines, (target / "report.html").read_text("utf-8")


def test_a_threshold_that_nothing_reaches_is_no_number_in_any_file(tmp_path):
    with projects.create(tmp_path / "line", "Line 4") as project:
        class_id, detector_id = taught(project, (0.2, 0.21, 0.22), shots=1)
        inspected(project, class_id, detector_id, [0.2, 5.0])
        rows, lines, page = exported(project, tmp_path / "out")
    assert [row["verdict"] for row in rows] == ["ok", "review"]
    assert {row["NG from"] for row in rows} == {""}
    assert {line["thresholds"]["ng"] for line in lines} == {None}
    assert "1e+09" not in page
    assert "NG never" in page
    assert "nothing is called NG" in page


def test_a_row_holds_the_number_of_confirmed_parts_not_all_of_them(tmp_path):
    with projects.create(tmp_path / "line", "Line 4") as project:
        class_id, detector_id = taught(project)
        _, ids = inspected(project, class_id, detector_id, [0.2 + n / 1000 for n in range(40)])
        add_review(project, ids, Decision.OK, who="Ada")
        found = propose_thresholds(project, detector_id, class_id)
        set_thresholds(project, detector_id, class_id, found.proposed, proposed=True)
        _, lines, page = exported(project, tmp_path / "out")
    told = lines[0]["thresholds"]["provenance"]
    assert told["confirmed_parts"] == 40
    assert "good" not in told
    assert "From 40 parts confirmed good" in page

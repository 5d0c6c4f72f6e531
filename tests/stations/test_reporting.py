"""Reports of shifts, orders and runs: what they tell, and that a station writes them when they are due."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from inspector.bench.line.trends import Line, Parts, line_of, store
from inspector.bench.records import make
from inspector.domain import Decision
from inspector.errors import Cancelled, ExportError, ProjectError
from inspector.exports.line.content import ReportOf, gather
from inspector.exports.line.report import export_line_report, render
from inspector.exports.line.trend import export_trend
from inspector.records import project as projects
from inspector.records import schema as t
from inspector.records.audit import list_acts
from inspector.records.classes import list_classes
from inspector.records.line.stations import StationRow, list_stations
from inspector.records.line.trends import TrendOf, edges_of, read_trend
from inspector.records.project import Project
from inspector.records.qualification.checks import add_check
from inspector.records.qualification.golden import add_golden, judge_golden
from inspector.records.reviews import add_review
from inspector.stations.upkeep.printing import print_in_child
from inspector.stations.upkeep.reporting import due_reports, report_path

SHIFT = datetime(2026, 11, 20, 6).astimezone()
"""When an early shift begins."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line") / "project"
    make(folder, 6)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    import shutil

    with projects.open(shutil.copytree(made, tmp_path / "project")) as opened:
        opened.who = "Ada"
        yield opened


@pytest.fixture
def line(project: Project) -> Line:
    """With pictures that lie there as files."""
    with project.reading() as session:
        pictures = session.query(t.Result.image_id, t.Result.map).filter(t.Result.map.is_not(None)).all()
    made = line_of(project, 1, list_classes(project)[0].id, "Line <1>", SHIFT - timedelta(days=1))
    return replace(made, images=[(image, kept) for image, kept in pictures], lot="A-17 & Co")


@pytest.fixture
def first(project: Project, line: Line) -> int:
    """A shift of eight hours, a part a minute, in which it became darker; its first result."""
    minutes = np.arange(0.5, 480, 0.5)
    parts = Parts.quiet(SHIFT.timestamp() + 60 * minutes, np.random.default_rng(2))
    parts.looks[minutes > 400] *= [0.88, 0.88**2, 0.88, 0.88]
    parts.scores[:2] = 0.93, 0.2
    return store(project, line, parts)[0]


def station(project: Project) -> StationRow:
    return list_stations(project)[0]


def test_a_shift_report_tells_counts_drift_thresholds_worst_parts_and_checks(
    project: Project, line: Line, first: int, tmp_path: Path
) -> None:
    add_review(project, [first], Decision.OK, who="Bo", reason="water only")
    add_golden(project, {first + 1: Decision.OK}, who="Ada")
    add_check(project, judge_golden(project), occasion="start of shift", who="Ada")
    with project.writing() as session:  # as it would have been written then
        now = session.query(t.GoldenCheck).one()
        session.add(
            t.GoldenCheck(
                created=SHIFT + timedelta(minutes=3),
                who="Ada",
                occasion="at six",
                outcome=now.outcome,
                signed="",
            )
        )
    report = gather(project, ReportOf.shift(station(project), SHIFT + timedelta(hours=2)))
    page, problems = render(report)
    assert problems == []
    assert "Shift 2026-11-20 06:00 – 14:00" in page
    assert "station Line &lt;1&gt;" in page
    assert "<1>" not in page
    assert "(1 part)" in page
    assert "The pictures themselves are darker by 12" in page
    assert "since 2026-11-20 12:4" in page
    assert page.count("data:image/jpeg;base64,") == 2 * len(report.worst) == 16
    assert "all 1 parts are judged as they must be" in page
    assert "at six" in page
    assert "start of shift" not in page  # another day's
    assert "name, date, signature" in page
    worst = report.worst[0].result
    assert worst.verdict is Decision.NG
    assert first not in [row.result.id for row in report.worst]  # somebody said that it is OK
    assert int(report.trend.total.sum()) == 959
    target = tmp_path / "shift.html"
    export_line_report(report, target)
    assert target.read_text("utf-8").count("<tr") > 15
    with pytest.raises(ExportError):
        export_line_report(report, target)


def test_an_order_and_a_run_are_reported_whenever_they_were_made(
    project: Project, line: Line, first: int
) -> None:
    row = station(project)
    order = ReportOf.order(project, row, "A-17 & Co")
    assert order.title == "Order A-17 & Co"
    assert order.since - SHIFT < timedelta(minutes=1)
    assert "Order A-17 &amp; Co" in render(gather(project, order))[0]
    run = gather(project, ReportOf.run(project, row, line.run_id))
    assert int(run.trend.total.sum()) == 959
    assert run.judged[0].parts == 959
    for wrong in (lambda: ReportOf.order(project, row, "B"), lambda: ReportOf.run(project, row, 99)):
        with pytest.raises(ProjectError, match="No part of"):
            wrong()


def test_a_picture_that_is_gone_is_said_and_the_rest_is_there(
    project: Project, line: Line, first: int
) -> None:
    for path in (project.folder / "images").rglob("*.png"):
        path.unlink()
    page, problems = render(gather(project, ReportOf.shift(station(project), SHIFT)))
    assert len(problems) == 8
    assert "data:image" not in page
    assert "Counts" in page


def test_a_station_writes_the_report_of_each_shift_once_it_has_ended(
    project: Project, line: Line, first: int
) -> None:
    row = station(project)
    assert due_reports(project, row, SHIFT + timedelta(hours=7)) == []
    printed: list[tuple[str, Path]] = []

    def printer(page: str, target: Path) -> None:
        printed.append((page, target))
        target.write_bytes(b"%PDF")

    written = due_reports(project, row, SHIFT + timedelta(hours=8, minutes=2), printer)
    expected = report_path(project, row, SHIFT)
    assert written == [expected, expected.with_suffix(".pdf")]
    assert expected.parent == project.folder / "reports"
    assert expected.name.startswith("2026-11-20 06.00 Line")
    assert "Shift 2026-11-20 06:00 – 14:00" in expected.read_text("utf-8")
    assert [target for _, target in printed] == [expected.with_suffix(".pdf")]
    acts = [act for act in list_acts(project) if act.kind == "report written"]
    assert [(act.who, act.new) for act in reversed(acts)] == [("Ada", path.name) for path in written]
    # Neither again, nor for shifts in which nothing came, also after a longer standstill.
    assert due_reports(project, row, SHIFT + timedelta(days=2), printer) == []
    assert due_reports(project, row, SHIFT + timedelta(days=30), printer) == []


def test_a_report_is_printed_by_a_process_of_its_own_as_a_pdf_that_tells_the_same(
    project: Project, line: Line, first: int
) -> None:
    written = due_reports(project, station(project), SHIFT + timedelta(hours=8, minutes=2), print_in_child)
    page, paper = written
    assert paper == page.with_suffix(".pdf")
    data = paper.read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"/Type /Page\n" in data
    assert len(data) > 5_000
    assert page.stat().st_mtime_ns <= paper.stat().st_mtime_ns


def test_a_report_that_can_not_be_printed_is_there_as_html_and_its_pdf_is_due_again(
    project: Project, line: Line, first: int
) -> None:
    now = SHIFT + timedelta(hours=8, minutes=2)

    def jammed(page: str, target: Path) -> None:
        raise ExportError("The printer is jammed.")

    with pytest.raises(ExportError, match="jammed"):
        due_reports(project, station(project), now, jammed)
    expected = report_path(project, station(project), SHIFT)
    assert expected.exists()
    assert due_reports(project, station(project), now, lambda page, to: to.write_bytes(b"%PDF")) == [  # type: ignore[func-returns-value]
        expected.with_suffix(".pdf")
    ]


def test_printing_ends_when_the_station_does_and_says_what_is_in_the_way(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Cancelled):
        print_in_child("<p>Hello</p>", tmp_path / "a.pdf", stop)
    assert not (tmp_path / "a.pdf").exists()
    (tmp_path / "b.pdf").write_bytes(b"there")
    with pytest.raises(ExportError, match=r"b\.pdf"):
        print_in_child("<p>Hello</p>", tmp_path / "b.pdf")
    assert (tmp_path / "b.pdf").read_bytes() == b"there"


def test_a_station_with_damaged_settings_or_a_project_for_viewing_writes_nothing(
    project: Project, line: Line, first: int
) -> None:
    now = SHIFT + timedelta(hours=9)
    assert due_reports(project, replace(station(project), settings=None), now) == []
    row = station(project)
    folder = project.folder
    with projects.open(folder, read_only=True) as viewed:
        assert due_reports(viewed, row, now) == []
    assert not (folder / "reports").exists()


def test_the_trend_is_written_as_a_table(project: Project, line: Line, first: int, tmp_path: Path) -> None:
    import csv

    trend = read_trend(project, TrendOf(line.station_id), edges_of(SHIFT, SHIFT + timedelta(hours=8), 20))
    target = tmp_path / "trend.csv"
    count = export_trend(trend, None, target, of=("=1+1", "washer", ""))
    rows = list(csv.DictReader(target.read_text("utf-8-sig").splitlines()))
    assert len(rows) == count == 16
    assert sum(int(row["said ok"]) + int(row["said ng"]) + int(row["said review"]) for row in rows) == 959
    assert not rows[0]["station"].startswith("=")
    assert float(rows[-1]["brightness, mean"]) < 100 < float(rows[0]["brightness, mean"])

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from export_rows import change

from inspector.domain import Thresholds
from inspector.exports.report import export_report
from inspector.exports.rows import ExportRow


class Page(HTMLParser):
    """Open tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def report(rows: list[ExportRow], folder: Path, **options: object) -> tuple[Page, list[str]]:
    problems = export_report(rows, folder / "report.html", **options)
    return Page((folder / "report.html").read_text("utf-8")), problems


def test_the_report_is_one_file_that_fetches_nothing(rows: list[ExportRow], tmp_path: Path) -> None:
    page, problems = report(rows, tmp_path)
    assert problems == []
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 1 + 2 * 5
    assert all(source.startswith("data:image/") for source in pictures)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}


def test_verdicts_have_sign_word_and_colour_and_thresholds_their_provenance(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    page, _ = report(rows, tmp_path)
    chips = [
        attributes["class"] for tag, attributes in page.tags if tag == "span" and attributes.get("class")
    ]
    assert {"chip ok", "chip ng", "chip review", "chip failed"} <= set(chips)
    for word in (
        "✓ OK",
        "✕ NG",
        "? review",
        "! failed",
        "leave one out",
        "review from",
        "Changed by Ana",
        "-water only",
    ):
        assert word in page.text
    counts = re.findall(r"(inspected|✓ OK|✕ NG)\s*(\d+)", page.text)
    assert counts[:3] == [("inspected", "6"), ("✓ OK", "2"), ("✕ NG", "3")]


def test_names_from_files_cannot_become_markup(rows: list[ExportRow], tmp_path: Path) -> None:
    evil = change(
        rows[2], name="<script>alert(1)</script>", class_name="<img src=x onerror=y>", reason='"><b>'
    )
    page, _ = report([evil], tmp_path, title="</title><script>1</script>")
    assert "script" not in {tag for tag, _ in page.tags}
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert "<script>alert(1)</script>" in page.text


def test_the_most_anomalous_come_first_and_only_as_many_as_wanted(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    page, _ = report(rows, tmp_path, pictures=2)
    assert sum(tag == "section" for tag, _ in page.tags) == 2
    assert "2 most anomalous of 6" in page.text
    assert page.text.count("broken.png") >= 1


def test_a_missing_picture_is_said_in_its_place(rows: list[ExportRow], tmp_path: Path) -> None:
    lost = [change(rows[2], path=tmp_path / "gone.png"), change(rows[3], map_path=None)]
    page, problems = report(lost, tmp_path)
    assert len(problems) == 2
    assert "no longer there" in page.text
    assert "Heatmap unavailable" in page.text


@pytest.mark.parametrize("count", [0, 1])
def test_a_report_of_nothing_or_of_a_failed_image_still_reads(
    count: int, rows: list[ExportRow], tmp_path: Path
) -> None:
    page, _ = report(rows[5:][:count], tmp_path)
    assert "All results" in page.text


def test_each_detector_of_a_class_has_a_row_with_the_thresholds_it_judged_by(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    other = Thresholds(0.111, 0.222, 0.333, {"method": "other way"})
    newer = change(rows[0], detector_id=8, thresholds=other)
    page, _ = report([*rows[:3], replace(newer, detector="#8 memory")], tmp_path)
    table = re.sub(r"\s+", " ", page.text.split("Classes and detectors")[1].split("Colour scales")[0])
    first, second = table.split("#7 memory")[1].split("#8 memory")
    assert "0.4" in first
    assert "leave one out" in first
    assert "0.111" in second
    assert "0.222" in second
    assert "other way" in second


def test_signs_that_a_browser_obeys_are_shown_instead(rows: list[ExportRow], tmp_path: Path) -> None:
    page, _ = report([change(rows[2], name="a\0b\u202egnp.exe", reason="x\x1b[2J")], tmp_path)
    assert "a␣b␣gnp.exe" in page.text
    assert not {"\0", "\u202e", "\x1b"} & set(page.text)


def test_what_taught_the_detector_is_in_no_count_of_the_report(rows: list[ExportRow], tmp_path: Path) -> None:
    judged = [change(row, is_shot=number == 0) for number, row in enumerate(rows)]
    export_report(judged, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert f"inspected<b>{len(rows) - 1}</b>" in text
    assert "1 image that taught the detector is not counted: its verdict shows nothing." in text
    export_report(rows, tmp_path / "other.html")
    assert "not counted" not in (tmp_path / "other.html").read_text("utf-8")

import csv
import json
import math
import tempfile
from pathlib import Path

import openpyxl
import pytest
from export_rows import change
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.domain import CancelToken, Thresholds
from inspector.errors import Cancelled, ExportError
from inspector.exports.catalogue import FORMATS, export
from inspector.exports.rows import ExportRow
from inspector.exports.tables import COLUMNS, export_csv, export_jsonl, export_xlsx
from inspector.text import is_printable


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_one_line_a_result_with_every_column(rows: list[ExportRow], tmp_path: Path) -> None:
    assert export_csv(rows, tmp_path / "r.csv") == []
    table = read_csv(tmp_path / "r.csv")
    assert len(table) == len(rows)
    assert list(table[0]) == list(COLUMNS)
    assert table[0]["verdict"] == "ok"
    assert float(table[0]["NG from"]) == 0.6
    assert table[2]["verdict"] == "ng"
    x, y, w, h = rows[2].regions[0].box
    assert table[2]["boxes (x y width height)"].split("; ")[0] == f"{x} {y} {w} {h}"
    assert table[4]["verdict"] == "ok"
    assert table[4]["detector's verdict"] == "ng"
    assert table[4]["reviewed (UTC)"] == "2026-03-01 09:30:00"
    assert table[5]["verdict"] == "failed"
    assert table[5]["image score"] == ""
    assert "empty" in table[5]["error"]


def test_csv_text_that_looks_like_a_formula_stays_text(rows: list[ExportRow], tmp_path: Path) -> None:
    export_csv(rows, tmp_path / "r.csv")
    table = read_csv(tmp_path / "r.csv")
    assert table[1]["image"] == '\'=HYPERLINK("x")<b>.png'
    assert table[1]["reviewer"] == "'@eve"
    assert table[4]["reason"] == "'-water only"
    assert table[3]["image"] == "Größe 部品 zwei.png"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("a;=1+1;b", "a;'=1+1;b"),
        ("  =1+1", "'  =1+1"),
        ("a,\t@sum", "a,' @sum"),
        ("a\0b\u202egnp.exe", "a␣b␣gnp.exe"),
        ("part-1 (2;3).png", "part-1 (2;3).png"),
    ],
)
def test_no_text_becomes_a_formula_or_is_obeyed_in_any_spreadsheet(
    name: str, cell: str, rows: list[ExportRow], tmp_path: Path
) -> None:
    export_csv([change(rows[0], name=name)], tmp_path / "r.csv")
    assert read_csv(tmp_path / "r.csv")[0]["image"] == cell
    export_xlsx([change(rows[0], name=name)], tmp_path / "r.xlsx")
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    assert book["Results"]["A2"].value == book["Regions"]["A2"].value or not rows[0].regions
    assert book["Results"]["A2"].value == cell
    book.close()


def test_csv_numbers_below_zero_stay_numbers(rows: list[ExportRow], tmp_path: Path) -> None:
    export_csv([change(rows[0], image_score=-0.25)], tmp_path / "r.csv")
    assert read_csv(tmp_path / "r.csv")[0]["image score"] == "-0.25"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=40), reason=st.text(max_size=40), score=st.floats(width=32))
def test_any_text_comes_back_from_csv_and_json_lines(
    rows: list[ExportRow], name: str, reason: str, score: float
) -> None:
    row = change(rows[0], name=name, reason=reason, reviewer="x", override="ok", image_score=score)
    with tempfile.TemporaryDirectory() as folder:
        export_csv([row], Path(folder) / "r.csv")
        export_jsonl([row], Path(folder) / "r.jsonl")
        cells = read_csv(Path(folder) / "r.csv")[0]
        parsed = json.loads((Path(folder) / "r.jsonl").read_bytes())
    for cell in (cells["image"], cells["reason"]):
        assert is_printable(cell)
        for separator in ";,|":
            assert not any(part.strip().startswith(tuple("=+-@＝＋－＠")) for part in cell.split(separator))
    assert parsed["image"] == name
    assert parsed["review"]["reason"] == reason
    if math.isfinite(score):
        assert float(cells["image score"]) == parsed["image_score"] == score
    else:
        assert cells["image score"] == ""
        assert parsed["image_score"] is None


def test_json_lines_carry_regions_and_provenance(rows: list[ExportRow], tmp_path: Path) -> None:
    odd = Thresholds(0.1, 0.2, 0.3, {"attainable": float("inf"), "shots": (1, 2), "who": Path("x")})
    export_jsonl([*rows, change(rows[0], thresholds=odd)], tmp_path / "r.jsonl")
    parsed = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text("utf-8").splitlines()]
    assert len(parsed) == len(rows) + 1
    assert parsed[2]["regions"][0]["box"] == list(rows[2].regions[0].box)
    assert parsed[0]["thresholds"]["provenance"]["method"] == "leave one out"
    assert parsed[4]["review"] == {
        "verdict": "ok",
        "reason": "-water only",
        "defect_type": "",
        "reviewer": "Ana",
        "time": "2026-03-01T09:30:00+00:00",
    }
    assert parsed[5]["thresholds"] is None
    assert parsed[6]["thresholds"]["provenance"] == {"attainable": None, "shots": [1, 2], "who": "x"}


def test_xlsx_keeps_formulas_as_text_and_numbers_as_numbers(rows: list[ExportRow], tmp_path: Path) -> None:
    export_xlsx(rows, tmp_path / "r.xlsx")
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    table = list(book["Results"].iter_rows(values_only=True))
    assert table[0] == COLUMNS
    first, second = dict(zip(table[0], table[1], strict=True)), dict(zip(table[0], table[2], strict=True))
    assert second["image"] == "'" + rows[1].result.name
    assert book["Results"]["A3"].data_type == "s"
    assert first["image score"] == pytest.approx(rows[0].result.image_score)
    assert first["inspected (UTC)"].isoformat() == "2026-03-01T09:30:00"
    regions = list(book["Regions"].iter_rows(values_only=True))
    assert len(regions) == 1 + sum(len(row.regions) for row in rows)
    book.close()


@pytest.mark.parametrize("name", FORMATS)
def test_no_rows_give_an_empty_export(name: str, tmp_path: Path) -> None:
    target = tmp_path / FORMATS[name].file
    assert export(name, [], target) == []
    assert target.is_dir() == FORMATS[name].is_folder
    assert target.exists()


@pytest.mark.parametrize("name", FORMATS)
def test_a_cancelled_export_leaves_nothing(name: str, rows: list[ExportRow], tmp_path: Path) -> None:
    cancel, seen = CancelToken(), []

    def progress(fraction: float, message: str, values: object) -> None:
        seen.append(fraction)
        if fraction > 0.3:
            cancel.cancel()

    with pytest.raises(Cancelled):
        export(name, rows, tmp_path / FORMATS[name].file, progress=progress, cancel=cancel)
    assert seen
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_reports_progress_to_the_end_and_replaces_nothing(
    name: str, rows: list[ExportRow], tmp_path: Path
) -> None:
    target, seen = tmp_path / FORMATS[name].file, []
    export(name, rows, target, progress=lambda fraction, *_: seen.append(fraction))
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(ExportError, match="replaces nothing"):
        export(name, rows[:1], target)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    name: str, rows: list[ExportRow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match="the disk is full") as caught:
        export(name, rows[:1], tmp_path / FORMATS[name].file)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_target_that_cannot_be_written_is_a_sentence(
    name: str, rows: list[ExportRow], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="file"):
        export(name, rows[:1], tmp_path / "file" / "inside" / FORMATS[name].file)


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="csv, xlsx"):
        export("pdf", [], tmp_path / "x")

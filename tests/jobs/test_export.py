"""Exporting what a project holds."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stem_engine import in_batches

from inspector.domain import (
    CancelToken,
    Decision,
    JobEnded,
    JobEvent,
    JobItem,
    JobLog,
    JobStatus,
    ScoreMap,
    Thresholds,
)
from inspector.exports import catalogue
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.inspect import inspect
from inspector.records import project as projects
from inspector.records import schema as t
from inspector.records.classes import find_class
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import add_review
from inspector.records.thresholds import set_thresholds
from inspector.verdicts.judge import judge

MOVED = Thresholds(0.0, 0.0001, 0.02)
Run = Callable[[Callable[..., None]], list[JobEvent]]


def end(events: list[JobEvent]) -> JobEnded:
    assert isinstance(events[-1], JobEnded)
    return events[-1]


def start(project: Project, run: Run, target: Path, *formats: str, **options: Any) -> list[JobEvent]:
    return run(lambda emit: export(project, target, formats, emit=emit, cancel=CancelToken(), **options))


@pytest.fixture
def worked(taught: Project, engine: Engine, demo: Path, tmp_path: Path) -> Project:
    """Six washers, one file that can't be read, every washer NG, one of them overridden."""
    batch = tmp_path / "batch"
    shutil.copytree(demo / "washer" / "test", batch)
    (batch / "=1+1.png").write_bytes(b"")
    inspect(
        taught,
        in_batches(engine, 8),
        [batch],
        class_name="washer",
        emit=lambda event: None,
        cancel=CancelToken(),
    )
    detector_id, washer = find_detector(taught).id, find_class(taught, "washer").id
    set_thresholds(taught, detector_id, washer, MOVED, who="Ada")
    first = result_ids(taught, ResultFilter(failed=False))[:1]
    add_review(taught, first, Decision.OK, who="Ada", reason="dust", defect_type="dust")
    return taught


def test_all_formats_are_written_into_one_folder(worked: Project, run: Run, tmp_path: Path) -> None:
    events = start(worked, run, tmp_path / "out", *catalogue.FORMATS)
    ended = end(events)
    assert ended.status is JobStatus.DONE, ended
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {form.file for form in catalogue.FORMATS.values()} | {"export.json"}
    assert ended.result["results"] == 7
    assert list_jobs(worked)[0].status is JobStatus.DONE
    assert not [event for event in events if isinstance(event, JobLog)]


def test_rows_tell_who_overrode_what_and_regions_follow_the_moved_threshold(
    worked: Project, run: Run, tmp_path: Path
) -> None:
    start(worked, run, tmp_path / "washers.jsonl", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "washers.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == 7
    text = json.dumps(lines)
    assert "dust" in text
    assert "Ada" in text
    stored = {row.name: row for row in list_results(worked, result_ids(worked))}
    for line in lines:
        row = stored[line["image"]]
        if row.image_score is None:
            assert line["error"]
            continue
        assert row.map_path is not None
        values = np.load(row.map_path).astype(np.float32)
        found = judge(ScoreMap(values, row.image_score, "washer"), MOVED, row.size).regions
        assert found
        assert [region["peak"] for region in line["regions"]] == [region.peak for region in found]


def test_every_row_and_the_manifest_name_detector_and_run(worked: Project, run: Run, tmp_path: Path) -> None:
    start(worked, run, tmp_path / "out", "csv", "jsonl", "masks", "report")
    detector, made = find_detector(worked), list_runs(worked)[0]
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            assert (row["detector id"], row["detector"]) == (str(detector.id), detector.label)
            assert (row["run id"], row["run"]) == (str(made.id), made.label)
    assert detector.label in (tmp_path / "out" / "report.html").read_text("utf-8")
    manifest = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert [item["label"] for item in manifest["detectors"]] == [detector.label]
    assert [item["label"] for item in manifest["runs"]] == [made.label]
    assert len(manifest["files"]) == len([p for p in (tmp_path / "out").rglob("*") if p.is_file()]) - 1
    for item in manifest["files"]:
        data = (tmp_path / "out" / item["file"]).read_bytes()
        assert (item["bytes"], item["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_source_file_is_the_run_s_folder_and_the_name_whatever_that_holds(
    worked: Project, run: Run, tmp_path: Path
) -> None:
    odd = ["a/b.png", "a//b.png", "./a.png", "../a.png", "a/./b.png", "/else/a.png", "a/.b.png"]
    with worked.writing() as session:
        for result_id, name in zip(result_ids(worked).tolist(), odd, strict=True):
            session.execute(t.Result.__table__.update().values(name=name).where(t.Result.id == result_id))
    start(worked, run, tmp_path / "odd.jsonl", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "odd.jsonl").read_text("utf-8").splitlines()]
    root = list_runs(worked)[0].root
    assert [line["source_file"] for line in lines] == [str(Path(root) / name) for name in odd]


def test_equal_names_from_two_folders_are_told_apart_in_every_export(
    taught: Project, engine: Engine, run: Run, demo: Path, tmp_path: Path
) -> None:
    pictures = sorted((demo / "washer" / "test").rglob("*.png"))
    sources = [tmp_path / f"line {number}" / "1.png" for number in (1, 2)]
    for picture, source in zip(pictures[:2], sources, strict=True):
        source.parent.mkdir()
        shutil.copy(picture, source)
    nothing = CancelToken()
    for asked in ([sources[0].parent], [sources[1].parent], [source.parent for source in sources]):
        inspect(taught, engine, asked, class_name="washer", emit=lambda event: None, cancel=nothing)
    start(taught, run, tmp_path / "out", *catalogue.FORMATS)
    wanted = [str(source) for source in sources * 2]

    def told(path: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((tmp_path / "out" / path).read_text("utf-8"))
        return found

    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["source file"] for row in csv.DictReader(file)] == wanted
    images = told("coco.json")["images"]
    assert [image["source_file"] for image in images] == wanted
    assert len({image["file_name"] for image in images}) == 4
    for folder in ("overlays", "maps", "masks"):
        for item in told(f"{folder}/export.json")["files"]:
            assert item["image_sha256"] == hashlib.sha256(Path(item["source_file"]).read_bytes()).hexdigest()
            assert ("line 1" in item["file"]) == (item["image"] == "line 1/1.png")


def test_an_export_replaces_nothing_of_the_user_and_nothing_of_the_project(
    worked: Project, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.csv").write_text("mine")
    (tmp_path / "linked").symlink_to(out)
    (tmp_path / "fresh").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "fresh")
    (tmp_path / "back door").symlink_to(worked.folder)
    own = next((worked.folder / "detectors").rglob("*.json"))

    def everything() -> dict[Path, bytes]:
        kept = [
            p
            for root in (out, worked.folder / "detectors", worked.folder / "images")
            for p in root.rglob("*")
        ]
        return {path: path.read_bytes() for path in kept if path.is_file()}

    before = everything()
    refused = [out, out / "results.csv", tmp_path / "linked", worked.folder, worked.folder / "images" / "new"]
    refused += [
        own,
        own.parent,
        worked.folder / "project.sqlite-wal.csv",
        tmp_path / "back door" / "maps" / "x",
    ]
    for target in refused:
        ended = end(start(worked, run, target, "csv"))
        assert ended.status is JobStatus.FAILED, target
        assert ended.hint
    assert everything() == before
    for target in (tmp_path / "link", worked.folder / "report", tmp_path / "one.csv"):
        assert end(start(worked, run, target, "csv")).status is JobStatus.DONE, target
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "fresh" / "results.csv").is_file()
    assert json.loads((tmp_path / "one.csv.export.json").read_text("utf-8"))["files"][0]["file"] == "one.csv"


def test_a_linked_image_inside_the_project_is_named_and_not_copied(
    worked: Project, run: Run, tmp_path: Path
) -> None:
    first = list_results(worked, result_ids(worked, ResultFilter(failed=False)))[0]
    assert first.path is not None
    moved = tmp_path / "secret.png"
    first.path.rename(moved)
    first.path.symlink_to(moved)
    events = start(worked, run, tmp_path / "out", "masks")
    assert end(events).status is JobStatus.DONE
    logs = [event.message for event in events if isinstance(event, JobLog)]
    assert [first.name in text for text in logs] == [True]
    copied = [p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert moved.read_bytes() not in copied


def test_only_what_the_filter_lets_through_is_exported(worked: Project, run: Run, tmp_path: Path) -> None:
    start(worked, run, tmp_path / "out", "csv", filter=ResultFilter(verdict=Decision.NG))
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + 5


def test_a_missing_image_and_map_are_named_and_the_rest_is_exported(
    worked: Project, run: Run, tmp_path: Path
) -> None:
    one, two = list_results(worked, result_ids(worked, ResultFilter(failed=False)))[:2]
    assert one.path is not None
    assert two.map_path is not None
    one.path.unlink()
    two.map_path.unlink()
    events = start(worked, run, tmp_path / "out", "overlays")
    assert end(events).status is JobStatus.DONE
    said = [event.message for event in events if isinstance(event, JobLog)]
    assert len(said) == end(events).result["left_out"] == 2
    assert said[0] in end(events).message
    assert json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))["left_out"] == said
    assert len(list((tmp_path / "out" / "overlays").rglob("*_overlay.png"))) == 4


def test_a_project_opened_for_viewing_can_be_exported(worked: Project, run: Run, tmp_path: Path) -> None:
    with projects.open(worked.folder, read_only=True) as viewed:
        assert end(start(viewed, run, tmp_path / "out", "csv")).status is JobStatus.DONE


@pytest.mark.parametrize(("formats", "words"), [(["magic"], "no export format “magic”"), ([], "No format")])
def test_unknown_formats_are_refused(
    worked: Project, run: Run, tmp_path: Path, formats: list[str], words: str
) -> None:
    ended = end(start(worked, run, tmp_path / "out", *formats))
    assert (ended.status, words in ended.message) == (JobStatus.FAILED, True)
    assert not (tmp_path / "out").exists()


def test_nothing_to_export_is_said(taught: Project, run: Run, tmp_path: Path) -> None:
    ended = end(start(taught, run, tmp_path / "out", "csv"))
    assert "no results" in ended.message
    assert ended.hint


def test_cancelling_leaves_no_half_export(worked: Project, run: Run, tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    events = run(lambda emit: export(worked, tmp_path / "out", ["csv"], emit=emit, cancel=cancel))
    assert end(events).status is JobStatus.CANCELLED
    assert not (tmp_path / "out" / "results.csv").exists()


_ENDED = """
import os, signal, sys, tempfile
from inspector.cli import main
from inspector.exports import pictures
tempfile.tempdir = sys.argv.pop()
real, drawn = pictures.png, []

def png(pixels):
    drawn.append(pixels)
    if len(drawn) == END_AT:
        os.kill(os.getpid(), signal.SIGNAL)
    return real(pixels)

pictures.png = png
main.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has neither signal")
@pytest.mark.parametrize(("name", "target"), [("SIGTERM", "out"), ("SIGKILL", "existing")])
def test_a_command_ended_in_the_middle_leaves_the_target_alone_and_the_next_one_tidies_up(
    worked: Project, tmp_path: Path, name: str, target: str
) -> None:
    where, temporary = tmp_path / "exports", tmp_path / "temporary"
    (where / "existing").mkdir(parents=True)
    (where / ".new-of-somebody-else").mkdir()
    temporary.mkdir()
    worked.close()

    def command(end_at: int) -> int:
        code = _ENDED.replace("SIGNAL", name).replace("END_AT", str(end_at))
        arguments = ["export", worked.folder, where / target, "-f", "csv", "-f", "overlays", temporary]
        done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True)
        return done.returncode

    code = command(3)
    assert code == (143 if name == "SIGTERM" else -9)
    assert not (where / target).exists() or list((where / target).iterdir()) == []
    if name == "SIGTERM":
        assert {path.name for path in where.iterdir()} == {"existing", ".new-of-somebody-else"}
        assert list(temporary.iterdir()) == []
    assert command(0) == 0
    assert {path.name for path in where.iterdir()} == {"existing", ".new-of-somebody-else", target}
    assert len(list((where / target).rglob("*.png"))) == 6
    assert list(temporary.iterdir()) == []


def test_an_export_that_goes_on_is_not_taken_for_a_dead_one(
    worked: Project, run: Run, tmp_path: Path
) -> None:
    def watch(event: JobEvent) -> None:
        if isinstance(event, JobItem) and not (tmp_path / "second").exists():
            assert end(start(worked, run, tmp_path / "second", "csv")).status is JobStatus.DONE

    export(worked, tmp_path / "first", ["csv", "maps"], emit=watch, cancel=CancelToken())
    assert len(list((tmp_path / "first").rglob("*.npy"))) == 6
    assert not list(tmp_path.glob(".new-*"))


def test_files_put_into_the_target_meanwhile_are_kept(worked: Project, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def work(emit: Callable[..., None], target: Path) -> None:
        def watch(event: JobEvent) -> None:
            (out / "mine.txt").write_text("mine")
            (tmp_path / "one.csv").write_text("mine")
            emit(event)

        export(worked, target, ["csv"], emit=watch, cancel=CancelToken())

    for target in (out, tmp_path / "one.csv"):
        for left in ("out/mine.txt", "one.csv"):
            (tmp_path / left).unlink(missing_ok=True)
        ended = end(run(partial(work, target=target)))
        assert (ended.status, "replaces nothing" in ended.message) == (JobStatus.FAILED, True)
        assert [path.name for path in out.iterdir()] == ["mine.txt"]
        assert (tmp_path / "one.csv").read_text() == "mine"
    assert not list(tmp_path.glob(".new-*"))


def test_the_command_writes_into_a_dated_folder_of_the_project_when_none_is_named(worked: Project) -> None:
    worked.close()
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "inspector", "export", worked.folder, "-f", "csv"], check=True)
    made = sorted((worked.folder / "exports").iterdir())
    assert [path.name[:10] for path in made] == ["Results 20"] * 2
    assert all((path / "results.csv").is_file() for path in made)

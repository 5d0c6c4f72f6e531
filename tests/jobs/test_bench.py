"""The measurements that the README cites."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import stem_engine

from inspector.bench import methods as bench_methods
from inspector.bench import records as bench_records
from inspector.bench import runtimes
from inspector.bench.crash.run import KINDS, crash
from inspector.bench.crash.traces import Found, examine
from inspector.bench.crash.work import Place
from inspector.bench.throughput import throughput
from inspector.errors import InspectorError
from inspector.exports.catalogue import FORMATS
from inspector.features.runtimes.engines import installed
from inspector.jobs.engine import Engine
from inspector.records import project as projects
from inspector.records.disk.database import is_sound
from inspector.records.inspected.results import count_results, list_details, result_ids
from inspector.records.result_filter import ResultFilter
from inspector.records.thresholds import set_thresholds


@pytest.mark.timeout(400)  # some thirty processes, which a busy machine starts slowly
def test_killing_whatever_a_process_does_loses_nothing_and_leaves_no_litter() -> None:
    quick = {"teach": ("patchcore",), "learn": ("promptad:epochs=3",)}
    kinds = (*KINDS, "inspect", "inspect", "inspect")
    found = crash(len(kinds), seed=3, images=24, kinds=kinds, methods=quick, make_engine=stem_engine.make)
    assert found["problems"] == []
    assert found["lost"] == 0
    assert {kind: row["kills"] for kind, row in found["by_kind"].items()} == Counter(kinds)
    assert found["by_kind"]["inspect"]["announced"] > 0
    assert found["by_kind"]["inspect"]["aborted_jobs"] >= 1


def test_the_crash_measurement_tells_what_a_dead_process_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def after_more_was_left(kind: str, place: Place, announced: list[int]) -> Found:
        for path in (
            place.folder / "images" / ".new-0",
            place.folder / "notes",
            place.scratch / "inspector-1",
        ):
            path.touch()
        shutil.rmtree(place.folder / "maps")
        return examine(kind, place, [*announced, 999_999])

    monkeypatch.setattr("inspector.bench.crash.run.examine", after_more_was_left)
    found = crash(1, images=8, kinds=("threshold",), make_engine=stem_engine.make)
    assert found["lost"] == 1
    said = "\n".join(found["problems"])
    for name in ("images/.new-0", "project/notes", "temporary/inspector-1"):
        assert f"{name} was left behind" in said
    assert "is not whole" in said


def test_throughput_is_measured_beside_the_bare_backbone(engine: Engine, demo: Path) -> None:
    found = throughput(engine, images=8, batch_size=4, rounds=1, data=demo / "cloth")
    assert found["images"] == 8
    assert found["image_size"] == [160, 160]
    assert 0 < found["ratio"] < 5
    assert len(found["end_to_end_rounds"]) == 1
    assert found["runtime"] == "torch"
    assert found["ratio_to_early"] == pytest.approx(
        found["end_to_end_images_per_s"] / found["runtime_early_images_per_s"], abs=0.01
    )
    assert found["torch_end_to_end_images_per_s"] > 0 < found["read_images_per_s"]
    assert json.loads(json.dumps(found)) == found


def test_runtimes_say_what_torch_says() -> None:
    found = runtimes.measure("patchcore", "inspector-tiny", images=3)["runtimes"]
    assert found.keys() >= {"torch", *(one.name for one in installed())}
    for one in found.values():
        assert one["verdicts"] == 0
        assert one["score"] < 1e-3
        assert one["map_max"] < 1e-3
        assert one["ms"] > 0


def test_teaching_is_measured_from_files_to_a_saved_detector_in_a_process_of_its_own() -> None:
    found = bench_methods.teach("promptad:epochs=3", classes=2, shots=2, weights="inspector-tiny@random")
    assert found["classes"] == found["shots"] == 2
    steps = ("read_seconds", "fit_seconds", "thresholds_seconds", "save_seconds")
    assert found["seconds"] == pytest.approx(sum(found[step] for step in steps), abs=0.02)
    assert found["epochs"] == 3
    assert found["last_loss"] < found["first_loss"]
    assert 100 < found["peak_memory_mib"] < 4096
    assert json.loads(json.dumps(found)) == found


def test_what_a_measured_process_can_t_do_is_said_in_a_sentence(demo: Path) -> None:
    with pytest.raises(InspectorError, match="2 classes with 3 good parts"):
        bench_methods.teach("patchcore", data=demo)
    with pytest.raises(InspectorError, match="no precision “fp8”"):
        bench_methods.teach("patchcore", classes=1, shots=1, dtype="fp8")


def test_a_project_of_many_results_is_made_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_records, "PART", 60)  # of which every format draws pictures
    found = bench_records.records(700, repeats=2)
    assert found["results"] == 700
    assert found["flips"] > 0
    assert found["overridden"] == 466  # all but one that failed and a third of 700
    for key in ("open_s", "page_ms", "filter_s", "sort_s", "threshold_s", "override_s", "undo_s", "export_s"):
        assert found[key] > 0, key
    assert set(found["formats"]) == set(FORMATS)
    assert found["export_mib"] <= found["peak_mib"]
    assert json.loads(json.dumps(found)) == found


def test_the_measured_project_is_whole_and_as_large_as_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_records, "PART", 60)
    detector_id, class_id, run_id = bench_records.make(tmp_path / "project", 700)
    with projects.open(tmp_path / "project") as project:
        counts = count_results(project)
        assert (counts.total, counts.failed) == (700, 1)
        assert min(counts.ok, counts.review, counts.ng) > 20
        drawn = list_details(project, result_ids(project, ResultFilter(run_id=run_id)))
        assert len(drawn) == bench_records.PART
        assert all(one.row.map_path and not one.row.missing for one in drawn if not one.row.error)
        before = [one.row.decision for one in drawn]
        moved = set_thresholds(project, detector_id, class_id, bench_records.THRESHOLDS)
        assert moved.flipped == 0  # judged by these
        assert [one.row.decision for one in list_details(project, [one.row.id for one in drawn])] == before
    assert is_sound(tmp_path / "project" / "project.sqlite")


def test_methods_are_measured_beside_the_bare_backbone_and_say_whether_they_read_text() -> None:
    names = ("patchcore", "winclip", "iipad")
    found = bench_methods.methods(
        batch_sizes=(3,), weights="inspector-tiny@random", device="cpu", dtype="fp32", rounds=1, names=names
    )
    assert found["dtype"] == "float32"
    assert {name: row["text_tower"] for name, row in found["methods"].items()} == {
        "patchcore": False,  # has nothing to do with text
        "winclip": False,  # reads its phrases when it is taught
        "iipad": True,  # writes a prompt for every image
    }
    for row in found["methods"].values():
        assert set(row["batches"]) == {"1", "3"}
        for cells in row["batches"].values():
            assert cells["ratio"] == pytest.approx(cells["ms"] / cells["backbone_ms"], rel=0.05)
        assert row["best_ms"] == min(cells["ms"] for cells in row["batches"].values())
    assert json.loads(json.dumps(found)) == found

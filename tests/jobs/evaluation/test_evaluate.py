import csv
import json
import multiprocessing
import os
import shutil

import numpy as np
import pytest

from inspector.domain import CancelToken, JobEnded, JobLog, JobProgress, JobStatus
from inspector.errors import InspectorError
from inspector.images import read
from inspector.jobs.evaluation import datasets, false_alarms, stored, workers
from inspector.jobs.evaluation.plan import Candidate, EvaluationPlan, Protocol
from inspector.jobs.evaluation.run import evaluate
from inspector.methods import catalogue
from inspector.verdicts import metrics


def test_results_hold_every_figure_per_method_shots_and_class(measure, parts):
    events, output = measure(parts, ("patchcore", "subspace"), (1, 2))
    assert events[-1].status is JobStatus.DONE, events[-1]
    results = json.loads((output / "results.json").read_text())
    for method in ("patchcore", "subspace"):
        for shots in ("1", "2"):
            figures = results["summary"][method][shots]
            assert set(figures) == set(metrics.FIGURES)
            assert all(0 <= value <= 1 for value in figures.values())
            by_class = results["classes"][method][shots]
            assert set(by_class) == {"cloth", "washer"}
            mean = np.mean([by_class[name]["aupro"]["mean"] for name in by_class])
            assert figures["aupro"] == pytest.approx(mean, abs=1e-5)
    assert results["summary"] == events[-1].result["summary"]
    assert results["provenance"]["seeds"] == [0, 1]
    assert results["provenance"]["evaluation_size"] == 256
    assert set(results["provenance"]["ms_per_image"]) == {"backbone", "patchcore", "subspace"}


def test_the_figures_are_those_of_the_detector_scored_image_by_image(measure, engine, parts):
    _, output = measure(parts, seeds=1)
    split = json.loads((output / "split.json").read_text())
    made = catalogue.make("patchcore")
    shots = {name: [read.read(parts / key) for key in seeds["0"]] for name, seeds in split["shots"].items()}
    made.fit(shots, engine.backbone(), progress=lambda *_: None, cancel=CancelToken())
    details = json.loads((output / "details.json").read_text())
    for reading in details:
        scores = []
        for row in reading["images"]:
            (found,) = made.score([read.read(parts / row["image"])], [reading["class"]])
            assert row["score"] == pytest.approx(found.image_score, abs=1e-4)
            scores.append(found.image_score)
        labels = [row["defect"] != "good" for row in reading["images"]]
        assert reading["figures"]["image_auroc"] == pytest.approx(
            metrics.image_auroc(scores, labels), abs=1e-6
        )


def test_the_tables_for_people_say_the_same_as_the_json(measure, parts):
    _, output = measure(parts)
    results = json.loads((output / "results.json").read_text())
    rows = list(csv.DictReader((output / "results.csv").read_text("utf-8-sig").splitlines()))
    assert [row["class"] for row in rows] == ["cloth", "washer"]
    cell = results["classes"]["patchcore"]["2"]["washer"]["pixel_auroc"]
    assert float(rows[1]["pixel_auroc_mean"]) == cell["mean"]
    page = (output / "results.md").read_text()
    assert f"{100 * cell['mean']:.1f} ± {100 * cell['std']:.1f}" in page


def test_the_written_split_gives_the_same_results_again(measure, parts, tmp_path):
    _, output = measure(parts)
    first = json.loads((output / "results.json").read_text())
    (output / "split.json").rename(tmp_path / "kept.json")
    events, output = measure(parts, seeds=9, split=tmp_path / "kept.json")
    assert events[-1].status is JobStatus.DONE
    assert json.loads((output / "results.json").read_text())["classes"] == first["classes"]


def test_one_for_one_and_found_classes_are_measured_too(measure, parts):
    events, output = measure(parts, one_for_all=False)
    assert events[-1].status is JobStatus.DONE
    details = json.loads((output / "details.json").read_text())
    assert all(row["class"] == reading["class"] for reading in details for row in reading["images"])
    events, output = measure(parts, class_known=False)
    assert events[-1].status is JobStatus.DONE
    details = json.loads((output / "details.json").read_text())
    right = [row["class"] == reading["class"] for reading in details for row in reading["images"]]
    assert np.mean(right) > 0.9


def test_thresholds_from_the_shots_alone_are_measured_on_request(measure, parts):
    _, output = measure(parts, seeds=1)
    results = json.loads((output / "results.json").read_text())
    assert "verdicts" not in results
    _, output = measure(parts, shots=(1, 3), seeds=1, false_alarm_rate=0.05)
    results = json.loads((output / "results.json").read_text())
    assert results["provenance"]["false_alarm_rate"] == 0.05
    for shots in ("1", "3"):
        shares = results["verdicts"]["patchcore"][shots]["mean of classes"]
        assert set(shares) == {"false_alarms", "good_to_review", "detected", "missed"}
        assert shares["false_alarms"] + shares["good_to_review"] <= 1
        assert shares["detected"] + shares["missed"] <= 1
    assert "False alarms" in (output / "results.md").read_text()


def test_parts_that_are_confirmed_good_are_measured_on_request(measure, parts, monkeypatch):
    monkeypatch.setattr(false_alarms, "LEAST", 2)
    _, output = measure(
        parts, shots=(1, 2), seeds=2, false_alarm_rate=0.2, confirmed=(0, 1, 500), one_for_all=False
    )
    results = json.loads((output / "results.json").read_text())
    assert results["provenance"]["confirmed"] == [0, 1, 500]
    found = results["confirmed"]["patchcore"]
    for shots in ("1", "2"):
        means = found[shots]["mean of classes"]
        assert list(means) == ["0", "1"]  # there are no 500
        assert set(means["1"]) == {"false_alarms", "good_to_review", "detected", "missed", "certain"}
        assert all(0 <= share <= 1 for shares in means.values() for share in shares.values())
    assert found["1"]["mean of classes"]["0"]["false_alarms"] == 0  # one shot calls nothing NG
    assert found["1"]["mean of classes"]["0"]["detected"] == 0
    assert found["1"]["mean of classes"]["1"]["detected"] > 0
    page = (output / "results.md").read_text()
    assert "Good parts called NG, of a wanted 20.0%" in page
    table = stored.load(output).confirmed
    assert table is not None
    assert [row[:3] for row in table.rows] == [
        ("PatchCore", shots, count) for shots in ("1", "2") for count in ("0", "1")
    ]
    assert "PatchCore" not in page.split("Good parts called NG")[1].split("##")[0]  # there by its key
    assert all(cell in page for row in table.rows for cell in row[3:])
    events, _ = measure(parts, seeds=1, confirmed=(5,))
    assert events[-1].status is JobStatus.FAILED
    assert "need a false-alarm rate" in events[-1].message


def test_good_parts_left_over_that_can_not_be_read_are_named_and_counted(
    measure, parts, monkeypatch, tmp_path
):
    monkeypatch.setattr(false_alarms, "LEAST", 2)
    folder = tmp_path / "parts"
    shutil.copytree(parts, folder)
    good = sorted((folder / "washer/train/good").iterdir())
    source = good[0].read_bytes()
    for name in ("zz 1.png", "zz 2.png"):
        (good[0].parent / name).write_bytes(source[:80])
    events, output = measure(folder, seeds=1, false_alarm_rate=0.2, confirmed=(0,))
    failed = [event.name for event in events if getattr(event, "error", "")]
    assert sorted(failed) == ["washer/train/good/zz 1.png", "washer/train/good/zz 2.png"]
    assert "2 images named above had a problem" in events[-1].message
    named = "Left out, as 2 images could not be read or scored: washer/train/good/zz 1.png, washer/train/good/zz 2.png."
    assert named in (output / "results.md").read_text()
    assert named in stored.load(output).note


def test_curves_end_where_they_must(measure, parts):
    _, output = measure(parts, seeds=1)
    for reading in json.loads((output / "details.json").read_text()):
        for name in ("image_roc", "pixel_roc"):
            x, y = reading["curves"][name]
            assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        assert reading["curves"]["pro"][0][-1] == pytest.approx(0.3)
        assert all(len(x) == len(y) <= 200 for x, y in reading["curves"].values())


def test_settings_and_random_weights_are_part_of_a_method_s_name(measure, parts):
    names = ("patchcore", "patchcore:neighbourhood=1", 'patchcore:taps=["stem8"]:sigma=0', "patchcore@random")
    events, output = measure(parts, names, seeds=1)
    assert events[-1].status is JobStatus.DONE, events[-1]
    results = json.loads((output / "results.json").read_text())
    assert tuple(results["summary"]) == names
    scores = {
        r["method"]: [row["score"] for row in r["images"]]
        for r in json.loads((output / "details.json").read_text())
        if r["class"] == "washer"
    }
    assert len({tuple(own) for own in scores.values()}) == len(names)
    about = results["provenance"]
    assert about["settings"][names[2]] == {"taps": ["stem8"], "sigma": 0}
    assert about["control"]["methods"] == ["patchcore@random"]
    assert about["control"]["backbone"]["tag"] == "random weights, seed 0"
    assert about["control"]["backbone"]["key"] != about["backbone"]["key"]
    same = ("architecture", "image_size", "mean", "std", "interpolation")
    assert [about["control"]["backbone"][k] for k in same] == [about["backbone"][k] for k in same]
    assert "Control (patchcore@random)" in (output / "results.md").read_text()


def test_the_same_command_again_takes_what_was_finished(measure, parts, engine, run, tmp_path):
    cancel = CancelToken()
    events = []

    def stop_after_the_first(event):
        events.append(event)
        if isinstance(event, JobLog):
            cancel.cancel()

    output = tmp_path / "out"
    plan = EvaluationPlan(parts, ("patchcore", "subspace"), (2,), (0,), output)
    evaluate(plan, backbone=engine.backbone(), emit=stop_after_the_first, cancel=cancel)
    assert events[-1].status is JobStatus.CANCELLED
    assert not (output / "results.json").exists()
    assert len(list((output / "parts").iterdir())) == 1
    events, _ = measure(parts, ("patchcore", "subspace"), seeds=1)
    assert events[-1].status is JobStatus.DONE
    about = json.loads((output / "results.json").read_text())["provenance"]
    assert about["taken_from_parts"] == 1
    continued = json.loads((output / "details.json").read_text())
    whole_events, _ = measure(parts, ("patchcore", "subspace"), seeds=1, resume=False)
    assert whole_events[-1].status is JobStatus.DONE
    assert json.loads((output / "details.json").read_text()) == continued


@pytest.mark.parametrize("change", ["image", "damage", "protocol"])
def test_what_was_finished_counts_only_for_the_same_images_and_protocol(measure, parts, tmp_path, change):
    data = tmp_path / "data"
    shutil.copytree(parts, data)
    _, output = measure(data, seeds=1)
    options = {}
    if change == "image":
        os.utime(next((data / "washer/test/good").iterdir()), (1, 1))
    elif change == "damage":
        (part,) = (output / "parts").iterdir()
        part.write_bytes(part.read_bytes()[:99])
    else:
        options = {"class_known": False}
    events, output = measure(data, seeds=1, **options)
    assert events[-1].status is JobStatus.DONE
    assert json.loads((output / "results.json").read_text())["provenance"]["taken_from_parts"] == 0


def test_processes_side_by_side_measure_the_same_as_one(run, parts, tmp_path):
    found = []
    for count in (1, 2):
        output = tmp_path / str(count)
        plan = EvaluationPlan(
            parts, ("patchcore", "subspace"), (1,), (0,), output, workers=count, device="cpu"
        )
        events = run(lambda emit, plan=plan: evaluate(plan, emit=emit, cancel=CancelToken()))
        assert events[-1].status is JobStatus.DONE, events[-1]
        progress = [event for event in events if isinstance(event, JobProgress)]
        assert progress[-1].done == progress[-1].total
        found.append(json.loads((output / "details.json").read_text()))
    for one, other in zip(*found, strict=True):
        assert (one["method"], one["class"]) == (other["method"], other["class"])
        assert one["figures"] == pytest.approx(other["figures"], abs=0.01)


@pytest.mark.parametrize("end", ["cancelled", "killed"])
def test_processes_side_by_side_end_at_once_and_what_is_finished_stays(parts, tmp_path, end):
    cancel = CancelToken()
    events = []

    def emit(event):
        events.append(event)
        if isinstance(event, JobLog):  # the first candidate is finished and kept
            if end == "cancelled":
                cancel.cancel()
            else:
                for process in multiprocessing.active_children():
                    process.kill()

    names = ("patchcore", "anople:epochs=100000")  # would take hours
    plan = EvaluationPlan(parts, names, (1,), (0,), tmp_path / "out", workers=2, device="cpu")
    evaluate(plan, emit=emit, cancel=cancel)
    assert multiprocessing.active_children() == []
    assert [file.name.split("-")[0] for file in (tmp_path / "out" / "parts").iterdir()] == ["patchcore"]
    if end == "cancelled":
        assert events[-1].status is JobStatus.CANCELLED
    else:
        assert events[-1].status is JobStatus.FAILED
        assert "ended unexpectedly" in events[-1].message


def test_what_goes_wrong_in_a_process_is_told_in_its_own_words(parts):
    dataset = datasets.read(parts)
    protocol = Protocol(dataset, datasets.draw(dataset, [0], 1))
    finished = workers.side_by_side(
        [Candidate("patchcore", 1, 0)],
        protocol,
        workers.Loading("no such weights", "cpu", None),
        1,
        workers.Listener(lambda *_: None, lambda *_: None),
        CancelToken(),
    )
    with pytest.raises(InspectorError, match="no such weights"):
        next(finished)


def test_the_training_loss_before_and_after_and_the_seconds_of_teaching_are_told(measure, parts):
    learning = "promptad:epochs=3"
    _, output = measure(parts, (learning, "patchcore"), seeds=1)
    about = json.loads((output / "results.json").read_text())["provenance"]
    ((first, last),) = about["losses"][f"{learning}/2/0"]
    assert 0 < last < first
    assert "patchcore/2/0" not in about["losses"]
    page = (output / "results.md").read_text()
    seconds = about["teach_seconds"][f"{learning}/2/0"]
    assert f"| {first:.3g} → {last:.3g} | {seconds:.0f} |" in page
    events, _ = measure(parts, (learning, "patchcore"), seeds=1)  # from what was kept of it
    assert events[-1].status is JobStatus.DONE
    assert json.loads((output / "results.json").read_text())["provenance"]["losses"] == about["losses"]


def test_results_don_t_tell_where_this_computer_keeps_its_images(measure, parts):
    _, output = measure(parts, seeds=1)
    for name in ("results.json", "results.md", "results.csv", "details.json", "split.json"):
        assert str(parts.parent) not in (output / name).read_text("utf-8"), name
    assert json.loads((output / "results.json").read_text())["provenance"]["folder"] == parts.name


def test_a_cancelled_evaluation_writes_nothing(measure, parts):
    cancel = CancelToken()
    cancel.cancel()
    events, output = measure(parts, cancel=cancel)
    assert events[-1].status is JobStatus.CANCELLED
    assert not output.exists()


def test_progress_reaches_the_total_and_every_candidate_is_logged(measure, parts):
    events, _ = measure(parts)
    progress = [event for event in events if isinstance(event, JobProgress)]
    assert progress[-1].done == progress[-1].total == 2 * 12
    logs = [event.message for event in events if isinstance(event, JobLog)]
    assert [line.split(":")[0] for line in logs] == [
        "PatchCore, 2 shots, draw 1",
        "PatchCore, 2 shots, draw 2",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"methods": ["oracle"]}, "no method named"),
        ({"methods": []}, "nothing to evaluate"),
        ({"shots": [9]}, "has 4 good parts to draw from, but 9"),
        ({"shots": [0]}, "at least one normal shot"),
        ({"methods": ["patchcore:colour=red"]}, "PatchCore has no setting “colour”"),
        ({"methods": ["patchcore:sigma=wide"]}, "sigma of PatchCore can't be"),
        ({"methods": ["anople:prompts=all"]}, "prompts is one of both, text, vision"),
        ({"methods": ["anople:prompts"]}, "is not a setting"),
    ],
)
def test_impossible_wishes_end_with_a_sentence(measure, parts, change, said):
    events, _ = measure(parts, **change)
    assert isinstance(events[-1], JobEnded)
    assert events[-1].status is JobStatus.FAILED
    assert said in events[-1].message


def test_what_is_stored_is_read_back_whole(measure, parts):
    _, output = measure(parts, seeds=1, false_alarm_rate=0.05)
    found = stored.load(output)
    (series,) = found.series
    details = json.loads((output / "details.json").read_text())
    for reading, row in zip(found.readings[series], details, strict=True):
        assert json.loads(json.dumps(reading.as_json())) == row
        for number in range(len(reading.keys)):
            values = stored.read_map(output, reading, number)
            assert values.ndim == 2
        assert reading.scale[0] < reading.scale[1]
    shutil.rmtree(output / "maps")
    assert stored.read_map(output, found.readings[series][0], 0) is None


def test_some_classes_alone_are_measured_on_request(measure, parts):
    events, output = measure(parts, seeds=1, classes=("washer",))
    assert events[-1].status is JobStatus.DONE
    assert list(json.loads((output / "results.json").read_text())["classes"]["patchcore"]["2"]) == ["washer"]
    events, _ = measure(parts, seeds=1, classes=("screw",))
    assert "no class “screw”" in events[-1].message


def test_what_is_stopped_without_parts_leaves_nothing(parts, engine, tmp_path):
    cancel = CancelToken()

    def stop_after_the_first(event):
        if isinstance(event, JobLog):
            cancel.cancel()

    plan = EvaluationPlan(parts, ("patchcore",), (1,), (0, 1), tmp_path / "out", resume=False)
    evaluate(plan, backbone=engine.backbone(), emit=stop_after_the_first, cancel=cancel)
    assert not (tmp_path / "out").exists()

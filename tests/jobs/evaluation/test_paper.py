"""The papers' protocol through the real command, on small drawn sets in the published sets' layouts and class names."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.errors import InspectorError, WeightsError
from inspector.jobs.evaluation import datasets, paper
from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.methods import catalogue
from inspector.verdicts.metrics import FIGURES

SETS = json.loads((Path(__file__).parents[3] / "resources" / paper.FILE).read_text("utf-8"))["sets"]


def classes_of(name):
    return SETS[name]["classes"]


def draw(file, seed=0, spot=False, mask=False):
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = np.zeros((64, 64, 3)) if mask else rng.integers(90, 110, (64, 64, 3))
    if spot:
        pixels[20:40, 20:40] = 255
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def mvtec(root, classes):
    for number, name in enumerate(classes):
        here = root / name
        for i in range(2):
            draw(here / f"train/good/{i:03}.png", 10 * number + i)
        draw(here / "test/good/000.png", 10 * number + 2)
        draw(here / "test/spot/000.png", 10 * number + 3, spot=True)
        draw(here / "ground_truth/spot/000_mask.png", spot=True, mask=True)
    return root


def visa(root, classes):
    rows = [("object", "split", "label", "image", "mask")]
    for name in classes:
        for i in range(3):
            image = f"{name}/Data/Images/Normal/{i}.JPG"
            draw(root / image, i)
            rows.append((name, "train" if i < 2 else "test", "normal", image, ""))
        image, mask = f"{name}/Data/Images/Anomaly/0.JPG", f"{name}/Data/Masks/Anomaly/0.png"
        draw(root / image, 3, spot=True)
        draw(root / mask, spot=True, mask=True)
        rows.append((name, "test", "anomaly", image, mask))
    (root / "split_csv").mkdir()
    with (root / "split_csv" / "1cls.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root


def real_iad(root, classes):
    (root / "realiad_jsons").mkdir(parents=True)
    for name in classes:
        place = root / "realiad_256" / name
        for i in range(3):
            draw(place / f"OK/{i}.png", i)
        draw(place / "NG/0.png", 3, spot=True)
        draw(place / "NG/0_mask.png", spot=True, mask=True)

        def entry(image, kind="OK", mask=None, name=name):
            return {"category": name, "anomaly_class": kind, "image_path": image, "mask_path": mask}

        content = {
            "meta": {"normal_class": "OK", "prefix": f"{name}/"},
            "train": [entry(f"OK/{i}.png") for i in range(2)],
            "test": [entry("OK/2.png"), entry("NG/0.png", "AK", "NG/0_mask.png")],
        }
        (root / "realiad_jsons" / f"{name}.json").write_text(json.dumps(content))
    return root


@pytest.fixture(autouse=True)
def _no_timing(monkeypatch):
    """Every test has a home of its own, in which bf16 would be timed against fp32 again: half a minute where a
    processor lacks it."""
    monkeypatch.setattr("inspector.features.loading.faster_cpu_dtype", lambda *_: torch.float32)


MAKERS = {"MVTec AD": mvtec, "VisA": visa, "Real-IAD": real_iad}


def command(data, *words):
    return CliRunner().invoke(app, ["evaluate", str(data), "--paper", *words])


def quick(tmp_path, *words):
    """Everything but the data, for a run of seconds on the embedded model."""
    common = ["--weights", "inspector-tiny", "--method", "patchcore", "--shots", "1", "--seeds", "1"]
    return [*common, "--output", str(tmp_path / "out"), *words]


def planned(data, tmp_path, **more):
    return EvaluationPlan(data, ("patchcore",), (1,), (0,), tmp_path / "out", **more)


def results(tmp_path):
    return json.loads((tmp_path / "out" / "inspector-tiny" / "results.json").read_text("utf-8"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MAKERS)
def test_ours_stand_beside_the_published_figures_of_the_set_that_the_folder_holds(tmp_path, name):
    first, *others = classes_of(name)
    data = MAKERS[name](tmp_path / "data", [first, *others])
    done = command(data, *quick(tmp_path, "--classes", first))
    assert done.exit_code == 0, done.output
    assert f"beside the published figures on {name}" in done.output
    expected = [row for row in paper.published(name) if (row.method, row.shots) == ("patchcore", 1)]
    assert expected
    printed = [line for line in done.output.splitlines() if line.startswith("| PatchCore | 1 |")]
    for row in expected:
        assert row.source in done.output
        assert any(f"| {row.figures['image_auroc']:.1f} |" in line for line in printed)
    if name == "MVTec AD":
        assert any("| – |" in line for line in printed)  # what no source here states
    assert done.output.count("**ours**") == 1
    assert "PatchCore: not comparable, published on WideResNet-50, ImageNet, measured on inspector-tiny." in (
        done.output
    )
    assert f"Not comparable: means over 1 class, 1 of the {len(others) + 1} of {name}." in done.output
    stored = results(tmp_path)
    assert list(stored["provenance"]["classes"]) == [first]
    assert stored["published"]["data_set"] == name
    assert [row["image_auroc"] for row in stored["published"]["per_cent"]] == [
        row.figures["image_auroc"] for row in expected
    ]


def test_missing_weights_are_named_with_the_ways_to_get_them_before_anything_is_measured(tmp_path):
    data = mvtec(tmp_path / "data", classes_of("MVTec AD"))
    done = command(data, "--output", str(tmp_path / "out"))
    assert isinstance(done.exception, WeightsError)
    assert "ViT-B-16-plus-240 (for AnoPLe, " in done.exception.message
    assert "ViT-L-14-quickgelu:openai (for IIPAD)" in done.exception.message
    for way in (
        "inspector weights fetch ViT-B-16-plus-240",
        "inspector weights fetch ViT-L-14-quickgelu:openai",
        "inspector weights add FILE",
        "--weights",
    ):
        assert way in done.exception.hint
    assert not (tmp_path / "out").exists()


def test_a_set_that_lacks_a_class_is_measured_only_when_its_classes_are_named(tmp_path):
    held = [one for one in classes_of("VisA") if one != "pcb4"]
    data = visa(tmp_path / "data", held)
    done = command(data, *quick(tmp_path))
    assert isinstance(done.exception, InspectorError)
    assert "11 of the 12 classes of VisA; pcb4 is missing" in done.exception.message
    assert f"--classes {','.join(held)}" in done.exception.hint
    (made,) = paper.plans(planned(data, tmp_path, classes=("candle",)), weights="inspector-tiny")
    assert "1 of the 12 of VisA" in made.comparison["notes"][0]


def test_a_set_that_nobody_published_is_refused_unless_the_user_says_what_it_stands_for(tmp_path):
    data = mvtec(tmp_path / "data", ["bottle", "biscuit"])
    done = command(data, *quick(tmp_path))
    assert isinstance(done.exception, InspectorError)
    assert "biscuit is not in MVTec AD" in done.exception.message
    (made,) = paper.plans(planned(data, tmp_path), "MVTec AD", "inspector-tiny")
    assert "Not comparable: means over 2 classes, 1 of the 15 of MVTec AD." in made.comparison["notes"]
    done = command(data, *quick(tmp_path, "--data-set", "ImageNet"))
    assert isinstance(done.exception, InspectorError)
    assert "Real-IAD" in done.exception.hint


def test_a_folder_without_data_a_file_and_options_that_go_with_others_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no data")
    done = command(tmp_path / "empty", *quick(tmp_path))
    assert isinstance(done.exception, InspectorError)
    assert "MVTec AD, VisA or Real-IAD layout" in done.exception.message
    assert command(tmp_path / "notes.txt").exit_code == 2
    assert command(tmp_path / "nothing").exit_code == 2
    done = CliRunner().invoke(app, ["evaluate", str(tmp_path / "empty"), "--data-set", "VisA"])
    assert "--data-set goes with --paper" in str(done.exception)
    assert "--method" in str(command(tmp_path / "empty", "--control").exception)


def test_names_that_two_sets_share_are_told_apart_by_the_layout(tmp_path):
    assert paper.recognise(datasets.read(mvtec(tmp_path / "a", ["zipper"]))) == "MVTec AD"
    assert paper.recognise(datasets.read(real_iad(tmp_path / "b", ["zipper"]))) == "Real-IAD"
    assert paper.recognise(datasets.read(mvtec(tmp_path / "c", ["pcb1"]))) == "VisA"


def test_whatever_has_figures_has_known_weights_and_every_figure_is_a_per_cent_with_a_source():
    from inspector.features.weights import catalogue as weights

    rows = [row for name in paper.data_sets() for row in paper.published(name)]
    for method in {row.method for row in rows} & set(catalogue.METHODS):
        known = paper.setting(method)
        assert known is not None
        assert weights.find(known.weights).url
    assert len({(r.method, r.data_set, r.shots, r.setting, r.source) for r in rows}) == len(rows)
    for row in rows:
        assert row.source
        assert row.figures
        assert set(row.figures) <= set(FIGURES)
        assert all(50 < value < 100 for value in row.figures.values())
        assert row.shots in (None, 0, 1, 2, 4)
    (best,) = [
        r
        for r in rows
        if (r.method, r.data_set, r.shots, r.setting) == ("iipad", "MVTec AD", 4, "one for all")
    ]
    assert best.figures == {"image_auroc": 96.1, "image_ap": 98.1, "pixel_auroc": 97.0, "aupro": 91.2}

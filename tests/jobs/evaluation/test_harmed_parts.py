"""The script that makes a labelled set of good parts."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.jobs.evaluation import datasets

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "packaging" / "harmed_parts.py"))


@pytest.mark.parametrize("harm", SCRIPT["HARMS"], ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("shape", [(300, 300), (90, 400), (400, 60)])
def test_a_defect_changes_what_its_mask_marks_and_nothing_else(
    demo: Path, harm: object, shape: tuple[int, int]
) -> None:
    good = cv2.imread(str(next((demo / "cloth" / "train" / "good").iterdir())))
    good = cv2.resize(good, shape[::-1])
    bad, mask = SCRIPT["harmed"](good, harm, np.random.default_rng(3))
    assert bad.shape == good.shape
    assert set(np.unique(mask)) == {0, 255}
    assert 0 < (mask > 0).mean() < 0.3
    changed = cv2.absdiff(bad, good).max(-1)
    assert (changed[mask > 0] >= SCRIPT["VISIBLE"]).mean() >= 0.3
    far = cv2.dilate(mask, np.ones((11, 11), np.uint8)) == 0
    assert changed[far].max() <= 1


def test_the_written_set_is_read_by_evaluate_and_the_same_every_time(demo: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        SCRIPT["write"](demo, tmp_path / name, shots=2, copies=2)
    found = datasets.read(tmp_path / "one")
    train = datasets.read(demo).train
    assert set(found.classes) == set(train)
    for name, samples in train.items():
        rest = len(samples) - 2
        assert len(found.train[name]) == 2
        good = [sample for sample in found.test[name] if not sample.anomalous]
        bad = [sample for sample in found.test[name] if sample.anomalous]
        assert (len(good), len(bad)) == (rest, 2 * rest)
        assert all(len(sample.masks) == 1 for sample in bad)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.png"))
    assert all(
        (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes() for file in files
    )

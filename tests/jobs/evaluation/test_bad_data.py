"""What is wrong with a labelled set is named, and the rest is measured."""

import json
import math
import os
import shutil
import sys

import PIL.Image
import pytest

from inspector.domain import JobItem, JobLog, JobStatus
from inspector.images import read
from inspector.jobs.evaluation import datasets, stored
from inspector.jobs.evaluation.plan import Series


def copied(parts, tmp_path):
    return shutil.copytree(parts, tmp_path / "data")


def test_a_mask_that_can_not_be_used_is_named_and_its_image_counts_without_it(measure, parts, tmp_path):
    data = copied(parts, tmp_path)
    first, second, third = sorted((data / "washer/ground_truth").glob("*/*"))
    PIL.Image.new("L", (30, 20)).save(first)
    second.write_bytes(b"no mask at all")
    PIL.Image.new("L", (120, 120)).save(third)
    events, output = measure(data, seeds=2)
    assert events[-1].status is JobStatus.DONE, events[-1]
    assert "3 images named above had a problem" in events[-1].message
    said = {event.name: event.error for event in events if isinstance(event, JobItem)}
    assert len(said) == 3  # once each, though there are two draws
    words = sorted(" ".join(said.values()).split("per image only."))
    assert any("30 × 20" in text for text in words)
    assert any("not an image" in text for text in words)
    assert any("marks nothing" in text for text in words)
    results = json.loads((output / "results.json").read_text())
    assert results["provenance"]["classes"]["washer"]["unmarked"] == 3
    assert results["classes"]["patchcore"]["2"]["washer"]["pixel_auroc"]["mean"] is None
    assert "washer 3 of 3" in (output / "results.md").read_text()
    assert stored.load(output).note.endswith("washer 3 of 3.")


def test_missing_masks_are_counted_aloud(measure, parts, tmp_path):
    data = copied(parts, tmp_path)
    next((data / "cloth/ground_truth").glob("*/*")).unlink()
    events, output = measure(data, seeds=1)
    logs = [event.message for event in events if isinstance(event, JobLog)]
    assert logs[0] == "cloth: 1 of 3 defective images have no mask and count per image only."
    assert "cloth 1 of 3" in (output / "results.md").read_text()


def test_a_good_part_that_can_not_be_read_is_named_and_the_next_is_drawn(measure, parts, tmp_path):
    data = copied(parts, tmp_path)
    first = datasets.draw(datasets.read(data), [0], 2)["washer"][0][0]
    first.path.write_bytes(b"")
    events, output = measure(data, seeds=1)
    assert events[-1].status is JobStatus.DONE, events[-1]
    assert [e.name for e in events if isinstance(e, JobItem)] == [first.key]
    split = json.loads((output / "split.json").read_text())
    assert len(split["shots"]["washer"]["0"]) == 2
    assert first.key not in split["shots"]["washer"]["0"]


def test_no_exception_of_a_reader_ends_an_evaluation(measure, parts, monkeypatch):
    real = read.read

    def reads(path, *how):
        if path.parent.name == "good" and path.name.startswith("001") and path.parent.parent.name == "test":
            raise IndexError("boolean index did not match")
        return real(path, *how)

    monkeypatch.setattr(read, "read", reads)
    events, _ = measure(parts, seeds=1)
    assert events[-1].status is JobStatus.DONE, events[-1]
    said = [event for event in events if isinstance(event, JobItem)]
    assert len(said) == 2
    assert all("boolean index" in event.error for event in said)


@pytest.mark.skipif(sys.platform != "linux", reason="only there may a name be no UTF-8")
def test_names_that_are_no_utf_8_lose_nothing(measure, parts, tmp_path):
    data = copied(parts, tmp_path)
    good = sorted((data / "washer/test/good").iterdir())[0]
    good.rename(good.with_name(os.fsdecode(b"0\xff0.png")))
    (data / "cloth").rename(data / os.fsdecode(b"cl\xff"))
    data = data.rename(tmp_path / os.fsdecode(b"set\xff"))
    events, output = measure(data, seeds=1)
    assert events[-1].status is JobStatus.DONE, events[-1]
    found = stored.load(output)
    assert found.classes == ("cl\\xff", "washer")
    assert found.source == data.resolve()
    assert any("0\\xff0.png" in key for key in found.readings[Series("patchcore", 2)][1].keys)


def test_too_few_readable_good_parts_are_said_with_the_first_that_is_not(measure, parts, tmp_path):
    data = copied(parts, tmp_path)
    for path in (data / "washer/train/good").iterdir():
        path.write_bytes(b"")
    events, _ = measure(data, seeds=1)
    assert events[-1].status is JobStatus.FAILED
    assert "“washer” has 0 good parts to draw from" in events[-1].message
    assert "4 good parts can't be read, the first washer/train/good/" in events[-1].message


def test_an_unreadable_image_is_named_and_the_rest_is_measured(measure, parts, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(parts, data)
    broken = sorted((data / "washer/test/good").iterdir())[0]
    broken.write_bytes(b"")
    events, output = measure(data)
    assert events[-1].status is JobStatus.DONE
    (item,) = [event for event in events if isinstance(event, JobItem)]
    assert item.name == f"washer/test/good/{broken.name}"
    details = json.loads((output / "details.json").read_text())
    assert {len(r["images"]) for r in details if r["class"] == "washer"} == {5}


def test_defects_without_a_mask_count_per_image_only(measure, parts, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(parts, data)
    shutil.rmtree(data / "cloth/ground_truth")
    _, output = measure(data, seeds=1)
    results = json.loads((output / "results.json").read_text())
    cloth = results["classes"]["patchcore"]["2"]["cloth"]
    assert cloth["pixel_auroc"]["mean"] is None
    assert cloth["aupro"]["mean"] is None
    assert cloth["image_auroc"]["mean"] is not None
    assert not math.isnan(results["summary"]["patchcore"]["2"]["aupro"])

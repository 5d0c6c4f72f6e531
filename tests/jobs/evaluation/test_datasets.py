import csv
import json
import os
import sys

import pytest

from inspector.errors import InspectorError
from inspector.jobs.evaluation import datasets


def touch(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"picture")


@pytest.fixture
def mvtec(tmp_path):
    root = tmp_path / "parts"
    for name in ("nut", "bolt"):
        here = root / name
        touch(*(here / f"train/good/{i:03}.png" for i in (10, 2, 1)), here / "test/good/000.png")
        touch(
            here / "test/crack/000.png", here / "ground_truth/crack/000_mask.png", here / "test/stain/000.JPG"
        )
        (here / "train/good/notes.txt").write_text("not an image")
    return root


def test_a_folder_of_mvtec_classes_is_read_in_sorted_order(mvtec):
    found = datasets.read(mvtec)
    assert found.layout == "MVTec AD"
    assert found.classes == ("bolt", "nut")
    assert [s.key for s in found.train["nut"]] == [f"nut/train/good/{i:03}.png" for i in (1, 2, 10)]
    kinds = {s.defect: s for s in found.test["nut"]}
    assert set(kinds) == {"good", "crack", "stain"}
    assert kinds["crack"].masks == ((mvtec / "nut/ground_truth/crack/000_mask.png").resolve(),)
    assert kinds["stain"].masks == ()
    assert not kinds["good"].anomalous


def test_one_class_alone_is_read_too(mvtec):
    found = datasets.read(mvtec / "bolt")
    assert found.classes == ("bolt",)
    assert found.train["bolt"][0].key == "train/good/001.png"


def test_visas_table_is_read(tmp_path):
    rows = [
        ("pcb", "train", "normal", "pcb/Data/Images/Normal/1.JPG", ""),
        ("pcb", "train", "normal", "pcb/Data/Images/Normal/0.JPG", ""),
        ("pcb", "test", "normal", "pcb/Data/Images/Normal/2.JPG", ""),
        ("pcb", "test", "anomaly", "pcb/Data/Images/Anomaly/0.JPG", "pcb/Data/Masks/Anomaly/0.png"),
    ]
    touch(tmp_path / "split_csv" / "1cls.csv")
    with (tmp_path / "split_csv" / "1cls.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("object", "split", "label", "image", "mask"), *rows])
    found = datasets.read(tmp_path)
    assert found.layout == "VisA"
    assert [s.key for s in found.train["pcb"]] == [rows[1][3], rows[0][3]]
    (bad,) = [s for s in found.test["pcb"] if s.anomalous]
    assert bad.masks == ((tmp_path / rows[3][4]).resolve(),)


def test_real_iads_lists_are_read(tmp_path):
    content = {
        "meta": {"normal_class": "OK", "prefix": "usb/"},
        "train": [{"category": "usb", "anomaly_class": "OK", "image_path": "OK/S1/a.jpg", "mask_path": None}],
        "test": [
            {"category": "usb", "anomaly_class": "OK", "image_path": "OK/S2/b.jpg", "mask_path": None},
            {
                "category": "usb",
                "anomaly_class": "AK",
                "image_path": "NG/AK/c.jpg",
                "mask_path": "NG/AK/c.png",
            },
        ],
    }
    touch(tmp_path / "realiad_256/usb/OK/S1/a.jpg")
    (tmp_path / "realiad_jsons").mkdir()
    (tmp_path / "realiad_jsons" / "usb.json").write_text(json.dumps(content))
    found = datasets.read(tmp_path)
    assert found.layout == "Real-IAD"
    assert found.train["usb"][0].path == (tmp_path / "realiad_256/usb/OK/S1/a.jpg").resolve()
    assert [s.defect for s in found.test["usb"]] == ["AK", "good"]
    assert found.test["usb"][0].masks == ((tmp_path / "realiad_256/usb/NG/AK/c.png").resolve(),)


def masks_of(folder, defect="crack"):
    return {
        s.path.name: [m.name for m in s.masks]
        for s in datasets.read(folder).test["bolt"]
        if s.defect == defect
    }


@pytest.mark.parametrize(
    "name", ["000_mask.png", "000.png", "000.bmp", "000.jpg", "000_MASK.PNG", "000_mask.tiff", "000.PNG"]
)
def test_masks_are_found_by_their_images_name_whatever_their_suffix_and_case(mvtec, name):
    truth = mvtec / "bolt/ground_truth/crack"
    (truth / "000_mask.png").unlink()
    touch(truth / name, truth / "001_mask.png")
    assert masks_of(mvtec) == {"000.png": [name]}


def test_a_folder_of_masks_for_each_image_is_read_as_in_mvtec_loco(mvtec):
    truth = mvtec / "bolt/ground_truth/crack"
    (truth / "000_mask.png").unlink()
    touch(truth / "000/001.png", truth / "000/000.png", truth / "000/._000.png", truth / "001/000.png")
    assert masks_of(mvtec) == {"000.png": ["000.png", "001.png"]}


def test_images_without_a_mask_are_counted(mvtec):
    found = datasets.read(mvtec)
    assert found.unmarked("bolt") == 1  # the stain
    (mvtec / "bolt/ground_truth/crack/000_mask.png").unlink()
    assert datasets.read(mvtec).unmarked("bolt") == 2


def test_what_systems_leave_behind_is_no_image_defect_or_class(mvtec):
    before = datasets.read(mvtec)
    touch(
        mvtec / "bolt/test/.ipynb_checkpoints/000-checkpoint.png",
        mvtec / "bolt/test/__MACOSX/000.png",
        mvtec / "bolt/train/good/._001.png",
        mvtec / "bolt/test/crack/._000.png",
        mvtec / "bolt/ground_truth/crack/._000_mask.png",
        mvtec / "__MACOSX/bolt/train/good/._001.png",
        mvtec / ".trash/train/good/001.png",
    )
    assert datasets.read(mvtec) == before


def test_some_of_the_classes_can_be_taken(mvtec):
    found = datasets.read(mvtec).only(["nut"])
    assert found.classes == ("nut",)
    assert set(found.test) == {"nut"}
    with pytest.raises(InspectorError, match="no class “screw”"):
        found.only(["screw"])


@pytest.mark.skipif(sys.platform != "linux", reason="only there may a name be no UTF-8")
def test_names_that_are_no_utf_8_have_keys_that_can_be_stored(mvtec, tmp_path):
    for byte in (b"\xff", b"\xfe"):
        (mvtec / "bolt/test/good" / os.fsdecode(b"0" + byte + b"0.png")).write_bytes(b"picture")
    found = datasets.read(mvtec)
    keys = [s.key for s in found.test["bolt"]]
    assert "bolt/test/good/0\\xff0.png" in keys
    assert len(set(keys)) == len(keys)
    draws = datasets.draw(found, [0], 2)
    datasets.write_split(tmp_path / "split.json", found, draws)
    assert datasets.read_split(tmp_path / "split.json", found) == (found, draws)


@pytest.mark.parametrize(
    "path", ["../../secret.png", "/etc/passwd", "a/../../b.png", "C:\\x.png", "C:/x.png"]
)
def test_a_list_that_points_outside_its_folder_is_refused(tmp_path, path):
    with (tmp_path / "1cls.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("object", "split", "label", "image"), ("pcb", "train", "normal", path)])
    with pytest.raises(InspectorError, match="outside its folder"):
        datasets.read(tmp_path)


def test_folders_that_can_not_be_measured_are_refused_with_a_sentence(mvtec, tmp_path):
    with pytest.raises(InspectorError, match="no folder"):
        datasets.read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InspectorError, match="not an image set"):
        datasets.read(tmp_path / "empty")
    (mvtec / "bolt/test/good/000.png").unlink()
    with pytest.raises(InspectorError, match="“bolt” needs good and defective"):
        datasets.read(mvtec)


def test_fewer_shots_are_the_beginning_of_more_and_seeds_differ(mvtec):
    found = datasets.read(mvtec)
    three = datasets.draw(found, range(8), 3)
    one = datasets.draw(found, range(8), 1)
    assert all(one["nut"][seed] == three["nut"][seed][:1] for seed in range(8))
    assert len({three["nut"][seed] for seed in range(8)}) > 1
    assert all(len(set(shots)) == 3 for shots in three["nut"].values())


def test_a_split_is_read_back_as_it_was_written(mvtec, tmp_path):
    found = datasets.read(mvtec)
    draws = datasets.draw(found, [3, 5], 2)
    datasets.write_split(tmp_path / "split.json", found, draws)
    again, same = datasets.read_split(tmp_path / "split.json", found)
    assert same == draws
    assert again == found


def test_a_foreign_or_damaged_split_is_refused(mvtec, tmp_path):
    found = datasets.read(mvtec)
    datasets.write_split(tmp_path / "split.json", found, datasets.draw(found, [0], 2))
    with pytest.raises(InspectorError, match="belongs to another image set"):
        datasets.read_split(tmp_path / "split.json", datasets.read(mvtec / "bolt"))
    (tmp_path / "split.json").write_text("{}")
    with pytest.raises(InspectorError, match="can't be read"):
        datasets.read_split(tmp_path / "split.json", found)

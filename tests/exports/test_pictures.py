import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from export_rows import change
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.errors import ExportError
from inspector.exports.catalogue import MANIFEST
from inspector.exports.coco import export_coco, polygons
from inspector.exports.files import safe_name
from inspector.exports.heat import COLOUR_MAPS, Heat, Mode, ramp, scale
from inspector.exports.overlay import mask, render_overlay
from inspector.exports.pictures import export_maps, export_masks, export_overlays
from inspector.exports.rows import ExportRow, load_map
from inspector.images.read import read

PART = np.full((60, 80, 3), (90, 120, 60), np.uint8)


def ramp_map() -> np.ndarray:
    return np.tile(np.linspace(0, 1, 40, dtype=np.float32), (30, 1))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("colour_map", COLOUR_MAPS)
def test_a_good_part_is_untouched_pixel_for_pixel(mode: Mode, colour_map: str) -> None:
    quiet = np.full((8, 8), 0.39, np.float32)
    np.testing.assert_array_equal(render_overlay(PART, quiet, Heat(0.4, 1, 0.4, colour_map, 1, mode)), PART)


def test_heat_is_transparent_below_the_threshold_and_the_colour_of_its_value_above() -> None:
    painted = render_overlay(PART, ramp_map(), Heat(0.5, 1.0, 0.5, opacity=1.0))
    np.testing.assert_array_equal(painted[:, :39], PART[:, :39])
    assert np.abs(painted[30, -1].astype(int) - ramp("inferno")[255]).max() <= 2
    halved = render_overlay(PART, ramp_map(), Heat(0.5, 1.0, 0.5, opacity=0.5))
    wanted = (painted[30, -1].astype(int) + PART[30, -1]) / 2
    assert np.abs(halved[30, -1] - wanted).max() <= 2


def test_the_same_value_has_the_same_colour_whatever_else_is_in_the_image() -> None:
    heat = Heat(0.5, 1.0, 0.5)
    alone, beside = np.full((8, 8), 0.7, np.float32), np.full((8, 8), 0.7, np.float32)
    beside[:, 6:] = 5.0
    left = slice(0, 40)
    np.testing.assert_array_equal(
        render_overlay(PART, alone, heat)[:, left], render_overlay(PART, beside, heat)[:, left]
    )


def test_mask_mode_covers_what_the_mask_covers_and_contour_only_its_rim() -> None:
    values = cv2.GaussianBlur(np.pad(np.ones((8, 8), np.float32), 12), (0, 0), 2)
    big = np.full((320, 320, 3), 100, np.uint8)
    inside = mask(values, 0.5, (320, 320)) > 0
    filled = (render_overlay(big, values, Heat(0.5, 1, 0.5, mode=Mode.MASK)) != big).any(-1)
    np.testing.assert_array_equal(filled, inside)
    line = (render_overlay(big, values, Heat(0.5, 1, 0.5, mode=Mode.CONTOUR)) != big).any(-1)
    near = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7))) - cv2.erode(
        inside.astype(np.uint8), np.ones((7, 7))
    )
    assert 0 < line.sum() < inside.sum() / 2
    assert not (line & (near == 0)).any()


def test_the_scale_spans_the_thresholds_of_all_classes(rows: list[ExportRow]) -> None:
    low, high = scale([rows[0].thresholds, replace(rows[0].thresholds, review=0.55)])
    assert low == 0.4
    assert high == pytest.approx(1.1)
    assert scale([]) == (0.0, 1.0)


def test_overlays_are_full_resolution_in_folders_of_class_and_verdict(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    assert export_overlays(rows, tmp_path / "o") == []
    found = sorted(p.relative_to(tmp_path / "o").as_posix() for p in (tmp_path / "o").rglob("*.png"))
    assert found == [
        "cloth/ng/Größe 部品_zwei_overlay.png",
        "cloth/ok/etc_passwd_overlay.png",
        "washer/ng/=HYPERLINK(_x_)_b__overlay.png",
        "washer/ng/washer_1_overlay.png",
        "washer/ok/washer_1_overlay.png",
    ]
    good, bad = (
        read(tmp_path / "o/washer/ok/washer_1_overlay.png"),
        read(tmp_path / "o/washer/ng/washer_1_overlay.png"),
    )
    np.testing.assert_array_equal(good.pixels, read(rows[0].result.path).pixels)
    assert (bad.pixels != read(rows[2].result.path).pixels).any()
    assert bad.size == (256, 256)


def test_masks_are_an_mvtec_tree_by_what_the_person_said(rows: list[ExportRow], tmp_path: Path) -> None:
    twin = change(rows[1], name="washer_1.bmp", defect_type="", id=9)
    assert export_masks([*rows, twin], tmp_path / "m") == []
    root = tmp_path / "m"
    assert {p.name for p in (root / "cloth/test").iterdir()} == {"good", "scratch"}
    assert not (root / "cloth/ground_truth/good").exists()
    images = {p.stem for p in (root / "washer/test/defect").iterdir()}
    masks = {p.stem for p in (root / "washer/ground_truth/defect").iterdir()}
    assert images == {"washer_1", "washer_1-2"}
    assert masks == {f"{stem}_mask" for stem in images}
    drawn = read(root / "washer/ground_truth/defect/washer_1_mask.png").pixels[..., 0]
    assert set(np.unique(drawn)) == {0, 255}
    assert (drawn > 0).sum() == sum(region.area for region in rows[2].regions)
    assert next((root / "washer/test/good").iterdir()).read_bytes() == rows[0].result.path.read_bytes()


def test_maps_come_back_as_they_were(rows: list[ExportRow], tmp_path: Path) -> None:
    export_maps(rows, tmp_path / "n")
    found = sorted((tmp_path / "n").rglob("*.npy"))
    assert len(found) == 5
    values = np.load(tmp_path / "n/cloth/etc_passwd.npy", allow_pickle=False)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, load_map(rows[4]))


def test_what_is_missing_is_said_and_the_rest_goes_on(rows: list[ExportRow], tmp_path: Path) -> None:
    bad = tmp_path / "bad.npy"
    bad.write_bytes(b"\x93NUMPY\x01\x00garbage")
    mixed = [
        change(rows[0], map_path=tmp_path / "gone.npy"),
        change(rows[1], map_path=bad),
        change(rows[2], path=tmp_path / "gone.png"),
        rows[3],
    ]
    problems = export_overlays(mixed, tmp_path / "o")
    assert len(problems) == 3
    assert "no stored anomaly map" in problems[0]
    assert "damaged" in problems[1]
    assert "no longer there" in problems[2]
    assert len(list((tmp_path / "o").rglob("*.png"))) == 1
    assert len(export_coco(mixed, tmp_path / "c.json")) == 1
    assert len(json.loads((tmp_path / "c.json").read_text())["images"]) == 4


def test_a_pickled_map_is_never_loaded(rows: list[ExportRow], tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ExportError, match="damaged"):
        load_map(change(rows[0], map_path=tmp_path / "evil.npy"))


def test_a_folder_with_files_in_it_is_refused_and_left_alone(rows: list[ExportRow], tmp_path: Path) -> None:
    target = tmp_path / "o"
    target.mkdir()
    export_maps(rows[:1], target)
    result = rows[0].result
    assert json.loads((target / MANIFEST).read_text())["files"] == [
        {
            "file": "washer/washer_1.npy",
            "result": result.id,
            "image": "washer_1.png",
            "source_file": "",
            "image_sha256": result.sha256,
        }
    ]
    (target / "mine.txt").write_text("keep me")
    with pytest.raises(ExportError, match="isn't empty"):
        export_maps(rows, target)
    assert (target / "mine.txt").read_text() == "keep me"
    assert len(list(target.rglob("*.npy"))) == 1


def test_what_is_put_into_the_target_while_an_export_runs_stays(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    def put(*_: object) -> None:
        for name in ("o", "c.json"):
            place = tmp_path / name
            if name == "o":
                place.mkdir(exist_ok=True)
                place /= "mine.txt"
            place.write_text("keep me")

    with pytest.raises(ExportError, match="isn't empty"):
        export_maps(rows, tmp_path / "o", progress=put)
    (tmp_path / "c.json").unlink()
    with pytest.raises(ExportError, match="replaces nothing"):
        export_coco(rows, tmp_path / "c.json", progress=put)
    assert (tmp_path / "o" / "mine.txt").read_text() == "keep me"
    assert (tmp_path / "c.json").read_text() == "keep me"
    assert {path.name for path in tmp_path.iterdir()} == {"o", "c.json"}


def test_classes_with_awkward_names_have_a_folder_each(rows: list[ExportRow], tmp_path: Path) -> None:
    names = [MANIFEST, "Export.json", ".", "..", "a/b", "a_b", "a\0b"]
    export_maps([change(rows[0], class_name=name) for name in names], tmp_path / "o")
    folders = [path for path in (tmp_path / "o").iterdir() if path.is_dir()]
    assert len(folders) == len(names)
    assert all(len(list(folder.iterdir())) == 1 for folder in folders)


def test_a_stored_size_that_no_image_has_is_named_and_the_rest_goes_on(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    mixed = [change(rows[1], size=(60_000, 60_000)), rows[2]]
    for problems in (export_masks(mixed, tmp_path / "m"), export_coco(mixed, tmp_path / "c.json")):
        assert len(problems) == 1
        assert "60,000 × 60,000" in problems[0]
    assert len(list((tmp_path / "m").rglob("*_mask.png"))) == 1
    assert len(json.loads((tmp_path / "c.json").read_text())["images"]) == 1


def test_a_map_that_claims_to_be_huge_is_named_and_never_allocated(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    huge = tmp_path / "huge.npy"
    with huge.open("wb") as file:
        facts = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**7)}
        np.lib.format.write_array_header_1_0(file, facts)
        file.write(b"1234")
    mixed = [change(rows[1], map_path=huge), rows[2]]
    assert ["damaged" in problem for problem in export_overlays(mixed, tmp_path / "o")] == [True]
    assert len(list((tmp_path / "o").rglob("*.png"))) == 1


def test_an_image_that_is_another_one_by_now_is_never_copied(rows: list[ExportRow], tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(rows[2].result.path.read_bytes())
    mixed = [change(rows[1], path=other), change(rows[0], missing=True), rows[3]]
    for name, write in (("m", export_masks), ("o", export_overlays)):
        problems = write(mixed, tmp_path / name)
        assert ["no longer" in problem for problem in problems] == [True, True]
    assert not any(path.read_bytes() == other.read_bytes() for path in (tmp_path / "m").rglob("*.png"))


def test_equal_names_in_coco_are_told_apart_and_folders_stay(rows: list[ExportRow], tmp_path: Path) -> None:
    names = ["day 1/a.png", "day 2/a.png", "a.png", "A.png", "A-5.png"]
    many = [change(rows[0], name=name, id=number) for number, name in enumerate(names, 1)]
    export_coco([*many, change(rows[0], name="a.png", id=5)], tmp_path / "c.json")
    images = json.loads((tmp_path / "c.json").read_text())["images"]
    found = [image["file_name"] for image in images]
    assert found[:3] == names[:3]
    assert len({name.casefold() for name in found}) == 6
    assert {image["result"] for image in images} == {1, 2, 3, 4, 5}


@settings(max_examples=400, deadline=None)
@given(st.text(st.characters(), max_size=300))
def test_a_safe_name_is_one_ordinary_file_name(text: str) -> None:
    name = safe_name(text)
    assert name
    assert 0 < len(name.encode()) <= 101
    assert not set(name) & set('<>:"/\\|?*\0\n\r\t')
    assert name not in (".", "..")
    assert not name.endswith((".", " "))
    assert name.split(".")[0].casefold() not in {"con", "nul", "prn", "aux", "com1", "lpt9"}
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name", ["NUL.png", "com1", "a/b", "..", "", "...", "x" * 400, "\ud800", "Ünï\u0301"]
)
def test_awkward_names_become_safe(name: str) -> None:
    made = safe_name(name)
    assert made.casefold().split(".")[0] not in {"nul", "com1"}
    assert "/" not in made
    made.encode()


def test_coco_boxes_areas_and_polygons_agree_with_the_masks(rows: list[ExportRow], tmp_path: Path) -> None:
    assert export_coco(rows, tmp_path / "c.json") == []
    coco = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert [image["id"] for image in coco["images"]] == [1, 2, 3, 4, 5]
    assert {(c["supercategory"], c["name"]) for c in coco["categories"]} == {
        ("washer", "washer/scratch"),
        ("washer", "defect"),
        ("cloth", "cloth/scratch"),
    }
    assert len(coco["annotations"]) == sum(len(rows[i].regions) for i in (1, 2, 3))
    for annotation in coco["annotations"]:
        x, y, w, h = annotation["bbox"]
        points = np.concatenate([np.reshape(p, (-1, 2)) for p in annotation["segmentation"]])
        assert points.min(0).tolist() == [x, y]
        assert points.max(0).tolist() == [x + w, y + h]
        area = sum(polygon_area(p) for p in annotation["segmentation"])
        assert area == pytest.approx(annotation["area"], rel=0.12, abs=3)


def polygon_area(flat: list[float]) -> float:
    x, y = np.reshape(flat, (-1, 2)).T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def test_a_single_pixel_still_has_an_outline() -> None:
    from inspector.domain import Region

    drawn = np.zeros((9, 9), np.uint8)
    drawn[4, 5] = 255
    assert polygon_area(polygons(drawn, Region((5, 4, 1, 1), 1, 1.0))[0]) == 1.0


def test_24_megapixels_are_painted() -> None:
    big = np.full((4000, 6000, 3), 90, np.uint8)
    values = np.zeros((40, 60), np.float32)
    values[10:14, 10:20] = 0.9
    painted = render_overlay(big, values, Heat(0.5, 1, 0.5))
    assert (painted[1200, 1500] != 90).any()
    assert (painted[3000] == 90).all()

import unicodedata
from pathlib import Path

import pytest

from inspector.jobs.shot_folders import sort_shots


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "parts"
    for name in (
        "cookie/train/good/1.png",
        "cookie/train/good/2.PNG",
        "cookie/test/good/3.png",
        "cookie/test/burnt/4.png",
        "cookie/ground_truth/burnt/4.png",
        "cookie/.ipynb_checkpoints/1.png",
        "nut/a.jpg",
        "nut/ng/b.jpg",
        "nut/monday/c.jpg",
        "nut/readme.txt",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def _names(found: dict[str, list[Path]]) -> dict[str, list[str]]:
    return {name: [path.name for path in files] for name, files in found.items()}


def test_each_product_of_a_data_set_is_a_class_with_its_good_training_images(tree: Path) -> None:
    found = sort_shots([tree])
    assert _names(found.classes) == {"cookie": ["1.png", "2.PNG"], "nut": ["a.jpg", "c.jpg"]}
    assert len(found.left_out) == 4
    assert found.left_out[-1] == "1 TXT file (readme.txt)."
    assert any("ground_truth" in line and "cookie" in line for line in found.left_out)
    assert any("ng" in line and "nut" in line for line in found.left_out)


@pytest.mark.parametrize("inside", ["", "train", "train/good"])
def test_a_product_is_called_by_its_folder_wherever_one_reaches_into_it(tree: Path, inside: str) -> None:
    assert _names(sort_shots([tree / "cookie" / inside]).classes) == {"cookie": ["1.png", "2.PNG"]}


@pytest.mark.parametrize("other", ["bolt", "B olt", "Bolt\u200e"])
def test_two_spellings_of_one_class_are_one_class(other: str, tmp_path: Path) -> None:
    for place, name in enumerate(("Bolt", other)):
        (tmp_path / str(place) / name).mkdir(parents=True)
        (tmp_path / str(place) / name / f"{place}.png").touch()
    found = sort_shots([tmp_path / "0" / "Bolt", tmp_path / "1" / other])
    assert _names(found.classes) == {"Bolt": ["0.png", "1.png"]}


def test_however_the_letters_of_a_name_are_composed_it_is_one_class(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        folder = tmp_path / form / unicodedata.normalize(form, "Müller")
        folder.mkdir(parents=True)
        (folder / f"{form}.png").touch()
    found = sort_shots([next((tmp_path / form).iterdir()) for form in ("NFC", "NFD")])
    assert list(_names(found.classes).values()) == [["NFC.png", "NFD.png"]]


def test_files_stay_files(tree: Path) -> None:
    found = sort_shots([tree / "nut" / "a.jpg", tree / "nut" / "readme.txt"])
    assert not found.classes
    assert [path.name for path in found.loose] == ["a.jpg", "readme.txt"]


def test_a_folder_without_images_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert not sort_shots([tmp_path / "empty"]).classes

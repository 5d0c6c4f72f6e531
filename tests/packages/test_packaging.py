"""What is installed with Inspector."""

import pkgutil
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import inspector

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = [
    *PROJECT["dependencies"],
    *(
        one
        for extra in PROJECT["optional-dependencies"].values()
        for one in extra
        if not one.startswith("inspector[")
    ),
]


@pytest.mark.parametrize("wanted", WANTED)
def test_every_dependency_has_a_tested_version_in_its_range(wanted: str) -> None:
    lines = (ROOT / "packaging" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    requirement = Requirement(wanted)
    assert requirement.specifier.contains(tested[canonicalize_name(requirement.name)])


def test_everything_in_resources_is_installed_too() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    installed = targets["wheel"]["force-include"]
    there = {path.name for path in (ROOT / "resources").iterdir()}
    assert {name: f"inspector/{name}" for name in (f"resources/{one}" for one in there)} == installed


BUNDLE = runpy.run_path(str(ROOT / "packaging" / "bundle" / "contents.py"))


def test_the_bundle_holds_all_resources_where_they_are_looked_for() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    held = {
        (Path(target) / Path(source).name if Path(source).is_file() else Path(target)).as_posix()
        for source, target in BUNDLE["resources"]()
    }
    assert held == set(targets["wheel"]["force-include"].values())
    assert all(BUNDLE["wanted"](f"{name}/any.json") for name in held)


def test_the_bundle_holds_every_module_and_every_migration() -> None:
    found = {one.name for one in pkgutil.walk_packages(inspector.__path__, "inspector.")}
    without = {name for name in found if ".migrations" in name} | {"inspector.__main__"}
    assert set(BUNDLE["modules"]()) == found - without | {"inspector"}
    patterns = [source for source, _ in BUNDLE["migrations"]()]
    held = {path for one in patterns for path in Path(one).parent.glob(Path(one).name)}
    scripts = (ROOT / "inspector" / "records" / "migrations").rglob("*.py")
    assert held >= {path for path in scripts if path.name != "__init__.py"}


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("torch/lib/libtorch_cpu.so", True),
        ("torch/bin/torch_shm_manager", True),
        ("torch/bin/protoc", False),
        ("torch/include/ATen/ATen.h", False),
        ("nvidia/cublas/lib/libcublas.so.13", False),
        ("torch/lib/libtorch_cuda.so", True),  # such a torch is refused as a whole
        ("PySide6/Qt/plugins/platforms/libqxcb.so", True),
        ("PySide6/Qt/plugins/platforms/libqoffscreen.so", True),
        ("PySide6/Qt/plugins/platforms/libqeglfs.so", False),
        ("PySide6/Qt/lib/libQt6Quick.so.6", False),
        ("PySide6/Qt/qml/QtQuick/qmldir", False),
        ("open_clip/bpe_simple_vocab_16e6.txt.gz", True),
        ("open_clip/model_configs/ViT-B-16.json", True),
        ("torchvision/_C.so", False),
        ("inspector/records/migrations/versions/0001.py", True),
    ],
)
def test_the_bundle_leaves_out_what_nothing_reaches(file: str, wanted: bool) -> None:
    assert BUNDLE["wanted"](file) is wanted
    assert BUNDLE["wanted"](file.replace("/", "\\")) is wanted


def test_of_the_systems_libraries_the_bundle_takes_what_something_in_it_is_linked_to() -> None:
    def entry(target: str, kind: str = "BINARY") -> tuple[str, str, str]:
        return target, target, kind

    linked = {
        "cv2/cv2.so": ["libz.so.1", "libstdc++.so.6"],
        "libz.so.1": ["libzz.so.1"],
        "libgtk.so": ["libatk.so"],
    }
    names = (
        "cv2/cv2.so",
        "libz.so.1",
        "libzz.so.1",
        "libstdc++.so.6",
        "libgtk.so",
        "libatk.so",
        "libpython3.11.so",
    )
    gone = ("libnv.so", "torchvision.libs/libnv.so", "SYMLINK")
    kept = BUNDLE["needed"]([*map(entry, names), gone], lambda file: linked.get(file, []))
    assert {one[0] for one in kept} == {"cv2/cv2.so", "libz.so.1", "libzz.so.1", "libpython3.11.so"}

"""What is installed with Inspector."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
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

"""Settings of sources and outputs, as windows and command lines give them."""

import pytest

from inspector.errors import SettingsError
from inspector.records.line.stations import Part
from inspector.stations.fields import Field, checked
from inspector.stations.sources.catalogue import SOURCES, source_values

FIELDS = (
    Field("path", "Folder", "folder", None),
    Field("rate", "Rate", "number", 2.0, least=0.5, most=10),
    Field("port", "Port", "number", 80, least=1, most=65535),
    Field("deep", "Deep", "flag", False),
    Field("how", "How", "choice", "a", choices=(("a", "so"), ("b", "otherwise"))),
    Field("word", "Word", "secret"),
)


def test_texts_become_what_their_fields_are_and_the_rest_has_its_default() -> None:
    given = {"path": " /data ", "rate": "0.5", "port": "8080", "deep": "yes", "word": " keep "}
    found = checked(FIELDS, given)
    assert found == {
        "path": "/data",
        "rate": 0.5,
        "port": 8080,
        "deep": True,
        "how": "a",
        "word": " keep ",
    }
    assert [type(found[name]) for name in ("rate", "port", "deep")] == [float, int, bool]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("path", "", "missing"),
        ("path", "a\0b", "character"),
        ("rate", "fast", "a number"),
        ("rate", "nan", "a number"),
        ("rate", 0.1, "at least 0.5"),
        ("port", 1.5, "whole number"),
        ("port", 70000, "at most 65535"),
        ("deep", "maybe", "yes or no"),
        ("how", "c", "a, b"),
        ("colour", "red", "no setting"),
    ],
)
def test_what_a_field_does_not_allow_is_refused_with_what_it_allows(
    name: str, value: str | float, said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        checked(FIELDS, {"path": "/data", name: value})
    assert said in str(refused.value)


def test_every_source_says_what_it_is_and_has_defaults_that_are_allowed() -> None:
    for kind, info in SOURCES.items():
        assert kind == info.kind
        assert info.title
        assert info.summary.endswith(".")
        needed = {one.name: "/x" for one in info.fields if one.default is None}
        assert source_values(Part(kind, needed)).keys() == {one.name for one in info.fields}
    with pytest.raises(SettingsError, match="teleport"):
        source_values(Part("teleport"))

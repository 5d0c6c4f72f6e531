"""Names of methods with settings, groups of them, and the control."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from inspector.errors import InspectorError
from inspector.methods import catalogue


def test_a_name_may_carry_settings_and_ask_for_random_weights() -> None:
    found = catalogue.parse("anople:scales=one:alignment=false:rate=0.01@random")
    assert found.method == "anople"
    assert dict(found.settings) == {"scales": "one", "alignment": False, "rate": 0.01}
    assert found.random_weights
    assert found.title == "AnoPLe (scales one, alignment false, rate 0.01, random weights)"
    assert catalogue.parse("patchcore").title == "PatchCore"


def test_groups_stand_for_their_methods_and_nothing_comes_twice() -> None:
    names = catalogue.expand("all, ablations,control,patchcore")
    assert names[: len(catalogue.METHODS)] == list(catalogue.METHODS)
    assert names[len(catalogue.METHODS) :] == [*catalogue.ABLATIONS, *catalogue.CONTROLS]
    assert catalogue.expand("mpama:levels=[1,3],subspace") == ["mpama:levels=[1,3]", "subspace"]


def test_every_variant_that_others_ask_for_can_be_made() -> None:
    for name in (
        catalogue.RECOMMENDED,
        catalogue.QUICK,
        *catalogue.SMALL,
        *catalogue.ABLATIONS,
        *catalogue.CONTROLS,
    ):
        catalogue.check(catalogue.parse(name))
    assert all(catalogue.parse(name).settings for name in catalogue.ABLATIONS)
    assert {catalogue.parse(name).method for name in catalogue.SMALL} == {*catalogue.METHODS}
    assert not catalogue.find(catalogue.QUICK).needs


def test_titles_of_variants_come_once_each_and_an_unknown_stored_name_stands_for_itself() -> None:
    assert catalogue.titles(catalogue.ABLATIONS) == catalogue.find(catalogue.RECOMMENDED).title
    assert catalogue.titles(["patchcore", "patchcore@random", "mpama"]) == "PatchCore and MPAMA"
    assert catalogue.title("oracle") == "oracle"


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP2", "ViT-L-16-SigLIP-256:webli", "ViT-B-16-SigLIP2@256"])
def test_methods_that_read_words_are_greyed_where_the_package_that_reads_their_tokens_is_missing(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    why = f"needs the package transformers for the words of {name}, and it is not installed (pip install transformers)."
    for installed in (False, True):
        monkeypatch.setitem(sys.modules, "transformers", ModuleType("transformers") if installed else None)
        if installed:
            sys.modules["transformers"].__spec__ = ModuleSpec("transformers", None)
        for info in catalogue.METHODS.values():
            wanted = f"{info.title} {why}" if "text" in info.needs and not installed else ""
            assert info.unfit(name) == wanted
            assert info.unfit("inspector-tiny") == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("oracle", "no method named “oracle”"),
        ("anople:", "“” in “anople:” is not a setting"),
        ("anople:scales", "“scales” in “anople:scales” is not a setting"),
        ("anople:colour=red", "AnoPLe has no setting “colour”. It has: prompts, scales"),
        ("anople:epochs=many", 'epochs of AnoPLe can\'t be "many". Its default is 0'),
        ("anople:alignment=1", "alignment of AnoPLe can't be 1. Its default is true"),
        ("anople:scales=two", "scales is one of multi, one"),
        ("patchcore:sigma=NaN", 'sigma of PatchCore can\'t be "NaN"'),
        ("patchcore:taps=stem8", 'taps of PatchCore can\'t be "stem8"'),
    ],
)
def test_a_name_that_makes_no_sense_is_refused_in_one_sentence(name: str, said: str) -> None:
    with pytest.raises(InspectorError) as raised:
        catalogue.check(catalogue.parse(name))
    assert said in str(raised.value)

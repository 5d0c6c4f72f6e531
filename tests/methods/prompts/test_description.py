"""Descriptions of products: JSON and back, clear refusals, and substitution that says something untrue."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.errors import DetectorError
from inspector.methods.prompts.description import (
    VALUES,
    Entity,
    PartDescription,
    prompt_levels,
    template,
    untrue,
)

words = st.text(max_size=30).map(lambda text: " ".join(text.split()))
nouns = words.filter(bool)
entities = st.builds(Entity, nouns, words, words, words, words, words, words, words)
records = st.builds(
    PartDescription, nouns, nouns, st.lists(entities, min_size=1, max_size=4).map(tuple), words, words
)

CAP = Entity("cap", "one", "top left", "upright", "red and white", "glossy", "round")
BOTTLE = PartDescription("bottle", "grey table", (CAP, Entity("label")), "the cap sits on the bottle")


@settings(max_examples=60, deadline=None)
@given(records)
def test_a_record_survives_json_in_both_forms(record: PartDescription) -> None:
    assert PartDescription.loads(record.dumps()) == record
    assert PartDescription.from_json(json.loads(json.dumps(record.as_json()))) == record


@settings(max_examples=60, deadline=None)
@given(records, st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
def test_every_record_gives_prompts_for_every_level(
    record: PartDescription, handcrafted: int, learnable: int, seed: int
) -> None:
    made = prompt_levels(record, handcrafted, learnable, seed)
    assert len(made) == 2 + len(record.entities)
    for level in made:
        assert len(level.handcrafted) == handcrafted
        assert len(level.learnable) == learnable
        assert level.normal.text
        assert all(phrase.text != level.normal.text for phrase in level.handcrafted)
    assert made == prompt_levels(record, handcrafted, learnable, seed)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=600))
def test_every_class_name_gets_a_template(class_name: str) -> None:
    record = template(class_name)
    assert record.foreground
    assert PartDescription.loads(record.dumps()) == record


def test_the_template_speaks_of_the_class() -> None:
    record = template("Pipe_staple")
    assert record.foreground == "pipe staple"
    assert record.spoken == "a photo of a pipe staple on a plain background"
    assert [entity.spoken for entity in record.entities] == [
        "smooth pipe staple surface",
        "regular pipe staple edge",
    ]


def test_captions_are_put_together_from_what_is_known() -> None:
    assert CAP.spoken == "one round red and white cap with glossy texture upright at the top left"
    assert BOTTLE.spoken == "a photo of a bottle with one red and white cap and label on a grey table"
    assert Entity("cap", caption="a lid").spoken == "a lid"


def test_substitution_replaces_the_noun_or_a_value_by_something_untrue() -> None:
    image, background, cap, label = prompt_levels(BOTTLE, 4, 2, 0)
    assert image.handcrafted[0].text.startswith("a photo of a damaged bottle with")
    assert background.handcrafted[0].text == "damaged grey table"
    assert cap.handcrafted[0].text.startswith("one round red and white damaged cap")
    assert "top left" not in cap.handcrafted[1].text
    assert cap.normal.attributes == (
        "the cap sits on the bottle",
        "red and white colour",
        "glossy texture",
        "round shape",
    )
    for phrase in (*cap.handcrafted, *cap.learnable):
        _, colour, texture, shape = phrase.attributes
        assert "red" not in colour.split()
        assert "white" not in colour.split()
        assert texture != "glossy texture"
        assert shape != "round shape"
    assert label.normal.attributes[1:] == ("", "", "")
    assert label.learnable[0].attributes[1:] == ("", "", "")


@pytest.mark.parametrize("attribute", VALUES)
def test_an_untrue_value_never_shares_words_with_the_true_one(attribute: str) -> None:
    draw = random.Random(0)
    for value in VALUES[attribute]:
        for _ in range(20):
            wrong = untrue(attribute, value, draw)
            assert wrong != value
            assert wrong not in value.split()
            assert value not in wrong.split()
    everything = " and ".join(VALUES[attribute])
    assert untrue(attribute, everything, draw)


def _changed(path: str, value: Any) -> dict[str, Any]:
    record: dict[str, Any] = BOTTLE.as_json()
    target: Any = record
    *way, last = path.split(".")
    for step in way:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    return record


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
        ({"foreground": "bottle", "background": "table"}, "lacks “entities”"),
        (_changed("colour", "red"), "has no field named “colour”"),
        (_changed("entities", "cap"), "must be a list"),
        (_changed("entities", []), "between one and 8 parts"),
        (_changed("entities", [CAP.__class__("x").noun]), "Part 1 of the description must be a JSON object"),
        (_changed("entities.1.noun", "  "), "“noun” in the description is empty"),
        (_changed("entities.0.colour", 3), "“colour” in the description must be text"),
        (_changed("caption", "a" * 401), "longer than 400 characters"),
        (_changed("entities.0.weight", "1 g"), "Part 1 of the description has no field named “weight”"),
    ],
)
def test_what_is_wrong_with_a_description_is_said_in_a_sentence(value: Any, sentence: str) -> None:
    with pytest.raises(DetectorError, match=sentence):
        PartDescription.from_json(value)


def test_text_that_is_no_json_is_refused_with_its_line() -> None:
    with pytest.raises(DetectorError, match="not valid JSON in line 2"):
        PartDescription.loads('{\n"foreground": }')
    with pytest.raises(DetectorError, match="not valid JSON"):
        PartDescription.loads("[" * 100_000)


@pytest.mark.parametrize(
    "text", ["[" * 50_000, '{"foreground": ' + "9" * 5000 + "}", '{"foreground": 1e400}']
)
def test_text_that_is_nested_too_deep_or_holds_endless_numbers_is_refused(text: str) -> None:
    with pytest.raises(DetectorError, match=r"not valid JSON|lacks"):
        PartDescription.loads(text)


def test_learned_tokens_stand_in_place_of_stated_values_and_before_a_text_without_any() -> None:
    record = PartDescription(
        "bolt",
        "table",
        (Entity("thread", colour="red", shape="round", caption="a red thread of round turns"),),
        caption="a bolt with a Red thread",
    )
    image, background, thread = prompt_levels(record, 1, 1, 0)
    assert image.learnable[0].pieces == ("a bolt with a", "thread")
    assert background.learnable[0].pieces == ("", "table")
    assert thread.learnable[0].pieces == ("a", "thread of", "turns")

"""Multi-Level Fine-grained Semantic Captions: what a product
looks like, from the whole image to attributes of parts.

FineGrainedAD (Fan et al., Pattern Recognition 2026), section 3.2. The paper has a large language model write
the record; here `template` fills a good one from the class name, and people may make it better. No torch.
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from inspector.errors import DetectorError
from inspector.methods.prompts.phrases import (
    COLOURS,
    GENERIC_DEFECTS,
    LOCATIONS,
    NUMBERS,
    SHAPES,
    TEXTURES,
    spoken,
)

MAX_TEXT = 400
"""Characters in one field. What a text tower can't hold is cut off a prompt's end."""
MAX_ENTITIES = 8

DIRECTIONS = ("upright", "horizontal", "vertical", "diagonal", "facing up", "facing down", "centered")
ATTRIBUTES = ("relation", "colour", "texture", "shape")
"""What gets a gate; "relation" belongs to the whole record, the others to each entity."""
VALUES: Mapping[str, tuple[str, ...]] = {
    "number": NUMBERS,
    "location": LOCATIONS,
    "direction": DIRECTIONS,
    "colour": COLOURS,
    "texture": TEXTURES,
    "shape": SHAPES,
}
"""What forms offer and substitution draws from; fields may
also combine them ("black and white") or say it freely."""
WRONG: Mapping[str, tuple[str, ...]] = {
    "number": ("no", "missing", "too many"),
    "location": ("the wrong place", "a shifted position"),
    "colour": ("stained", "uneven", "faded", "burnt"),
    "texture": ("scratched", "cracked", "dented", "torn"),
    "shape": ("broken", "bent", "deformed", "incomplete"),
    "relation": ("disordered", "shifted", "incomplete", "separated"),
}
"""What contradicts a value that is in no list, such as "even" or "regular"."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One part. `noun` is required; every other field may
    be empty. Without a `caption` one is put together."""

    noun: str
    number: str = ""
    location: str = ""
    direction: str = ""
    colour: str = ""
    texture: str = ""
    shape: str = ""
    caption: str = ""

    def __post_init__(self) -> None:
        _clean(self, required=("noun",))

    @property
    def spoken(self) -> str:
        """The caption, as written or put together."""
        if self.caption:
            return self.caption
        front = _joined(
            self.number or "a", _known(self.shape, SHAPES), _known(self.colour, COLOURS), self.noun
        )
        more = [
            f"{value} {word}"
            for value, word, known in ((self.colour, "colour", COLOURS), (self.shape, "shape", SHAPES))
            if value and not _known(value, known)
        ]
        if self.texture:
            more.append(f"{self.texture} texture")
        behind = _joined("with" if more else "", " and ".join(more), self.direction)
        return _joined(front, behind, f"at the {self.location}" if self.location else "")


@dataclass(frozen=True, slots=True)
class PartDescription:
    """The record of one class.

    `foreground`: noun of the product; `background`: what is behind it; `entities`: 1 to MAX_ENTITIES parts;
    `relation`: how they lie to each other; `caption`: the whole image in one sentence, put together if empty.
    Raises DetectorError, with a sentence, for texts that are missing or too long.
    """

    foreground: str
    background: str
    entities: tuple[Entity, ...]
    relation: str = ""
    caption: str = ""

    def __post_init__(self) -> None:
        _clean(self, required=("foreground", "background"))
        if not 1 <= len(self.entities) <= MAX_ENTITIES:
            raise DetectorError(
                f"A description needs between one and {MAX_ENTITIES} parts, and this one has {len(self.entities)}.",
                "Name the parts that can be seen.",
            )

    @property
    def spoken(self) -> str:
        """The caption of the whole image, as written or put together."""
        if self.caption:
            return self.caption
        parts = " and ".join(_joined(e.number, e.colour, e.noun) for e in self.entities)
        return f"a photo of a {self.foreground} with {parts} on a {self.background}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives the same record back."""
        made = asdict(self)
        made["entities"] = list(made["entities"])
        return made

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Raises DetectorError that names the field which is wrong."""
        given = _fields_of(cls, value, "The description")
        parts = given.get("entities", [])
        if not isinstance(parts, Sequence) or isinstance(parts, str):
            raise DetectorError("“entities” in the description must be a list of parts.", REPAIR)
        made = [
            Entity(**_fields_of(Entity, part, f"Part {number} of the description"))
            for number, part in enumerate(parts, 1)
        ]
        return cls(**{**given, "entities": tuple(made)})

    def dumps(self) -> str:
        """JSON as people read it; `loads` gives the same record back."""
        return json.dumps(self.as_json(), indent=2, ensure_ascii=False)

    @classmethod
    def loads(cls, text: str) -> Self:
        """Raises DetectorError for text that is no JSON or no record."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            where = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise DetectorError(f"The description is not valid JSON{where}.", REPAIR) from error
        return cls.from_json(value)


REPAIR = "Correct the description, or start again from the template."


def template(class_name: str) -> PartDescription:
    """A record that fits any product of that name: its surface and its outline, even, uniform and regular."""
    noun = spoken(class_name)[: MAX_TEXT // 4].rstrip()
    return PartDescription(
        foreground=noun,
        background="plain background",
        entities=(
            _generic(f"{noun} surface", "smooth"),
            _generic(f"{noun} edge", "regular"),
        ),
        relation="the edge encloses the surface",
        caption=f"a photo of a {noun} on a plain background",
    )


def _generic(noun: str, shape: str) -> Entity:
    return Entity(noun, colour="even", texture="uniform", shape=shape, caption=f"{shape} {noun}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A prompt's words, and those of its attributes (see ATTRIBUTES); "" where nothing is known of one.
    `pieces`: for a learned prompt, the words around the learned tokens, which stand between any two."""

    text: str
    attributes: tuple[str, ...] = ("",) * len(ATTRIBUTES)
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """The prompts of one level: normal (NHP), abnormal by substitution
    (AHP), and what is put behind learned abnormal tokens (ALP)."""

    normal: Phrase
    handcrafted: tuple[Phrase, ...]
    learnable: tuple[Phrase, ...]


def prompt_levels(record: PartDescription, handcrafted: int, learnable: int, seed: int) -> tuple[Level, ...]:
    """The levels of a record: whole image, background, then every part.

    AHPs (`handcrafted` of them) by replacement (section 3.3): the noun becomes "noun with …", for parts every
    other one has its location, number or an attribute swapped for an untrue value. Parts carry attribute
    prompts, the abnormal ones with values that are not true. The same seed draws the same values.
    """
    draw = random.Random(f"{seed}|{record.dumps()}")
    count = len(GENERIC_DEFECTS)
    defects = [GENERIC_DEFECTS[i * max(1, count // max(1, handcrafted)) % count] for i in range(handcrafted)]

    def damaged(text: str, noun: str) -> tuple[Phrase, ...]:
        return tuple(Phrase(_replaced(text, noun, defect.format(noun))) for defect in defects)

    image = Level(
        Phrase(record.spoken),
        damaged(record.spoken, record.foreground),
        (_opened(record.spoken, record.entities),) * learnable,
    )
    background = Level(
        Phrase(record.background),
        damaged(record.background, record.background),
        (_opened(record.background, ()),) * learnable,
    )
    parts = []
    for entity in record.entities:
        texts = [
            _swapped(entity, draw)
            if number % 2
            else _replaced(entity.spoken, entity.noun, defect.format(entity.noun))
            for number, defect in enumerate(defects)
        ]
        parts.append(
            Level(
                Phrase(entity.spoken, _attributes(record, entity)),
                tuple(Phrase(text, _untrue_attributes(record, entity, draw)) for text in texts),
                tuple(
                    replace(
                        _opened(entity.spoken, (entity,)), attributes=_untrue_attributes(record, entity, draw)
                    )
                    for _ in range(learnable)
                ),
            )
        )
    return image, background, *parts


def untrue(attribute: str, value: str, draw: random.Random) -> str:
    """A value of an attribute that contradicts `value`."""
    known = VALUES.get(attribute, ())
    held = [one for one in known if _holds(value, one)]
    # "top left" holds "top" and "left", and none of these contradicts it outright
    free = [one for one in known if not any(_holds(h, one) or _holds(one, h) for h in held)]
    return draw.choice(free if held and free else WRONG.get(attribute, ("wrong",)))


def _opened(text: str, entities: Sequence[Entity]) -> Phrase:
    """`text` with the values of attributes that it states taken out for learned tokens (section 3.3); one that states
    none is opened at its front."""
    values = [getattr(one, name) for one in entities for name in VALUES if getattr(one, name)]
    longest = sorted(set(values), key=len, reverse=True)
    stated = "|".join(map(re.escape, longest))
    pieces = re.split(rf"(?<!\w)(?:{stated})(?!\w)", text, flags=re.I) if stated else [text]
    if len(pieces) == 1:
        pieces = ["", text]
    return Phrase(text, pieces=tuple(piece.strip() for piece in pieces))


def _attributes(record: PartDescription, entity: Entity) -> tuple[str, ...]:
    values = {"colour": entity.colour, "texture": entity.texture, "shape": entity.shape}
    return record.relation, *(f"{value} {name}" if value else "" for name, value in values.items())


def _untrue_attributes(record: PartDescription, entity: Entity, draw: random.Random) -> tuple[str, ...]:
    values = {"colour": entity.colour, "texture": entity.texture, "shape": entity.shape}
    relation = f"{untrue('relation', '', draw)} {entity.noun}" if record.relation else ""
    return relation, *(f"{untrue(n, value, draw)} {n}" if value else "" for n, value in values.items())


def _swapped(entity: Entity, draw: random.Random) -> str:
    """The entity's caption with one stated value replaced by an untrue one."""
    stated = [name for name in ("location", "number", "colour", "texture", "shape") if getattr(entity, name)]
    if not stated:
        return f"{entity.spoken} at {draw.choice(WRONG['location'])}"
    name = "location" if "location" in stated else draw.choice(stated)
    value = getattr(entity, name)
    wrong = untrue(name, value, draw)
    return _replaced(entity.spoken, value, wrong, otherwise=f"{entity.spoken}, {wrong} {name}")


def _replaced(text: str, word: str, other: str, otherwise: str | None = None) -> str:
    """`text` with the first `word` replaced; "other, text" where it doesn't occur."""
    changed, count = re.subn(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _: other, text, count=1, flags=re.I)
    return changed if count else (otherwise or f"{other}, {text}")


def _holds(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.I) is not None


def _known(value: str, values: Sequence[str]) -> str:
    return value if any(_holds(value, one) for one in values) else ""


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def _clean(record: Any, required: Sequence[str]) -> None:
    """Trim every text field of a frozen record in place; raises DetectorError."""
    for field in fields(record):
        if field.name == "entities":
            continue
        value = getattr(record, field.name)
        if not isinstance(value, str):
            raise DetectorError(f"“{field.name}” in the description must be text.", REPAIR)
        value = " ".join(value.split())
        if field.name in required and not value:
            raise DetectorError(
                f"“{field.name}” in the description is empty.",
                "Fill it in, or start again from the template.",
            )
        if len(value) > MAX_TEXT:
            raise DetectorError(
                f"“{field.name}” in the description is longer than {MAX_TEXT} characters.", "Make it shorter."
            )
        object.__setattr__(record, field.name, value)


def _fields_of(kind: type, value: Any, title: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise DetectorError(f"{title} must be a JSON object with named fields.", REPAIR)
    known = {field.name for field in fields(kind)}
    if unknown := sorted(map(str, set(value) - known)):
        raise DetectorError(
            f"{title} has no field named “{unknown[0]}”.", f"It may have: {', '.join(sorted(known))}."
        )
    needed = {"noun"} if kind is Entity else {"foreground", "background", "entities"}
    if missing := sorted(needed - set(value)):
        raise DetectorError(f"{title} lacks “{missing[0]}”.", REPAIR)
    return dict(value)

"""What can be set of a source or an output: the window makes its form of it, and every setting is checked by it."""

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inspector.errors import SettingsError
from inspector.records.line.stations import Value
from inspector.text import printable

Kind = Literal["text", "number", "choice", "flag", "folder", "file", "secret"]

_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Field:
    """A setting. `name`: its key in `Part.values`. `default`: also says whether a number is whole (int) or not (float); a text,
    folder, file or secret whose default is None must be given, else it may stay "". `choices`: (value, title) of a choice. `least`,
    `most`, `unit`: of a number. `only`: (name of a choice, value) with which alone it counts."""

    name: str
    title: str
    kind: Kind = "text"
    default: Value | None = ""
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    least: float | None = None
    most: float | None = None
    unit: str = ""
    only: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A kind of source. `summary`: one sentence for people. `extra`: what has to be installed beside Inspector for it, as in
    `pip install "inspector[EXTRA]"`; ""."""

    kind: str
    title: str
    summary: str
    fields: tuple[Field, ...]
    extra: str = ""


def checked(fields: Sequence[Field], values: Mapping[str, Value]) -> dict[str, Value]:
    """Every field's value: as given, texts of numbers and flags read, else its default. Raises `SettingsError` for one that isn't
    what its field says, for an unknown name, and for one that must be given and isn't."""
    if unknown := [name for name in values if name not in {one.name for one in fields}]:
        known = ", ".join(one.name for one in fields)
        raise SettingsError(
            f"There is no setting “{printable(unknown[0], 40)}”.", f"There are: {known}." if known else ""
        )
    return {
        one.name: _checked(one, values.get(one.name, one.default))
        if counts(one, fields, values)
        else values.get(one.name, one.default or "")
        for one in fields
    }


def counts(one: Field, fields: Sequence[Field], values: Mapping[str, Value]) -> bool:
    """Whether what is set of it means anything beside the other values."""
    if one.only is None:
        return True
    name, value = one.only
    other = next(field for field in fields if field.name == name)
    return values.get(name, other.default or "") == value


def is_loopback(host: str) -> bool:
    """Whether only programs of this computer reach it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(one: Field, value: Value | None) -> Value:
    if value is None or (value == "" and one.default is None):
        raise SettingsError(f"“{one.title}” is missing.", one.help or f"Give {one.name}.")
    if one.kind == "flag":
        return _flag(one, value)
    if one.kind == "number":
        return _number(one, value)
    text = str(value)
    if "\0" in text:
        raise SettingsError(f"“{one.title}” holds a character that no name has.", "Type it anew.")
    if one.kind == "choice" and text not in {key for key, _ in one.choices}:
        known = ", ".join(key for key, _ in one.choices)
        raise SettingsError(f"“{one.title}” can't be “{printable(text, 40)}”.", f"Choose from: {known}.")
    return text if one.kind == "secret" else text.strip()


def _flag(one: Field, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word not in _YES + _NO:
        raise SettingsError(
            f"“{one.title}” is yes or no, not “{printable(str(value), 40)}”.", "Say yes or no."
        )
    return word in _YES


def _number(one: Field, value: Value) -> int | float:
    whole = isinstance(one.default, int)
    try:
        number = float(value)
        if not math.isfinite(number) or isinstance(value, bool) or (whole and number != int(number)):
            raise ValueError
    except ValueError:
        what = "a whole number" if whole else "a number"
        raise SettingsError(
            f"“{one.title}” is {what}, not “{printable(str(value), 40)}”.", f"Give {what}."
        ) from None
    least, most = one.least, one.most
    if (least is not None and number < least) or (most is not None and number > most):
        unit = f" {one.unit}" if one.unit else ""
        bounds = " and ".join(
            word
            for word in (
                f"at least {least:g}" if least is not None else "",
                f"at most {most:g}{unit}" if most is not None else "",
            )
            if word
        )
        raise SettingsError(f"“{one.title}” can't be {number:g}{unit}.", f"It is {bounds}.")
    return int(number) if whole else number

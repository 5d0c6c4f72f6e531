"""The lists that some image sets come with, VisA's CSV and Real-IAD's JSON, from bytes to rows.

A mistake in a list is named with its file and line. Nothing here touches a disk.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.errors import InspectorError
from inspector.text import is_printable, printable

GOOD = "good"
_WANTED = ("object", "split", "label", "image")


@dataclass(frozen=True, slots=True)
class Listed:
    """One image of a list. `image` and `mask`: parts of a
    path below the list's images, checked to stay there."""

    class_name: str
    train: bool
    defect: str
    image: Path
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class RealIAD:
    """`prefix`: folder of the images, "" where the list names none."""

    prefix: str
    rows: tuple[Listed, ...]


def visa(data: bytes, name: str) -> tuple[Listed, ...] | None:
    """The rows of a CSV with object, split, label, image and maybe mask; None when it is another table.

    UTF-8, or UTF-16 with its mark. Raises InspectorError, which names `name` and the line.
    """
    encoding = _encoding(data)
    head = data.decode(encoding, "replace").lstrip("\ufeff").split("\n", 1)[0]
    if not set(_WANTED) <= {column.strip().strip('"') for column in head.split(",")}:
        return None
    text = _text(data, encoding, name)
    rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    found: list[Listed] = []
    try:
        for row in rows:
            found.append(_visa_row(row))
    except _Mistake as error:
        raise _mistake(name, rows.line_num, str(error)) from None
    except csv.Error as error:
        raise _mistake(name, rows.line_num + 1, f"can't be read: {error}") from None
    return tuple(found)


def real_iad(data: bytes, name: str) -> RealIAD | None:
    """The images of a JSON with meta, train and test; None when it is another file.

    Raises InspectorError, which names `name` and the line.
    """
    encoding = _encoding(data)
    rough = data.decode(encoding, "replace")
    if not all(f'"{key}"' in rough for key in ("train", "test", "anomaly_class")):
        return None
    text = _text(data, encoding, name)
    try:
        content: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise _mistake(name, error.lineno, f"is no JSON: {error.msg}") from None
    except (RecursionError, ValueError):
        raise _mistake(name, 1, "is nested too deeply or holds too large a number") from None
    if not isinstance(content, dict) or not {"train", "test"} <= content.keys():
        return None
    meta = content.get("meta")
    if not isinstance(meta, dict):
        raise _mistake(name, 1, "has no “meta” with the name of the normal class")
    normal = (meta.get("normal_class", "OK"), "OK")
    rows: list[Listed] = []
    for part in ("train", "test"):
        if not isinstance(content[part], list):
            raise _mistake(name, 1, f"has no list under “{part}”")
        for number, row in enumerate(content[part]):
            try:
                rows.append(_real_iad_row(row, part == "train", normal))
            except _Mistake as error:
                line = _line_of(text, part, number)
                raise _mistake(name, line, f"{error} (entry {number + 1} of “{part}”)") from None
    prefix = meta.get("prefix") or ""
    try:
        return RealIAD(str(_inside(prefix.strip("/"))) if prefix.strip("/") else "", tuple(rows))
    except (_Mistake, AttributeError):
        raise _mistake(name, 1, "has a “prefix” that is no folder within the set") from None


class _Mistake(Exception):
    """What is wrong with a row, to follow its file and line."""


def _visa_row(row: Mapping[str, str | None]) -> Listed:
    values = {key: row.get(key) or "" for key in (*_WANTED, "mask")}
    for key in _WANTED:
        if not values[key]:
            raise _Mistake(f"has no “{key}”")
    if values["split"] not in ("train", "test"):
        raise _Mistake(f"has the split “{printable(values['split'], 40)}”, not train or test")
    defect = GOOD if values["label"] in ("normal", GOOD) else values["label"]
    return Listed(
        _word(values["object"]),
        values["split"] == "train",
        _word(defect),
        _inside(values["image"]),
        _inside(values["mask"]) if values["mask"] and defect != GOOD else None,
    )


def _real_iad_row(row: Any, train: bool, normal: tuple[Any, ...]) -> Listed:
    if not isinstance(row, dict):
        raise _Mistake("is no object")
    defect, image = row.get("anomaly_class"), row.get("image_path")
    for key, value in (("anomaly_class", defect), ("image_path", image)):
        if not (isinstance(value, str) and value):
            raise _Mistake(f"has no “{key}”")
    category, mask = row.get("category") or "", row.get("mask_path")
    if not isinstance(category, str) or not isinstance(mask, str | None):
        raise _Mistake("has a “category” or “mask_path” that is no text")
    kind = GOOD if defect in normal else str(defect)
    return Listed(
        _word(category),
        train,
        _word(kind),
        _inside(str(image)),
        _inside(mask) if mask and kind != GOOD else None,
    )


def _encoding(data: bytes) -> str:
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if utf16 else "utf-8-sig"


def _text(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InspectorError(
            f"Line {line} of the list {name} is not UTF-8.",
            "Save the list as UTF-8, as “CSV UTF-8” in Excel.",
        ) from None


def _word(word: str) -> str:
    """A class or a defect type."""
    if not is_printable(word):
        raise _Mistake("names a class or a defect with a character that can't be shown")
    return word


def _inside(relative: str) -> Path:
    """A path that a list names, if it stays within the set."""
    path = paths.inside(Path(), relative.replace("\\", "/"))
    if path is None:
        raise _Mistake(f"names “{printable(relative)}”, which lies outside its folder")
    if not is_printable(relative):
        raise _Mistake("names a file with a character that can't be shown")
    return path


def _line_of(text: str, part: str, number: int) -> int:
    """The line at which an entry of a list in a JSON begins, 1 where that can't be told."""
    start = re.search(rf'"{part}"\s*:\s*\[', text)
    if start is None:
        return 1
    at, decoder, between = start.end(), json.JSONDecoder(), re.compile(r"[\s,]*")
    try:
        for _ in range(number):
            at = decoder.raw_decode(text, _end(between, text, at))[1]
    except ValueError:
        return 1
    return text.count("\n", 0, _end(between, text, at)) + 1


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _mistake(name: str, line: int, what: str) -> InspectorError:
    return InspectorError(f"Line {line} of the list {name} {what}.", "Correct the list.")

"""Types of the project's columns. Damage that SQLite doesn't notice must not hide other rows: they read it as if nobody had
said anything. They give SQLAlchemy their reading functions as they are, as there are some twenty values in each of a million rows."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Dialect, Double, Integer, String
from sqlalchemy.types import TypeDecorator

from inspector.text import one_line

E = TypeVar("E", bound=StrEnum)


def now() -> datetime:
    """This moment, as rows keep it."""
    return datetime.now(UTC)


def word(kind: type[E], value: str | None) -> E | None:
    """A stored word as a member of `kind`; None for one that isn't any."""
    return _words(kind).get(value or "")


@cache
def _words(kind: type[E]) -> dict[str, E]:
    return {one.value: one for one in kind}


Reader = Callable[[Any], Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Utc(TypeDecorator[datetime]):
    """Aware datetimes, kept as UTC (SQLite has no time zones). What is no date reads as 1970."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _moment


class Json(TypeDecorator[dict[str, Any]]):
    """A JSON object; what is none reads as an empty one."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        # In ASCII: paths may hold bytes that are no UTF-8, and must stay the same.
        return None if value is None else json.dumps(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _object


class Text(TypeDecorator[str]):
    """Text on one line, without signs that would be obeyed; bytes in its place are read as well as they can be."""

    impl = String
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _text


class Real(TypeDecorator[float]):
    """A finite number; anything else reads as none."""

    impl = Double
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _number


class Whole(TypeDecorator[int]):
    """A whole number from 0 on; anything else reads as none."""

    impl = Integer
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _whole


def number_list(value: Any) -> list[float]:
    """The finite numbers of a stored list; a damaged one is shorter or empty."""
    found = value if isinstance(value, list) else ()
    return [float(one) for one in found if isinstance(one, int | float) and math.isfinite(one)]


def _moment(value: Any) -> datetime | None:
    try:
        return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return EPOCH


def _object(value: Any) -> dict[str, Any] | None:
    if value is None or value == "null":
        return None
    try:
        found = json.loads(value)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    if value is None or (type(value) is str and value.isprintable()):
        return value
    return one_line(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def present(kind: Any, nothing: Any) -> Any:
    """The type `kind` for columns that no row lacks: where damage left none, `nothing` is read."""

    class Present(kind):  # type: ignore[misc]
        cache_ok = True

        def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
            read = kind.result_processor(self, dialect, coltype)
            return lambda value: nothing if (found := read(value)) is None else found

    return Present()

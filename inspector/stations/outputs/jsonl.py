"""Results as JSON lines: one object a line (`output.message`), UTF-8, in a file that only grows.

The file is `<station>.jsonl` in the folder, or `<station> <date>.jsonl` of each day or month (local time). A line is in the file for
good before it counts as told, and is there once, also after this program was killed. Another program may move or delete a file: the
next result begins a new one.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from inspector.exports.files import json_values, safe_name
from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.output import message
from inspector.stations.outputs.appended import AppendedFiles, Key
from inspector.stations.outputs.known_folder import KnownFolder
from inspector.stations.outputs.link import Link, OutputInfo

_FORMS = {"one": "", "day": " %Y-%m-%d", "month": " %Y-%m"}
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class JsonLines:
    """See the module."""

    def __init__(self, values: Mapping[str, Value], link: Link) -> None:
        self._link = link
        self._folder = Path(str(values["folder"]))
        self._name = safe_name(link.station.name)
        self._form = _FORMS[str(values["each"])]
        self._files = AppendedFiles(KnownFolder(self._folder, link), self._name, ".jsonl", b"", _key_of)

    def send(self, arrivals: Sequence[ArrivalRow]) -> None:
        """See `Output`."""
        self._files.reach()
        for path, of_one in groupby(arrivals, self._path):
            self._link.check()
            told = [message(one) for one in of_one]
            self._files.append(
                path,
                [(_key(one), _encode(json_values(one)).encode("utf-8", "replace") + b"\n") for one in told],
            )
            self._link.taken(told[-1]["id"])

    def close(self) -> None:
        """See `Output`."""
        self._files.close()

    def _path(self, arrival: ArrivalRow) -> Path:
        return self._folder / f"{self._name}{arrival.arrived.astimezone().strftime(self._form)}.jsonl"


def _key(told: Mapping[str, Any]) -> Key:
    return str(told["id"]), str(told["result"]), str(told["arrived"])


def _key_of(line: bytes) -> Key | None:
    try:
        return _key(json.loads(line))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


INFO = OutputInfo(
    "jsonl",
    "JSON lines",
    "A file that gets one line with every result, for programs.",
    (
        Field("folder", "Folder", "folder", None, "Where the file is written."),
        Field(
            "each",
            "A file for each",
            "choice",
            "one",
            "One file that grows for ever, or a new one for each day or month.",
            choices=(("one", "station"), ("day", "day"), ("month", "month")),
        ),
    ),
    JsonLines,
)

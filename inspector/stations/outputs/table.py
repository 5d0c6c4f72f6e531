"""Results as a table: a CSV file for each shift, comma separated, UTF-8 with a byte order mark (Excel needs it).

The file is `<station> <date> <time>.csv`, by when the shift began in local time; moments inside are UTC. A row is in the file for
good before it counts as told, and is there once, also after this program was killed. While another program keeps the file from being
written, as Excel does, the rows wait. Where a spreadsheet would begin a formula inside a text, an apostrophe comes first.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from inspector.exports.files import safe_name
from inspector.exports.tables import Cell, csv_cell
from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.shifts import shift_at
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.output import message
from inspector.stations.outputs.appended import AppendedFiles, Key
from inspector.stations.outputs.known_folder import KnownFolder
from inspector.stations.outputs.link import Link, OutputInfo

COLUMNS = (
    "id",
    "result id",
    "station",
    "order",
    "image",
    "class",
    "verdict",
    "image score",
    "NG from",
    "error",
    "arrived (UTC)",
    "seconds",
    "detector id",
)


class ShiftTables:
    """See the module."""

    def __init__(self, values: Mapping[str, Value], link: Link) -> None:
        self._link = link
        self._folder = Path(str(values["folder"]))
        self._name = safe_name(link.station.name)
        self._shifts = link.station.settings.shifts if link.station.settings else ()
        head = b"\xef\xbb\xbf" + _line(COLUMNS)
        self._files = AppendedFiles(KnownFolder(self._folder, link), self._name, ".csv", head, _key_of)

    def send(self, arrivals: Sequence[ArrivalRow]) -> None:
        """See `Output`."""
        self._files.reach()
        for path, of_one in groupby(arrivals, self._path):
            self._link.check()
            rows = [_cells(one) for one in of_one]
            self._files.append(path, [((str(row[0]), str(row[1])), _line(row)) for row in rows])
            self._link.taken(int(str(rows[-1][0])))

    def close(self) -> None:
        """See `Output`."""
        self._files.close()

    def _path(self, arrival: ArrivalRow) -> Path:
        began = shift_at(self._shifts, arrival.arrived).begins
        return self._folder / f"{self._name} {began:%Y-%m-%d %H-%M}.csv"


def _cells(arrival: ArrivalRow) -> tuple[Cell, ...]:
    told = message(arrival)
    return (
        arrival.id,
        arrival.result_id,
        arrival.station,
        arrival.lot,
        arrival.name,
        arrival.class_name,
        told["verdict"],
        arrival.image_score,
        told["threshold"],
        arrival.error,
        arrival.arrived,
        told["seconds"],
        arrival.detector_id,
    )


def _line(cells: Sequence[Cell]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([csv_cell(one) for one in cells])
    return text.getvalue().encode("utf-8", "replace")


def _key_of(line: bytes) -> Key | None:
    first, *rest = line.decode("utf-8", "replace").split(",", 2)
    return (first, rest[0]) if len(rest) == 2 and first.isdecimal() and rest[0].isdecimal() else None


INFO = OutputInfo(
    "table",
    "Table per shift",
    "A CSV file for each shift, for people and spreadsheets.",
    (Field("folder", "Folder", "folder", None, "Where the files are written."),),
    ShiftTables,
)

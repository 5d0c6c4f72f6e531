"""Images in folders by what was said of them: `ok`, `review`, `ng`, `other` (not this product) and `failed`.

A file is called as its image, with the number of its result (`part 7-1234.png`), so that images of one name stay apart and a result
that is told again finds its file. It appears as a whole or not at all. Where there is no image, as it could not be read or was let
go, a text file with the reason takes its place. An image that the operator judges otherwise later stays where it is.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspector.errors import ExportError
from inspector.exports.files import explain, publish, safe_name, stem_of
from inspector.paths import beside
from inspector.records.inspected.results import ResultRow, list_results
from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.shifts import shift_at
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.output import message
from inspector.stations.outputs.known_folder import KnownFolder
from inspector.stations.outputs.link import Link, OutputInfo

FOLDERS = ("ok", "review", "ng", "other", "failed")
"""One for each verdict in `message`."""


class SortedImages:
    """See the module."""

    def __init__(self, values: Mapping[str, Value], link: Link) -> None:
        self._link = link
        self._root = Path(str(values["folder"]))
        self._known = KnownFolder(self._root, link)
        self._links = values["how"] == "link"
        self._wanted = {name for name in FOLDERS if values[name]}
        self._below = str(values["below"])
        self._shifts = link.station.settings.shifts if link.station.settings else ()

    def send(self, arrivals: Sequence[ArrivalRow]) -> None:
        """See `Output`."""
        self._known.reach(telling=bool(arrivals))
        wanted = [one for one in arrivals if message(one)["verdict"] in self._wanted]
        for start in range(0, len(wanted), 50):
            piece = wanted[start : start + 50]
            rows = list_results(self._link.project, [one.result_id for one in piece])
            known = {row.id: row for row in rows}
            for arrival in piece:
                self._link.check()
                self._place(arrival, known.get(arrival.result_id))
                self._link.taken(arrival.id)

    def close(self) -> None:
        """See `Output`."""

    def _place(self, arrival: ArrivalRow, row: ResultRow | None) -> None:
        folder = self._folder(arrival)
        self._make(folder)
        stem = f"{safe_name(stem_of(arrival.name))}-{arrival.id}"
        if row is not None and row.path is not None and not row.missing:
            try:
                self._keep(row.path, row.sha256, folder, stem)
                return
            except FileNotFoundError:  # let go just now
                pass
        why = arrival.error or "Its image is no longer in the project."
        self._write(folder, stem, f"{arrival.name}\n{why}\n".encode("utf-8", "replace"))

    def _keep(self, source: Path, sha256: str, folder: Path, stem: str) -> None:
        for number in range(1, 1000):
            target = folder / f"{stem}{'' if number == 1 else f'_{number}'}{source.suffix}"
            try:
                if target.exists():
                    if _digest(target) == sha256:
                        return
                    continue
                if self._links and self._linked(source, target):
                    return
                temporary = beside(target)
                try:
                    shutil.copyfile(source, temporary)
                    publish(temporary, target)
                finally:
                    temporary.unlink(missing_ok=True)
                return
            except OSError as error:
                if isinstance(error, FileNotFoundError) and not source.exists():
                    raise
                raise explain(error, target) from error
        raise ExportError(f"There are 1,000 files called “{stem}” in {folder}.", "Choose another folder.")

    def _linked(self, source: Path, target: Path) -> bool:
        """Whether it could be: not across drives, nor where the drive has no links."""
        try:
            target.hardlink_to(source)
        except OSError:
            if not source.exists():
                raise
            return False
        return True

    def _write(self, folder: Path, stem: str, data: bytes) -> None:
        target = folder / f"{stem}.txt"
        temporary = beside(target)
        try:
            if target.exists() and target.read_bytes() == data:
                return
            temporary.write_bytes(data)
            temporary.replace(target)
        except OSError as error:
            raise explain(error, target) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _folder(self, arrival: ArrivalRow) -> Path:
        verdict = str(message(arrival)["verdict"])
        if self._below == "order":
            return self._root / safe_name(arrival.lot, "without order") / verdict
        if self._below == "shift":
            return self._root / f"{shift_at(self._shifts, arrival.arrived).begins:%Y-%m-%d %H-%M}" / verdict
        return self._root / verdict

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, folder) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


INFO = OutputInfo(
    "sorting",
    "Sorted images",
    "Every image in a folder of its verdict: ok, review, ng, other or failed.",
    (
        Field("folder", "Folder", "folder", None, "Where the folders of the verdicts are made."),
        Field(
            "how",
            "Images are",
            "choice",
            "copy",
            "A linked image takes no room on the project's own drive, and changing it changes the project's; on another drive it is "
            "copied.",
            choices=(("copy", "copied"), ("link", "linked")),
        ),
        Field(
            "below",
            "Folders for each",
            "choice",
            "station",
            "Whether the folders of the verdicts lie in one of the order or of the shift.",
            choices=(("station", "station"), ("order", "order"), ("shift", "shift")),
        ),
        *(
            Field(name, f"{title} images", "flag", True)
            for name, title in zip(FOLDERS, ("OK", "Review", "NG", "Other products’", "Failed"), strict=True)
        ),
    ),
    SortedImages,
)

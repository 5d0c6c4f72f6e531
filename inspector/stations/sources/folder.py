"""A watched folder: polled, so that network shares serve too, and only files that are finished are taken."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from inspector.errors import ImageError
from inspector.images.read import read_bytes
from inspector.records.line.stations import Value
from inspector.records.names import file_name
from inspector.stations.fields import Field, SourceInfo
from inspector.stations.source import Past, Taken
from inspector.stations.sources.judged_files import DELETE, LEAVE, MOVE, JudgedFiles
from inspector.stations.sources.listing import Entry, Listing
from inspector.text import printable, reason

SETTLED, RENAMED = "settled", "renamed"
JUDGE, IGNORE = "judge", "ignore"
PATIENCE = 10.0
"""Seconds that a file without its end, or one that may not be read yet, is waited for before it is taken as it is."""
_ENDS = ((b"\x89PNG", b"IEND\xaeB`\x82"), (b"\xff\xd8", b"\xff\xd9"))
"""How files begin and end: one without its end is still being written, or was cut off."""
_SIZES = ((b"BM", 2, 0), (b"RIFF", 4, 8))
"""How files begin that say their size: where, and how much is to be added."""
_UNSURE = 5
"""Files that say neither must stay the same for so many times as long."""
_TAIL = 4096
_AWAY = 2.0
"""Seconds between two looks at a folder that can't be reached."""

INFO = SourceInfo(
    "folder",
    "Watched folder",
    "Judges every picture that comes into a folder, also on a network share.",
    (
        Field("path", "Folder", "folder", None, "The folder that the camera or another program writes to."),
        Field("subfolders", "With subfolders", "flag", False),
        Field(
            "existing",
            "Pictures that are there at the first start",
            "choice",
            JUDGE,
            choices=((JUDGE, "Judge them"), (IGNORE, "Ignore them")),
        ),
        Field(
            "finished",
            "A picture is finished",
            "choice",
            SETTLED,
            "Renamed: where whoever writes uses another name or folder until the file is whole. That is quicker.",
            ((SETTLED, "when it no longer changes"), (RENAMED, "as soon as it has its name")),
        ),
        Field(
            "settle",
            "Unchanged for",
            "number",
            0.2,
            "How long a file must stay the same to be finished.",
            least=0.05,
            most=600,
            unit="s",
        ),
        Field(
            "after",
            "Once it was judged",
            "choice",
            LEAVE,
            choices=((LEAVE, "leave it"), (MOVE, "move it"), (DELETE, "delete it")),
        ),
        Field("target", "Move to", "folder", "judged", "A folder, or a name inside the watched one."),
        Field("poll", "Look every", "number", 0.1, least=0.02, most=3600, unit="s"),
    ),
)


@dataclass(slots=True)
class _Waiting:
    """A file that may be unfinished. `since`: when it was first seen as it is, by the monotonic clock; `arrived`: the same by the
    calendar. `again`: one of its name, size and time was judged, and only what is in it tells whether it is another."""

    entry: Entry
    since: float
    arrived: datetime
    again: bool = False


class FolderSource:
    """See `Source`. `values`: of `INFO.fields`, checked. Raises `SettingsError`."""

    def __init__(self, values: Mapping[str, Value], past: Past) -> None:
        self._folder = Path(str(values["path"])).absolute()
        self._past = past
        self._judged = JudgedFiles(self._folder, str(values["after"]), str(values["target"]))
        self._listing = Listing(self._folder, subfolders=bool(values["subfolders"]), but=self._judged.target)
        self._ignores = values["existing"] == IGNORE
        self._settle = 0.0 if values["finished"] == RENAMED else float(values["settle"])
        self._poll = float(values["poll"])
        self._next = 0.0
        self._waiting: dict[str, _Waiting] = {}
        self._ready: deque[_Waiting] = deque()
        self._over: set[str] | None = None
        self._taken: dict[str, Entry] = {}  # by mark, until they are done
        self._trouble = ""
        self.dropped = 0

    @property
    def state(self) -> str:
        """See `Source`."""
        return self._trouble or self._judged.state

    @property
    def waiting(self) -> int:
        """See `Source`."""
        return len(self._ready) + len(self._waiting)

    def take(self, most: int, wait: float) -> Sequence[Taken]:
        """See `Source`."""
        until = time.monotonic() + wait
        while True:
            if time.monotonic() >= self._next:
                self._look()
            if (found := self._read(most)) or time.monotonic() >= until:
                return found
            time.sleep(max(0.001, min(self._next, until) - time.monotonic()))

    def done(self, taken: Sequence[Taken]) -> None:
        """See `Source`."""
        for one in taken:
            entry = self._taken.pop(one.mark, None) or _entry(one.mark)
            if one.kept:
                self._judged.settle(entry)

    def trigger(self, job: str = "") -> bool:
        """See `Source`."""
        return False

    def close(self) -> None:
        """See `Source`."""

    def _look(self) -> None:
        began = time.monotonic()
        try:
            changed = self._listing.changed()
        except OSError as error:
            self._trouble = f"The folder {printable(str(self._folder))} can't be reached: {reason(error)}."
            self._next = time.monotonic() + max(self._poll, _AWAY)
            return
        self._trouble = ""
        self._judged.try_again()
        if self._over is None:
            self._first(changed)
        self._sort(changed)
        took = time.monotonic() - began
        self._next = began + took + max(self._poll, 4 * took)

    def _first(self, there: Iterable[Entry]) -> None:
        """Remember, for good, what lay there at the very first start."""
        key = f"folder {quote(os.fsencode(self._folder))}"
        over = self._past.passed_over(key)
        if over is None:
            over = {_mark(entry) for entry in there} if self._ignores else set()
            self._past.pass_over(key, over)
        self._over = over if self._ignores else set()

    def _sort(self, changed: Sequence[Entry]) -> None:
        now, before, finished = time.monotonic(), self._waiting, []
        self._waiting = {}
        for entry in changed:
            one = before.get(entry.name)
            if one is None or one.entry != entry:
                one = _Waiting(entry, now, datetime.now(UTC))
            if self._finished(one, now - one.since):
                finished.append(one)
            else:
                self._waiting[entry.name] = one
        if not finished:
            return
        marks = {_mark(one.entry): one for one in finished}
        known = self._past.known(marks)
        over = self._over or set()
        for mark, one in sorted(marks.items(), key=lambda pair: (pair[1].entry.mtime_ns, pair[0])):
            one.again = mark in known and (not self._judged.leaves or self._listing.replaced(one.entry.name))
            self._listing.settle(one.entry)
            if one.again or (mark not in known and mark not in over):
                self._ready.append(one)

    def _read(self, most: int) -> list[Taken]:
        found: list[Taken] = []
        while self._ready and len(found) < most:
            one = self._ready.popleft()
            if (taken := self._read_one(one)) is not None:
                found.append(taken)
        return found

    def _read_one(self, one: _Waiting) -> Taken | None:
        """None for a file that changed, went, or may not be read yet: the next look finds it, if it is there."""
        path, name = self._folder / one.entry.name, one.entry.name
        data, error = None, None
        try:
            before = Entry.at(name, path)
            try:
                data = read_bytes(path)
            except ImageError as found:
                error = found
            if before != one.entry or Entry.at(name, path).told() != before.told():
                raise FileNotFoundError
        except OSError:
            self._listing.forget(name)
            return None
        locked = error is not None and isinstance(error.__context__, OSError)
        if locked and time.monotonic() - one.since < PATIENCE:  # whoever writes it holds it still
            self._listing.forget(name)
            self._waiting[name] = one
            return None
        mark = _mark(before)
        if one.again and not (mark := self._another(before, data or b"")):
            return None
        self._taken[mark] = before
        said = (error.message, error.hint) if error is not None else ("", "")
        return Taken(mark, file_name(name), data, one.arrived, path, *said)

    def _another(self, entry: Entry, data: bytes) -> str:
        """The mark of a file with the name, size and time of one that was judged; "" for that very one, which is settled. Cameras that
        write the same name and keep no clock, and drives that know even seconds only, make such files."""
        mark = _mark(entry)
        digest = hashlib.sha256(data).hexdigest()
        judged = self._past.content(mark)
        if judged != digest and (judged or self._judged.took(entry)):
            mark = f"{mark} {digest[:16]}"
            if not self._past.known([mark]):
                return mark
            judged = self._past.content(mark)
        if judged != "":  # else it is all there is of it
            self._judged.settle(entry)  # stored, and killed before it was moved
        return ""

    def _finished(self, one: _Waiting, age: float) -> bool:
        if self._settle == 0.0 or age >= PATIENCE:
            return True
        if age < self._settle:
            return False
        try:
            with (self._folder / one.entry.name).open("rb") as file:
                head = file.read(16)
                for start, end in _ENDS:
                    if head.startswith(start):
                        file.seek(-min(_TAIL, one.entry.size), os.SEEK_END)
                        return end in file.read()
        except OSError:
            return False
        for start, place, more in _SIZES:
            if head.startswith(start):
                return int.from_bytes(head[place : place + 4], "little") + more <= one.entry.size
        return len(head) > 0 and age >= _UNSURE * self._settle


def _mark(entry: Entry) -> str:
    """In ASCII, whatever bytes a name holds; an overwritten file is another picture."""
    return f"{quote(os.fsencode(entry.name))} {entry.size} {entry.mtime_ns}"


def _entry(mark: str) -> Entry:
    name, size, mtime = mark.split(" ")[:3]
    return Entry(os.fsdecode(unquote_to_bytes(name)), int(size), int(mtime))

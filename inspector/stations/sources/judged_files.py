"""What becomes of a file in a watched folder once it was judged: it stays, goes to another folder, or is deleted."""

import os
import shutil
import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from inspector.errors import SettingsError
from inspector.paths import new_file
from inspector.stations.sources.listing import Entry
from inspector.text import reason

LEAVE, MOVE, DELETE = "leave", "move", "delete"
_GONE = 4096
"""So many of those that were moved or deleted are remembered."""
_AGAIN = 5.0
"""Seconds after which one that could not be moved or deleted is tried again."""


class JudgedFiles:
    """Any thread. A file that is another by now than the one that was judged is left alone."""

    def __init__(self, folder: Path, after: str, target: str) -> None:
        """`target`: where files are moved to, seen from `folder`. Raises `SettingsError`."""
        self.target = folder / target if after == MOVE else None
        if self.target is not None and (not target or self.target.resolve() == folder.resolve()):
            raise SettingsError(
                "Judged pictures can't be moved into the folder that is watched.", "Name another folder."
            )
        self._folder, self._after = folder, after
        self._stuck: dict[str, Entry] = {}
        self._gone: OrderedDict[Entry, None] = OrderedDict()
        self._tried = 0.0
        self._lock = Lock()
        self.state = ""

    def settle(self, entry: Entry) -> None:
        """This one was judged. Never raises: what can't be done now is tried again, and `state` says so."""
        if self._after == LEAVE:
            return
        try:
            self._away(entry)
        except OSError as error:
            with self._lock:
                self._stuck[entry.name] = entry
                self._tried = time.monotonic()
            what = "moved" if self._after == MOVE else "deleted"
            self.state = f"“{entry.name}” was judged and can't be {what}: {reason(error)}."

    @property
    def leaves(self) -> bool:
        """Whether judged files stay where they are."""
        return self._after == LEAVE

    def took(self, entry: Entry) -> bool:
        """Whether one of this name, size and time was moved or deleted lately: whatever bears them now is another."""
        with self._lock:
            return entry in self._gone

    def try_again(self) -> None:
        """Those that could not be moved or deleted, now and then."""
        with self._lock:
            if not self._stuck or time.monotonic() - self._tried < _AGAIN:
                return
            stuck, self._stuck = self._stuck, {}
        self.state = ""
        for entry in stuck.values():
            self.settle(entry)

    def _away(self, entry: Entry) -> None:
        path = self._folder / entry.name
        try:
            found = Entry.at(entry.name, path)
            if found != entry or (entry.ctime_ns and found.ctime_ns != entry.ctime_ns):
                return
            if self.target is None:
                path.unlink()
            else:
                self._move(path, self.target / entry.name)
            with self._lock:
                self._gone[entry] = None
                if len(self._gone) > _GONE:
                    self._gone.popitem(last=False)
        except FileNotFoundError:
            if path.exists():
                raise  # the target's folder is what is missing

    def _move(self, path: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        number = 1
        stem = target.stem
        while target.exists():
            number += 1
            target = target.with_stem(f"{stem} ({number})")
        try:
            os.rename(path, target)  # noqa: PTH104
        except OSError as error:
            if error.errno != 18:  # EXDEV: another drive
                raise
            with new_file(target) as unfinished:
                shutil.copyfile(path, unfinished)
                shutil.copystat(path, unfinished)
            path.unlink()

"""A video file, judged frame by frame."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspector.records.line.stations import Value
from inspector.records.names import file_name
from inspector.stations.fields import Field, SourceInfo
from inspector.stations.source import Past, Taken
from inspector.stations.sources.frames import encoded
from inspector.text import printable

INFO = SourceInfo(
    "video",
    "Video file",
    "Judges the frames of a recorded video, each once; to try a station out.",
    (
        Field("path", "Video", "file", None, "A file that OpenCV can read: AVI, MP4, MKV …"),
        Field("every", "Every n-th frame", "number", 1, least=1, most=1_000_000),
        Field("rate", "Frames a second", "number", 0.0, "0: as fast as they are judged.", least=0, most=1000),
    ),
)
_AHEAD = 256
"""So many marks are asked for at a time."""
_AGAIN = 2.0


class VideoSource:
    """See `Source`. `values`: of `INFO.fields`, checked."""

    def __init__(self, values: Mapping[str, Value], past: Past) -> None:
        self._path = Path(str(values["path"]))
        self._every = int(values["every"])
        self._pause = 1 / float(values["rate"]) if values["rate"] else 0.0
        self._past = past
        self._capture: Any = None
        self._hash = ""
        self._number = 0  # of the frame that is read next
        self._due = 0.0
        self._known: set[str] = set()
        self._asked = 0  # marks of the frames before this one were asked for
        self._over = False
        self.state = ""
        self.dropped = 0
        self.waiting = 0

    def take(self, most: int, wait: float) -> Sequence[Taken]:
        """See `Source`."""
        until = time.monotonic() + wait
        found: list[Taken] = []
        while not found:
            now = time.monotonic()
            if self._over or now < self._due or (self._capture is None and not self._open()):
                if now >= until:
                    break
                time.sleep(min(0.02, until - now))
                continue
            while len(found) < (1 if self._pause else most) and not self._over:
                if (taken := self._next()) is not None:
                    found.append(taken)
                elif time.monotonic() >= until:
                    return found
        return found

    def done(self, taken: Sequence[Taken]) -> None:
        """See `Source`."""

    def trigger(self, job: str = "") -> bool:
        """See `Source`."""
        return False

    def close(self) -> None:
        """See `Source`."""
        if self._capture is not None:
            self._capture.release()

    def _open(self) -> bool:
        import cv2

        try:
            with self._path.open("rb") as file:
                self._hash = hashlib.file_digest(file, "sha256").hexdigest()[:32]
            capture = cv2.VideoCapture(str(self._path))
        except OSError as error:
            self.state = f"The video {printable(str(self._path))} can't be read: {error.strerror}."
            self._due = time.monotonic() + _AGAIN
            return False
        if not capture.isOpened():
            capture.release()
            self.state = f"The file {printable(str(self._path))} is no video that can be read."
            self._due = time.monotonic() + _AGAIN
            return False
        self._capture, self.state = capture, ""
        self.waiting = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) // self._every
        return True

    def _next(self) -> Taken | None:
        """The next frame that counts and is new; None for one that isn't, and at the end."""
        number = self._number
        if not self._capture.grab():
            self._over, self.waiting = True, 0
            self.state = "The video is over."
            return None
        self._number += 1
        if number % self._every:
            return None
        self.waiting = max(0, self.waiting - 1)
        if number >= self._asked:
            marks = [self._mark(number + step * self._every) for step in range(_AHEAD)]
            self._known = self._past.known(marks)
            self._asked = number + _AHEAD * self._every
        if self._mark(number) in self._known:
            return None
        good, frame = self._capture.retrieve()
        if self._pause:
            self._due = max(self._due, time.monotonic() - self._pause) + self._pause
        name = file_name(f"{self._path.stem} {number:06}.png")
        arrived = datetime.now(UTC)
        if not good:
            return Taken(self._mark(number), name, None, arrived, None, "This frame can't be decoded.")
        return Taken(self._mark(number), name, encoded(frame), arrived)

    def _mark(self, number: int) -> str:
        return f"{self._hash} {number}"

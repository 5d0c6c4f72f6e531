"""Frames of cameras: grabbed on a thread of their own, and those that a trigger asks for kept as files until they are taken."""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Condition, Event, Thread
from typing import Any, Protocol

from inspector.errors import InspectorError
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.source import Taken
from inspector.text import reason

_log = logging.getLogger("inspector.stations")
FREE, SOFTWARE = "free", "software"
KEPT = 8
"""So many frames wait to be taken; one that comes then is dropped, and counted."""
_AGAIN = 2.0
"""Seconds after which a camera that can't be reached is tried again."""

TRIGGER_FIELDS = (
    Field(
        "trigger",
        "Take a picture",
        "choice",
        FREE,
        choices=((FREE, "so many times a second"), (SOFTWARE, "when it is triggered")),
    ),
    Field("rate", "Pictures a second", "number", 2.0, least=0.001, most=1000),
)


class Camera(Protocol):
    """An open camera. Used by one thread."""

    def grab(self) -> Any:
        """The next frame, waited for: uint8 BGR (h, w, 3) or uint8 or uint16 grey (h, w). Raises `InspectorError` where none comes."""

    def close(self) -> None:
        """Let go of it."""


class FrameSource:
    """A `Source` of a camera that `open_camera` opens, again and again while it can't be reached. `values`: `TRIGGER_FIELDS`."""

    def __init__(self, values: Mapping[str, Value], open_camera: Callable[[], Camera]) -> None:
        self._open = open_camera
        self._every = 1 / float(values["rate"]) if values["trigger"] == FREE else None
        self._kept: deque[Taken] = deque()
        self._change = Condition()
        self._stop, self._asked = Event(), Event()
        self._number = 0
        self._start = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        self.state = ""
        self.dropped = 0
        self._thread = Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """See `Source`."""
        return len(self._kept)

    def take(self, most: int, wait: float) -> Sequence[Taken]:
        """See `Source`."""
        with self._change:
            if not self._kept:
                self._change.wait(wait)
            return [self._kept.popleft() for _ in range(min(most, len(self._kept)))]

    def done(self, taken: Sequence[Taken]) -> None:
        """See `Source`."""

    def trigger(self) -> bool:
        """See `Source`. A trigger that comes before the one before was served counts as dropped."""
        if self._every is not None or self._stop.is_set():
            return False
        if self._asked.is_set():
            self.dropped += 1
        self._asked.set()
        return True

    def close(self) -> None:
        """See `Source`."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                camera = self._open()
            except InspectorError as error:
                self._say(str(error))
                self._stop.wait(_AGAIN)
                continue
            try:
                self._watch(camera)
            except InspectorError as error:
                self._say(str(error))
            except Exception as error:  # whatever a driver stumbles over
                _log.exception("the camera failed")
                self._say(f"The camera failed: {reason(error)}.")
            finally:
                camera.close()
            self._stop.wait(_AGAIN if self.state else 0)

    def _watch(self, camera: Camera) -> None:
        due: float | None = None
        while not self._stop.is_set():
            frame = camera.grab()
            self.state = ""
            if self._every is None:
                if not self._asked.is_set():
                    continue
                self._asked.clear()
            else:
                now = time.monotonic()
                due = now if due is None else due
                if now < due:
                    continue
                behind = int((now - due) / self._every)  # frames that the camera didn't give in time
                due += (behind + 1) * self._every
                self.dropped += behind
            self._keep(frame, datetime.now(UTC))

    def _keep(self, frame: Any, arrived: datetime) -> None:
        self._number += 1
        if len(self._kept) >= KEPT:
            self.dropped += 1
            return
        name = f"{arrived.astimezone():%Y-%m-%d %H-%M-%S}.{arrived.microsecond // 1000:03}.png"
        taken = Taken(f"{self._start} {self._number}", name, encoded(frame), arrived)
        with self._change:
            self._kept.append(taken)
            self._change.notify_all()

    def _say(self, sentence: str) -> None:
        if sentence != self.state:
            _log.warning("camera: %s", sentence)
        self.state = sentence


def encoded(frame: Any) -> bytes:
    """The bytes of a PNG file of a frame, uint8 BGR (h, w, 3) or uint8 or uint16 grey (h, w)."""
    import cv2

    _, data = cv2.imencode(".png", frame, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()

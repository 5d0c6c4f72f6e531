"""Frames of cameras: grabbed on a thread of their own, and those that a trigger asks for kept as files until they are taken."""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Condition, Event, Thread
from typing import Any

from inspector.errors import ImageError, InspectorError
from inspector.records.line.arrivals import mark_with
from inspector.records.line.stations import Value
from inspector.records.names import file_name
from inspector.stations.fields import Field
from inspector.stations.source import Past, Taken
from inspector.stations.sources import mqtt_trigger
from inspector.text import reason

_log = logging.getLogger("inspector.stations")
FREE, SOFTWARE, MQTT, EVERY = "free", "software", "mqtt", "every"
KEPT = 8
"""So many frames wait to be taken; one that comes then is dropped, and counted."""
_AGAIN = 2.0
"""Seconds after which a camera that can't be reached is tried again."""
_LATE = 5.0
"""Seconds within which a picture comes that was asked for."""
_CHECKED = 2.0
"""Seconds between two looks whether a camera is there that sends nothing unless asked."""
_IDLE = 0.05

TRIGGER_FIELDS = (
    Field(
        "trigger",
        "Take a picture",
        "choice",
        FREE,
        "By the space bar or the button of the operator view, and by the station's OPC UA server (Trigger) where it has one.",
        choices=(
            (FREE, "so many times a second"),
            (SOFTWARE, "when it is triggered"),
            (MQTT, "when it is triggered, also by MQTT"),
        ),
    ),
    Field("rate", "Pictures a second", "number", 2.0, least=0.001, most=1000, only=("trigger", FREE)),
    *mqtt_trigger.FIELDS,
)


class Camera:
    """An open camera. Used by one thread. `lost`: frames that it sent and that didn't come whole. `fire`, where it waits for that: have
    it take one. Both it and `grab` raise `InspectorError` where the camera fails."""

    lost = 0
    fire: Callable[[], None] | None = None

    def grab(self) -> Any:
        """The next frame: uint8 BGR (h, w, 3) or uint8 or uint16 grey (h, w). Waits for it for a second or two; None where it may
        well be that none comes."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises `InspectorError` where the camera is gone."""

    def close(self) -> None:
        """Let go of it."""
        raise NotImplementedError


class FrameSource:
    """A `Source` of a camera that `open_camera` opens, again and again while it can't be reached. `values`: `TRIGGER_FIELDS`; with the
    trigger `EVERY`, each frame is taken that the camera gives."""

    def __init__(self, values: Mapping[str, Value], past: Past, open_camera: Callable[[], Camera]) -> None:
        """Raises `SettingsError` where it can't be triggered as the values say."""
        self._open = open_camera
        self._trigger = values["trigger"]
        self._every = 1 / float(values["rate"]) if self._trigger == FREE else None
        self._due: float | None = None
        self._kept: deque[Taken] = deque()
        self._change = Condition()
        self._stop = Event()
        self._asked: deque[str] = deque()  # the job of a picture that is to be taken
        self._wanted = Condition()
        self._number = 0
        self._start = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        self._said = ""
        self.dropped = 0
        self._listener = None
        if self._trigger == MQTT:
            self._listener = mqtt_trigger.MqttTrigger(values, past.station, self.trigger)
        self._thread = Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """See `Source`."""
        return " ".join(filter(None, (self._said, self._listener.state if self._listener else "")))

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

    def trigger(self, job: str = "") -> bool:
        """See `Source`. One that comes before the one before was served takes nothing, and counts as dropped: its part is not the
        one that a later picture shows."""
        if self._trigger not in (SOFTWARE, MQTT) or self._stop.is_set():
            return False
        with self._wanted:
            if self._asked:
                self.dropped += 1
                return False
            self._asked.append(job)
            self._wanted.notify_all()
        return True

    def close(self) -> None:
        """See `Source`."""
        self._stop.set()
        if self._listener is not None:
            self._listener.close()
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
            self._stop.wait(_AGAIN if self._said else 0)

    def _watch(self, camera: Camera) -> None:
        self._due = None
        lost = 0
        while not self._stop.is_set():
            if camera.fire is not None:
                if not self._wait(camera):
                    continue
                frame, job = self._fired(camera, camera.fire)
            else:
                frame, job = camera.grab(), None
            self.dropped += camera.lost - lost
            lost = camera.lost
            self._said = ""
            if frame is None:
                continue
            if camera.fire is None and (job := self._job()) is None:
                continue
            self._keep(frame, datetime.now(UTC), job or "")

    def _job(self) -> str | None:
        """Of the picture that is to be taken now; None: it isn't."""
        if self._every is None:
            if self._trigger == EVERY:
                return ""
            with self._wanted:
                return self._asked.popleft() if self._asked else None
        now = time.monotonic()
        self._due = now if self._due is None else self._due
        if now < self._due:
            return None
        behind = int((now - self._due) / self._every)  # frames that the camera didn't give in time
        self._due += (behind + 1) * self._every
        self.dropped += behind
        return ""

    def _wait(self, camera: Camera) -> bool:
        """For a picture to be asked for, or due; whether it is."""
        until = time.monotonic() + _CHECKED
        while not self._stop.is_set() and time.monotonic() < until:
            with self._wanted:
                if self._asked or (self._every and (self._due is None or time.monotonic() >= self._due)):
                    return True
                self._wanted.wait(_IDLE if self._every is None else min(_IDLE, self._every / 10))
        camera.check()
        self._said = ""
        return False

    def _fired(self, camera: Camera, fire: Callable[[], None]) -> tuple[Any, str]:
        """The picture that the camera takes when told, and its job."""
        fire()
        job = self._job()
        until = time.monotonic() + _LATE
        while not self._stop.is_set():
            if (frame := camera.grab()) is not None:
                return frame, job or ""
            if time.monotonic() > until:
                self.dropped += 1
                raise ImageError("The camera took no picture when it was told to.", "Check its trigger.")
        return None, ""

    def _keep(self, frame: Any, arrived: datetime, job: str) -> None:
        self._number += 1
        if len(self._kept) >= KEPT:
            self.dropped += 1
            return
        name = f"{arrived.astimezone():%Y-%m-%d %H-%M-%S}.{arrived.microsecond // 1000:03}.png"
        mark = f"{self._start} {self._number}"
        if job:
            name, mark = file_name(f"{job} {name}"), mark_with(mark, job)
        taken = Taken(mark, name, encoded(frame), arrived)
        with self._change:
            self._kept.append(taken)
            self._change.notify_all()

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            _log.warning("camera: %s", sentence)
        self._said = sentence


def encoded(frame: Any) -> bytes:
    """The bytes of a PNG file of a frame, uint8 BGR (h, w, 3) or uint8 or uint16 grey (h, w)."""
    import cv2

    _, data = cv2.imencode(".png", frame, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()

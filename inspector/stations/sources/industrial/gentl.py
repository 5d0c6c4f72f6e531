"""GenICam cameras through a GenTL producer, the driver that camera makers ship: harvesters loads it."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from inspector.errors import ImageError
from inspector.records.line.stations import Value
from inspector.stations.sources.frames import Camera
from inspector.stations.sources.industrial.features import LINE, OFF, SOFTWARE, CameraSettings
from inspector.stations.sources.industrial.pixels import pixels_of
from inspector.text import printable, reason

PATHS = "GENICAM_GENTL64_PATH"
"""Where the installers of camera makers write down the folders of their producers."""
_WAIT = 0.5
_SILENT = 4.0
"""As in `aravis`."""
_opened: dict[tuple[str, ...], tuple[Any, int]] = {}
_lock = Lock()
"""A process may load a producer once, so that stations share it; and one looks for cameras at a time."""


def producers(chosen: str) -> tuple[str, ...]:
    """The producer that is chosen, else all that are installed."""
    if chosen:
        return (chosen,)
    folders = [Path(one) for one in os.environ.get(PATHS, "").split(os.pathsep) if one]
    return tuple(str(one) for folder in folders for one in sorted(folder.glob("*.cti")))


class GenTl(Camera):
    """See `Camera`. Raises `ImageError` where the camera can't be opened, or doesn't take a setting."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        settings = CameraSettings.of(values)
        self._files = producers(str(values["producer"]))
        self._freely = settings.mode in ("", OFF)
        self._acquirer: Any = None
        self.name = settings.camera
        self._harvester = _take(self._files)
        try:
            with self._told("can't be opened"):
                with _lock:
                    self._harvester.update()
                    found = [
                        (str(one.id_), str(one.serial_number or ""))
                        for one in self._harvester.device_info_list
                    ]
                    self.name = settings.chosen(found)
                    place = [key for key, _ in found].index(self.name)
                    self._acquirer = self._harvester.create(place)
                self._nodes = self._acquirer.remote_device.node_map
            self._set_up(settings)
            with self._told("can't be started"):
                self._acquirer.add_callback(self._acquirer.Events.INCOMPLETE_BUFFER, _counts(self))
                self._acquirer.start()
        except BaseException:
            self.close()
            raise
        self._silent_since = time.monotonic()
        if settings.mode == SOFTWARE:
            self.fire = self._fire

    def grab(self) -> Any:
        """See `Camera`."""
        with self._told("gives no pictures"):
            buffer = self._acquirer.try_fetch(timeout=_WAIT)
        if buffer is None:
            self.check()
            return None
        with self._told("gives no pictures"):
            self._silent_since = time.monotonic()
            try:
                frame = self._frame(buffer)
            finally:
                buffer.queue()
        return pixels_of(*frame)

    def close(self) -> None:
        """See `Camera`."""
        if self._acquirer is not None:
            with suppress(Exception):  # of a camera that is gone, nothing can be stopped
                self._acquirer.stop()
            with suppress(Exception):
                self._acquirer.destroy()
            self._acquirer = None
        if self._harvester is not None:
            _give_back(self._files)
            self._harvester = None

    def _frame(self, buffer: Any) -> tuple[bytes, str, int, int]:
        """(bytes, pixel format, width, height)."""
        part = buffer.payload.components[0]
        # Some cameras leave the height out where it is what was set.
        height = part.height or self._nodes.Height.value
        return bytes(buffer.module.raw_buffer), str(part.data_format), part.width, height

    def _set_up(self, settings: CameraSettings) -> None:
        if settings.exposure:
            self._set_first(("ExposureTime", "ExposureTimeAbs"), settings.exposure)
        if settings.gain is not None:
            self._set_first(("Gain", "GainRaw"), settings.gain)
        if settings.mode:
            self._set_first(("TriggerSelector",), "FrameStart")
            self._set_first(("TriggerMode",), "Off" if settings.mode == OFF else "On")
        if settings.mode in (LINE, SOFTWARE):
            self._set_first(("TriggerSource",), "Line0" if settings.mode == LINE else "Software")
        for name, value in settings.features:
            self._set_first((name,), value)

    def _set_first(self, names: tuple[str, ...], value: str | float) -> None:
        """Set the first of these features that the camera has."""
        with self._told(f"doesn't take {names[0]}={value}"):
            node = next((one for one in map(self._node, names) if one is not None), None)
            if node is None:
                raise ImageError(f"The camera {printable(self.name)} has no feature {printable(names[0])}.")
            if isinstance(value, str):
                node.from_string(value)
            else:
                node.value = int(value) if isinstance(node.value, int) else value

    def _node(self, name: str) -> Any:
        return getattr(self._nodes, name, None)

    def _fire(self) -> None:
        with self._told("takes no picture"):
            self._nodes.TriggerSoftware.execute()

    def check(self) -> None:
        """See `Camera`."""
        with self._told("is gone"):
            self._acquirer.remote_device.port.read(
                0, 4
            )  # the version of its registers: every one has it there
        if self._freely and time.monotonic() - self._silent_since > _SILENT:
            raise ImageError(
                f"The camera {printable(self.name)} gives no pictures.",
                "Check its trigger mode, and that the network lets its packets through.",
            )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Whatever a producer or GenICam raises, as a sentence."""
        try:
            yield
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(
                f"The camera {printable(self.name)}".rstrip() + f" {what}: {reason(error)}.",
                "Check that it is connected, that no other program uses it, and its settings.",
            ) from None


def _counts(camera: Camera) -> Any:
    """What harvesters calls for a frame that didn't come whole, and that it throws away."""
    from harvesters.core import Callback

    class Count(Callback):  # type: ignore[misc]
        def emit(self, _context: object) -> None:
            camera.lost += 1

    return Count()


def _take(files: tuple[str, ...]) -> Any:
    from harvesters.core import Harvester

    with _lock:
        harvester, users = _opened.get(files, (None, 0))
        if harvester is None:
            harvester = Harvester()
            for file in files:
                try:
                    harvester.add_file(file, check_existence=True, check_validity=True)
                except Exception as error:
                    harvester.reset()
                    raise ImageError(
                        f"The GenTL producer {printable(file)} can't be loaded: {reason(error)}.",
                        "Choose the .cti file where its maker installed it: it needs the files beside it.",
                    ) from None
        _opened[files] = harvester, users + 1
        return harvester


def _give_back(files: tuple[str, ...]) -> None:
    with _lock:
        harvester, users = _opened.pop(files)
        if users > 1:
            _opened[files] = harvester, users - 1
        else:
            harvester.reset()

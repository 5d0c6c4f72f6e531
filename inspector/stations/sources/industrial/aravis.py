"""GenICam cameras through Aravis: GigE and USB3 Vision without anything of the camera's maker.

Its C library is called directly, since that is what a computer has of it (`apt install libaravis-0.8-0`, `brew install aravis`): what
Python packages there are for it want a compiler.
"""

import ctypes
import time
from collections.abc import Mapping
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_size_t, c_uint, c_uint64, c_void_p
from functools import cache
from threading import Lock
from typing import Any

from inspector.errors import ImageError
from inspector.records.line.stations import Value
from inspector.stations.sources.frames import Camera
from inspector.stations.sources.industrial.features import LINE, OFF, SOFTWARE, CameraSettings
from inspector.stations.sources.industrial.pixels import pixels_of
from inspector.text import printable

_NAMES = ("libaravis-0.8.so.0", "libaravis-0.8.0.dylib", "libaravis-0.8.dylib", "libaravis-0.8-0.dll")
_BUFFERS = 6
_WAIT = 0.5
"""Seconds that a frame is waited for at a time."""
_SILENT = 4.0
"""Seconds after which a camera that runs freely must have sent one."""
_FORMATS = {
    0x01080001: "Mono8", 0x01100003: "Mono10", 0x01100005: "Mono12", 0x01100025: "Mono14", 0x01100007: "Mono16",
    0x01080008: "BayerGR8", 0x01080009: "BayerRG8", 0x0108000A: "BayerGB8", 0x0108000B: "BayerBG8",
    0x0110000C: "BayerGR10", 0x0110000D: "BayerRG10", 0x0110000E: "BayerGB10", 0x0110000F: "BayerBG10",
    0x01100010: "BayerGR12", 0x01100011: "BayerRG12", 0x01100012: "BayerGB12", 0x01100013: "BayerBG12",
    0x0110002E: "BayerGR16", 0x0110002F: "BayerRG16", 0x01100030: "BayerGB16", 0x01100031: "BayerBG16",
    0x02180014: "RGB8", 0x02180015: "BGR8", 0x02200016: "RGBa8", 0x02200017: "BGRa8",
    0x0210001F: "YUV422_8_UYVY", 0x02100032: "YUV422_8",
}  # fmt: skip
_found = Lock()
"""Held while cameras are looked for: Aravis keeps one list of them."""


class _Error(ctypes.Structure):
    _fields_ = (("domain", c_uint), ("code", c_int), ("message", c_char_p))


_GError = POINTER(_Error)
_CALLS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "update_device_list": (None, ()),
    "get_n_devices": (c_uint, ()),
    "get_device_id": (c_char_p, (c_uint,)),
    "get_device_serial_nbr": (c_char_p, (c_uint,)),
    "camera_new": (c_void_p, (c_char_p, c_void_p)),
    "camera_get_device": (c_void_p, (c_void_p,)),
    "camera_is_gv_device": (c_int, (c_void_p,)),
    "camera_gv_set_stream_options": (None, (c_void_p, c_int)),
    "camera_get_payload": (c_uint, (c_void_p, c_void_p)),
    "camera_create_stream": (c_void_p, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "camera_set_exposure_time": (None, (c_void_p, c_double, c_void_p)),
    "camera_set_gain": (None, (c_void_p, c_double, c_void_p)),
    "camera_set_trigger": (None, (c_void_p, c_char_p, c_void_p)),
    "camera_clear_triggers": (None, (c_void_p, c_void_p)),
    "camera_software_trigger": (None, (c_void_p, c_void_p)),
    "camera_start_acquisition": (None, (c_void_p, c_void_p)),
    "camera_stop_acquisition": (None, (c_void_p, c_void_p)),
    "device_set_features_from_string": (c_int, (c_void_p, c_char_p, c_void_p)),
    "device_get_integer_feature_value": (ctypes.c_int64, (c_void_p, c_char_p, c_void_p)),
    "stream_push_buffer": (None, (c_void_p, c_void_p)),
    "stream_timeout_pop_buffer": (c_void_p, (c_void_p, c_uint64)),
    "buffer_new_allocate": (c_void_p, (c_size_t,)),
    "buffer_get_status": (c_int, (c_void_p,)),
    "buffer_get_data": (c_void_p, (c_void_p, POINTER(c_size_t))),
    "buffer_get_image_width": (c_int, (c_void_p,)),
    "buffer_get_image_height": (c_int, (c_void_p,)),
    "buffer_get_image_pixel_format": (c_uint, (c_void_p,)),
}


@cache
def library() -> Any:
    """Aravis with its calls declared; None where it isn't installed."""
    for name in _NAMES:
        try:
            found = ctypes.CDLL(name)
            for call, (result, arguments) in _CALLS.items():
                function = getattr(found, f"arv_{call}")
                function.restype, function.argtypes = result, arguments
            found.g_object_unref.argtypes = (c_void_p,)  # of GObject, on which Aravis stands
            found.g_error_free.argtypes = (c_void_p,)
        except (OSError, AttributeError):
            continue
        return found
    return None


def cameras() -> list[tuple[str, str]]:
    """(id, serial number) of those that answer now; takes about a second."""
    arv = library()
    with _found:
        arv.arv_update_device_list()
        texts = arv.arv_get_device_id, arv.arv_get_device_serial_nbr
        found = []
        for place in range(arv.arv_get_n_devices()):
            key, serial = ((get(place) or b"").decode("utf-8", "replace") for get in texts)
            found.append((key, serial))
        return found


class Aravis(Camera):
    """See `Camera`. Raises `ImageError` where the camera can't be opened, or doesn't take a setting."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._arv, settings = library(), CameraSettings.of(values)
        self._stream: Any = None
        self._running = False
        self._silent_since = time.monotonic()
        self.name = settings.chosen(cameras())
        self._freely = settings.mode in ("", OFF)
        self._camera: Any = self._call("camera_new", self.name.encode())
        try:
            self._device = self._arv.arv_camera_get_device(self._camera)
            self._set_up(settings)
            self._start()
        except BaseException:
            self.close()
            raise
        if settings.mode == SOFTWARE:
            self.fire = self._fire

    def grab(self) -> Any:
        """See `Camera`."""
        pointer = self._arv.arv_stream_timeout_pop_buffer(self._stream, int(_WAIT * 1e6))
        if not pointer:
            self.check()
            return None
        try:
            self._silent_since = time.monotonic()
            if self._arv.arv_buffer_get_status(pointer) != 0:
                self.lost += 1
                return None
            size = c_size_t()
            data = self._arv.arv_buffer_get_data(pointer, byref(size))
            code = self._arv.arv_buffer_get_image_pixel_format(pointer)
            return pixels_of(
                ctypes.string_at(data, size.value),
                _FORMATS.get(code, f"0x{code:08X}"),
                self._arv.arv_buffer_get_image_width(pointer),
                self._arv.arv_buffer_get_image_height(pointer),
            )
        finally:
            self._arv.arv_stream_push_buffer(self._stream, pointer)

    def close(self) -> None:
        """See `Camera`."""
        if self._running:
            self._running = False
            self._arv.arv_camera_stop_acquisition(self._camera, None)
        for thing in (self._stream, self._camera):
            if thing:
                self._arv.g_object_unref(thing)
        self._stream = self._camera = None

    def _set_up(self, settings: CameraSettings) -> None:
        if settings.exposure:
            self._call("camera_set_exposure_time", self._camera, settings.exposure)
        if settings.gain is not None:
            self._call("camera_set_gain", self._camera, settings.gain)
        if settings.mode == OFF:
            self._call("camera_clear_triggers", self._camera)
        elif settings.mode:
            kind = {LINE: b"Line0", SOFTWARE: b"Software"}[settings.mode]
            self._call("camera_set_trigger", self._camera, kind)
        for name, value in settings.features:
            self._call("device_set_features_from_string", self._device, f"{name}={value}".encode())

    def _start(self) -> None:
        if self._arv.arv_camera_is_gv_device(self._camera):
            # Raw sockets, which it would take with an administrator's rights, see nothing in containers.
            self._arv.arv_camera_gv_set_stream_options(self._camera, 1)
        size = self._call("camera_get_payload", self._camera)
        self._stream = self._call("camera_create_stream", self._camera, None, None)
        for _ in range(_BUFFERS):
            self._arv.arv_stream_push_buffer(self._stream, self._arv.arv_buffer_new_allocate(size))
        self._call("camera_start_acquisition", self._camera)
        self._running = True
        self._silent_since = time.monotonic()

    def _fire(self) -> None:
        self._call("camera_software_trigger", self._camera)

    def check(self) -> None:
        """See `Camera`."""
        try:
            self._call("device_get_integer_feature_value", self._device, b"Width")
        except ImageError:
            self._running = False  # to be told to stop, it would be waited for again
            raise
        if self._freely and time.monotonic() - self._silent_since > _SILENT:
            raise ImageError(
                f"The camera {printable(self.name)} gives no pictures.",
                "Check its trigger mode, and that the network lets its packets through.",
            )

    def _call(self, name: str, *arguments: Any) -> Any:
        error = _GError()
        found = getattr(self._arv, f"arv_{name}")(*arguments, byref(error))
        if error:
            words = printable((error.contents.message or b"").decode("utf-8", "replace"), 200)
            self._arv.g_error_free(error)
            raise ImageError(
                f"The camera {printable(self.name)} refuses: {words.rstrip('.')}.",
                "Check that it is connected, that no other program uses it, and its settings.",
            )
        return found

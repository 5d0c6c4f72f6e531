"""A USB or network camera, as OpenCV opens it: by number or by address."""

from collections.abc import Mapping
from typing import Any

from inspector.errors import ImageError
from inspector.records.line.stations import Value
from inspector.stations.fields import Field, SourceInfo
from inspector.stations.source import Past
from inspector.stations.sources.frames import TRIGGER_FIELDS, Camera, FrameSource
from inspector.text import printable

INFO = SourceInfo(
    "camera",
    "USB or network camera",
    "Takes pictures from a camera of this computer, or from a video stream (rtsp://, http://).",
    (
        Field("device", "Camera", "text", "0", "Its number (0 is the first), or the address of a stream."),
        *TRIGGER_FIELDS,
        Field("width", "Width", "number", 0, "0: as the camera gives it.", least=0, most=20000, unit="px"),
        Field("height", "Height", "number", 0, "0: as the camera gives it.", least=0, most=20000, unit="px"),
        Field(
            "exposure", "Exposure", "number", 0.0, "In the camera's own unit; 0: as it is set.", least=-100
        ),
    ),
)
_SECONDS = 5000
"""Milliseconds that a stream is waited for."""


class CameraSource(FrameSource):
    """See `Source`. `values`: of `INFO.fields`, checked."""

    def __init__(self, values: Mapping[str, Value], past: Past) -> None:
        super().__init__(values, past, lambda: _OpenCv(values))


class _OpenCv(Camera):
    def __init__(self, values: Mapping[str, Value]) -> None:
        import cv2

        self._device = str(values["device"])
        address: int | str = int(self._device) if self._device.isdecimal() else self._device
        if isinstance(address, str):
            limits = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                _SECONDS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                _SECONDS,
            ]
            self._capture: Any = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
        else:
            self._capture = cv2.VideoCapture(address)
        if not self._capture.isOpened():
            self._capture.release()
            raise ImageError(
                f"The camera {printable(self._device)} can't be opened.",
                "Check that it is connected, and that no other program uses it.",
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for name, key in (
            ("width", cv2.CAP_PROP_FRAME_WIDTH),
            ("height", cv2.CAP_PROP_FRAME_HEIGHT),
            ("exposure", cv2.CAP_PROP_EXPOSURE),
        ):
            if values[name]:
                self._capture.set(key, float(values[name]))

    def grab(self) -> Any:
        """See `Camera`."""
        good, frame = self._capture.read()
        if not good:
            raise ImageError(
                f"The camera {printable(self._device)} gives no pictures.",
                "Check its cable; it is tried again by itself.",
            )
        return frame

    def close(self) -> None:
        """See `Camera`."""
        self._capture.release()

"""Basler cameras, through Basler's own pypylon; with PYLON_CAMEMU=1 also those that it emulates."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from inspector import installation
from inspector.errors import ImageError, SettingsError
from inspector.records.line.stations import Value
from inspector.stations.fields import Field, SourceInfo
from inspector.stations.source import Past
from inspector.stations.sources.frames import TRIGGER_FIELDS, Camera, FrameSource
from inspector.text import printable, reason

INFO = SourceInfo(
    "pylon",
    "Basler camera (pylon)",
    "Takes pictures from a Basler camera over GigE or USB3.",
    (
        Field("serial", "Serial number", "text", "", "Empty: the first camera that is found."),
        *TRIGGER_FIELDS,
        Field("exposure", "Exposure", "number", 0.0, "0: as it is set.", least=0, most=1e8, unit="µs"),
    ),
    "pylon",
)
_WAIT = 2000
"""Milliseconds that a picture is waited for."""


class PylonSource(FrameSource):
    """See `Source`. `values`: of `INFO.fields`, checked. Raises `SettingsError`."""

    def __init__(self, values: Mapping[str, Value], past: Past) -> None:
        if not find_spec("pypylon"):
            raise SettingsError(
                "Basler cameras can't be used: pypylon isn't installed.",
                installation.add("inspector[pylon]"),
            )
        super().__init__(values, past, lambda: _Pylon(values))


class _Pylon(Camera):
    def __init__(self, values: Mapping[str, Value]) -> None:
        from pypylon import genicam, pylon

        self._errors: type[Exception] = genicam.GenericException
        self._pylon = pylon
        serial = str(values["serial"])
        try:
            factory = pylon.TlFactory.GetInstance()
            if serial:
                wanted = pylon.DeviceInfo()
                wanted.SetSerialNumber(serial)
                device = factory.CreateDevice(wanted)
            else:
                device = factory.CreateFirstDevice()
            self._camera: Any = pylon.InstantCamera(device)
            self._camera.Open()
            if values["exposure"]:
                node = self._camera.GetNodeMap().GetNode("ExposureTime") or self._camera.GetNodeMap().GetNode(
                    "ExposureTimeAbs"
                )
                if node is not None:
                    node.SetValue(float(values["exposure"]))
            self._camera.StartGrabbing(pylon.GrabStrategy_LatestImageOnly)
        except self._errors as error:
            raise ImageError(
                f"The Basler camera {printable(serial)}".strip() + f" can't be opened: {reason(error)}.",
                "Check that it is connected, and that no other program uses it.",
            ) from None
        self._converter = pylon.ImageFormatConverter()
        self._converter.OutputPixelFormat = pylon.PixelType_BGR8packed

    def grab(self) -> Any:
        """See `Camera`."""
        try:
            result = self._camera.RetrieveResult(_WAIT, self._pylon.TimeoutHandling_ThrowException)
            try:
                if not result.GrabSucceeded():
                    raise ImageError(f"A picture failed: {printable(result.GetErrorDescription())}.")
                if result.GetPixelType() == self._pylon.PixelType_Mono8:
                    return result.GetArray().copy()
                return self._converter.Convert(result).GetArray().copy()
            finally:
                result.Release()
        except self._errors as error:
            raise ImageError(f"The Basler camera gives no pictures: {reason(error)}.") from None

    def close(self) -> None:
        """See `Camera`."""
        self._camera.Close()

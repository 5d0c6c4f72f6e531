"""GenICam cameras of any maker over GigE Vision or USB3 Vision: through a GenTL producer, or through Aravis."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec

from inspector import installation
from inspector.errors import SettingsError
from inspector.records.line.stations import Value
from inspector.stations.fields import Field, SourceInfo
from inspector.stations.source import Past
from inspector.stations.sources.frames import EVERY, TRIGGER_FIELDS, Camera, FrameSource
from inspector.stations.sources.industrial.features import LINE, OFF, SOFTWARE, CameraSettings
from inspector.stations.sources.industrial.gentl import PATHS, producers

_TRIGGER, *_MORE = TRIGGER_FIELDS
_AUTO, _GENTL, _ARAVIS = "auto", "gentl", "aravis"
INFO = SourceInfo(
    "genicam",
    "Industrial camera (GenICam)",
    "Takes pictures from a GigE Vision or USB3 Vision camera of any maker.",
    (
        Field("camera", "Camera", "text", "", "Its serial number or id. Empty: the first that is found."),
        replace(_TRIGGER, choices=(*_TRIGGER.choices, (EVERY, "whenever the camera sends one"))),
        *_MORE,
        Field(
            "mode",
            "The camera itself",
            "choice",
            "",
            "How it is triggered, whatever asks for a picture here.",
            choices=(
                ("", "as it is set"),
                (OFF, "runs freely"),
                (LINE, "waits for a signal at its input (Line0)"),
                (SOFTWARE, "waits until it is told to take one"),
            ),
        ),
        Field("exposure", "Exposure", "number", 0.0, "0: as it is set.", least=0, most=1e8, unit="µs"),
        Field(
            "gain", "Gain", "number", -1.0, "In the camera's own unit; −1: as it is set.", least=-1, most=1e6
        ),
        Field(
            "features",
            "Further features",
            "text",
            "",
            "Any that the camera has, as name=value: PixelFormat=Mono8 TriggerSource=Line2",
        ),
        Field(
            "through",
            "Driver",
            "choice",
            _AUTO,
            choices=(
                (_AUTO, "what is installed"),
                (_GENTL, "GenTL producer of the camera's maker"),
                (_ARAVIS, "Aravis"),
            ),
        ),
        Field(
            "producer",
            "GenTL producer",
            "file",
            "",
            f"The .cti file that came with the camera's software. Empty: those in {PATHS}.",
        ),
    ),
    "genicam",
)


class GenicamSource(FrameSource):
    """See `Source`. `values`: of `INFO.fields`, checked. Raises `SettingsError`."""

    def __init__(self, values: Mapping[str, Value], past: Past) -> None:
        settings = CameraSettings.of(values)
        if settings.mode == SOFTWARE and values["trigger"] == EVERY:
            raise SettingsError(
                "The camera waits until it is told to take a picture, and nobody would tell it.",
                "Choose when a picture is taken, or let the camera run freely.",
            )
        way = _way(str(values["through"]), str(values["producer"]))
        super().__init__(values, past, lambda: _opened(way, values))


def _opened(way: str, values: Mapping[str, Value]) -> Camera:
    if way == _GENTL:
        from inspector.stations.sources.industrial.gentl import GenTl

        return GenTl(values)
    from inspector.stations.sources.industrial.aravis import Aravis

    return Aravis(values)


def _way(asked: str, producer: str) -> str:
    """Raises `SettingsError` where nothing is installed by which cameras are reached."""
    from inspector.stations.sources.industrial.aravis import library

    if asked != _ARAVIS and find_spec("harvesters") and producers(producer):
        return _GENTL
    if asked != _GENTL and not producer and library() is not None:
        return _ARAVIS
    if asked == _ARAVIS:
        raise SettingsError("Aravis isn't installed.", "Install it, on Debian: apt install libaravis-0.8-0")
    if not find_spec("harvesters"):
        raise SettingsError(
            "GenICam cameras can't be used: harvesters isn't installed.",
            installation.add("inspector[genicam]"),
        )
    raise SettingsError(
        "No GenTL producer is installed, through which cameras are reached.",
        f"Install the software of the camera's maker, which sets {PATHS}, or choose its .cti file.",
    )

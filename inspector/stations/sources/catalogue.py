"""Which kinds of sources there are, what can be set of each, and how one is opened."""

from collections.abc import Callable, Mapping
from importlib import import_module

from inspector.errors import SettingsError
from inspector.records.line.stations import Part, Value
from inspector.stations.fields import SourceInfo, checked
from inspector.stations.source import Past, Source
from inspector.stations.sources.camera import INFO as CAMERA
from inspector.stations.sources.folder import INFO as FOLDER
from inspector.stations.sources.genicam import INFO as GENICAM
from inspector.stations.sources.http import INFO as HTTP
from inspector.stations.sources.pylon import INFO as PYLON
from inspector.stations.sources.video import INFO as VIDEO

SOURCES: Mapping[str, SourceInfo] = {one.kind: one for one in (FOLDER, CAMERA, GENICAM, PYLON, HTTP, VIDEO)}
"""Kind → what it is, in the order in which people are offered them."""
_CLASSES = {
    "folder": "FolderSource",
    "camera": "CameraSource",
    "genicam": "GenicamSource",
    "pylon": "PylonSource",
    "http": "HttpSource",
    "video": "VideoSource",
}


def source_values(part: Part) -> dict[str, Value]:
    """Every setting of a source, checked. Raises `SettingsError`, also for an unknown kind."""
    info = SOURCES.get(part.kind)
    if info is None:
        raise SettingsError(
            f"There is no kind of source “{part.kind}”.", f"Choose from: {', '.join(SOURCES)}."
        )
    return checked(info.fields, part.values)


def open_source(part: Part, past: Past) -> Source:
    """A source, ready to `take`. Raises `SettingsError` for settings that can't be, or for what isn't installed."""
    values = source_values(part)
    module = import_module(f"inspector.stations.sources.{part.kind}")
    make: Callable[[Mapping[str, Value], Past], Source] = getattr(module, _CLASSES[part.kind])
    return make(values, past)

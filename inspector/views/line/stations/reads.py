"""What the Stations section and its setup read, off the GUI thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.records.detectors import DetectorRow
    from inspector.records.line.stations import StationRow
    from inspector.records.line.tally import Tally
    from inspector.records.project import Project
    from inspector.stations.fields import SourceInfo
    from inspector.stations.outputs.link import OutputInfo


@dataclass(frozen=True, slots=True)
class StationView:
    """`today`: counted since `day` began. `source`: where pictures come from, for people. `judge`: who judges, for people. `why_not`: why it can't be started, in a
    sentence, or ""."""

    row: StationRow
    day: datetime
    today: Tally
    source: str
    judge: str
    why_not: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What a station can be set up of. `detectors`: those that can be pinned. `in_charge`: class id → number of who judges it."""

    classes: Mapping[int, str]
    detectors: tuple[DetectorRow, ...]
    in_charge: Mapping[int, int]
    sources: tuple[SourceInfo, ...]
    outputs: tuple[OutputInfo, ...]


def read_stations(project: Project, before: Mapping[int, StationView]) -> list[StationView]:
    """By name. `before`: what was counted today; only what came since is looked at, for a day can bring a million."""
    from inspector.records.detectors import list_detectors
    from inspector.records.line.stations import list_stations
    from inspector.records.line.tally import tally

    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    detectors = list_detectors(project)
    views = []
    for row in list_stations(project):
        judge, why_not = _judge(row, detectors)
        if row.settings is None:
            why_not = "Its settings are damaged. Set it up anew."
        known = before.get(row.id)
        if known is not None and known.day == today:
            count = known.today + tally(project, row.id, since=today, after=known.today.last)
        else:
            count = tally(project, row.id, since=today)
        views.append(StationView(row, today, count, _source(row), judge, why_not))
    return views


def read_choices(project: Project) -> Choices:
    from inspector.records.classes import list_classes
    from inspector.records.detectors import list_detectors
    from inspector.stations.outputs.catalogue import OUTPUTS
    from inspector.stations.sources.catalogue import SOURCES

    detectors = list_detectors(project)
    return Choices(
        {row.id: row.name for row in list_classes(project)},
        tuple(row for row in detectors if not row.problem),
        {class_id: row.id for row in detectors for class_id in row.in_charge},
        tuple(SOURCES.values()),
        tuple(OUTPUTS.values()),
    )


def _judge(row: StationRow, detectors: list[DetectorRow]) -> tuple[str, str]:
    if row.detector_id is not None:
        found = next((one for one in detectors if one.id == row.detector_id), None)
        if found is None:
            return (
                f"detector #{row.detector_id}",
                f"Its detector #{row.detector_id} was removed. Choose another.",
            )
        problem = f"Its detector can't be used: {found.problem}" if found.problem else ""
        return f"detector #{found.id}, pinned", problem
    charged = [one for one in detectors if one.in_charge and row.class_id in (None, *one.in_charge)]
    if not charged:
        what = f"“{row.class_name}”" if row.class_name else "this project"
        return "no detector", f"No detector judges {what} yet. Teach one first."
    return f"detector #{charged[0].id}, in charge", ""


def _source(row: StationRow) -> str:
    if row.settings is None:
        return ""
    values = row.settings.source.values
    for name in ("folder", "path", "file", "device", "camera", "url"):
        if values.get(name) not in (None, ""):
            return str(values[name])
    return row.settings.source.kind

"""What the Teach page asks a project, off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.views.teach.proposal_card import Waiting, read_waiting

if TYPE_CHECKING:
    from inspector.methods.prompts.description import PartDescription
    from inspector.records.classes import ClassRow
    from inspector.records.detectors import DetectorRow
    from inspector.records.project import Project
    from inspector.records.shots import ShotRow


@dataclass(frozen=True)
class Found:
    """`detector`: the one in charge. `waiting`: one that is proposed. `descriptions` by class id. `news`: class id → ids of shots that it could remember."""

    classes: list[ClassRow]
    detector: DetectorRow | None
    descriptions: dict[int, PartDescription]
    news: dict[int, list[int]]
    waiting: Waiting | None


def read_all(project: Project) -> Found:
    from inspector.jobs import update
    from inspector.records.classes import list_classes, list_descriptions
    from inspector.records.detectors import list_detectors

    detector = next(iter(list_detectors(project)), None)
    news = update.news(project, detector) if detector is not None else {}
    return Found(
        list_classes(project),
        detector,
        list_descriptions(project),
        {class_id: [shot.id for shot in shots] for class_id, shots in news.items()},
        read_waiting(project),
    )


def read_shots(project: Project, class_id: int) -> list[ShotRow]:
    """Of one class, and after them the places that were called no defect."""
    from inspector.records.shots import list_shots_and_places

    return list_shots_and_places(project, class_id)

"""What a project holds to inspect with and to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.records.detectors import DetectorRow
    from inspector.records.inspected.runs import RunRow
    from inspector.records.project import Project


@dataclass(frozen=True, slots=True)
class Holdings:
    """Newest first. `run_id`: the run of the result that was asked for, None without one."""

    detectors: tuple[DetectorRow, ...] = ()
    runs: tuple[RunRow, ...] = ()
    run_id: int | None = None


def read(project: Project, result_id: int | None = None) -> Holdings:
    """Some milliseconds of queries: for a worker."""
    from inspector.records.detectors import list_detectors
    from inspector.records.inspected.results import list_results
    from inspector.records.inspected.runs import list_runs

    found = list_results(project, [result_id]) if result_id is not None else []
    return Holdings(
        tuple(list_detectors(project)), tuple(list_runs(project)), found[0].run_id if found else None
    )

"""Runs: one inspection of many images by one detector."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from inspector.domain import JobStatus
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.detectors import labels
from inspector.records.files import pairs
from inspector.records.inspected.results import Counts, count_severities
from inspector.records.names import moment
from inspector.records.project import Project
from inspector.records.result_filter import by_scan


@dataclass(frozen=True, slots=True)
class RunRow:
    """`label`: number, title and date, which no other run has; `detector_label` likewise. `class_name`: the
    class that was given, or "" when it was found per image. `status`: of its job. `total`: how many images
    were asked for; more than `counts.total` when it was interrupted. `sources`: the files and folders that
    were asked for; none when that isn't known. `root`: the folder that the names of its results start in, ""
    likewise. `left_out`: a sentence on what was met there and isn't an image. `computed_by`: device and runtime, "" likewise."""

    id: int
    label: str
    title: str
    detector_id: int
    detector_label: str
    class_name: str
    status: JobStatus | None
    counts: Counts
    total: int
    sources: tuple[str, ...]
    root: str
    left_out: str
    created: datetime
    computed_by: str = ""

    @property
    def interrupted(self) -> bool:
        """Whether images are missing that nobody inspects now."""
        return self.counts.total < self.total and self.status is not JobStatus.RUNNING


def list_runs(project: Project) -> list[RunRow]:
    """Newest first."""
    with project.reading() as session:
        counts: dict[int, Counter[int]] = {}
        for run_id, severity, count in session.execute(
            select(t.Result.run_id, t.Result.severity, func.count()).group_by(
                t.Result.run_id, t.Result.severity
            )
        ):
            counts.setdefault(run_id, Counter())[severity] = count
        reviewed = pairs(
            session.execute(
                select(t.Result.run_id, func.count())
                .where(t.Result.reviewed.is_not(None))
                .group_by(by_scan(t.Result.run_id))  # only those few, not all in the order of their runs
            ).all()
        )
        rows = session.execute(
            select(t.Run, t.Class.name, t.Job.status, t.Job.total, t.Job.result)
            .outerjoin(t.Class, t.Run.class_id == t.Class.id)
            .outerjoin(t.Job, t.Run.job_id == t.Job.id)
            .where(t.Run.removed.is_(None))
            .order_by(t.Run.id.desc())
        ).all()
        named = labels(session)
    return [
        RunRow(
            id=run.id,
            label=f"#{run.id} {run.title} · {moment(run.created)}",
            title=run.title,
            detector_id=run.detector_id,
            detector_label=named.get(run.detector_id, f"#{run.detector_id}"),
            class_name=class_name or "",
            status=t.word(JobStatus, status),
            counts=count_severities(counts.get(run.id, Counter()), reviewed.get(run.id, 0)),
            total=total or 0,
            sources=_sources(asked),
            root=str(asked.get("root", "")) if isinstance(asked, dict) else "",
            left_out=str(asked.get("left_out", "")) if isinstance(asked, dict) else "",
            created=run.created,
            computed_by=str(asked.get("computed_by", "")) if isinstance(asked, dict) else "",
        )
        for run, class_name, status, total, asked in rows
    ]


def start_run(
    project: Project, detector_id: int, title: str, *, class_id: int | None = None, job_id: int | None = None
) -> int:
    """Note that a run begins; its id."""
    with project.writing() as session:
        row = t.Run(detector_id=detector_id, title=title, class_id=class_id, job_id=job_id)
        session.add(row)
        session.flush()
        note(session, ActKind.INSPECTED, _called(row), new=f"by detector #{detector_id}")
        return row.id


def station_run(
    project: Project,
    station: tuple[int, str],
    detector_id: int,
    *,
    class_id: int | None,
    job_id: int | None,
    day: date,
) -> int:
    """The run of a station (id, name) by one detector on one local day: begun, or gone on with after a restart; its id."""
    station_id, name = station
    with project.writing() as session:
        query = (
            select(t.Run.id, t.Run.created)
            .where(
                t.Run.station_id == station_id,
                t.Run.detector_id == detector_id,
                t.Run.class_id.is_(None) if class_id is None else t.Run.class_id == class_id,
                t.Run.removed.is_(None),
            )
            .order_by(t.Run.id.desc())
            .limit(1)
        )
        for run_id, created in session.execute(query):
            if created.astimezone().date() == day:
                _change(session, run_id, ActKind.CONTINUED, job_id=job_id or None)
                return int(run_id)
        row = t.Run(
            detector_id=detector_id, title=name, class_id=class_id, job_id=job_id, station_id=station_id
        )
        session.add(row)
        session.flush()
        note(session, ActKind.INSPECTED, _called(row), new=f"by detector #{detector_id}")
        return row.id


def continue_run(project: Project, run_id: int, job_id: int) -> None:
    """Another job goes on with a run that was interrupted."""
    with project.writing() as session:
        _change(session, run_id, ActKind.CONTINUED, job_id=job_id or None)


def remove_run(project: Project, run_id: int) -> None:
    """Hide a run with its results; `restore_run` brings it back."""
    with project.writing() as session:
        _change(session, run_id, ActKind.RUN_REMOVED, removed=t.now())


def restore_run(project: Project, run_id: int) -> None:
    """Take back `remove_run`."""
    with project.writing() as session:
        _change(session, run_id, ActKind.RUN_RESTORED, removed=None)


def _change(session: Session, run_id: int, kind: ActKind, **values: Any) -> None:
    row = session.get(t.Run, run_id)
    if row is not None:
        session.execute(update(t.Run).where(t.Run.id == run_id).values(values))
        note(session, kind, _called(row))


def _called(row: t.Run) -> str:
    return f"#{row.id} {row.title}"


def _sources(result: object) -> tuple[str, ...]:
    named = result.get("sources") if isinstance(result, dict) else None
    return tuple(map(str, named)) if isinstance(named, list) else ()

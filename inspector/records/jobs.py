"""Jobs: what was begun in the background, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from inspector.domain import JobKind, JobStatus
from inspector.records import schema as t
from inspector.records.project import Project


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it was started and as it ended."""

    id: int
    kind: JobKind
    status: JobStatus
    title: str
    total: int
    message: str
    hint: str
    result: Mapping[str, Any]
    started: datetime
    ended: datetime | None


def list_jobs(project: Project, limit: int = 100) -> list[JobRow]:
    """Newest first. What a damaged row is a job of, nobody knows: it is left out."""
    with project.reading() as session:
        return [
            JobRow(
                id=row.id,
                kind=kind,
                status=t.word(JobStatus, row.status) or JobStatus.FAILED,
                title=row.title,
                total=row.total or 0,
                message=row.message,
                hint=row.hint,
                result=row.result,
                started=row.started,
                ended=row.ended,
            )
            for row in session.scalars(select(t.Job).order_by(t.Job.id.desc()).limit(limit))
            if (kind := t.word(JobKind, row.kind)) is not None
        ]


def start_job(
    project: Project, kind: JobKind, title: str, total: int = 0, result: Mapping[str, Any] | None = None
) -> int:
    """Note that a job runs; its id."""
    with project.writing() as session:
        row = t.Job(kind=kind, status=JobStatus.RUNNING, title=title, total=total, result=dict(result or {}))
        session.add(row)
        session.flush()
        return row.id


def end_job(
    project: Project,
    job_id: int,
    status: JobStatus,
    message: str = "",
    hint: str = "",
    result: Mapping[str, Any] | None = None,
) -> None:
    """Note how a job ended."""
    with project.writing() as session:
        session.execute(
            update(t.Job)
            .where(t.Job.id == job_id)
            .values(status=status, message=message, hint=hint, result=dict(result or {}), ended=t.now())
        )

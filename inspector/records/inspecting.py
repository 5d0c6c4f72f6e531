"""Storing what inspecting brings: runs, results, reviews. Every function is one transaction: it happens whole or not at
all. Raises `ProjectError`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from inspector.domain import Decision, Region
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.project import Project
from inspector.records.write import (
    ImageFacts,
    image_ids,
    keep_image,
    newest_thresholds,
    plain_text,
    write_file,
)


@dataclass(frozen=True, slots=True)
class NewResult:
    """One inspected item. `image` with `data`, its file's bytes, for a kept copy; None when it could not be read
    (then `error`). `values`: the anomaly map (h, w), stored as float16. `regions` were cut with threshold row
    `threshold_id`; `decision` is taken from the newest thresholds when it is stored."""

    name: str
    image: ImageFacts | None = None
    data: bytes | None = None
    class_id: int | None = None
    class_confidence: float | None = None
    image_score: float | None = None
    values: NDArray[np.float32] | None = None
    regions: Sequence[Region] = ()
    threshold_id: int | None = None
    error: str = ""
    hint: str = ""


# runs and results


def start_run(
    project: Project, detector_id: int, title: str, *, class_id: int | None = None, job_id: int | None = None
) -> int:
    with project.writing() as session:
        row = t.Run(detector_id=detector_id, title=title, class_id=class_id, job_id=job_id)
        session.add(row)
        session.flush()
        return row.id


def remove_run(project: Project, run_id: int) -> None:
    """Hide a run with its results; `restore_run` brings it back."""
    with project.writing() as session:
        session.execute(update(t.Run).where(t.Run.id == run_id).values(removed=t.now()))


def restore_run(project: Project, run_id: int) -> None:
    with project.writing() as session:
        session.execute(update(t.Run).where(t.Run.id == run_id).values(removed=None))


def record_results(project: Project, run_id: int, items: Sequence[NewResult]) -> list[int]:
    """Store finished items of a run, in one transaction; their result ids in the same order.

    Images and maps are written first, each atomically, so that a row never names a file that is not there.
    """
    project.require_writable()
    maps: list[str | None] = []
    for item in items:
        if item.image is not None and item.data is not None:
            keep_image(project, item.image, item.data)
        maps.append(_keep_map(project, run_id, item))
    with project.writing() as session:
        detector_id = session.scalars(select(t.Run.detector_id).where(t.Run.id == run_id)).one()
        newest = newest_thresholds(session, detector_id)
        taught = set(
            session.scalars(
                select(t.Shot.image_id)
                .join(t.DetectorShot, t.DetectorShot.shot_id == t.Shot.id)
                .where(t.DetectorShot.detector_id == detector_id)
            )
        )
        ids = image_ids(session, [item.image for item in items if item.image is not None])
        rows = []
        for item, name in zip(items, maps, strict=True):
            image_id = ids[item.image.sha256] if item.image is not None else None
            score = item.image_score if not item.error else None
            if score is not None and not math.isfinite(score):
                raise ProjectError(
                    f"The score of “{item.name}” is not a number.", "Teach the detector again."
                )
            rows.append(
                t.Result(
                    run_id=run_id,
                    detector_id=detector_id,
                    image_id=image_id,
                    class_id=item.class_id,
                    name=plain_text(item.name),
                    image_score=score,
                    class_confidence=item.class_confidence,
                    decision=_decide(score, newest.get(item.class_id)),
                    map=name,
                    regions_threshold_id=item.threshold_id,
                    is_shot=image_id in taught,
                    error=item.error,
                    hint=item.hint,
                )
            )
        session.add_all(rows)
        session.flush()
        regions = [
            {"result_id": row.id, "area": region.area, "peak": region.peak}
            | dict(zip(("x", "y", "width", "height"), region.box, strict=True))
            for row, item in zip(rows, items, strict=True)
            for region in item.regions
        ]
        if regions:
            session.execute(insert(t.Region), regions)
        return [row.id for row in rows]


# reviews


def add_review(
    project: Project,
    result_ids: Iterable[int],
    decision: Decision,
    *,
    who: str,
    reason: str = "",
    defect_type: str = "",
) -> list[int]:
    """A person's word on results; it wins over the thresholds, now and after they move. Ids of the review rows."""
    added: list[int] = []
    with project.writing() as session:
        for result_id in map(int, result_ids):
            row = t.Review(
                result_id=result_id, decision=decision, reason=reason, defect_type=defect_type, who=who
            )
            session.add(row)
            session.flush()
            _apply_reviews(session, result_id)
            added.append(row.id)
    return added


def withdraw_review(project: Project, review_ids: Iterable[int], *, who: str) -> None:
    """Undo reviews: each gets a row that withdraws it, and the word before it counts again."""
    with project.writing() as session:
        for review_id in map(int, review_ids):
            row = session.get(t.Review, review_id)
            done = session.scalar(select(t.Review.id).where(t.Review.withdraws == review_id))
            if row is None or row.withdraws is not None or done is not None:
                raise ProjectError("This review can't be withdrawn (again).", "Refresh the history.")
            session.add(t.Review(result_id=row.result_id, withdraws=review_id, who=who))
            session.flush()
            _apply_reviews(session, row.result_id)


# the rest is how it is done


def _keep_map(project: Project, run_id: int, item: NewResult) -> str | None:
    if item.values is None or item.image is None:
        return None
    from io import BytesIO

    name = f"maps/{run_id}/{item.image.sha256}.npy"
    buffer = BytesIO()
    np.save(buffer, np.clip(item.values, -65504, 65504).astype(np.float16), allow_pickle=False)
    write_file(project, project.path(name), buffer.getvalue())
    return name


def _decide(score: float | None, thresholds: t.Threshold | None) -> Decision | None:
    if score is None or thresholds is None:
        return None
    if score >= thresholds.ng:
        return Decision.NG
    return Decision.REVIEW if score >= thresholds.review else Decision.OK


def _apply_reviews(session: Session, result_id: int) -> None:
    """Let the newest review that was not withdrawn count."""
    withdrawn = select(t.Review.withdraws).where(
        t.Review.result_id == result_id, t.Review.withdraws.is_not(None)
    )
    review = session.scalars(
        select(t.Review)
        .where(t.Review.result_id == result_id, t.Review.withdraws.is_(None), t.Review.id.not_in(withdrawn))
        .order_by(t.Review.id.desc())
        .limit(1)
    ).first()
    session.execute(
        update(t.Result)
        .where(t.Result.id == result_id)
        .values(
            override=review.decision if review else None,
            reviewed=review.created if review else None,
            defect_type=review.defect_type if review else "",
        )
    )

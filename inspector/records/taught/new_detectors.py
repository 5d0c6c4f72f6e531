"""How a finished detector comes into the project: its files and its rows together, or not at all."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inspector import paths
from inspector.domain import Proposal, Thresholds
from inspector.records import schema as t
from inspector.records.audit import ActKind, few, note
from inspector.records.disk.recovery import UNCOMMITTED
from inspector.records.files import pairs
from inspector.records.project import Project
from inspector.records.thresholds import new_threshold, numbers_text
from inspector.verdicts.product import Limit


@dataclass(frozen=True, slots=True)
class NewDetector:
    """A finished detector as teaching hands it over. `folder`: its staging folder.

    By class id: `held_out`; `thresholds`, as teaching found them; `chosen`, what a person puts in their place, and who;
    `taught_names`, what the detector calls its classes (as they are called now when None); `whites`, `products`, as in
    `DetectorRow`;
    `added_shots`, those of `shot_ids` that only its memory knows, in that order. `updated_from`: the detector whose memory got
    new shots. `takes`: the classes that it judges once it is in charge, all when None. `proposal`: it is only proposed, and
    this is what it would change. `taken_over`: it was taught in another project, which the audit says by itself."""

    folder: Path
    title: str
    method: str
    backbone: Mapping[str, Any]
    settings: Mapping[str, Any]
    false_alarm_rate: float
    shot_ids: Iterable[int]
    held_out: Mapping[int, Sequence[float]]
    thresholds: Mapping[int, Thresholds]
    chosen: Mapping[int, tuple[Thresholds, str]] = field(default_factory=dict)
    taught_names: Mapping[int, str] | None = None
    whites: Mapping[int, int] = field(default_factory=dict)
    added_shots: Mapping[int, Sequence[int]] = field(default_factory=dict)
    updated_from: int | None = None
    takes: Iterable[int] | None = None
    products: Mapping[int, Limit] = field(default_factory=dict)
    proposal: Proposal | None = None
    job_id: int | None = None
    taken_over: bool = False


def detector_staging(project: Project) -> Path:
    """An empty folder inside the project where a detector is made; swept away at the next opening if left behind."""
    project.require_writable()
    folder = paths.beside(project.path("detectors/new"), "staging")
    folder.mkdir(parents=True)
    return folder


def add_detector(
    project: Project, new: NewDetector, also: Callable[[int], None] = lambda _detector_id: None
) -> int:
    """Take a finished detector out of its staging folder into the project; its id. It is in charge from now on, unless
    it is only proposed. Files, rows and what `also` writes appear together or not at all."""
    with moving_in() as moved, project.writing() as session:
        detector_id = insert_detector(project, session, new, moved)
        also(detector_id)
        return detector_id


@contextmanager
def moving_in() -> Iterator[list[Path]]:
    """Around a transaction that takes detectors in: their folders, which go again where it fails."""
    moved: list[Path] = []
    try:
        yield moved
    except BaseException:
        for folder in moved:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    for folder in moved:
        (folder / UNCOMMITTED).unlink(missing_ok=True)


def insert_detector(project: Project, session: Session, new: NewDetector, moved: list[Path]) -> int:
    """The same as part of a transaction, within `moving_in`."""
    names = new.taught_names or pairs(session.execute(select(t.Class.id, t.Class.name)))
    row = t.Detector(
        title=new.title,
        method=new.method,
        backbone=dict(new.backbone),
        settings=dict(new.settings),
        false_alarm_rate=new.false_alarm_rate,
        taught_names={str(key): name for key, name in names.items() if key in new.thresholds},
        held_out={str(key): [float(score) for score in own] for key, own in new.held_out.items()},
        whites={str(key): white for key, white in new.whites.items()} or None,
        added_shots={str(key): list(ids) for key, ids in new.added_shots.items()} or None,
        updated_from=new.updated_from,
        takes=None if new.takes is None else {"classes": sorted(new.takes)},
        products={str(key): limit.as_json() for key, limit in new.products.items()} or None,
        charge=None if new.proposal is not None else next_charge(session),
        proposal=None if new.proposal is None else new.proposal.as_json(),
        job_id=new.job_id,
    )
    session.add(row)
    session.flush()
    chosen = session.execute(
        select(t.Shot.id, t.Shot.class_id).where(t.Shot.id.in_([int(key) for key in new.shot_ids]))
    )
    session.add_all(
        t.DetectorShot(detector_id=row.id, shot_id=shot_id, class_id=class_id) for shot_id, class_id in chosen
    )
    for class_id, values in new.thresholds.items():
        session.add(new_threshold(row.id, class_id, values, ""))
    session.flush()
    for class_id, (values, who) in new.chosen.items():
        session.add(new_threshold(row.id, class_id, values, who))
    session.flush()
    limits = {**new.thresholds, **{key: values for key, (values, _) in new.chosen.items()}}
    told = few([f"{names.get(key, key)}: {numbers_text(one)}" for key, one in limits.items()])
    now = "in charge" if new.proposal is None else "only proposed"
    kind = ActKind.UPDATED if new.updated_from else ActKind.TAUGHT
    old = f"#{new.updated_from}" if new.updated_from else ""
    if not new.taken_over:
        note(session, kind, f"#{row.id} {row.title}", old=old, new=f"{told} ({now})")
    folder = project.path(f"detectors/{row.id}")
    moved.append(folder)
    (new.folder / UNCOMMITTED).touch()
    new.folder.replace(folder)
    paths.sync(folder.parent)
    return row.id


def next_charge(session: Session) -> int:
    """Above that of every detector, so that who gets it is in charge."""
    return 1 + (session.scalar(select(func.max(t.Detector.charge))) or 0)

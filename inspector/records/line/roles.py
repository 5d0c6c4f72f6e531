"""Roles that ask for a PIN, and what each may do. They keep people apart who share a screen; whoever may write the project's folder
can take the PINs away (`inspector roles`)."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from inspector.domain import MAY, Deed, Role, least_role
from inspector.errors import NotAllowedError, ProjectError
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.project import Project, acting

_log = logging.getLogger("inspector.roles")

LEAST, MOST = 4, 12
"""Digits of a PIN."""
FREE_TRIES = 3
"""Wrong PINs in a row after which somebody has to wait, each time twice as long."""
LONGEST_WAIT = 300.0

_OF_DEED: Mapping[Deed, tuple[ActKind, ...]] = {
    Deed.JUDGE: (ActKind.REVIEWED, ActKind.REVIEW_WITHDRAWN, ActKind.OUTLINED),
    Deed.RUN: (ActKind.STATION_STARTED, ActKind.STATION_STOPPED, ActKind.IMAGES_LET_GO),
    Deed.CHECK: (ActKind.GOLDEN_CHECKED, ActKind.SIGNED_IN, ActKind.WRONG_PIN),
    Deed.ORDER: (ActKind.LOT_CHANGED,),
    Deed.INSPECT: (ActKind.INSPECTED, ActKind.CONTINUED),
    Deed.STUDY: (
        ActKind.STUDY_BEGUN,
        ActKind.STUDY_ENDED,
        ActKind.STUDY_REOPENED,
        ActKind.SMALLEST_TESTED,
    ),
    Deed.EXPORT: (
        ActKind.RESULTS_EXPORTED,
        ActKind.AUDIT_EXPORTED,
        ActKind.GOLDEN_EXPORTED,
        ActKind.SMALLEST_EXPORTED,
        ActKind.STUDY_EXPORTED,
        ActKind.REPORTED,
        ActKind.HANDED_OVER,
    ),
    Deed.THRESHOLDS: (ActKind.THRESHOLDS, ActKind.PRODUCT_ASKED, ActKind.PRODUCT_UNASKED),
    Deed.GOLDEN: (ActKind.GOLDEN_ADDED, ActKind.GOLDEN_REMOVED),
    Deed.STATIONS: (
        ActKind.STATION_ADDED,
        ActKind.STATION_CHANGED,
        ActKind.STATION_REMOVED,
        ActKind.STATION_RESTORED,
    ),
    Deed.REMOVE: (
        ActKind.RUN_REMOVED,
        ActKind.RUN_RESTORED,
        ActKind.STUDY_REMOVED,
        ActKind.STUDY_RESTORED,
        ActKind.BACKUP_RESTORED,
    ),
    Deed.ROLES: (ActKind.PIN_SET, ActKind.PIN_REMOVED),
}
_DEEDS = {kind: deed for deed, kinds in _OF_DEED.items() for kind in kinds}


def deed_of(kind: ActKind) -> Deed:
    """What somebody must be allowed to do for an act; whatever is not named elsewhere changes what is taught."""
    return _DEEDS.get(kind, Deed.TEACH)


def role_of(project: Project, signed_in: Role | None) -> Role | None:
    """Whom the project takes somebody for: everybody for an engineer while no role asks for a PIN; else who signed in for what she
    signed in as, and everybody else for the highest role that asks for none (None: for nobody)."""
    if not project.guarded:
        return Role.ENGINEER
    if signed_in is not None:
        return signed_in
    return next((role for role in reversed(Role) if role not in project.guarded), None)


def may(project: Project, signed_in: Role | None, deed: Deed) -> bool:
    """Whether who is signed in may do it."""
    role = role_of(project, signed_in)
    return role is not None and deed in MAY[role]


def refusal(deed: Deed) -> NotAllowedError:
    """Why somebody may not do it, and who may."""
    role = least_role(deed)
    return NotAllowedError(
        f"Only {_a(role)} may {deed.value}: nothing was changed.", f"Sign in as {_a(role)}.", deed
    )


@contextmanager
def acting_as(project: Project, signed_in: Role | None) -> Iterator[None]:
    """What is written on this thread meanwhile is done by hand: an act that this person may not do raises `NotAllowedError`, and
    nothing of it is stored."""

    def check(kind: str) -> None:
        deed = deed_of(ActKind(kind))
        if not may(project, signed_in, deed):
            raise refusal(deed)

    token = acting.set(check)
    try:
        yield
    finally:
        acting.reset(token)


def set_pin(project: Project, role: Role, pin: str) -> None:
    """From now on this role asks for the PIN. Raises `ProjectError` for a PIN that is no good, and where the engineer has none yet:
    nobody could take it back."""
    from argon2 import PasswordHasher

    if not (pin.isascii() and pin.isdigit() and LEAST <= len(pin) <= MOST):
        raise ProjectError(f"A PIN has {LEAST} to {MOST} digits.", "Choose another one.")
    if len(set(pin)) == 1 or pin in "01234567890" or pin in "09876543210":
        raise ProjectError("This PIN is guessed at the first try.", "Choose another one.")
    if role is not Role.ENGINEER and Role.ENGINEER not in project.guarded:
        raise ProjectError("The engineer has no PIN yet.", "Set the engineer's first.")
    other = _whose(project, pin)
    if other not in (None, role):
        raise ProjectError("Another role has this PIN.", "Choose another one.")
    hashed = PasswordHasher().hash(pin)
    with project.writing() as session:
        values = {"role": role.value, "pin": hashed, "created": t.now()}
        session.execute(insert(t.Role).values(values).on_conflict_do_update(["role"], set_=values))
        note(session, ActKind.PIN_SET, role.value)
    project.guarded |= {role.value}


def remove_pin(project: Project, role: Role) -> None:
    """It asks for none any more. Without the engineer's PIN no other holds, so that all of them go."""
    with project.writing() as session:
        for row in session.scalars(select(t.Role)):
            if role in (Role.ENGINEER, row.role):
                session.delete(row)
                note(session, ActKind.PIN_REMOVED, row.role)
    project.guarded = frozenset() if role is Role.ENGINEER else project.guarded - {role.value}


def sign_in(project: Project, pin: str, *, who: str = "") -> Role:
    """The role that the PIN belongs to. Raises `ProjectError` for a wrong one, which the audit holds too; after some in a row, nobody
    is heard for a while, each time longer, also when the project is opened anew meanwhile."""
    if (left := _wait(project)) > 0:
        raise ProjectError("Too many wrong PINs.", _again(left))
    role = _whose(project, pin)
    if role is None:
        with project.writing() as session:
            note(session, ActKind.WRONG_PIN, "sign-in", new=who)
        _log.warning("a wrong PIN for the project %s", project.folder)
        raise ProjectError("This is not the PIN of any role.", _again(_wait(project)))
    with project.writing() as session:
        note(session, ActKind.SIGNED_IN, role.value, who=who)
    return role


def _wait(project: Project) -> float:
    """Seconds for which nobody is heard, by the wrong PINs that the audit holds since the last sign-in or new PIN."""
    good = select(func.max(t.Act.id)).where(t.Act.kind.in_([ActKind.SIGNED_IN, ActKind.PIN_SET]))
    with project.reading() as session:
        since = session.scalar(good) or 0
        count, last = session.execute(
            select(func.count(), func.max(t.Act.created)).where(
                t.Act.id > since, t.Act.kind == ActKind.WRONG_PIN
            )
        ).one()
    if count < FREE_TRIES or last is None:
        return 0.0
    passed = (t.now() - last).total_seconds()
    whole = min(2.0 ** min(count - FREE_TRIES + 1, 20), LONGEST_WAIT)
    return min(max(whole - passed, 0.0), whole)  # also where the clock was set back


def _again(left: float) -> str:
    return f"Wait {max(1, round(left))} s, then try again." if left > 0 else "Try again."


def _whose(project: Project, pin: str) -> Role | None:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    with project.reading() as session:
        rows = {row.role: row.pin for row in session.scalars(select(t.Role))}
    for role in reversed(Role):
        if role in rows:
            try:
                PasswordHasher().verify(rows[role], pin)
                return role
            except (VerificationError, InvalidHashError):
                continue
    return None


def _a(role: Role) -> str:
    return f"{'an' if role.value[0] in 'aeio' else 'a'} {role.value}"

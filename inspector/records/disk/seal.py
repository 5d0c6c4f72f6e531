"""Whether a database is still what Inspector left behind, and if not, what in it can't be right.

Closing a project leaves the database's checksum beside it. SQLite itself notices few changed bytes, and none in a number or a
name, so that without it a changed score would be shown as the one that was measured. XXH3 reads a million results in a tenth of a
second; that somebody could make another database of the same checksum doesn't matter, since she could write the seal as well.
"""

import hashlib
import json
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import xxhash
from sqlalchemy import JSON, Boolean, Column

from inspector import paths
from inspector.domain import Decision, JobKind, JobStatus
from inspector.errors import ProjectDamagedError
from inspector.records import schema
from inspector.records.disk.database import DATABASE, restore_hint
from inspector.records.names import moment
from inspector.records.tables import columns
from inspector.text import one_line

SEAL = "project.seal"
"""Gone while the project is open for writing."""
_NAMED = 5
_PIECE = 1 << 20
_HASHES: dict[str, Any] = {"xxh3": xxhash.xxh3_128, "sha256": hashlib.sha256}
"""By their key in a seal. Earlier versions wrote the second."""
_WORDS: dict[tuple[str, str], type[Any]] = {
    ("jobs", "kind"): JobKind,
    ("jobs", "status"): JobStatus,
    ("results", "decision"): Decision,
    ("results", "override"): Decision,
    ("reviews", "decision"): Decision,
}
_TOGETHER = {"thresholds": "review <= ng", "results": "error != '' OR image_score IS NOT NULL"}
"""What the values of a row say of each other."""


def close(folder: Path, *, doubted: bool = False) -> None:
    """Seal the database of a project that was just closed; not where another program still has it open, or on a full disk.

    One that was `doubted` gets a seal that never fits, as long as it holds what can't be right.
    """
    database = folder / DATABASE
    with suppress(OSError):
        log = Path(f"{database}-wal")
        if not log.exists() or log.stat().st_size == 0:
            digest = "" if doubted and odd_values(database, mode="rw") else _digest(database, "xxh3")
            said = {"closed": schema.now().isoformat(timespec="seconds"), "xxh3": digest}
            paths.write_atomic(folder / SEAL, json.dumps(said).encode(), parents=False)


def doubt(folder: Path, database: Path) -> ProjectDamagedError | None:
    """What people should know of a database that isn't what Inspector left behind; None for one that is.

    `database`: the one of `folder`, or a copy of it. Takes one reading of the file (a million results: a tenth of a second),
    and longer only where it was changed. Raises OSError.
    """
    changed = _changed(folder)
    if not changed:
        return None
    said, odd = [changed], odd_values(database)
    if odd:
        more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
        said.append(f"It can't be right in {', '.join(odd[:_NAMED])}{more}.")
    hint = f"If nobody changed it on purpose, don't trust its results. {restore_hint(folder)}"
    return ProjectDamagedError(" ".join(said), hint)


def lift(folder: Path) -> bytes | None:
    """Take the seal off, before anything is written; what it was, for `put_back`."""
    try:
        return (folder / SEAL).read_bytes()
    except OSError:
        return None
    finally:
        (folder / SEAL).unlink(missing_ok=True)


def put_back(folder: Path, lifted: bytes) -> None:
    """Seal a database as it was found, without reading it: for who has written nothing."""
    with suppress(OSError):
        paths.write_atomic(folder / SEAL, lifted, parents=False)


def odd_values(database: Path, *, mode: str = "ro") -> list[str]:
    """Where a database holds what no Inspector writes: "results 5 (image_score)", or what SQLite finds damaged. Opened with
    `mode` "rw", SQLite removes its side files again."""
    found = []
    with closing(sqlite3.connect(f"{database.as_uri()}?mode={mode}", uri=True)) as connection:
        try:
            if (said := connection.execute("PRAGMA integrity_check(1)").fetchone()) != ("ok",):
                return [one_line(str(said[0]))[:100]]
            for table, row, *_ in connection.execute("PRAGMA foreign_key_check"):
                found.append(f"{table} {row} (points to nothing)")
            for table in schema.Base.metadata.sorted_tables:
                checks = [(column.name, _check(column)) for column in table.columns if not column.computed]
                checks.append(("its values together", _TOGETHER.get(table.name, "1")))
                cases = " ".join(f"WHEN NOT coalesce(({check}), 0) THEN '{name}'" for name, check in checks)
                query = f"SELECT rowid, CASE {cases} END AS odd FROM {table.name} WHERE odd IS NOT NULL"
                found += [f"{table.name} {row} ({name})" for row, name in connection.execute(query)]
        except sqlite3.DatabaseError as error:
            found.append(str(error))
    return found


def _check(column: Column[Any]) -> str:
    """SQL that holds for every value that Inspector writes into a column."""
    name = f'"{column.name}"'
    words = _WORDS.get((column.table.name, column.name))
    if words is not None:
        holds = f"{name} IN ({', '.join(repr(str(word)) for word in words)})"
    elif isinstance(column.type, columns.Utc):
        holds = f"typeof({name}) = 'text' AND datetime({name}) IS NOT NULL"
    elif isinstance(column.type, columns.Json | JSON):
        valid = f"typeof({name}) = 'text' AND json_valid({name})"
        holds = f"CASE WHEN {valid} THEN json_type({name}) IN ('object', 'null') END"
    elif isinstance(column.type, columns.Real):
        holds = f"typeof({name}) IN ('real', 'integer') AND abs({name}) < 1e308"
    elif isinstance(column.type, Boolean):
        holds = f"{name} IN (0, 1)"
    elif isinstance(column.type, columns.Text):
        holds = f"typeof({name}) = 'text'"
    else:
        holds = f"typeof({name}) = 'integer' AND {name} >= 0"
    return f"{name} IS NULL OR ({holds})" if column.nullable else holds


def _changed(folder: Path) -> str:
    try:
        said = json.loads((folder / SEAL).read_bytes())
        closed, kind = datetime.fromisoformat(said["closed"]), "xxh3" if "xxh3" in said else "sha256"
        if said[kind] == _digest(folder / DATABASE, kind):
            return ""
        when = f" on {moment(closed)}"
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError, RecursionError):
        when = ""
    return f"The database of {folder} was changed since Inspector closed it{when}: by another program, or by damage."


def _digest(file: Path, kind: str) -> str:
    digest, piece = _HASHES[kind](), memoryview(bytearray(_PIECE))
    with file.open("rb", buffering=0) as opened:
        while length := opened.readinto(piece):
            digest.update(piece[:length])
    return str(digest.hexdigest())

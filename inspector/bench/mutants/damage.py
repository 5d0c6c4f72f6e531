"""How a project's files are damaged: by accident, and by who knows what they mean."""

import hashlib
import io
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from inspector.bench.fuzz.images import damage_any
from inspector.methods.storage import MANIFEST_FILE, TENSORS_FILE
from inspector.records.project import DATABASE

DEEP = "DEEP"
"""Stands for a thousand brackets."""
_ODD: tuple[Any, ...] = (
    None, "", "x", 0, -1, 1, 2.5, True, 10**12, 10**400, float("nan"), float("inf"), "a\0b", "../../x", "x" * 70_000, [],
    {}, [[]], [1, 2, 3], {"a": 1}, DEEP,
)  # fmt: skip
_CELLS: tuple[Any, ...] = (
    None, "", "garbage", b"\xff\xfe\x00", "{", "[1, 2", '{"1": 5}', '{"1": [1e999, "x"]}', '"text"', "null", "9" * 400,
    "2026-99-99 00:00:00", "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "../../x", "/etc/passwd", "maps",
    "a/../../b", "running", "done", "nan", "1e999", -1, 0, 10**6, 10**18, float("inf"), float("-inf"), 2.5, "\u202e\0",
    "[" * 5000, "=1+1",
)  # fmt: skip


@dataclass(frozen=True)
class Harm:
    """What was done to one file, in a line. `knowing`: whatever could tell that it was changed was made to fit, so that other
    values than before are no fault, as long as they are ones that can be. `table`: of the database, if only a cell of it."""

    file: Path
    what: str
    knowing: bool = False
    table: str = ""


def database(rng: random.Random, project: Path, home: Path) -> Harm:
    """Bytes, pages, or what lies beside the database."""
    file = project / DATABASE
    data = file.read_bytes()
    page = int.from_bytes(data[16:18], "big") or 4096
    how = rng.randrange(6)
    if how == 0:
        side = file.with_name(DATABASE + rng.choice(("-wal", "-journal", "-shm")))
        start = rng.choice((b"", b"\x37\x7f\x06\x82", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"))
        side.write_bytes(start + rng.randbytes(rng.choice((0, 32, 5000))))
        return Harm(side, "noise")
    if how == 1:
        first, second = (page * rng.randrange(len(data) // page) for _ in range(2))
        content = rng.choice((bytes(page), rng.randbytes(page), data[second : second + page]))
        file.write_bytes(data[:first] + content + data[first + page :])
        return Harm(file, f"page {first // page}")
    if how == 2:
        file.write_bytes(data + rng.randbytes(rng.choice((1, page, 10 * page))))
        return Harm(file, "extended")
    if how == 3:
        return _statement(rng, file)
    file.write_bytes(damage_any(rng, data, [data]))
    return Harm(file, "bytes")


def cell(rng: random.Random, project: Path, home: Path) -> Harm:
    """One value of one row becomes one that can't be there. SQLite notices nothing of it."""
    file = project / DATABASE
    while True:
        with closing(_unguarded(file)) as connection:
            tables = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            table = rng.choice([name for name in tables if not name.startswith("sqlite_")])
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
            ids = [row for (row,) in connection.execute(f"SELECT rowid FROM {table}")]
            if not ids:
                continue
            column, value, row = rng.choice(columns), rng.choice(_CELLS), rng.choice(ids)
            try:
                with connection:
                    before = connection.execute(
                        f"UPDATE {table} SET {column} = ? WHERE rowid = ? AND {column} IS NOT ? RETURNING {column}",
                        (value, row, value),
                    ).fetchone()
            except (sqlite3.IntegrityError, OverflowError):
                continue  # the schema doesn't take it
        if before is not None:
            return Harm(file, f"{table}.{column} of row {row} = {value!r:.40}", table=table)


def detector(rng: random.Random, project: Path, home: Path) -> Harm:
    """Bytes of either file, or another value of the description or the learned values under checksums that are right."""
    folder = rng.choice(sorted((project / "detectors").iterdir()))
    manifest, tensors = folder / MANIFEST_FILE, folder / TENSORS_FILE
    how = rng.random()
    if how < 0.3:
        file = rng.choice((manifest, tensors))
        others = [path.read_bytes() for path in sorted((project / "detectors").rglob("*.*"))]
        file.write_bytes(damage_any(rng, file.read_bytes(), others))
        return Harm(file, "bytes")
    said = json.loads(manifest.read_bytes())
    if how < 0.65:
        what = _json(rng, said)
        manifest.write_bytes(_sealed(said))
        return Harm(manifest, what, knowing=True)
    if how < 0.75:
        data = _header(rng, tensors.read_bytes())
        what = "header"
    else:
        values = safetensors.numpy.load_file(tensors)
        what = _tensor(rng, values)
        data = safetensors.numpy.save(values)
    tensors.write_bytes(data)
    manifest.write_bytes(_sealed(said | {"sha256": hashlib.sha256(data).hexdigest()}))
    return Harm(tensors, what, knowing=True)


def settings(rng: random.Random, project: Path, home: Path) -> Harm:
    """Bytes, or a value that isn't one of those that a setting takes."""
    file = home / "config" / "settings.toml"
    data = file.read_bytes()
    if rng.random() < 0.4:
        file.write_bytes(damage_any(rng, data, [data]))
        return Harm(file, "bytes")
    lines = data.decode().splitlines()
    number = rng.randrange(len(lines))
    name = lines[number].partition("=")[0].strip()
    odd = (
        "0", "-1", "1e999", "nan", "9" * 5000, "0x10", "true", '""', '"x"', "[]", "{}", "[[1]]", '["a\\u0000b"]',
        "1979-05-27", "'''\n'''", '"\\u202e"', f'"{"x" * 90_000}"', "[" * 5000 + "]" * 5000, "", '"../../x"', '"cuda:77"',
    )  # fmt: skip
    lines[number] = f"{name} = {rng.choice(odd)}"
    file.write_bytes("\n".join(lines).encode())
    return Harm(file, f"{name} = {lines[number][len(name) + 3 :]:.40}", knowing=True)


def maps(rng: random.Random, project: Path, home: Path) -> Harm:
    """Bytes, another array, or a head that promises more than follows."""
    file = rng.choice(sorted((project / "maps").rglob("*.npy")))
    data = file.read_bytes()
    how = rng.randrange(3)
    if how == 0:
        file.write_bytes(damage_any(rng, data, [path.read_bytes() for path in sorted(file.parent.iterdir())]))
        return Harm(file, "bytes")
    if how == 1:
        values = np.load(io.BytesIO(data))
        others: tuple[Any, ...] = (
            values.astype(np.float64), values.astype(np.complex64), values[None], values.ravel(), values[:0], values[:-1],
            np.full_like(values, np.nan), np.full_like(values, np.inf), values.astype("S8"), np.float16(1), values.T * 2,
            np.zeros((1, 1), np.float16), np.zeros(4, [("a", "<f2"), ("b", "<i4")]), np.asfortranarray(values) + 1,
            values.astype(">f2"), values.astype(np.int8), -values, values * 100,
        )  # fmt: skip
        number = rng.randrange(len(others))
        np.save(file, others[number], allow_pickle=False)
        return Harm(file, f"array {number}")
    shape = rng.choice(
        ((10**9, 10**9), (0, 5), (-1, 5), (60, 60, 1), (2**40, 2), (5,), (), ("a",), (3600, 1), (1.5, 2))
    )
    kind = rng.choice(("<f2", "<f4", "|O", "<f8", "<U9", "|V2", "x", "<f2,<f2"))
    head = f"{{'descr': {kind!r}, 'fortran_order': {rng.choice((True, False, 3))!r}, 'shape': {shape!r}, }}"
    head = rng.choice((head, head.replace("}", ""), "[" * 3000, "{}", "__import__('os').abort()"))
    body = head.encode().ljust(118) + b"\n"
    file.write_bytes(
        b"\x93NUMPY"
        + bytes((rng.choice((1, 1, 1, 2, 9)), 0))
        + len(body).to_bytes(2, "little")
        + body
        + data[128:]
    )
    return Harm(file, f"head {head:.60}")


KINDS: dict[str, Callable[[random.Random, Path, Path], Harm]] = {
    "database": database,
    "cell": cell,
    "detector": detector,
    "settings": settings,
    "maps": maps,
}


def _unguarded(file: Path) -> sqlite3.Connection:
    """A connection on the database without the triggers that forbid changes; foreign keys are not looked at."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=DELETE")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.commit()
    return connection


def _statement(rng: random.Random, file: Path) -> Harm:
    """SQL that is valid, and leaves what no version of Inspector wrote."""
    with closing(_unguarded(file)) as connection:
        found = connection.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        kind, name = rng.choice(found)
        table = rng.choice([own for of, own in found if of == "table"])
        statement = rng.choice(
            (
                f"DROP {kind} {name}",
                f"DELETE FROM {table}",
                f"ALTER TABLE {table} RENAME TO other",
                "UPDATE alembic_version SET version_num = '9999'",
                "UPDATE alembic_version SET version_num = 'x'",
                f"UPDATE {table} SET rowid = rowid + 1000",
            )
        )
        with connection:
            connection.execute(statement)
    return Harm(file, statement, knowing=True)


def _sealed(said: dict[str, Any]) -> bytes:
    """A description with the checksum that belongs to it, if one can be made."""
    try:
        own = {name: value for name, value in said.items() if name != "manifest_sha256"}
        said["manifest_sha256"] = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
    except TypeError:
        pass
    deep = b"[" * 3000 + b"]" * 3000
    return json.dumps(said).encode().replace(f'"{DEEP}"'.encode(), deep)


def _json(rng: random.Random, said: dict[str, Any]) -> str:
    """A value becomes something else, or is gone, or there is one more."""
    at: Any = said
    path = ""
    while True:
        key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        path += f"/{key}"
        inner = at[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.1:
            break
        at = inner
    how = rng.random()
    if how < 0.15:
        del at[key]
        return f"without {path}"
    if how < 0.25 and isinstance(at, dict):
        at["extra"] = inner
        return f"extra beside {path}"
    odd = rng.choice(
        (*_ODD, *([inner * 1000, -inner, inner + 1] if isinstance(inner, int | float) else [[inner] * 2]))
    )
    at[key] = odd
    return f"{path} = {odd!r:.40}"


def _tensor(rng: random.Random, values: dict[str, Any]) -> str:
    """Another shape, type, name, or values."""
    name = rng.choice(sorted(values))
    value = values[name]
    how = rng.randrange(10)
    if how == 0:
        del values[name]
    elif how == 1:
        values["extra"] = value
    elif how == 2:
        values[rng.choice(("99999999999.0.stem16", "0.99.x", "..", "", "x" * 9000, "-1.0.stem16"))] = (
            values.pop(name)
        )
    elif how == 3:
        values[name] = value.reshape(-1)
    elif how == 4:
        values[name] = value[:0] if value.ndim else value.reshape(1)
    elif how == 5:
        values[name] = np.concatenate([value.reshape(1, -1)] * 2) if value.size else value
    elif how == 6:
        values[name] = value.astype(rng.choice((np.float64, np.float16, np.int64, np.bool_, np.uint8)))
    elif how == 7:
        values[name] = np.full_like(
            value, rng.choice((np.nan, np.inf, 0, 3e38, -3e38)) if value.dtype.kind == "f" else 0
        )
    elif how == 8:
        values[name] = value[None]
    else:
        other = rng.choice(sorted(values))
        values[name], values[other] = values[other], values[name]
    return f"tensor {name}, way {how}"


def _header(rng: random.Random, data: bytes) -> bytes:
    """The head of a safetensors file says what isn't so."""
    length = int.from_bytes(data[:8], "little")
    head, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    _json(rng, head)
    text = json.dumps(head).encode().replace(f'"{DEEP}"'.encode(), b"[" * 3000 + b"]" * 3000)
    told = rng.choice((len(text), len(text), len(text), 2**40, 2**63, 0))
    return told.to_bytes(8, "little") + text + body

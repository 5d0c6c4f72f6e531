"""Lists of labelled image sets, and how they are damaged: as files, as tables, and as JSON."""

import json
import random
from pathlib import Path
from typing import Any

from inspector.bench.fuzz import images
from inspector.jobs.evaluation import datasets

_TABLE = """object,split,label,image,mask
pcb,train,normal,pcb/0.png,
pcb,train,normal,pcb/1.png,
pcb,test,normal,pcb/2.png,
pcb,test,anomaly,"pcb/3, bent.png",pcb/3_mask.png
"""
_ODD: tuple[Any, ...] = (
    None,
    "",
    0,
    -1,
    2.5,
    True,
    10**400,
    "a\0b",
    "../../x.png",
    "/x.png",
    "\u202e",
    "x" * 70_000,
    [],
    {},
    [[]],
)


def draw() -> dict[str, bytes]:
    """VisA's tables in several encodings, and a list of Real-IAD."""
    good = {"category": "part", "anomaly_class": "OK", "image_path": "OK/0.png", "mask_path": None}
    bad = {"category": "part", "anomaly_class": "pit", "image_path": "NG/0.png", "mask_path": "NG/0_m.png"}
    meta = {"normal_class": "OK", "prefix": "part/"}
    return {
        "plain.csv": _TABLE.encode(),
        "bom.csv": _TABLE.encode("utf-8-sig"),
        "wide.csv": _TABLE.encode("utf-16"),
        "windows.csv": _TABLE.replace("\n", "\r\n").encode(),
        "part.json": json.dumps(
            {"meta": meta, "train": [good, good], "test": [good, bad]}, indent=1
        ).encode(),
    }


def read(file: Path) -> None:
    """The set that the list makes of its folder; its images are missing."""
    if file.suffix == ".json":
        inside = file.parent / "realiad_jsons"
        inside.mkdir()
        file.rename(inside / file.name)
    datasets.read(file.parent)


def mutate(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One to three kinds of damage, one after the other."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        damage = rng.choice((images.damage_any, _json if data[:1] == b"{" else _cell))
        try:
            data = damage(rng, data, others)
        except (ValueError, IndexError, KeyError, RecursionError):
            data = images.damage_any(rng, data, others)
    return data


def _cell(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A cell of the table becomes something else, or is gone, or the row is there 500 times."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    rows = [line.split(",") for line in data.decode(encoding).split("\n")]
    row = rng.choice(rows)
    how = rng.randrange(3)
    if how == 0:
        row[rng.randrange(len(row))] = str(rng.choice(_ODD[:12])) if rng.random() < 0.9 else '"'
    elif how == 1:
        del row[rng.randrange(len(row))]
    else:
        rows.extend([row] * 500)
    return "\n".join(",".join(cells) for cells in rows).encode(encoding)


def _json(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A value becomes something else, is gone, or lies a thousand brackets deep."""
    content = json.loads(data)
    at: Any = content
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = rng.choice(keys)
        inner = at[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.2:
            break
        at = inner
    if rng.random() < 0.2:
        del at[key]
    else:
        at[key] = rng.choice((*_ODD, inner, "DEEP"))
    deep = b"[" * 3000 + b"]" * 3000
    return json.dumps(content, indent=1).encode().replace(b'"DEEP"', deep)

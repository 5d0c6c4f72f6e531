"""The audit as a file: every act with its checksum, so that it can be checked again and held against the project later."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspector.errors import ExportError
from inspector.exports.files import writing
from inspector.exports.tables import shown
from inspector.records.audit import EVERY_ACT, ActFilter, ActKind, ActRow, all_acts, record, verify
from inspector.records.project import Project

COLUMNS = ("act", "when (UTC)", "who", "what", "subject", "from", "to", "reason", "checksum")


def export_audit(project: Project, target: Path, where: ActFilter = EVERY_ACT) -> int:
    """Write the acts, oldest first, to a CSV or JSON file, as its ending says; how many. It is an act itself, which the file doesn't
    hold yet. Raises `ExportError`, also where there is something at `target` already."""
    write = {".csv": _write_csv, ".json": _write_json}.get(target.suffix.lower())
    if write is None:
        raise ExportError(
            f"“{target.name}” is neither a CSV nor a JSON file.", "Let its name end in .csv or .json."
        )
    with writing(target) as temporary:
        count = write(project, temporary, all_acts(project, where))
    record(project, ActKind.AUDIT_EXPORTED, f"{count:,} acts", new=str(target))
    return count


def _write_csv(project: Project, target: Path, acts: Iterator[ActRow]) -> int:
    """UTF-8 with a byte order mark, as Excel needs; text stays text, whatever it begins with."""
    count = 0
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for act in acts:
            count += 1
            texts = (act.who, act.kind, act.subject, act.old, act.new, act.reason)
            table.writerow((act.id, _moment(act.created), *map(shown, texts), act.chain))
    return count


def _write_json(project: Project, target: Path, acts: Iterator[ActRow]) -> int:
    """An object with what was found of the chain, and one line an act."""
    chain = verify(project)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about: dict[str, Any] = {"made_by": "Inspector", "version": version("inspector"), "created": now}
    about |= {"project": project.name, "whole": chain.broken is None, "last_checksum": chain.head}
    if chain.broken is not None:
        about["broken"] = {"act": chain.broken.id, "what": chain.broken.what}
    count = 0
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{encode(about)[:-1]}, "acts": [')
        for count, act in enumerate(acts, 1):
            values = (act.id, _moment(act.created), act.who, act.kind, act.subject, act.old, act.new)
            named = dict(zip(COLUMNS, (*values, act.reason, act.chain), strict=True))
            file.write(f"{',' * (count > 1)}\n{encode(named)}")
        file.write("\n]}\n")
    return count


def _moment(when: datetime) -> str:
    """As the checksum counts it."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")

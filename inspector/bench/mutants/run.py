"""What a damaged file does to a project: everything seen is
right or said to be damaged, and nothing else is lost."""

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.bench.mutants import damage
from inspector.bench.mutants import project as subject
from inspector.bench.watched import watch
from inspector.jobs.engine import Engine
from inspector.methods import catalogue
from inspector.records import project as projects
from inspector.records.detectors import list_detectors

KINDS = tuple(damage.KINDS)
SECONDS = 60.0
"""No damage makes a project take longer than this in all, which is ten times what a whole one takes."""
MEBIBYTES = 2048
_GOOD = ("right", "said")


def mutants(
    count: int = 1000,
    *,
    seed: int = 0,
    kinds: tuple[str, ...] = KINDS,
    methods: tuple[str, ...] = catalogue.SMALL,
    make_engine: Callable[[], Engine] = Engine,
    workers: int = 2,
    seconds: float = SECONDS,
    progress: Callable[[int, str], None] = lambda number, line: None,
) -> dict[str, Any]:
    """Damage one file of a project, `count` times, each in a
    fresh copy: then open, list, show, inspect, review and export.

    Returns `tried`; `right` and `said` (something was said to be damaged, and the rest is right), which are
    well; `raised` (anything but InspectorError, or the process died), `wrong` (a score, verdict, region,
    threshold or map that differs from the right one without a word), `lost` (another file or a row is gone),
    `slow` (longer than `seconds`) and `large` (more than `MEBIBYTES`), which must be 0; `peak_mib` of any
    process; `problems`, a line each.
    """
    counts = dict.fromkeys(("tried", *_GOOD, "raised", "wrong", "lost", "slow", "large"), 0)
    problems: list[str] = []
    peak = 0.0
    with tempfile.TemporaryDirectory(prefix="inspector-mutants-") as top, _home(Path(top) / "home"):
        engine = make_engine()
        subject.make(Path(top), engine, methods)
        (Path(top) / "home" / "config").mkdir(parents=True)
        (Path(top) / "home" / "config" / "settings.toml").write_text(_SETTINGS, "utf-8")
        with projects.open(Path(top) / "project") as opened:
            detectors = {row.folder.name: row.id for row in list_detectors(opened)}
        right = {key: _seen(Path(top), engine, key) for key in detectors.values()}
        work = _Harming(seed, kinds, Path(top), make_engine, right)
        for answer in watch(
            range(count),
            work,
            good=_GOOD,
            workers=workers,
            seconds=seconds,
            mebibytes=MEBIBYTES,
            preload=("inspector.bench.mutants.run", "inspector.features.loading"),
        ):
            counts["tried"] += 1
            peak = max(peak, answer.peak)
            kind = answer.outcome.partition(":")[0]
            if answer.peak > MEBIBYTES:
                kind = "large"
            elif kind not in counts:
                kind = "raised"
            counts[kind] += 1
            if kind not in _GOOD:
                problems.append(f"{answer.number}: {answer.outcome}, {answer.peak:.0f} MiB")
            progress(counts["tried"], f"{len(problems)} problems")
    return {**counts, "peak_mib": round(peak), "problems": problems}


_SETTINGS = f"""theme = "dark"
device = "cpu"
weights = "inspector-tiny"
method = "{catalogue.QUICK}"
false_alarm_rate = 0.05
colour_map = "turbo"
overlay_opacity = 0.5
reviewer = "Ada"
batch_size = 4
recent_projects = ["/data/line 4", "/data/line 9"]
"""


class _home:
    """INSPECTOR_HOME for as long as a body lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._before = os.environ.get("INSPECTOR_HOME")
        os.environ["INSPECTOR_HOME"] = str(self._folder)

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            os.environ.pop("INSPECTOR_HOME", None)
        else:
            os.environ["INSPECTOR_HOME"] = self._before


def _seen(top: Path, engine: Engine, detector_id: int) -> subject.Sight:
    """What an unharmed copy shows."""
    place = top / "whole"
    shutil.copytree(top / "project", place / "project")
    try:
        return subject.look(place / "project", engine, detector_id, top / "probes", place / "out")
    finally:
        shutil.rmtree(place)


@dataclass(frozen=True)
class _Harming:
    """The work of the processes. `top`: where the whole project
    lies. `right`: detector → what it lets people see."""

    seed: int
    kinds: tuple[str, ...]
    top: Path
    make_engine: Callable[[], Engine]
    right: dict[int, subject.Sight]

    def prepare(self) -> None:
        global _engine
        _engine = self.make_engine()
        _engine.backbone()

    def begin(self, number: int) -> tuple[Path, damage.Harm]:
        place = self.top / f"mutant {number}"
        for part in ("project", "home"):
            shutil.copytree(self.top / part, place / part)
        os.environ["INSPECTOR_HOME"] = str(place / "home")
        rng = random.Random(f"{self.seed} {number}")
        kind = self.kinds[number % len(self.kinds)]
        return place, damage.KINDS[kind](rng, place / "project", place / "home")

    def finish(self, number: int, begun: tuple[Path, damage.Harm]) -> str:
        place, harm = begun
        folder = place / "project"
        try:
            detector_id = max(self.right)
            if harm.file.parent.parent.name == "detectors":
                detector_id = int(harm.file.parent.name)
            files, rows = subject.content(folder), _rows(folder)
            what = f"{harm.file.relative_to(place)}, {harm.what}"
            try:
                sight = subject.look(folder, _engine, detector_id, self.top / "probes", place / "out")
            except Exception as error:
                return f"raised: {type(error).__name__}: {error} ({what})".replace("\n", " ")[:400]
            kept = set(subject.content(folder).values())
            own = harm.file.relative_to(folder).as_posix() if harm.file.is_relative_to(folder) else ""
            if lost := [name for name, sha in files.items() if sha not in kept and name != own]:
                return f"lost: {lost[0]} ({what})"
            after = _rows(folder)
            if lost := [name for name, number in rows.items() if after.get(name, number) < number]:
                return f"lost: rows of {lost[0]} ({what})"
            if harm.table not in ("", "alembic_version", "project") and "opened" not in sight.facts:
                return f"wrong: one value closes the project: {sight.said['']} ({what})"[:400]
            right = self.right[detector_id]
            if not harm.knowing and (wrong := sight.wrong(right)):
                return f"wrong: {wrong} ({what})"[:400]
            return "said" if sight.said.keys() - right.said.keys() else "right"
        finally:
            shutil.rmtree(place, ignore_errors=True)


_engine: Engine


def _rows(folder: Path) -> dict[str, int]:
    """Table → how many rows it has; nothing of a database that can't be read."""
    try:
        with closing(
            sqlite3.connect(f"{(folder / projects.DATABASE).as_uri()}?mode=ro", uri=True)
        ) as connection:
            names = [
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                ).fetchall()
            ]
            return {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names
            }
    except sqlite3.DatabaseError:
        return {}

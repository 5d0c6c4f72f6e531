"""Evaluations on disk: what one measured, written and read here alone.

A folder holds results.json (means), details.json (every score and curve), results.csv and results.md (for people),
images.json (where the images are on this computer) and maps/ (what the detectors saw).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector import paths
from inspector.errors import ExportError, InspectorError
from inspector.jobs.evaluation import tables
from inspector.jobs.evaluation.plan import Series, method_title
from inspector.jobs.evaluation.reading import Reading
from inspector.verdicts.metrics import FIGURES

MEAN = ""
"""The class name of a row that is the mean over all classes."""
RESULTS, DETAILS, PLACE, MAPS = "results.json", "details.json", "images.json", "maps"
PAPER = "paper.md"
"""Ours beside published figures."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `means`, `stds`: in the order of FIGURES, 0–1, None where undefined; one draw has no
    deviation."""

    series: Series
    class_name: str
    means: tuple[float | None, ...]
    stds: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """An evaluation in a list. `when`: as people read it, local time. `pace`: seconds for a unit of effort on one test
    image, 0 where that isn't known; `tried`: the methods that it was taken from."""

    folder: Path
    data: str
    when: str
    methods: str
    counts: str
    pace: float = 0.0
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """`source`: where the images were. `speed`: milliseconds an image by method. `note`: what is to be known about the
    figures, "" mostly. `white`: see `EvaluationPlan`. `confirmed`: None where no part was."""

    listed: Listed
    about: str
    note: str
    source: Path
    classes: tuple[str, ...]
    series: tuple[Series, ...]
    rows: tuple[Row, ...]
    readings: Mapping[Series, tuple[Reading, ...]]
    speed: Mapping[str, float]
    white: int | None = None
    confirmed: tables.ConfirmedTable | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The draws, in the order measured."""
        return tuple(dict.fromkeys(r.seed for own in self.readings.values() for r in own))

    def row(self, series: Series, class_name: str) -> Row | None:
        """The figures of a series on a class; None where they weren't measured."""
        return next((r for r in self.rows if (r.series, r.class_name) == (series, class_name)), None)

    def find(self, series: Series, class_name: str, seed: int | None = None) -> list[Reading]:
        """The readings of a series on one class, or on all where the class is MEAN."""
        return [
            r
            for r in self.readings.get(series, ())
            if class_name in (MEAN, r.class_name) and seed in (None, r.seed)
        ]


# writing


def write(
    folder: Path,
    readings: Sequence[Reading],
    provenance: Mapping[str, Any],
    comparison: Mapping[str, Any] | None = None,
) -> tables.Table:
    """Write results and details and give back results.json's `summary`. Raises ExportError where nothing can be
    written.

    `summary.<method>.<shots>.<figure>`: mean over classes and seeds, 0–1; `summary_std`: standard deviation over
    seeds of the mean over classes; `classes.<method>.<shots>.<class>.<figure>`: {mean, std} over seeds. An undefined
    figure is null, and left out of means. `verdicts.<method>.<shots>.<class or "mean of classes">.<share>`: where
    thresholds were set from the shots alone; `confirmed.<method>.<shots>.<class or "mean of classes">.<parts>.<share>`:
    where they were set from so many parts confirmed good too. `published`: the `comparison`, as `paper.Comparison.as_json`, where there
    is one; paper.md then shows ours beside it.
    """
    summary, summary_std, classes = tables.tables(readings)
    results: dict[str, Any] = {
        "summary": summary,
        "summary_std": summary_std,
        "classes": classes,
        "provenance": provenance,
    }
    if shares := tables.verdict_shares(readings):
        results["verdicts"] = shares
    if confirmed := tables.confirmed_shares(readings):
        results["confirmed"] = confirmed
    if comparison is not None:
        results["published"] = comparison
    details = []
    for reading in readings:
        figures = {key: tables.plain(value) for key, value in reading.figures.items()}
        details.append(_json({**reading.as_json(), "figures": figures}, None))
    lines = b",\n".join(details)  # one a line, to be read bit by bit
    _write(folder / DETAILS, b"[\n" + lines + b"\n]\n")
    _write(folder / "results.csv", tables.as_csv(classes).encode("utf-8-sig"))
    _write(folder / "results.md", tables.as_markdown(results).encode())
    if comparison is not None:
        _write(folder / PAPER, tables.beside_published(results).encode())
    _write(folder / RESULTS, _json(results, 1))
    return summary


def write_place(folder: Path, images: Path) -> None:
    """Note where the images are on this computer, for the window. A file of its own, as results.json is passed on."""
    _write(
        folder / PLACE, json.dumps({"folder": str(images)}, indent=1).encode()
    )  # odd names survive as escapes


def write_maps(folder: Path, file: str, maps: Sequence[NDArray[np.float16]]) -> None:
    """The anomaly maps (rows, columns) of a reading, in the order of its images. Raises ExportError."""
    from io import BytesIO

    packed = BytesIO()
    np.savez_compressed(packed, *maps)
    _write(folder / file, packed.getvalue())


def _write(file: Path, data: bytes) -> None:
    try:
        paths.write_atomic(file, data)
    except OSError as error:
        raise ExportError(
            f"The results can't be written to {file.parent.name}: {error.strerror or error}.",
            "Choose another folder.",
        ) from error


def _json(values: Any, indent: int | None) -> bytes:
    return json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False).encode()


# reading


def listed(root: Path) -> list[Listed]:
    """The evaluations in a folder, the newest first; what can't be read is left out. For a worker."""
    found = []
    for file in root.glob(f"*/{RESULTS}"):
        try:
            when, entry = _listed(file.parent, _results(file.parent)["provenance"])
        except (InspectorError, KeyError, TypeError, ValueError, AttributeError):
            continue
        found.append((when, entry))
    return [
        entry for _, entry in sorted(found, key=lambda pair: (pair[0], pair[1].folder.name), reverse=True)
    ]


def load(folder: Path) -> Evaluation:
    """A whole evaluation. Raises InspectorError when a file is missing or damaged. For a worker."""
    try:
        results = _results(folder)
        about = results["provenance"]
        _, entry = _listed(folder, about)
        rows = tuple(_rows(results))
        readings: dict[Series, tuple[Reading, ...]] = {}
        for series, group in groupby(_readings(folder / DETAILS), lambda r: r.series):
            readings[series] = (*readings.get(series, ()), *group)
        made = Evaluation(
            entry,
            _about(about),
            " ".join([*tables.unmarked_words(about["classes"]), *tables.failed_words(about)]).strip(),
            _source(folder, about),
            tuple(dict.fromkeys(row.class_name for row in rows if row.class_name)),
            tuple(dict.fromkeys(row.series for row in rows)),
            rows,
            readings,
            {str(name): float(value) for name, value in about.get("ms_per_image", {}).items()},
            white if type(white := about.get("white")) is int else None,
            _confirmed(results),
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _damaged(folder) from error
    if not rows or not readings:
        raise _damaged(folder)
    return made


def read_map(folder: Path, reading: Reading, number: int) -> NDArray[np.float32] | None:
    """The anomaly map of a reading's image, (map_height, map_width); None where it wasn't kept. For a worker."""
    file = paths.inside(folder, reading.maps)
    if file is None:
        return None
    try:
        with np.load(file, allow_pickle=False) as maps:
            values = np.asarray(maps[f"arr_{number}"], np.float32)
    except Exception:  # gone or damaged: the picture stands without it, and says so
        return None
    return values if values.ndim == 2 and values.size and np.isfinite(values).all() else None


def _damaged(folder: Path) -> InspectorError:
    return InspectorError(
        f"The evaluation in {folder.name} can't be read.",
        "Choose a folder with the results.json and details.json of an evaluation, or run it again.",
    )


def _results(folder: Path) -> dict[str, Any]:
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(folder) from error
    if not isinstance(results, dict):
        raise _damaged(folder)
    return results


def _source(folder: Path, about: Mapping[str, Any]) -> Path:
    """Where the images were when it was measured on this computer; results that came from elsewhere don't say."""
    try:
        return Path(json.loads((folder / PLACE).read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return Path(str(about.get("folder") or folder / "images"))  # whole in older evaluations


def _listed(folder: Path, about: Mapping[str, Any]) -> tuple[datetime, Listed]:
    when = datetime.fromisoformat(about["date"])
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    names = tuple(str(name) for name in about["settings"])
    methods = ", ".join(map(method_title, names))
    shots = ", ".join(str(count) for count in about["shots"])
    classes, seeds = len(about["classes"]), len(about["seeds"])
    words = (
        f"{shots} shot{'s' if shots != '1' else ''} · {seeds} draw{'s' if seeds != 1 else ''}"
        f" · {classes} class{'es' if classes != 1 else ''}"
    )
    shown = f"{when.astimezone():%d %b %Y, %H:%M}"
    return when, Listed(folder, str(about["data"]), shown, methods, words, _pace(about, names), names)


def _pace(about: Mapping[str, Any], names: Sequence[str]) -> float:
    """What a unit of effort took on one test image, where everything was measured anew in one process."""
    if about.get("taken_from_parts") or about.get("workers", 1) != 1:
        return 0.0
    tests = sum(int(count["test_good"] + count["test_defective"]) for count in about["classes"].values())
    effort = sum(Series(name, int(shots)).effort for name in names for shots in about["shots"])
    return float(about.get("seconds", 0.0)) / max(effort * len(about["seeds"]) * tests, 1)


def _about(about: Mapping[str, Any]) -> str:
    good = sum(count["test_good"] for count in about["classes"].values())
    bad = sum(count["test_defective"] for count in about["classes"].values())
    spread = "mean ± standard deviation over draws, " if len(about["seeds"]) > 1 else ""
    return (
        f"{good} good and {bad} defective test images · "
        f"{'one detector for all classes' if about['one_for_all'] else 'one detector a class'} · "
        f"class {'known' if about['class_known'] else 'found'} · "
        f"{tables.range_note(about).replace('; ', ' · ')}{about['backbone']['architecture']} on"
        f" {about['device']} · {spread}in per cent"
    )


def _rows(results: Mapping[str, Any]) -> Iterable[Row]:
    several = len(results["provenance"]["seeds"]) > 1
    unknown = (None,) * len(FIGURES)
    for method, by_shots in results["summary"].items():
        for shots, means in by_shots.items():
            series = Series(method, int(shots))
            spread = results["summary_std"][method][shots]
            yield Row(series, MEAN, _figures(means), _figures(spread) if several else unknown)
            for name, figures in results["classes"][method][shots].items():
                spread = {key: value["std"] for key, value in figures.items()}
                means_of = {key: value["mean"] for key, value in figures.items()}
                yield Row(series, name, _figures(means_of), _figures(spread) if several else unknown)


def _confirmed(results: Mapping[str, Any]) -> tables.ConfirmedTable | None:
    """None where nothing was confirmed."""
    found, about = results.get("confirmed"), results["provenance"]
    if not found:
        return None
    table = tables.confirmed_table(found, [*about["classes"]], float(about["false_alarm_rate"]))
    rows = tuple((method_title(method), *cells) for method, *cells in table.rows)
    return replace(table, rows=rows)


def _figures(values: Mapping[str, float | None]) -> tuple[float | None, ...]:
    return tuple(None if (value := values[key]) is None else float(value) for key in FIGURES)


def _readings(file: Path) -> Iterable[Reading]:
    with file.open(encoding="utf-8") as lines:  # a line at a time, so that the window goes on drawing
        for line in lines:
            text = line.strip().rstrip(",")
            if text not in ("[", "]", ""):
                yield Reading.from_json(json.loads(text))

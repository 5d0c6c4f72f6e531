"""Readings of an evaluation → results.json, results.csv, results.md, details.json."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector import paths
from inspector.errors import ExportError
from inspector.verdicts.metrics import FIGURES

if TYPE_CHECKING:
    from inspector.jobs.evaluation.measure import Reading

TITLES = {
    "image_auroc": "Image AUROC",
    "image_ap": "Image AP",
    "image_f1": "Image F1",
    "pixel_auroc": "Pixel AUROC",
    "pixel_ap": "Pixel AP",
    "pixel_f1": "Pixel F1",
    "aupro": "AUPRO",
}

SHARES = {
    "false_alarms": "False alarms (good called NG)",
    "good_to_review": "Good to review",
    "detected": "Defects called NG",
    "missed": "Defects called OK",
}

Table = dict[str, dict[str, dict[str, Any]]]


def write(folder: Path, readings: Sequence["Reading"], provenance: Mapping[str, Any]) -> Table:
    """Write the four files and give back results.json's `summary`. Raises ExportError where nothing can be written.

    `summary.<method>.<shots>.<figure>`: mean over classes and seeds, 0–1; `summary_std`: standard deviation over
    seeds of the mean over classes; `classes.<method>.<shots>.<class>.<figure>`: {mean, std} over seeds. An undefined
    figure is null, and left out of means. `verdicts.<method>.<shots>.<class or "mean of classes">.<share>`: where
    thresholds were set from the shots alone.
    """
    summary, summary_std, classes = _tables(readings)
    results: dict[str, Any] = {
        "summary": summary,
        "summary_std": summary_std,
        "classes": classes,
        "provenance": provenance,
    }
    verdicts = _verdicts(readings)
    if verdicts:
        results["verdicts"] = verdicts
    details = [
        {**r.as_json(), "figures": {key: _plain(value) for key, value in r.figures.items()}} for r in readings
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lines = b",\n".join(_json(reading, None) for reading in details)  # one a line, to be read bit by bit
        paths.write_atomic(folder / "details.json", b"[\n" + lines + b"\n]\n")
        paths.write_atomic(folder / "results.csv", _csv(classes).encode("utf-8-sig"))
        paths.write_atomic(
            folder / "results.md", _markdown(summary, summary_std, classes, verdicts, provenance).encode()
        )
        paths.write_atomic(folder / "results.json", _json(results, 1))
    except OSError as error:
        raise ExportError(
            f"The results can't be written to {folder.name}: {error.strerror or error}.",
            "Choose another folder.",
        ) from error
    return summary


PLACE_FILE = "images.json"


def write_place(folder: Path, images: Path) -> None:
    """Note where the images are on this computer, for the window. A file of its own, as results.json is passed on."""
    paths.write_atomic(folder / PLACE_FILE, _json({"folder": str(images)}, 1))


def _tables(readings: Sequence["Reading"]) -> tuple[Table, Table, Table]:
    summary: Table = {}
    summary_std: Table = {}
    classes: Table = {}
    for method, shots in dict.fromkeys((r.method, r.shots) for r in readings):
        own = [r for r in readings if (r.method, r.shots) == (method, shots)]
        names = list(dict.fromkeys(r.class_name for r in own))
        seeds = list(dict.fromkeys(r.seed for r in own))
        place = np.full((len(FIGURES), len(names), len(seeds)), np.nan)
        for r in own:
            place[:, names.index(r.class_name), seeds.index(r.seed)] = [r.figures[key] for key in FIGURES]
        over_classes = [[_mean(column) for column in figure.T] for figure in place]
        key = str(shots)
        summary.setdefault(method, {})[key] = {
            f: _plain(_mean(values)) for f, values in zip(FIGURES, over_classes, strict=True)
        }
        summary_std.setdefault(method, {})[key] = {
            f: _plain(_std(values)) for f, values in zip(FIGURES, over_classes, strict=True)
        }
        classes.setdefault(method, {})[key] = {
            name: {
                f: {"mean": _plain(_mean(place[i, c])), "std": _plain(_std(place[i, c]))}
                for i, f in enumerate(FIGURES)
            }
            for c, name in enumerate(names)
        }
    return summary, summary_std, classes


def _verdicts(readings: Sequence["Reading"]) -> Table:
    """Mean over the seeds by class, and over the classes."""
    found: Table = {}
    for r in readings:
        if r.verdicts:
            found.setdefault(r.method, {}).setdefault(str(r.shots), {}).setdefault(r.class_name, []).append(
                r.verdicts
            )
    for by_shots in found.values():
        for by_class in by_shots.values():
            for name, rows in by_class.items():
                by_class[name] = {key: round(_mean([row[key] for row in rows]), 6) for key in rows[0]}
            keys = next(iter(by_class.values())).keys()
            means = {key: round(_mean([row[key] for row in by_class.values()]), 6) for key in keys}
            by_class["mean of classes"] = means
    return found


def _mean(values: Any) -> float:
    finite = [value for value in values if not math.isnan(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _std(values: Any) -> float:
    """Over the seeds, as a sample: 0 for a single one."""
    finite = [value for value in values if not math.isnan(value)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else 0.0 if finite else math.nan


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)


def _json(values: Any, indent: int | None) -> bytes:
    return json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False).encode()


def _csv(classes: Table) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["method", "shots", "class", *(f"{f}_{kind}" for f in FIGURES for kind in ("mean", "std"))])
    for method, by_shots in classes.items():
        for shots, by_class in by_shots.items():
            for name, figures in by_class.items():
                safe = f"'{name}" if name[:1] in "=+-@" else name
                rows.writerow(
                    [method, shots, safe, *(figures[f][kind] for f in FIGURES for kind in ("mean", "std"))]
                )
    return text.getvalue()


def _markdown(
    summary: Table, summary_std: Table, classes: Table, verdicts: Table, provenance: Mapping[str, Any]
) -> str:
    backbone, control = provenance["backbone"], provenance["control"]
    lines = [
        f"# {provenance['data']}",
        "",
        f"{len(provenance['classes'])} classes, {len(provenance['seeds'])} draws of the shots, "
        f"{'one detector for all classes' if provenance['one_for_all'] else 'one detector a class'}, "
        f"class {'known' if provenance['class_known'] else 'found'}; "
        f"backbone {backbone['architecture']} ({backbone['key']}) on {provenance['device']}; "
        f"maps at {provenance['evaluation_size']} px, AUPRO to a false-positive rate of {provenance['aupro_limit']}. "
        "Per cent, mean ± standard deviation over draws.",
        "",
        *([f"Control ({', '.join(control['methods'])}): {control['note']}.", ""] if control else []),
        *_head("Method", "Shots", *(TITLES[f] for f in FIGURES), "ms / image"),
    ]
    for method, by_shots in summary.items():
        for shots, means in by_shots.items():
            cells = [_cell(means[f], summary_std[method][shots][f]) for f in FIGURES]
            lines.append(_row(method, shots, *cells, str(provenance["ms_per_image"].get(method, ""))))
    lines += ["", f"Bare backbone: {provenance['ms_per_image'].get('backbone', '?')} ms an image.", ""]
    if verdicts:
        lines += [f"## Verdicts at a wanted false-alarm rate of {provenance['false_alarm_rate']:.1%}", ""]
        lines += [
            "Thresholds come from the shots alone; shares of the test images, mean over draws.",
            "",
            *_head("Method", "Shots", "Class", *SHARES.values()),
        ]
        for method, by_shots in verdicts.items():
            for shots, by_class in by_shots.items():
                for name, shares in by_class.items():
                    lines.append(_row(method, shots, name, *(f"{shares[key]:.1%}" for key in SHARES)))
        lines.append("")
    for method, by_shots in classes.items():
        for shots, by_class in by_shots.items():
            count = f"{shots} shot{'s' if shots != '1' else ''}"
            lines += [f"## {method}, {count}", "", *_head("Class", *(TITLES[f] for f in FIGURES))]
            for name, figures in by_class.items():
                lines.append(_row(name, *(_cell(figures[f]["mean"], figures[f]["std"]) for f in FIGURES)))
            lines.append("")
    return "\n".join(lines)


def _head(*titles: str) -> list[str]:
    return [_row(*titles), _row(*["---", *["---:"] * (len(titles) - 1)])]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cell(mean: float | None, std: float | None) -> str:
    return "–" if mean is None else f"{100 * mean:.1f} ± {100 * (std or 0):.1f}"

"""Readings of an evaluation → means over classes and draws, and the tables that people read."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.images.value_range import words
from inspector.jobs.evaluation.plan import Series
from inspector.methods import catalogue
from inspector.records.audit import few
from inspector.verdicts.metrics import FIGURES

if TYPE_CHECKING:
    from inspector.jobs.evaluation.reading import Reading

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

MEANS = "mean of classes"

Table = dict[str, dict[str, dict[str, Any]]]
"""Method → number of shots → figure or class → value."""


def tables(readings: Sequence["Reading"]) -> tuple[Table, Table, Table]:
    """(`summary`, `summary_std`, `classes`) of results.json."""
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
            f: plain(_mean(values)) for f, values in zip(FIGURES, over_classes, strict=True)
        }
        summary_std.setdefault(method, {})[key] = {
            f: plain(_std(values)) for f, values in zip(FIGURES, over_classes, strict=True)
        }
        classes.setdefault(method, {})[key] = {
            name: {
                f: {"mean": plain(_mean(place[i, c])), "std": plain(_std(place[i, c]))}
                for i, f in enumerate(FIGURES)
            }
            for c, name in enumerate(names)
        }
    return summary, summary_std, classes


def verdict_shares(readings: Sequence["Reading"]) -> Table:
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
                by_class[name] = _means(rows)
            by_class[MEANS] = _means([*by_class.values()])
    return found


def confirmed_shares(readings: Sequence["Reading"]) -> Table:
    """By class the mean over the seeds for every number of confirmed parts, and its mean over the classes that have it."""
    found: Table = {}
    for r in readings:
        for count, shares in r.confirmed.items():
            by_class = found.setdefault(r.method, {}).setdefault(str(r.shots), {})
            by_class.setdefault(r.class_name, {}).setdefault(count, []).append(shares)
    for by_shots in found.values():
        for by_class in by_shots.values():
            counts = list(dict.fromkeys(count for own in by_class.values() for count in own))
            for own in by_class.values():
                own.update({count: _means(rows) for count, rows in own.items()})
            by_class[MEANS] = {
                count: _means([own[count] for own in by_class.values() if count in own]) for count in counts
            }
    return found


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: round(_mean([row[key] for row in rows]), 6) for key in rows[0]}


def _mean(values: Any) -> float:
    finite = [value for value in values if not math.isnan(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _std(values: Any) -> float:
    """Over the seeds, as a sample: 0 for a single one."""
    finite = [value for value in values if not math.isnan(value)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else 0.0 if finite else math.nan


def plain(value: float) -> float | None:
    """As JSON can hold it: six decimals, None for NaN."""
    return None if math.isnan(value) else round(float(value), 6)


def as_csv(classes: Table) -> str:
    """A line for each method, number of shots and class."""
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


def _teaching(provenance: Mapping[str, Any], method: str, shots: str) -> tuple[str, str]:
    """(training loss of the first and of the last epoch of the first draw, by what was learned one after the other; seconds
    of teaching, mean over the draws)."""
    own = [f"{method}/{shots}/{seed}" for seed in provenance["seeds"]]
    losses = provenance.get("losses", {}).get(own[0], ())
    seconds = [found for one in own if (found := provenance["teach_seconds"].get(one)) is not None]
    shown = "; ".join(f"{first:.3g} → {last:.3g}" for first, last in losses)
    return shown, f"{_mean(seconds):.0f}" if seconds else ""


def range_note(provenance: Mapping[str, Any]) -> str:
    """The range in which images of more than 8 bits were read, with how many pixels, and what of them, where that was chosen."""
    white, resolution = provenance.get("white"), provenance.get("resolution")
    tiled = f"short side looked at with {resolution:,} px; " if resolution else ""
    if areas := provenance.get("areas"):
        tiled += f"only regions inspected of {', '.join(areas)}; "
    return tiled + (f"values {words(white)}; " if type(white) is int else "")


def as_markdown(results: Mapping[str, Any]) -> str:
    """The whole of results.json as a page. One draw has no spread to show."""
    summary, spread, classes = (results[key] for key in ("summary", "summary_std", "classes"))
    verdicts, provenance = results.get("verdicts", {}), results["provenance"]
    several = len(provenance["seeds"]) > 1
    backbone, control = provenance["backbone"], provenance["control"]
    lines = [
        f"# {provenance['data']}",
        "",
        f"{_count(len(provenance['classes']), 'class', 'es')}, {_count(len(provenance['seeds']), 'draw')} of the shots, "
        f"{'one detector for all classes' if provenance['one_for_all'] else 'one detector a class'}, "
        f"class {'known' if provenance['class_known'] else 'found'}; {range_note(provenance)}"
        f"backbone {backbone['architecture']} ({backbone['key']}) on {provenance['device']}; "
        f"maps at {provenance['evaluation_size']} px, AUPRO to a false-positive rate of {provenance['aupro_limit']}. "
        + ("Per cent, mean ± standard deviation over draws." if several else "Per cent."),
        "",
        *unmarked_words(provenance["classes"]),
        *failed_words(provenance),
        *([f"Control ({', '.join(control['methods'])}): {control['note']}.", ""] if control else []),
        *_head("Method", "Shots", *(TITLES[f] for f in FIGURES), "Training loss", "Teach, s", "ms / image"),
    ]
    for method, by_shots in summary.items():
        for shots, means in by_shots.items():
            spreads = spread[method][shots]
            cells = [_cell(means[f], spreads[f] if several else None) for f in FIGURES]
            speed = str(provenance["ms_per_image"].get(method, ""))
            lines.append(_row(method, shots, *cells, *_teaching(provenance, method, shots), speed))
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
    lines += _confirmed_lines(results)
    for method, by_shots in classes.items():
        for shots, by_class in by_shots.items():
            lines += [
                f"## {Series(method, int(shots)).words} ({method})",
                "",
                *_head("Class", *(TITLES[f] for f in FIGURES)),
            ]
            for name, figures in by_class.items():
                cells = [_cell(figures[f]["mean"], figures[f]["std"] if several else None) for f in FIGURES]
                lines.append(_row(name, *cells))
            lines.append("")
    return "\n".join(lines)


def _confirmed_lines(results: Mapping[str, Any]) -> list[str]:
    """What parts that are confirmed good make of the false alarms, class by class."""
    confirmed, provenance = results.get("confirmed", {}), results["provenance"]
    if not confirmed:
        return []
    table = confirmed_table(confirmed, [*provenance["classes"]], provenance["false_alarm_rate"])
    lines = [f"## {table.title}", "", table.note, "", *_head(*table.head)]
    return [*lines, *(_row(*cells) for cells in table.rows), ""]


@dataclass(frozen=True, slots=True)
class ConfirmedTable:
    """What parts that are confirmed good make of the false alarms, in words: one row a method, number of shots and of parts."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def confirmed_table(confirmed: Table, classes: Sequence[str], rate: float) -> ConfirmedTable:
    """`confirmed`: see `confirmed_shares`; `rate`: the wanted share of good parts called NG. Raises KeyError where a share lacks."""
    names = [*classes, MEANS]
    rows = []
    for method, by_shots in confirmed.items():
        for shots, by_class in by_shots.items():
            for count, means in by_class[MEANS].items():
                own = [by_class.get(name, {}).get(count) for name in names]
                cells = [f"{one['false_alarms']:.1%}" if one else "–" for one in own]
                rest = (f"{means[key]:.1%}" for key in ("certain", "good_to_review", "detected", "missed"))
                rows.append((method, shots, count, *cells, *rest))
    return ConfirmedTable(
        f"Good parts called NG, of a wanted {rate:.1%}",
        "After so many parts, drawn from the good ones that are no shots (training images left over and test images), were "
        "confirmed good; measured on the others. Certain: what isn't exceeded 19 times out of 20, by their number.",
        ("Method", "Shots", "Confirmed", *names, "Certain", "Good to review", "Defects called NG", "OK"),
        tuple(rows),
    )


def beside_published(results: Mapping[str, Any]) -> str:
    """Ours beside the papers' figures, as a page: by method and number of shots, what isn't known as "–", then what
    keeps them from being comparable, and the sources."""
    summary, spread, known = results["summary"], results["summary_std"], results["published"]
    provenance, backbone = results["provenance"], results["provenance"]["backbone"]
    several = len(provenance["seeds"]) > 1
    sources = list(dict.fromkeys(row["source"] for row in known["per_cent"]))
    setting = "one for all" if provenance["one_for_all"] else "one a class"
    keys = [f for f in FIGURES if any(f in row for row in known["per_cent"])] or ["image_auroc", "aupro"]
    lines = [
        f"# {provenance['data']} beside the published figures on {known['data_set']}",
        "",
        f"Ours: backbone {backbone['architecture']} ({backbone['key']}) at {backbone['image_size']} px. Per cent"
        + (", ours mean ± standard deviation over draws." if several else "."),
        "",
        *_head("Method", "Shots", "Setting", *(TITLES[f] for f in keys), "Source"),
    ]
    for method, by_shots in summary.items():
        title, plain = Series(method, 0).title, catalogue.parse(method).method
        rows = [row for row in known["per_cent"] if row["method"] == plain]
        for shots, means in by_shots.items():
            spreads = spread[method][shots]
            cells = [_cell(means[f], spreads[f] if several else None) for f in keys]
            lines.append(_row(title, shots, setting, *cells, "**ours**"))
            own = [row for row in rows if row["shots"] == int(shots)]
            lines += [_published(title, row, keys, sources) for row in own]
            if not own:
                lines.append(_row(title, shots, "–", *["–"] * len(keys), "none known here"))
        lines += [_published(title, row, keys, sources) for row in rows if row["shots"] is None]
    lines += ["", *(f"- {note}" for note in known["notes"]), ""]
    lines += [f"[{number}] {source}" for number, source in enumerate(sources, 1)]
    return "\n".join([*lines, ""])


def _published(title: str, row: Mapping[str, Any], keys: Sequence[str], sources: Sequence[str]) -> str:
    shots = "not stated" if row["shots"] is None else str(row["shots"])
    cells = [f"{row[f]:.1f}" if f in row else "–" for f in keys]
    return _row(title, shots, row["setting"], *cells, f"[{sources.index(row['source']) + 1}]")


def _head(*titles: str) -> list[str]:
    return [_row(*titles), _row(*["---", *["---:"] * (len(titles) - 1)])]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cell(mean: float | None, std: float | None) -> str:
    if mean is None:
        return "–"
    return f"{100 * mean:.1f}" + ("" if std is None else f" ± {100 * std:.1f}")


def unmarked_words(classes: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A sentence and an empty line where masks are missing."""
    missing = [(name, count.get("unmarked", 0)) for name, count in classes.items() if count.get("unmarked")]
    if not missing:
        return []
    named = ", ".join(f"{name} {count} of {classes[name]['test_defective']}" for name, count in missing)
    return [f"Defective images without a usable mask count per image only: {named}.", ""]


def failed_words(provenance: Mapping[str, Any]) -> list[str]:
    """A sentence and an empty line where images could not be read or scored, test images and parts to be confirmed alike."""
    names = [str(name) for name in provenance.get("failed") or ()]
    if not names:
        return []
    return [f"Left out, as {_count(len(names), 'image')} could not be read or scored: {few(names)}.", ""]


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number} {word}{plural if number != 1 else ''}"

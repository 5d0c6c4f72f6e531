"""The report of a shift, an order or a run: one page of HTML that browsers and Qt's printing read alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from inspector.domain import Decision
from inspector.errors import InspectorError
from inspector.exports.files import writing
from inspector.exports.line.content import LineReport, counts_of
from inspector.exports.overlay import render_overlay
from inspector.exports.pages import page
from inspector.exports.pictures import heat_of
from inspector.exports.report import SIGNS, jpeg_uri
from inspector.exports.rows import ExportRow, load_map, load_pixels
from inspector.exports.study import HEADINGS, figure_rows
from inspector.records.line.alarms import AlarmRow
from inspector.records.line.trends import WORDS
from inspector.records.qualification.checks import GoldenCheck
from inspector.verdicts.provenance import number, percent, words

_SIDE = 420  # longest side of a picture, in pixels
_NAMES = {"ok": "✓ OK", "review": "? review", "ng": "✕ NG", "other": "not this product", "failed": "! failed"}


@dataclass(frozen=True, slots=True)
class Card:
    """A result as the template shows it."""

    name: str
    line: str
    image: str
    overlay: str
    trouble: str


def render(report: LineReport) -> tuple[str, list[str]]:
    """(the page, a sentence for each picture that is missing)."""
    template = page("line_report.html")
    problems: list[str] = []
    counts = counts_of(report)
    parts = sum(counts.values()) - counts["failed"]
    text = template.render(
        title=report.of.title,
        project=report.project,
        station=report.of.station.name,
        class_name=report.class_name,
        period=_period(report.of.since, report.of.until),
        made=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        version=version("inspector"),
        parts=parts,
        counts=[(_NAMES[word], count) for word, count in counts.items() if count or word in WORDS[:3]],
        shares=_shares(counts, parts),
        reviewed=report.reviewed,
        latency=_latency(report),
        judged=[_judged(one) for one in report.judged],
        alarms=[(_when(one), one.class_name, one.words) for one in report.alarms],
        course=_course(report),
        limits=_limits(report),
        cards=[_card(row, problems) for row in report.worst],
        checks=[_check(one) for one in report.checks],
        headings=HEADINGS,
        studies=[
            (one.study.title, f"{one.study.closed or one.study.created:%Y-%m-%d}", figure_rows(one))
            for one in report.studies
        ],
    )
    return text, problems


def export_line_report(report: LineReport, target: Path) -> list[str]:
    """Write the page; a sentence for each picture that is missing. Raises `ExportError`, also when there is something at `target`."""
    text, problems = render(report)
    with writing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
    return problems


def _period(since: datetime, until: datetime) -> str:
    begun, ended = since.astimezone(), until.astimezone()
    same = begun.date() == ended.date()
    return f"{begun:%Y-%m-%d %H:%M} – {ended:{'%H:%M' if same else '%Y-%m-%d %H:%M'}}"


def _shares(counts: dict[str, int], parts: int) -> list[tuple[str, str]]:
    if not parts:
        return []
    return [
        ("yield", percent(counts["ok"] / parts)),
        ("NG rate", percent(counts["ng"] / parts)),
    ]


def _latency(report: LineReport) -> str:
    parts = report.trend.said.sum(1).astype(np.float64)
    took = report.trend.took
    known = np.isfinite(took[:, 0])
    if not known.any():
        return ""
    median = float(np.average(took[known, 0], weights=parts[known]))
    most = float(took[known, 1].max())
    return f"{_seconds(median)} from a picture's coming to its verdict, 95 % within {_seconds(most)} at the slowest time"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.2g} s"


def _judged(one: Any) -> list[str]:
    limits = one.thresholds
    if limits is None:
        return [
            one.class_name,
            one.detector,
            f"{one.parts:,}",
            "–",
            "–",
            "The thresholds can't be read any more.",
        ]
    said = words(limits)
    if one.changed:
        said += f" Changed {'once' if one.changed == 1 else f'{one.changed} times'} in this time."
    return [
        one.class_name,
        one.detector,
        f"{one.parts:,}",
        number(limits.review),
        number(limits.ng),
        said.strip(),
    ]


def _when(one: AlarmRow) -> str:
    since = f"{one.since.astimezone():%Y-%m-%d %H:%M}"
    return f"since {since}" if one.until is None else f"{since} – {one.until.astimezone():%Y-%m-%d %H:%M}"


def _course(report: LineReport) -> list[list[str]]:
    trend, limits = report.trend, report.limits
    days = (trend.edges[-1] - trend.edges[0]).days > 1
    rows = []
    for place, counts in enumerate(trend.words.tolist()):
        parts = int(trend.parts[place])
        if not sum(counts):
            continue
        begun, ended = (one.astimezone() for one in trend.edges[place : place + 2])
        beyond = int(limits.out[place]) if limits else 0
        rate = percent(counts[2] / parts) if parts else "–"
        usual = (
            f"{limits.low[place] * 100:.2g} – {limits.high[place] * 100:.2g} %" if limits and parts else "–"
        )
        sign = {1: "▲ above", -1: "▼ below", 0: ""}[beyond]
        when = f"{begun:%Y-%m-%d %H:%M}" if days else f"{begun:%H:%M} – {ended:%H:%M}"
        score = trend.scores[place, 2]
        rows.append(
            [
                when,
                *(f"{one:,}" for one in (parts, *counts[:3])),
                rate,
                usual,
                sign,
                f"{score:.3g}" if np.isfinite(score) else "–",
            ]
        )
    return rows


def _limits(report: LineReport) -> str:
    if report.limits is None:
        return ""
    wide = report.limits.spread
    batches = (
        f" The rate varies {wide:.1f} times as much as chance, so they are as much wider (Laney's p′)."
        if wide > 1
        else ""
    )
    return f"Limits: what is to be expected of so many parts at this time's own NG rate, 0.135 % on each side.{batches}"


def _card(row: ExportRow, problems: list[str]) -> Card:
    from inspector.images.thumbnail import shrink

    result = row.result
    image = overlay = trouble = ""
    try:
        pixels = shrink(load_pixels(row, _SIDE), _SIDE)
        image = jpeg_uri(pixels)
        overlay = jpeg_uri(render_overlay(pixels, load_map(row), heat_of(row)))
    except InspectorError as error:
        trouble = str(error)
        problems.append(trouble)
    sign, word = ("!", "failed") if result.verdict is None else SIGNS[result.verdict]
    score = "" if result.image_score is None else f" · score {result.image_score:.3g}"
    said = f" · {result.reviewer or 'a person'} said so" if result.override else ""
    kind = f" · {result.defect_type}" if result.defect_type else ""
    line = f"{sign} {word}{score}{kind}{said} · {result.created.astimezone():%Y-%m-%d %H:%M}"
    return Card(result.name, line, image, overlay, trouble)


def _check(one: GoldenCheck) -> list[str]:
    missed = one.missed
    names: Sequence[str] = [
        f"{part.name} (must be {part.expected.value}, is {_said(part.said)})" for part in missed[:5]
    ]
    said = (
        f"✕ {len(missed)} of {len(one.parts)} parts are judged otherwise: {', '.join(names)}"
        if missed
        else (f"✓ all {len(one.parts)} parts are judged as they must be")
    )
    return [f"{one.created.astimezone():%Y-%m-%d %H:%M}", one.who, one.occasion, said, one.signed]


def _said(decision: Decision | None) -> str:
    return decision.value if decision else "not judged"

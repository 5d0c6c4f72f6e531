"""A report to print or to send: one HTML file with everything in it."""

import base64
import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress, Thresholds
from inspector.errors import InspectorError
from inspector.exports.files import writing
from inspector.exports.heat import Heat, ramp
from inspector.exports.overlay import render_overlay
from inspector.exports.pages import page
from inspector.exports.pictures import heat_of, png
from inspector.exports.rows import ExportRow, Rows, each, load_map, load_small
from inspector.verdicts.provenance import words

SIGNS = {
    Decision.OK: ("✓", "OK"),
    Decision.REVIEW: ("?", "review"),
    Decision.NG: ("✕", "NG"),
    Decision.OTHER: ("≠", "not this product"),
}
_SIDE = 520  # longest side of a picture in the report, in pixels
_SEVERITY = {None: 0, Decision.OK: 1, Decision.REVIEW: 2, Decision.OTHER: 3, Decision.NG: 4}


@dataclass(frozen=True, slots=True, eq=False)
class _Card:
    """One result as the template shows it. `at`, `review_at`, `ng_at`: places on the gauge in per cent."""

    row: ExportRow
    key: str
    sign: str
    word: str
    image: str = ""
    overlay: str = ""
    trouble: str = ""
    by_score: str = ""
    key_by_score: str = ""
    at: float = 0.0
    review_at: float = 0.0
    ng_at: float = 0.0


def export_report(
    rows: Rows,
    target: Path,
    *,
    title: str = "Inspection report",
    pictures: int = 200,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """A self-contained HTML file: counts, thresholds with their provenance, the `pictures` most anomalous
    results with image and overlay, and a table of all. Returns a sentence for each picture that is missing;
    raises `ExportError` or `Cancelled`.
    """
    template = page("report.html", {"number": _number, "moment": _moment})
    summary = _Summary()
    worst = heapq.nlargest(
        pictures,
        (row for row in summary.over(rows) if row.result.decision and row.thresholds),
        key=lambda row: (_SEVERITY[row.verdict], _excess(row)),
    )
    problems: list[str] = []
    now = datetime.now().astimezone()
    text = template.generate(
        title=title,
        made=now.strftime("%Y-%m-%d %H:%M %Z"),
        version=version("inspector"),
        total=summary.counts.total(),
        every=summary.counts.total() + summary.shots,
        shots=summary.shots,
        verdicts=[(d.value, *SIGNS[d]) for d in Decision],
        counts={d.value: summary.counts[d] for d in Decision},
        failed=summary.counts[None],
        overridden=summary.overridden,
        classes=[summary.classes[key] for key in sorted(summary.classes)],
        scales=_scales(summary.heats),
        shown=len(worst),
        cards=(_card(row, problems) for row in each(worst, progress, cancel, "Picture")),
        lines=(_Card(row, *_chip(row.verdict)) for row in rows),
    )
    with writing(target) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(text)
    return problems


def _chip(decision: Decision | None) -> tuple[str, str, str]:
    return (decision.value, *SIGNS[decision]) if decision else ("failed", "!", "failed")


def _excess(row: ExportRow) -> float:
    """How far the score lies above NG, in widths of the
    class's own scale, so that classes can be compared."""
    if row.thresholds is None or row.result.image_score is None:
        return 0.0
    limit = row.thresholds.strictest
    return (row.result.image_score - limit) / max(abs(limit), 1e-9)


def _card(row: ExportRow, problems: list[str]) -> _Card:
    image = overlay = trouble = ""
    try:
        pixels = load_small(row, _SIDE)
        trouble = row.result.files.trouble
        image = jpeg_uri(pixels)
        overlay = jpeg_uri(render_overlay(pixels, load_map(row), heat_of(row)))
    except InspectorError as error:
        trouble = str(error)
        problems.append(trouble)
    review, ng = (row.thresholds.review, row.thresholds.strictest) if row.thresholds else (0.0, 0.0)
    score = row.result.image_score or 0.0
    low = min(0.0, review, score)
    span = max(ng * 1.6, score * 1.05, ng + 1e-6) - low

    def place(value: float) -> float:
        return round(100 * min(max((value - low) / span, 0.0), 1.0), 2)

    key, _, by_score = _chip(row.result.decision)
    return _Card(
        row,
        *_chip(row.verdict),
        image,
        overlay,
        trouble,
        by_score,
        key,
        place(score),
        place(review),
        place(ng),
    )


@dataclass(slots=True)
class _Summary:
    """What is counted while the rows go by once; `shots`: so many taught the detector and are in no other count. `classes`: one line
    for each class and detector. `heats`: by label of the detector."""

    counts: Counter[Decision | None] = field(default_factory=Counter)
    overridden: int = 0
    shots: int = 0
    classes: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    heats: dict[str, Heat] = field(default_factory=dict)

    def over(self, rows: Rows) -> Iterator[ExportRow]:
        for row in rows:
            result = row.result
            if result.is_shot:  # it taught the detector: the verdict shows nothing
                self.shots += 1
            else:
                self.counts[row.verdict] += 1
                self.overridden += result.override not in (None, result.decision)
            if row.verdict is not None and row.thresholds is not None:
                self.heats.setdefault(row.detector, heat_of(row))
                key = (result.class_name, result.detector_id)
                if key not in self.classes:
                    self.classes[key] = _class_line(row, row.thresholds)
                self.classes[key][row.verdict] += not result.is_shot
            yield row


def _class_line(row: ExportRow, thresholds: Thresholds) -> dict[str, Any]:
    return {
        "name": row.result.class_name,
        "detector": row.detector,
        "thresholds": thresholds,
        "words": words(thresholds),
        "provenance": [(str(k).replace("_", " "), _words(v)) for k, v in thresholds.provenance.items()],
        **{d.value: 0 for d in Decision},
    }


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (list, tuple)):
        shown = ", ".join(map(_words, value[:8]))
        return shown if len(value) <= 8 else f"{shown} … ({len(value)})"
    if hasattr(value, "items"):
        return ", ".join(f"{key} {_words(part)}" for key, part in value.items())
    return str(value)


def _scales(heats: Mapping[str, Heat]) -> list[dict[str, Any]]:
    bar = np.repeat(np.round(ramp("inferno")).astype(np.uint8)[None], 8, 0)
    picture = "data:image/png;base64," + base64.b64encode(png(bar)).decode()
    return [
        {"detector": name, "low": heats[name].low, "high": heats[name].high, "bar": picture}
        for name in sorted(heats)
    ]


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _moment(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M")


def jpeg_uri(pixels: NDArray[np.uint8]) -> str:
    """uint8 RGB `pixels` (h, w, 3) as a picture inside a page."""
    import cv2

    data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 86])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()

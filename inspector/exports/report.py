"""A report to print or to send: one HTML file with everything in it."""

import base64
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress
from inspector.errors import InspectorError
from inspector.exports.files import writing
from inspector.exports.heat import ramp
from inspector.exports.overlay import render_overlay
from inspector.exports.pictures import heat_of, png
from inspector.exports.rows import ExportRow, each, load_map, load_pixels
from inspector.paths import resources

SIGNS = {Decision.OK: ("✓", "OK"), Decision.REVIEW: ("?", "review"), Decision.NG: ("✕", "NG")}
_SIDE = 520  # longest side of a picture in the report, in pixels
_SEVERITY = {None: 0, Decision.OK: 1, Decision.REVIEW: 2, Decision.NG: 3}


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
    rows: Sequence[ExportRow],
    target: Path,
    *,
    title: str = "Inspection report",
    pictures: int = 200,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """A self-contained HTML file: counts, thresholds with their provenance, the `pictures` most anomalous results with
    image and overlay, and a table of all. Returns a sentence for each picture that is missing; raises `ExportError`
    or `Cancelled`.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = _number
    environment.filters["moment"] = lambda time: time.astimezone().strftime("%Y-%m-%d %H:%M")
    template = environment.from_string((resources() / "report.html").read_text(encoding="utf-8"))
    worst = sorted(
        (row for row in rows if row.decision and row.thresholds),
        key=lambda row: (-_SEVERITY[row.verdict], -_excess(row)),
    )[:pictures]
    problems: list[str] = []
    counts = Counter(row.verdict for row in rows)
    now = datetime.now().astimezone()
    text = template.generate(
        title=title,
        made=now.strftime("%Y-%m-%d %H:%M %Z"),
        version=version("inspector"),
        total=len(rows),
        verdicts=[(d.value, *SIGNS[d]) for d in Decision],
        counts={d.value: counts[d] for d in Decision},
        failed=counts[None],
        overridden=sum(row.override not in (None, row.decision) for row in rows),
        classes=_classes(rows),
        scales=_scales(rows),
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
    """How far the score lies above NG, in widths of the class's own scale, so that classes can be compared."""
    if row.thresholds is None or row.image_score is None:
        return 0.0
    return (row.image_score - row.thresholds.ng) / max(abs(row.thresholds.ng), 1e-9)


def _card(row: ExportRow, problems: list[str]) -> _Card:
    from inspector.images.thumbnail import shrink

    image = overlay = trouble = ""
    try:
        pixels = shrink(load_pixels(row, _SIDE), _SIDE)
        image = _jpeg(pixels)
        overlay = _jpeg(render_overlay(pixels, load_map(row), heat_of(row)))
    except InspectorError as error:
        trouble = str(error)
        problems.append(trouble)
    review, ng = (row.thresholds.review, row.thresholds.ng) if row.thresholds else (0.0, 0.0)
    score = row.image_score or 0.0
    low = min(0.0, review, score)
    span = max(ng * 1.6, score * 1.05, ng + 1e-6) - low

    def place(value: float) -> float:
        return round(100 * min(max((value - low) / span, 0.0), 1.0), 2)

    key, _, by_score = _chip(row.decision)
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


def _classes(rows: Sequence[ExportRow]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row.decision is None or row.thresholds is None:
            continue
        line = found.setdefault(
            (row.class_name, row.detector),
            {
                "name": row.class_name,
                "detector": row.detector,
                "thresholds": row.thresholds,
                "provenance": [
                    (str(k).replace("_", " "), _words(v)) for k, v in row.thresholds.provenance.items()
                ],
                **{d.value: 0 for d in Decision},
            },
        )
        line[row.verdict or row.decision] += 1
    return [found[key] for key in sorted(found)]


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


def _scales(rows: Sequence[ExportRow]) -> list[dict[str, Any]]:
    bar = np.repeat(np.round(ramp("inferno")).astype(np.uint8)[None], 8, 0)
    picture = "data:image/png;base64," + base64.b64encode(png(bar)).decode()
    heats = {row.detector: heat_of(row) for row in reversed(rows) if row.decision}
    return [
        {"detector": name, "low": heats[name].low, "high": heats[name].high, "bar": picture}
        for name in sorted(heats)
    ]


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    import cv2

    data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 86])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()

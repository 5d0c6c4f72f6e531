"""Readings as the lines of a chart, each with the name that its legend says."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.jobs.evaluation.plan import Series, draw_words
from inspector.jobs.evaluation.reading import Reading
from inspector.jobs.evaluation.stored import MEAN, Evaluation
from inspector.views.evaluate.curves import Line
from inspector.views.evaluate.scores import mean_curve


def curves_of(readings: Sequence[Reading], kind: str, name: str, look: str) -> list[Line]:
    """A line for each reading (one a draw)."""
    many = len(readings) > 1
    return [
        Line(f"{name}, {draw_words(r.seed)}" if many else name, *r.curves[kind], look)
        for r in readings
        if kind in r.curves
    ]


def mean_curves(evaluation: Evaluation, series: Series, kind: str, name: str, look: str) -> list[Line]:
    """The curves' mean over the classes, a line for each draw."""
    lines = []
    for seed in evaluation.seeds:
        curve = mean_curve(evaluation.find(series, MEAN, seed), kind)
        if curve is not None:
            lines.append(
                Line(f"{name}, {draw_words(seed)}" if len(evaluation.seeds) > 1 else name, *curve, look)
            )
    return lines

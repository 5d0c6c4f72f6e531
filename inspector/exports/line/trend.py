"""The course of a station as a table for others."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inspector.exports.files import writing
from inspector.exports.tables import shown
from inspector.records.line.trends import QUANTILES, WORDS, Trend
from inspector.verdicts.control import Control
from inspector.verdicts.watch import LOOKS


def export_trend(trend: Trend, limits: Control | None, target: Path, *, of: Sequence[str] = ()) -> int:
    """One line a bucket, as CSV (UTF-8 with a mark, so that Excel reads it); how many. `of`: station, class and order, in the first
    columns. Looks are at equal light. Raises `ExportError`, also when there is something at `target` already."""
    head = ["station", "class", "order", "from", "until"]
    head += [f"said {word}" for word in WORDS] + [f"{word} with people's words" for word in WORDS]
    head += ["yield", "NG rate", "lower limit", "upper limit"]
    head += [f"score {share:.0%}" for share in QUANTILES]
    head += [f"{look.value}, {what}" for look in LOOKS for what in ("mean", "spread")]
    head += ["seconds, median", "seconds, 95%"]
    with writing(target) as file, file.open("w", encoding="utf-8-sig", newline="") as text:
        table = csv.writer(text)
        table.writerow(map(shown, head))
        for place in range(len(trend.said)):
            words, parts = trend.words[place], int(trend.parts[place])
            rates = [words[0] / parts, words[WORDS.index("ng")] / parts] if parts else [np.nan, np.nan]
            ends = [limits.low[place], limits.high[place]] if limits else [np.nan, np.nan]
            looks = np.column_stack([trend.means[place], trend.spreads[place]]).ravel()
            figures = [*rates, *ends, *trend.scores[place], *looks, *trend.took[place]]
            span = [one.isoformat(timespec="minutes") for one in trend.edges[place : place + 2]]
            table.writerow(
                [
                    *(shown(one) for one in (*of, "", "", "")[:3]),
                    *span,
                    *trend.said[place].tolist(),
                    *words.tolist(),
                    *("" if not np.isfinite(one) else f"{one:.6g}" for one in figures),
                ]
            )
    return len(trend.said)

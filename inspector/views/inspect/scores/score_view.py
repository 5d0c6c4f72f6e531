"""The scores of a class with its two thresholds: to drag, to type, and where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from inspector.domain import NEVER, Decision, Thresholds
from inspector.verdicts.provenance import number, words
from inspector.views.inspect.scores.score_histogram import Histogram
from inspector.views.look import theme
from inspector.views.look.kit import switch
from inspector.views.look.labels import wrapped
from inspector.views.shared.number_field import NumberField

if TYPE_CHECKING:
    from inspector.records.thresholds import ThresholdProposal
    from inspector.verdicts.drift import Drift


def moved(start: Thresholds, review: float, ng: float) -> Thresholds:
    """`start` with other numbers; exactly itself when they are its own."""
    pixel = start.pixel if review == start.review else review
    return replace(start, review=review, ng=max(ng, review), pixel=pixel)


def highest(*known: float) -> float:
    """The highest threshold that makes sense: twice the highest number `known`, as a round one."""
    top = 2 * max((value for value in known if np.isfinite(value)), default=0.5)
    if top <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(top))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= top))


def _between(scores: NDArray[np.float64], before: Thresholds | None, after: Thresholds) -> int:
    """How many of these scores, ascending, are judged otherwise."""
    if before is None or before.numbers[:2] == after.numbers[:2]:
        return 0
    was, now = (np.searchsorted(scores, (one.review, one.ng)) for one in (before, after))
    lows, highs = np.minimum(was, now), np.maximum(was, now)  # one stretch for each threshold
    both = max(0, int(highs.min() - lows.max()))
    return int((highs - lows).sum()) - both


def drift_words(moved: Drift) -> str:
    """For people, with what to do."""
    how = "higher" if moved.now > moved.before else "lower"
    return (
        f"Good parts of the newest run score {how} than before ({moved.now:.3f} instead of {moved.before:.3f}): "
        "look at light, camera and material."
    )


class ScoreView(QWidget):
    """`moved` while a threshold moves, `chosen` once it is let go; both carry the new `Thresholds`.
    `others_asked`: thresholds from judged parts are to be looked at.

    Neither line passes the other: review never lifts NG, NG never takes review down.
    """

    moved = Signal(object)
    chosen = Signal(object)
    others_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.thresholds: Thresholds | None = None
        self.calibrated: Thresholds | None = None
        self._stored: Thresholds | None = None
        self._lowest = self._highest = 0.0  # of all scores that are known
        self.histogram = Histogram()
        self.counts = QLabel()
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.said, "error")
        self.provenance = QLabel()
        self.provenance.setTextFormat(Qt.TextFormat.PlainText)
        self.provenance.setWordWrap(True)
        theme.set_role(self.provenance, "small")
        self.provenance.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.review_box = NumberField(f"{theme.WORDS[Decision.REVIEW]} from this score on")
        self.ng_box = NumberField(
            f"{theme.WORDS[Decision.NG]} from this score on", word=(number(NEVER), NEVER)
        )
        self.reset = QPushButton("Reset to calibrated")
        self.reset.setToolTip("Back to the thresholds that the normal shots gave")
        theme.set_role(self.reset, "link")
        self.others = QPushButton("Set from…")
        self.others.setToolTip(
            "Thresholds from parts that were confirmed good or marked defective, or as they were before"
        )
        theme.set_role(self.others, "link")
        self.news = wrapped("warning")
        row = QHBoxLayout()
        row.setSpacing(8)
        for decision, box in ((Decision.REVIEW, self.review_box), (Decision.NG, self.ng_box)):
            box.setToolTip(box.accessibleName())
            box.setMinimumWidth(64)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            label = QLabel(theme.SIGNS[decision])
            label.setToolTip(box.accessibleName())
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box, 1)
            box.entered.connect(self._typed)
            box.refused.connect(self._say)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.histogram)
        layout.addWidget(self.counts)
        layout.addLayout(row)
        layout.addWidget(self.said)
        links = QHBoxLayout()
        links.setSpacing(4)
        links.addWidget(self.reset)
        links.addWidget(self.others)
        links.addStretch(1)
        layout.addLayout(links)
        layout.addWidget(self.news)
        layout.addWidget(self.provenance)
        self.histogram.dragged.connect(self._dragged)
        self.histogram.released.connect(self._released)
        self.reset.clicked.connect(self._reset)
        self.others.clicked.connect(self.others_asked)
        self.show_news(None)
        self.set_thresholds(None, None)

    def set_scores(
        self, scores: Sequence[float] | NDArray[np.float64], normal: Sequence[float] | NDArray[np.float64]
    ) -> None:
        """Image scores of the class, and what its normal shots scored without themselves."""
        line = self.histogram
        line.set_scores(scores, normal)
        known = [part for part in (line.scores, line.normal) if part.size]
        self._lowest = min([0.0, *(float(part[0]) for part in known)])
        self._highest = max([0.0, *(float(part[-1]) for part in known)])
        self._show(self.thresholds)

    def set_current(self, score: float | None) -> None:
        """Mark the score of the image at hand."""
        self.histogram.set_current(score)

    def forget_refusal(self) -> None:
        """Say no more why a threshold wasn't taken: it was typed beside another image."""
        self._say("")

    def set_thresholds(self, thresholds: Thresholds | None, calibrated: Thresholds | None) -> None:
        """`thresholds` are in force; `calibrated` came from the normal shots."""
        if thresholds != self._stored:
            self._say("")
        self._stored, self.calibrated = thresholds, calibrated
        told = calibrated.provenance if calibrated else {}
        self.histogram.one_shot = str(told.get("source", "")).startswith("altered")
        self._show(thresholds)
        self.provenance.setText(words(thresholds).replace(" %", "\u00a0%") if thresholds else "")
        for widget in (self.review_box, self.ng_box):
            widget.setEnabled(thresholds is not None)

    def show_news(self, proposal: ThresholdProposal | None) -> None:
        """What parts that were judged since would make of the thresholds, and whether good parts have moved."""
        said = []
        if proposal is not None and proposal.news and proposal.proposed is not None:
            then, one = proposal.proposed, proposal.good == 1
            if then.numbers == proposal.current.numbers:
                said.append(
                    "Parts were judged since, which changes what these thresholds promise: set them anew."
                )
            elif not proposal.good:
                said.append(f"No part is confirmed good any more: the shots propose NG {number(then.ng)}.")
            else:
                said.append(
                    f"{proposal.good:,} part{'' if one else 's'} confirmed good propose{'s' if one else ''} "
                    f"NG {number(then.ng)} and review {then.review:.3f}."
                )
        if proposal is not None and proposal.drift is not None:
            said.append(drift_words(proposal.drift))
        self.news.setText(" ".join(said))
        self.news.setVisible(bool(said))
        switch(self.others, "" if proposal is not None else "The class has no thresholds.")

    def move_to(self, review: float, ng: float) -> None:
        """Move both thresholds as a hand would, without letting go."""
        if self.thresholds is not None:
            self._show(moved(self.calibrated or self.thresholds, review, ng))
            self.moved.emit(self.thresholds)

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))

    def _show(self, thresholds: Thresholds | None) -> None:
        self.thresholds = thresholds
        line = self.histogram
        if thresholds is None:
            line.set_lines(0, 0, enabled=False)
        else:
            line.set_lines(thresholds.review, thresholds.ng)
        low, high = line.span()
        decimals = int(np.clip(2 - np.floor(np.log10(max(high - low, 1e-9))), 3, 6))
        stood = [
            value.ng if value.calls_ng else value.review
            for value in (self._stored, self.calibrated)
            if value is not None
        ]
        for box in (self.review_box, self.ng_box):
            box.set_range(self._lowest, highest(*stood, self._highest))
        self.review_box.set_value(thresholds.review if thresholds else 0.0, decimals)
        self.ng_box.set_value(thresholds.ng if thresholds else 0.0, decimals)
        same = (
            thresholds is None
            or self.calibrated is None
            or (thresholds.review, thresholds.ng) == (self.calibrated.review, self.calibrated.ng)
        )
        switch(self.reset, "The thresholds are the calibrated ones." if same else "")
        self._count()

    def _count(self) -> None:
        scores = self.histogram.scores
        if self.thresholds is None or not scores.size:
            self.counts.setText("")
            return
        below = np.searchsorted(scores, (self.thresholds.review, self.thresholds.ng))
        ok, review, ng = (int(count) for count in np.diff(below, prepend=0, append=scores.size))
        flips = _between(scores, self._stored, self.thresholds)
        self.counts.setText(
            f"✓ {ok:,} OK   ? {review:,} review   ✕ {ng:,} NG"
            + (f"\n{flips:,} result{'' if flips == 1 else 's'} would change" if flips else "")
        )

    def _dragged(self, review: float, ng: float) -> None:
        now = self.thresholds
        if now is None:
            return
        self._say("")
        if review > now.ng and review != now.review:
            review = ng = now.ng
            self._say(f"Review stops at NG ({number(now.ng)}). Move NG first.")
        elif ng < now.review and ng != now.ng:
            review = ng = now.review
            self._say(f"NG stops at review ({now.review:.3f}). Move review first.")
        box = self.ng_box
        highest = box.high if ng < NEVER else ng
        self.move_to(min(max(review, box.low), box.high), min(max(ng, box.low), highest))

    def _released(self) -> None:
        if self.thresholds is not None and self.thresholds != self._stored:
            self._stored = self.thresholds
            self.chosen.emit(self.thresholds)

    def _typed(self) -> None:
        now, review, ng = self.thresholds, self.review_box.value, self.ng_box.value
        if now is None:
            return
        self._say("")
        if review > ng and review != now.review:
            self._show(now)
            self._say(
                f"Review {review:g} isn't taken: it can't lie above NG ({self.ng_box.text()}). Move NG first."
            )
        elif review > ng:
            self._show(now)
            self._say(
                f"NG {ng:g} isn't taken: it can't lie below review ({self.review_box.text()}). Move review first."
            )
        else:
            self.move_to(review, ng)
            self._released()

    def _reset(self) -> None:
        if self.calibrated is not None:
            self._say("")
            self._show(self.calibrated)
            self.moved.emit(self.calibrated)
            self._released()

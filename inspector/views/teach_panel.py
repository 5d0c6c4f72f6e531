"""The right side of the Teach page: how to teach, what can be promised, the big button, and the job while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import JobEnded, JobEvent, JobLog, JobProgress, JobStarted
from inspector.methods.catalogue import METHODS
from inspector.views import icons, theme
from inspector.views.class_list import shots_text
from inspector.views.context import WindowContext
from inspector.views.job_bar import time_left

if TYPE_CHECKING:
    from inspector.records.queries import ClassRow, DetectorRow


def shots_wanted(rate: float) -> int:
    """How many held-out good parts it takes before a false-alarm rate (0–1) can be promised: nothing below 1/(n+1)
    can be told from n scores."""
    return max(1, math.ceil(1 / rate - 1e-9) - 1)


def promise(name: str, shots: int, rate: float) -> str:
    """What the shots of a class can promise, in one honest sentence."""
    wanted = shots_wanted(rate)
    if shots >= wanted:
        return f"{name}: {shots_text(shots)} are enough to promise {_percent(rate)} false alarms."
    more = wanted - shots
    line = f"{more} more good shot{'s' if more != 1 else ''} of {name} let you promise {_percent(rate)}"
    if shots == 0:
        return f"{line} false alarms; 4 are a good start."
    return f"{line} false alarms; with {shots} it is {_percent(1 / (shots + 1))} at best."


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


class TeachPanel(QWidget):
    teach_requested = Signal()
    WIDTH = 320

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self._begun = 0.0
        self.setFixedWidth(self.WIDTH)
        theme.set_role(self, "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

        self.method = QComboBox()
        self.method.setAccessibleName("Method")
        for info in METHODS.values():
            title = f"{info.title} (reconstruction)" if info.reconstruction else info.title
            self.method.addItem(title, info.name)
            if not info.available:
                self._disable_last("Not part of this installation")
        self.line = _wrapped("quiet")
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0.1, 50.0)
        self.rate.setDecimals(1)
        self.rate.setSingleStep(1.0)
        self.rate.setSuffix(" %")
        self.rate.setAccessibleName("False-alarm rate")
        self.rate.setToolTip("The share of good parts that may be called NG")
        self.weights = QPushButton()
        theme.set_role(self.weights, "link")
        self.weights.setToolTip("The pretrained network underneath; choose another")
        self.weights.clicked.connect(lambda: context.go("weights"))

        self.promise = _wrapped("quiet")
        self.button = QPushButton("Teach")
        self.button.setIcon(icons.icon("teach", "#ffffff"))
        self.button.setIconSize(QSize(theme.ICON, theme.ICON))
        self.button.setMinimumHeight(44)
        theme.set_role(self.button, "primary")
        self.button.setShortcut("Ctrl+Return")
        self.button.setToolTip("Teach every class that has shots (Ctrl+Return)")
        self.button.clicked.connect(self.teach_requested)
        self.reason = _wrapped("small")
        self.taught = _wrapped("small")
        self.progress = _Progress(context)

        inside = QWidget()
        theme.set_role(inside, "panel")
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(_heading("Teach"))
        column.addSpacing(4)
        column.addWidget(_caption("Method"))
        column.addWidget(self.method)
        column.addWidget(self.line)
        column.addSpacing(8)
        rates = QHBoxLayout()
        rates.addWidget(_caption("False alarms allowed"), 1)
        rates.addWidget(self.rate)
        column.addLayout(rates)
        column.addWidget(self.promise)
        column.addSpacing(8)
        weights = QHBoxLayout()
        weights.addWidget(_caption("Weights"), 1)
        weights.addWidget(self.weights)
        column.addLayout(weights)
        column.addSpacing(16)
        column.addWidget(self.button)
        column.addWidget(self.reason)
        column.addWidget(self.progress)
        column.addWidget(self.taught)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

        self._show_settings()
        self.method.currentIndexChanged.connect(self._chosen)
        self.rate.valueChanged.connect(self._chosen)
        context.settings_changed.connect(self._show_settings)

    def _disable_last(self, why: str) -> None:
        model = self.method.model()
        assert isinstance(model, QStandardItemModel)
        item = model.item(self.method.count() - 1)
        item.setEnabled(False)
        item.setToolTip(why)

    def _show_settings(self) -> None:
        settings = self._context.settings
        for widget in (self.method, self.rate):
            widget.blockSignals(True)
        wanted = self.method.findData(settings.method)
        if wanted < 0 or not METHODS[settings.method].available:
            wanted = next((i for i, info in enumerate(METHODS.values()) if info.available), 0)
        self.method.setCurrentIndex(wanted)
        self.rate.setValue(settings.false_alarm_rate * 100)
        for widget in (self.method, self.rate):
            widget.blockSignals(False)
        self.weights.setText(settings.weights)
        info = METHODS[self.method.currentData()]
        note = (
            " Rebuilt from its paper; published figures need not carry over." if info.reconstruction else ""
        )
        self.line.setText(f"{info.line}{note}")

    def _chosen(self) -> None:
        settings = self._context.settings
        settings.method = self.method.currentData()
        settings.false_alarm_rate = round(self.rate.value() / 100, 4)
        self._context.save_settings()

    def show_classes(
        self, rows: Sequence[ClassRow], chosen: ClassRow | None, read_only: bool, busy: bool
    ) -> None:
        """What can be taught now, and why not if nothing can."""
        ready = [row for row in rows if row.shots]
        stale = [row for row in ready if row.state != "taught"]
        if ready and not stale:
            self.button.setText("Teach again")
        else:
            self.button.setText(
                f"Teach {len(ready)} class{'es' if len(ready) != 1 else ''}" if ready else "Teach"
            )
        waiting = [row.name for row in rows if not row.shots]
        if read_only:
            reason = "The project is open for viewing only."
        elif not rows:
            reason = "Add a class and its good shots first."
        elif not ready:
            reason = "Add good shots to a class first."
        elif busy:
            reason = "Another job is running; teaching can start when it is done."
        elif waiting:
            reason = f"Left out, because without shots: {', '.join(waiting)}."
        else:
            reason = ""
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason) and not self.progress.isVisible())
        self.button.setEnabled(bool(ready) and not read_only and not busy)
        rate = self._context.settings.false_alarm_rate
        self.promise.setText(promise(chosen.name, chosen.shots, rate) if chosen else "")
        self.promise.setVisible(chosen is not None)

    def show_detector(self, row: DetectorRow | None) -> None:
        """What was taught last."""
        if row is None:
            self.taught.setText("")
        else:
            title = METHODS[row.method].title if row.method in METHODS else row.method
            when = row.created.astimezone().strftime("%d %b %Y, %H:%M")
            names = ", ".join(row.classes.values())
            self.taught.setText(
                f"Taught {when}: {title} on {shots_text(row.shots)} of {names}. {row.problem}".strip()
            )
            theme.set_role(self.taught, "error" if row.problem else "small")

    def begin(self) -> None:
        self.button.hide()
        self.reason.hide()
        self.taught.hide()
        self.progress.begin()

    def end(self) -> None:
        self.progress.end()
        self.button.show()
        self.taught.show()


class _Progress(QFrame):
    """The teaching job: per cent, time left, live values with their curve, the last lines of its log, Cancel."""

    LINES = 6

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self._begun = 0.0
        theme.set_role(self, "card")
        self.percent = QLabel()
        self.percent.setFont(theme.font("title", bold=True, figures=True))
        self.left = QLabel()
        theme.set_role(self.left, "quiet")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.message = _wrapped("")
        self.curve = Curve()
        self.values = QLabel()
        self.values.setFont(theme.font("small", figures=True))
        self.log = _wrapped("small")
        self.log.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.cancel = QPushButton("Cancel")
        self.cancel.setIcon(icons.icon("stop"))
        self.cancel.clicked.connect(lambda: context.runner.cancel())
        context.runner.cancelling.connect(self._stopping)
        head = QHBoxLayout()
        head.addWidget(self.percent)
        head.addStretch(1)
        head.addWidget(self.left)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        column.addLayout(head)
        for widget in (self.bar, self.message, self.values, self.curve, self.log, self.cancel):
            column.addWidget(widget)
        self._lines: list[str] = []
        self.hide()

    def begin(self) -> None:
        self._begun = time.monotonic()
        self._lines = []
        self.curve.clear()
        self.curve.hide()
        self.values.hide()
        self.percent.setText("0 %")
        self.left.setText("")
        self.bar.setRange(0, 0)
        self.message.setText("Loading the network…")
        self.log.setText("")
        self.cancel.setText("Cancel")
        self.cancel.setEnabled(True)
        self.show()

    def end(self) -> None:
        self.hide()

    def take(self, event: JobEvent) -> None:
        if isinstance(event, JobStarted):
            self._begun = time.monotonic()
        elif isinstance(event, JobProgress):
            share = min(1.0, event.done / event.total) if event.total > 0 else 0.0
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(share * 1000))
            self.percent.setText(f"{share * 100:.0f} %")
            elapsed = time.monotonic() - self._begun
            left = event.seconds_left
            if left is None and share > 0.02 and elapsed > 1:
                left = elapsed * (1 - share) / share
            self.left.setText(time_left(left) if left is not None and share < 1 else "")
            if event.message:
                self.message.setText(event.message)
        elif isinstance(event, JobLog):
            if event.message:
                self._lines = [*self._lines, event.message][-self.LINES :]
                self.log.setText("\n".join(self._lines))
            if event.values:
                self.values.setText("   ".join(f"{name} {value:.4g}" for name, value in event.values.items()))
                self.values.show()
                self.curve.add(event.values.get("loss", next(iter(event.values.values()))))
                self.curve.show()
        elif isinstance(event, JobEnded):
            self.bar.setRange(0, 1000)

    def _stopping(self, _job: object) -> None:
        self.cancel.setText("Stopping…")
        self.cancel.setEnabled(False)


class Curve(QWidget):
    """A small line of values over time, newest at the right."""

    KEPT = 2000

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(48)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Loss over time")
        self.points: list[float] = []

    def clear(self) -> None:
        self.points = []
        self.update()

    def add(self, value: float) -> None:
        if math.isfinite(value):
            self.points.append(value)
            if len(self.points) > self.KEPT:
                self.points = self.points[::2]
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if len(self.points) < 2:
            return
        low, high = min(self.points), max(self.points)
        span = (high - low) or 1.0
        width, height = self.width() - 2, self.height() - 6
        step = width / (len(self.points) - 1)
        line = QPolygonF(
            [
                QPointF(1 + i * step, 3 + height * (1 - (value - low) / span))
                for i, value in enumerate(self.points)
            ]
        )
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.tokens().quiet), 1.5))
        painter.drawPolyline(line)
        painter.end()


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    theme.set_role(label, "heading")
    return label


def _caption(text: str) -> QLabel:
    return QLabel(text)


def _wrapped(role: str) -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    if role:
        theme.set_role(label, role)
    return label

"""The right side of the Teach page: how to teach, what can be promised, the big button, and the job while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector.methods.catalogue import METHODS
from inspector.verdicts.calibrate import parts_needed
from inspector.views.look import icons, theme
from inspector.views.look.kit import scrolling, switch
from inspector.views.look.labels import wrapped
from inspector.views.look.words import share_text
from inspector.views.shared.context import WindowContext
from inspector.views.teach.class_list import shots_text
from inspector.views.teach.panel.method_choice import MethodChoice, way
from inspector.views.teach.panel.teach_progress import TeachProgress

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.records.detectors import DetectorRow


def promise(name: str, shots: int, rate: float, independent: bool = True) -> str:
    """What the shots of a class can promise, in one honest sentence. `independent`: see `MethodInfo`."""
    if not independent:
        return (
            f"Of {name} nothing can be promised from its shots: this method learns from all of them, so none is left to"
            " test it on. Confirm good parts among the first results: they can."
        )
    wanted = parts_needed(rate)
    alone = f"From one shot of {name} nothing is called NG, only sent to review."
    if shots >= wanted:
        if shots == 1:
            return alone
        return f"{name}: {shots_text(shots)} are enough to promise {share_text(rate, '.3g')} false alarms."
    more = wanted - shots
    line = (
        f"{more} more good shot{'s' if more != 1 else ''} of {name} let you promise {share_text(rate, '.3g')}"
    )
    if shots == 0:
        return f"{line} false alarms; 4 are a good start."
    if shots == 1:
        return f"{alone} {line} false alarms."
    return f"{line} false alarms; with {shots} it is {share_text(1 / (shots + 1), '.3g')} at best."


class TeachPanel(QWidget):
    teach_requested = Signal()
    describe_requested = Signal()
    WIDTH = 320

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self.setMinimumWidth(272)
        self.setMaximumWidth(self.WIDTH)
        theme.set_role(self, "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

        self.choice = MethodChoice(context)
        self.choice.describe_requested.connect(self.describe_requested)
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0.1, 50.0)
        self.rate.setDecimals(1)
        self.rate.setSingleStep(1.0)
        self.rate.setSuffix("\u00a0%")
        self.rate.setAccessibleName("False-alarm rate")
        self.rate.setToolTip("The share of good parts that may be called NG")
        self.promise = wrapped("quiet")
        self.button = QPushButton("Teach")
        self.button.setIcon(icons.icon("teach", "#ffffff"))
        self.button.setIconSize(QSize(theme.ICON, theme.ICON))
        self.button.setMinimumHeight(44)
        theme.set_role(self.button, "primary")
        self.button.setToolTip("Teach every class that has shots (Ctrl+Return)")
        self.button.clicked.connect(self.teach_requested)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):  # not the button's own: a new text would take it away
            QShortcut(QKeySequence(keys), self).activated.connect(self.button.click)
        self.reason = wrapped("small")
        self.taught = wrapped("small")
        self.onward = QPushButton("Inspect parts")
        self.onward.setIcon(icons.icon("inspect"))
        self.onward.setToolTip("Drop pictures of parts there, and see what this detector says")
        self.onward.clicked.connect(lambda: context.go("inspect"))
        self.onward.hide()
        self.history = QPushButton("All detectors…")
        self.history.setToolTip("What changed from one detector to the next, and the way back")
        theme.set_role(self.history, "link")
        self.history.hide()
        self._known = False  # whether there is a detector
        self.progress = TeachProgress(context)

        inside = QWidget()
        theme.set_role(inside, "panel")
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 16, 8, 16)
        column.setSpacing(8)
        column.addWidget(_heading("Teach"))
        column.addSpacing(4)
        column.addWidget(self.choice)
        column.addSpacing(8)
        rates = QHBoxLayout()
        rates.addWidget(_caption("False alarms allowed"), 1)
        rates.addWidget(self.rate)
        column.addLayout(rates)
        column.addWidget(self.promise)
        column.addSpacing(16)
        column.addWidget(self.button)
        column.addWidget(self.reason)
        column.addWidget(self.progress)
        column.addWidget(self.taught)
        column.addWidget(self.onward)
        column.addWidget(self.history, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        scroll = scrolling(inside, "Teaching")
        scroll.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOn
        )  # nothing moves when it is needed
        bar = scroll.verticalScrollBar()
        bar.rangeChanged.connect(lambda low, high: bar.setEnabled(high > low))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

        context.project_changed.connect(self._other_project)
        self._show_settings()
        self.rate.valueChanged.connect(self._rate_moved)
        context.settings_changed.connect(self._show_settings)

    def _show_settings(self) -> None:
        with QSignalBlocker(self.rate):
            self.rate.setValue(self._context.settings.false_alarm_rate * 100)

    @property
    def reads_descriptions(self) -> bool:
        """Whether the chosen method learns from what people say of the parts."""
        return self.choice.info.reads_descriptions

    def _rate_moved(self) -> None:
        self._context.settings.false_alarm_rate = round(self.rate.value() / 100, 4)
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
        self.reason.setVisible(bool(reason) and self.progress.isHidden())
        switch(self.button, reason if read_only or busy or not ready else "")
        rate = self._context.settings.false_alarm_rate
        self.promise.setText(
            promise(chosen.name, chosen.shots, rate, self.choice.info.independent) if chosen else ""
        )
        self.promise.setVisible(chosen is not None)

    def _other_project(self) -> None:
        self.choice.own = None
        self.choice.show_settings()

    def show_detector(self, row: DetectorRow | None) -> None:
        """What was taught last. Teaching again keeps its method unless another is chosen."""
        if row is not None and self.choice.own is None:
            self.choice.own = row.method
            self.choice.show_settings()
        self._known = row is not None
        self._show_known()
        if row is None:
            self.taught.setText("")
        else:
            title = way(row.method)
            when = row.created.astimezone().strftime("%d %b %Y, %H:%M")
            names = ", ".join(row.classes.values())
            later = {key for ids in row.added_shots.values() for key in ids}
            added = len(later - row.places)
            done = "Updated" if later else "Taught"
            more = f" It knows {_places(len(row.places))} called no defect." if row.places else ""
            if added and row.method in METHODS and METHODS[row.method].learns:
                more += f" {shots_text(added).capitalize()} came later and were only remembered; teach again to learn from all."
            self.taught.setText(
                f"{done} {when}: {title}, on {shots_text(row.shots)} of {names}.{more} {row.problem}".strip()
            )
            theme.set_role(self.taught, "error" if row.problem else "small")

    def begin(self) -> None:
        self.button.hide()
        self.reason.hide()
        self.taught.hide()
        self.progress.begin()
        self._show_known()

    def end(self) -> None:
        self.progress.end()
        self.button.show()
        self.taught.show()
        self._show_known()

    def _show_known(self) -> None:
        """What can be done with a detector that there is."""
        for widget in (self.onward, self.history):
            widget.setVisible(self._known and self.progress.isHidden())


def _places(count: int) -> str:
    return f"{count} place{'' if count == 1 else 's'}"


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    theme.set_role(label, "heading")
    return label


def _caption(text: str) -> QLabel:
    return QLabel(text)

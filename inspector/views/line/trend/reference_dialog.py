"""What is held to be usual at a station: what came first, or a day or shift that somebody calls good."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from PySide6.QtCore import QDate, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDateEdit,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from inspector.views.look import theme
from inspector.views.look.labels import wrapped
from inspector.views.look.words import share_text

if TYPE_CHECKING:
    from inspector.records.line.stations import Reference
    from inspector.records.project import Project
    from inspector.views.line.trend.reading import Shown
    from inspector.views.shared.context import WindowContext

_MOST = 1_000_000
_TYPING = 200  # ms


class ReferenceDialog(QDialog):
    """`chosen`: with a `Reference`."""

    chosen = Signal(object)

    def __init__(self, context: WindowContext, shown: Shown, parent: QWidget) -> None:
        from inspector.records.line.shifts import times_of

        super().__init__(parent)
        assert shown.station is not None
        assert shown.station.settings is not None
        self.context, self._station = context, shown.station
        self._now = shown.station.settings.reference
        self.setModal(True)
        self.setWindowTitle(f"What is usual at “{shown.station.name}”")
        self.resize(520, 0)
        self.first = QRadioButton("What came first to each detector")
        self.shift = QRadioButton("A shift that was good")
        self.day = QRadioButton("A day that was good")
        group = QButtonGroup(self)
        for button in (self.first, self.shift, self.day):
            group.addButton(button)
        self.parts = QSpinBox()
        self.parts.setRange(0, _MOST)
        self.parts.setSingleStep(100)
        self.parts.setSpecialValueText("its first hours")
        self.parts.setSuffix(" parts")
        self.parts.setGroupSeparatorShown(True)
        self.parts.setAccessibleName("Parts of the reference")
        self.date = QDateEdit()
        self.date.setCalendarPopup(True)
        self.date.setDisplayFormat("ddd d MMM yyyy")
        self.date.setMaximumDate(QDate.currentDate())
        self.date.setAccessibleName("Day of the reference")
        self.begins = QComboBox()
        self.begins.setAccessibleName("Shift of the reference")
        for one in times_of(shown.station.settings.shifts) or [time(0, 0)]:
            self.begins.addItem(f"from {one:%H:%M}", one)
        self.said = wrapped("quiet")
        self.said.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.said.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 6)
        self._buttons = QDialogButtonBox()
        self.take = self._buttons.addButton("Take as usual", QDialogButtonBox.ButtonRole.AcceptRole)
        theme.set_role(self.take, "primary")
        self._buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._lay_out()
        self._fill(shown)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_TYPING)
        self._soon.timeout.connect(self._look)
        for button in (self.first, self.shift, self.day):
            button.toggled.connect(self._changed)
        self.parts.valueChanged.connect(self._changed)
        self.date.dateChanged.connect(self._changed)
        self.begins.currentIndexChanged.connect(self._changed)
        self._changed()

    def reference(self) -> Reference:
        """What is chosen now."""
        from inspector.records.line.shifts import shift_at
        from inspector.records.line.stations import Reference

        settings = self._station.settings
        assert settings is not None
        if self.first.isChecked():
            return Reference(self.parts.value())
        at = self.date.date()
        day = datetime(at.year(), at.month(), at.day())
        if self.day.isChecked():
            return Reference(0, day.astimezone(), (day + timedelta(days=1)).astimezone())
        begins = datetime.combine(day, self.begins.currentData()).astimezone()
        shift = shift_at(settings.shifts, begins)
        return Reference(0, shift.begins, shift.ends)

    def accept(self) -> None:
        self.chosen.emit(self.reference())
        super().accept()
        self.deleteLater()

    def reject(self) -> None:
        super().reject()
        self.deleteLater()

    def _fill(self, shown: Shown) -> None:
        """With what is chosen already; a day and a shift start from what is in sight."""
        from inspector.records.line.shifts import shift_at

        settings = self._station.settings
        assert settings is not None
        now, begins = self._now, self._now.since
        self.parts.setValue(now.parts)
        if begins is None:
            self.first.setChecked(True)
            assert shown.trend is not None
            last = min(shown.trend.edges[-1], datetime.now().astimezone())
            begins = shift_at(settings.shifts, last - timedelta(seconds=1)).begins
        elif now.until is not None and now.until - begins >= timedelta(hours=23):
            self.day.setChecked(True)
        else:
            self.shift.setChecked(True)
        begins = begins.astimezone()
        self.date.setDate(QDate(begins.year, begins.month, begins.day))
        self.begins.setCurrentIndex(max(0, self.begins.findText(f"from {begins:%H:%M}")))

    def _changed(self) -> None:
        self.parts.setEnabled(self.first.isChecked())
        self.date.setEnabled(not self.first.isChecked())
        self.begins.setEnabled(self.shift.isChecked())
        self._soon.start()

    def _look(self) -> None:
        """Say how many parts came then."""
        reference = self.reference()
        if reference.since is None or reference.until is None:
            self.said.setText(
                "With each new detector, what is usual begins anew. Once a day has passed without drift, that day counts."
                if not reference.parts
                else "With each new detector, what is usual begins anew."
            )
            return
        ends, key = (reference.since, reference.until), self._station.id

        def count(project: Project) -> tuple[int, int]:
            from inspector.records.line.trends import WORDS, TrendOf, read_counts

            counts = read_counts(project, TrendOf(key), ends)[0]
            return int(counts[:-1].sum()), int(counts[WORDS.index("ng")])

        def done(found: tuple[int, int]) -> None:
            parts, ng = found
            if not parts:
                self.said.setText("! No part came then.")
                return
            share = f"{ng:,} of them NG ({share_text(ng / parts, '.1f')})"
            self.said.setText(
                f"{parts:,} parts came then, {share}. The limits of the NG rate are taken from them too."
            )

        self.context.query(self, count, done, latest="reference")

    def _lay_out(self) -> None:
        def indented(*widgets: QWidget) -> QHBoxLayout:
            row = QHBoxLayout()
            row.setContentsMargins(28, 0, 0, 4)
            row.setSpacing(8)
            for widget in widgets:
                row.addWidget(widget)
            row.addStretch(1)
            return row

        why = wrapped("quiet")
        why.setText("Pictures and scores are held against these; what leaves them is told as drift.")
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(8)
        column.addWidget(why)
        column.addWidget(self.first)
        column.addLayout(indented(self.parts))
        column.addWidget(self.shift)
        column.addWidget(self.day)
        column.addLayout(indented(QLabel("On"), self.date, self.begins))
        column.addWidget(self.said)
        column.addSpacing(4)
        column.addWidget(self._buttons)

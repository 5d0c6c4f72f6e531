"""What a station keeps, when its shifts begin, and when the golden set is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from inspector.errors import SettingsError
from inspector.views.line.stations.setup.field_form import add_row, plain_form
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.line.stations import Retention, ShiftCheck

_NBSP = "\u00a0"


class KeepForm(QWidget):
    """Which images stay."""

    def __init__(self, now: Retention) -> None:
        super().__init__()
        self.good = QComboBox()
        for title, every in (("All of them", 1), ("Every n-th", 2), ("None", 0)):
            self.good.addItem(title, every)
        self.every = QSpinBox()
        self.every.setRange(2, 100_000)
        self.every.setPrefix("every ")
        self.every.setSuffix("th")
        self.every.setValue(max(10, now.ok_every) if now.ok_every < 2 else now.ok_every)
        self.good.setCurrentIndex({0: 2, 1: 0}.get(now.ok_every, 1))
        self.good.currentIndexChanged.connect(lambda _row: self._show())
        self.days = QSpinBox()
        self.days.setRange(0, 36_500)
        self.days.setSuffix(f"{_NBSP}days")
        self.days.setSpecialValueText("For ever")
        self.days.setValue(now.days or 0)
        self.gigabytes = QDoubleSpinBox()
        self.gigabytes.setRange(0, 1_000_000)
        self.gigabytes.setDecimals(1)
        self.gigabytes.setSuffix(f"{_NBSP}GB")
        self.gigabytes.setSpecialValueText("No limit")
        self.gigabytes.setValue(now.gigabytes or 0)
        words = wrapped("small")
        words.setText(
            "Results, maps and thumbnails always stay. Images of NG parts and of those to review stay for as long as the limits "
            "below allow; what people judged, golden parts and shots are never deleted."
        )
        form = plain_form()
        add_row(form, "Images of OK parts", self.good)
        self._every = add_row(form, "Keep", self.every)
        add_row(form, "Images stay", self.days, "What is older goes, whatever it shows.")
        add_row(form, "At most", self.gigabytes, "The oldest images of OK parts go first.")
        self._form = form
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(words)
        column.addLayout(form)
        column.addStretch(1)
        self._show()

    def retention(self) -> Retention:
        from inspector.records.line.stations import Retention

        chosen = self.good.currentData()
        return Retention(
            self.every.value() if chosen == 2 else chosen,
            self.days.value() or None,
            self.gigabytes.value() or None,
        )

    def _show(self) -> None:
        self._form.setRowVisible(self._every, self.good.currentData() == 2)


class ShiftForm(QWidget):
    """When shifts begin, what is checked then, and the sound."""

    def __init__(self, shifts: tuple[str, ...], check: ShiftCheck, sound: bool) -> None:
        super().__init__()
        self.shifts = QLineEdit(", ".join(shifts))
        self.shifts.setPlaceholderText("06:00, 14:00, 22:00")
        self.at_start = QCheckBox("When a shift begins")
        self.at_start.setChecked(check.at_start)
        self.hours = QDoubleSpinBox()
        self.hours.setRange(0, 168)
        self.hours.setDecimals(1)
        self.hours.setSuffix(f"{_NBSP}h")
        self.hours.setSpecialValueText("Not again")
        self.hours.setValue(check.hours or 0)
        self.blocks = QComboBox()
        self.blocks.addItem("Warn, and go on", False)
        self.blocks.addItem("Judge nothing until one is passed", True)
        self.blocks.setCurrentIndex(int(check.blocks))
        self.sound = QCheckBox("Beep when a part is NG")
        self.sound.setChecked(sound)
        form = plain_form()
        add_row(form, "Shifts begin at", self.shifts, "Counters of the operator view begin anew then.")
        add_row(form, "Check the golden set", self.at_start)
        add_row(form, "And again every", self.hours)
        add_row(form, "Where it isn't passed", self.blocks)
        add_row(form, "Sound", self.sound)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addStretch(1)

    def times(self) -> tuple[str, ...]:
        """In order. Raises `SettingsError` for what is no time of day."""
        from datetime import time

        found = []
        for one in self.shifts.text().replace(";", ",").split(","):
            if not one.strip():
                continue
            try:
                found.append(time.fromisoformat(one.strip().zfill(5)).strftime("%H:%M"))
            except ValueError:
                raise SettingsError(
                    f"“{one.strip()}” is no time at which a shift begins.", "Write it like 06:00."
                ) from None
        return tuple(sorted(set(found)))

    def check(self) -> ShiftCheck:
        from inspector.records.line.stations import ShiftCheck

        return ShiftCheck(
            self.at_start.isChecked(), self.hours.value() or None, bool(self.blocks.currentData())
        )

"""A form made of the fields that a source or an output names; what must be given is in sight, the rest unfolds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from inspector.views.look import theme
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.line.stations import Value
    from inspector.stations.fields import Field

LABELS = 150
"""px that the names before fields take at least, so that forms below each other line up."""
_WIDEST = 1e9


def plain_form() -> QFormLayout:
    """As every form of the setup is laid out."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(24)
    form.setVerticalSpacing(8)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def add_row(form: QFormLayout, title: str, widget: QWidget, more: str = "") -> QVBoxLayout:
    """A field with its name before it and a quiet sentence below; what holds both."""
    label = QLabel(title)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setBuddy(widget)
    label.setMinimumWidth(LABELS)
    if not widget.accessibleName():
        widget.setAccessibleName(title)
    holder = QVBoxLayout()
    holder.setSpacing(2)
    holder.addWidget(widget)
    if more:
        words = wrapped("small")
        words.setText(more)
        holder.addWidget(words)
    form.addRow(label, holder)
    return holder


class PathField(QWidget):
    """A folder or file, typed or chosen."""

    changed = Signal()

    def __init__(self, title: str, *, file: bool = False) -> None:
        super().__init__()
        self.edit = QLineEdit()
        self.edit.setAccessibleName(title)
        self.edit.textChanged.connect(self.changed)
        self.choose = QPushButton("Choose…")
        self.choose.setAccessibleName(f"Choose: {title}")
        self.choose.clicked.connect(self._choose)
        self._title, self._file = title, file
        self.setFocusProxy(self.edit)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.edit, 1)
        row.addWidget(self.choose)

    def _choose(self) -> None:
        before = self.edit.text() or str(Path.home())
        if self._file:
            name, _ = QFileDialog.getOpenFileName(self, self._title, before)
        else:
            name = QFileDialog.getExistingDirectory(self, self._title, before)
        if name:
            self.edit.setText(name)


class FieldForm(QWidget):
    """`values` gives what is typed, as it is: `stations.fields.checked` says what is wrong with it."""

    changed = Signal()

    def __init__(self, fields: Sequence[Field], values: Mapping[str, Value]) -> None:
        super().__init__()
        self.inputs: dict[str, QWidget] = {}
        self.holders: dict[str, QVBoxLayout] = {}
        self.fields = tuple(fields)
        self._reads: dict[str, Callable[[], Value]] = {}
        self._rows: dict[str, tuple[QFormLayout, QVBoxLayout]] = {}
        self._more = QWidget()
        self.unfold = QPushButton()
        theme.set_role(self.unfold, "link")
        self.unfold.clicked.connect(lambda: self._show_more(self._more.isHidden()))
        first, rest = plain_form(), plain_form()
        self._more.setLayout(rest)
        for field in fields:
            given = values.get(field.name, field.default)
            widget = self._input(field, "" if given is None else given)
            self.inputs[field.name] = widget
            form = first if field.default is None and field.only is None else rest
            self.holders[field.name] = holder = add_row(
                form, "" if isinstance(widget, QCheckBox) else field.title, widget, field.help
            )
            self._rows[field.name] = form, holder
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(first)
        column.addWidget(self.unfold, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._more)
        self.unfold.setVisible(rest.rowCount() > 0 and first.rowCount() > 0)
        changed = any(
            name in values and values[name] != one.default
            for one in fields
            if one.default is not None and one.only is None
            for name in (one.name,)
        )
        self._show_more(changed or first.rowCount() == 0)
        self.changed.connect(self._show_what_counts)
        self._show_what_counts()

    def values(self) -> dict[str, Value]:
        """What is typed, by the fields' names."""
        return {name: read() for name, read in self._reads.items()}

    def _show_what_counts(self) -> None:
        from inspector.stations.fields import counts

        now = self.values()
        for field in self.fields:
            if field.only is not None:
                form, holder = self._rows[field.name]
                form.setRowVisible(holder, counts(field, self.fields, now))

    def _show_more(self, on: bool) -> None:
        self._more.setVisible(on)
        self.unfold.setText("Fewer settings" if on else "More settings")

    def _input(self, field: Field, value: Value) -> QWidget:
        if field.kind == "flag":
            box = QCheckBox(field.title)
            box.setChecked(bool(value))
            box.toggled.connect(self.changed)
            self._reads[field.name] = box.isChecked
            return box
        if field.kind == "number":
            return self._number(field, value)
        if field.kind == "choice":
            combo = QComboBox()
            for key, title in field.choices:
                combo.addItem(title, key)
            combo.setCurrentIndex(max(0, combo.findData(str(value))))
            combo.currentIndexChanged.connect(self.changed)
            self._reads[field.name] = lambda: str(combo.currentData())
            return combo
        if field.kind in ("folder", "file"):
            path = PathField(field.title, file=field.kind == "file")
            path.edit.setText(str(value))
            path.changed.connect(self.changed)
            self._reads[field.name] = lambda: path.edit.text().strip()
            return path
        line = QLineEdit(str(value))
        if field.kind == "secret":
            line.setEchoMode(QLineEdit.EchoMode.Password)
        line.textChanged.connect(self.changed)
        self._reads[field.name] = line.text
        return line

    def _number(self, field: Field, value: Value) -> QWidget:
        unit = f"\u00a0{field.unit}" if field.unit else ""
        number = float(value or 0)
        if isinstance(field.default, int):
            whole = QSpinBox()
            whole.setRange(int(_least(field)), int(_most(field)))
            whole.setValue(int(number))
            whole.setSuffix(unit)
            whole.valueChanged.connect(self.changed)
            self._reads[field.name] = whole.value
            return whole
        share = QDoubleSpinBox()
        share.setDecimals(2)
        share.setRange(_least(field), _most(field))
        share.setValue(number)
        share.setSuffix(unit)
        share.valueChanged.connect(self.changed)
        self._reads[field.name] = share.value
        return share


def _least(field: Field) -> float:
    return -_WIDEST if field.least is None else field.least


def _most(field: Field) -> float:
    return _WIDEST if field.most is None else field.most

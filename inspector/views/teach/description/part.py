"""One part in the description form: a row of fields with the sentence that they make."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from inspector.errors import DetectorError
from inspector.methods.prompts.description import VALUES, Entity
from inspector.views.look import icons, theme

_COLUMNS = {
    "noun": "Part",
    "number": "Number",
    "location": "Where",
    "colour": "Colour",
    "texture": "Texture",
    "shape": "Shape",
}
_BUTTON = 28  # px, the last column


def sentence(error: DetectorError) -> str:
    """An error of a record as it is said beside its field."""
    text = f"{error.message} {error.hint}".replace(" in the description", "")
    return text.replace("start again from the template", "go back to the suggestion")


def heads() -> QWidget:
    """The names of the columns."""
    row = QWidget()
    grid = _grid(row)
    for column, title in enumerate(_COLUMNS.values()):
        label = QLabel(title)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme.set_role(label, "small")
        grid.addWidget(label, 0, column)
    return row


class PartRow(QWidget):
    edited = Signal()
    finished = Signal()  # a value was chosen, or a field was left
    remove_requested = Signal()

    def __init__(self, entity: Entity | None) -> None:
        """`entity` None: a new row, which counts for nothing while it is blank."""
        super().__init__()
        self._entity = entity
        self.fields: dict[str, QLineEdit] = {}
        grid = _grid(self)
        for column, (name, title) in enumerate(_COLUMNS.items()):
            edit = QLineEdit()
            widget: QWidget = edit
            if name in VALUES:
                choice = _Choice(VALUES[name], edit)
                choice.activated.connect(lambda _index: self.finished.emit())
                widget = choice
            else:
                edit.setPlaceholderText("For example “hole”")
            widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            widget.setAccessibleName(title)
            edit.setText(getattr(entity, name) if entity is not None else "")
            edit.setCursorPosition(0)
            edit.textChanged.connect(lambda _text: self.edited.emit())
            edit.editingFinished.connect(self.finished)
            grid.addWidget(widget, 0, column)
            self.fields[name] = edit
        self.remove_button = QToolButton()
        self.remove_button.setIcon(icons.icon("close"))
        self.remove_button.setFixedWidth(_BUTTON)
        self.remove_button.setToolTip("Remove this part")
        self.remove_button.setAccessibleName("Remove this part")
        self.remove_button.clicked.connect(self.remove_requested)
        grid.addWidget(self.remove_button, 0, len(_COLUMNS))
        self.said = QLabel()
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setWordWrap(True)
        self.said.setContentsMargins(2, 0, 0, 4)
        grid.addWidget(self.said, 1, 0, 1, len(_COLUMNS))
        self.read()

    @property
    def blank(self) -> bool:
        return self._entity is None and not any(edit.text().strip() for edit in self.fields.values())

    def read(self) -> Entity | None:
        """The part as its fields say, or None (and a sentence below them) where something is wrong."""
        texts = {name: " ".join(edit.text().split()) for name, edit in self.fields.items()}
        if self.blank:
            self._say("", "small")
            return None
        old = self._entity
        try:
            if old is not None and all(getattr(old, name) == text for name, text in texts.items()):
                made = old
            elif old is not None:  # its own caption spoke of the old values
                made = replace(old, **texts, caption="")
            else:
                made = Entity(**texts)
        except DetectorError as error:
            said = sentence(error)
            for name, title in _COLUMNS.items():
                said = said.replace(f"“{name}”", f"“{title}”")
            self._say(said, "error")
            return None
        self._say(made.spoken, "small")
        return made

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A field that is too narrow shows the beginning of its word."""
        super().resizeEvent(event)
        for edit in self.fields.values():
            if not edit.hasFocus():
                edit.setCursorPosition(0)

    def _say(self, text: str, role: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))
        if self.said.property("role") != role:
            theme.set_role(self.said, role)


class _Choice(QComboBox):
    """Offers values and takes any other."""

    def __init__(self, values: tuple[str, ...], edit: QLineEdit) -> None:
        super().__init__()
        self.setLineEdit(edit)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.addItems(["", *values])
        self.setMaxVisibleItems(len(values) + 1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.view().setMinimumWidth(140)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # it scrolls the form


def _grid(owner: QWidget) -> QGridLayout:
    grid = QGridLayout(owner)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(6)
    grid.setVerticalSpacing(2)
    for column in range(len(_COLUMNS)):
        grid.setColumnStretch(column, 5 if column == 0 else 3)
    grid.setColumnMinimumWidth(len(_COLUMNS), _BUTTON)
    return grid

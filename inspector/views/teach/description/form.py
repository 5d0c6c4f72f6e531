"""What a good part looks like, in words: the description that a method may learn its prompts from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import qdebounced

from inspector.errors import DetectorError
from inspector.methods import catalogue
from inspector.methods.prompts.description import MAX_ENTITIES, Entity, PartDescription, template
from inspector.views.look import icons, theme
from inspector.views.shared.context import WindowContext
from inspector.views.teach.description.part import PartRow, heads, sentence

MAX_FILE = 1 << 20  # bytes
_LABEL, _WIDEST = 104, 1000  # px
_FIELDS = {
    "foreground": ("Product", "What it is, in one or two words"),
    "background": ("Background", "What lies behind it, for example “grey conveyor belt”"),
    "relation": ("How parts lie", "For example “the thread runs around the shaft”"),
    "caption": ("Whole picture", ""),
}


class DescriptionForm(QScrollArea):
    """Shows the record of one class and tells when a sound one was made of it; what is wrong stays here, with a sentence
    beside its field. An empty caption is put together from the fields, as its placeholder shows."""

    changed = Signal(
        int, object
    )  # class id; its PartDescription, or None for the suggestion that follows from the name
    closed = Signal()
    PAUSE = 800  # ms without a key until what was typed is kept

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self._class_id = 0
        self._name = ""
        self._read_only = False
        self._filling = False
        self._suggestion = self._shown = template("")
        self.rows: list[PartRow] = []
        self._keep_soon = qdebounced(self.keep, timeout=self.PAUSE)

        self.heading = QLabel()
        self.heading.setTextFormat(Qt.TextFormat.PlainText)
        self.heading.setWordWrap(True)
        theme.set_role(self.heading, "heading")
        self.reset_button = QPushButton("Back to the suggestion")
        self.reset_button.setIcon(icons.icon("undo"))
        self.reset_button.setToolTip("Use what follows from the name of the class (can be undone)")
        self.reset_button.clicked.connect(self.reset)
        self.menu_button = QToolButton()
        self.menu_button.setIcon(icons.icon("more"))
        self.menu_button.setToolTip("Import or export the description")
        self.menu_button.setAccessibleName("Import or export the description")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        menu = QMenu(self)
        self.import_action = menu.addAction("Import from a file…", self._choose_import)
        menu.addAction("Export to a file…", self._choose_export)
        self.menu_button.setMenu(menu)
        self.done_button = QPushButton("Done")
        self.done_button.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.heading, 1)
        for widget in (self.reset_button, self.menu_button, self.done_button):
            head.addWidget(widget)
        readers = catalogue.titles(name for name in catalogue.METHODS if catalogue.reads_descriptions(name))
        why = QLabel(
            f"{readers} learns prompts for what is said here. The suggestion works for any part; your words make it"
            " sharper. Every change is kept and can be undone."
        )
        why.setWordWrap(True)
        theme.set_role(why, "quiet")

        self.fields: dict[str, QLineEdit] = {}
        self.problems: dict[str, QLabel] = {}
        top, foot = _form(), _form()
        for name, (label, hint) in _FIELDS.items():
            edit = QLineEdit()
            edit.setPlaceholderText(hint)
            edit.setAccessibleName(label)
            edit.textEdited.connect(self._edited)
            edit.editingFinished.connect(self.keep)
            problem = QLabel()
            problem.setTextFormat(Qt.TextFormat.PlainText)
            problem.setWordWrap(True)
            theme.set_role(problem, "error")
            problem.hide()
            both = QVBoxLayout()
            both.setSpacing(2)
            both.addWidget(edit)
            both.addWidget(problem)
            title = QLabel(label)
            title.setFixedWidth(_LABEL)
            title.setMinimumHeight(edit.sizeHint().height())
            title.setBuddy(edit)
            (top if name in ("foreground", "background") else foot).addRow(title, both)
            self.fields[name], self.problems[name] = edit, problem
        self.fields["caption"].setToolTip(
            "One sentence for the whole picture; left empty, it is put together from the fields"
        )

        parts = QFrame()
        theme.set_role(parts, "card")
        self._parts = QVBoxLayout(parts)
        self._parts.setContentsMargins(12, 8, 12, 12)
        self._parts.setSpacing(6)
        self._parts.addWidget(heads())
        self.parts_problem = QLabel()
        self.parts_problem.setTextFormat(Qt.TextFormat.PlainText)
        self.parts_problem.setWordWrap(True)
        theme.set_role(self.parts_problem, "error")
        self.parts_problem.hide()
        self.add_button = QPushButton("Add part")
        self.add_button.setIcon(icons.icon("add"))
        self.add_button.clicked.connect(self.add_part)
        below = QHBoxLayout()
        below.setContentsMargins(0, 4, 0, 0)
        below.addWidget(self.add_button)
        below.addWidget(self.parts_problem, 100)
        below.addStretch(1)
        self._parts.addLayout(below)

        inside = QWidget()
        theme.set_role(inside, "surround")
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 4, 16, 16)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(why)
        column.addLayout(top)
        column.addWidget(parts)
        column.addLayout(foot)
        column.addStretch(1)
        self.setWidgetResizable(True)
        inside.setMaximumWidth(_WIDEST)
        self.setWidget(inside)

    # what is shown

    def show_record(self, class_id: int, name: str, record: PartDescription | None, read_only: bool) -> None:
        """The record of a class as it is stored. What is being typed stays, unless something else was stored."""
        suggestion = template(name)
        stored = suggestion if record is None else record
        same = class_id == self._class_id and stored == self._shown and suggestion == self._suggestion
        if class_id != self._class_id:
            self.keep()
        self._class_id, self._name, self._suggestion = class_id, name, suggestion
        self.heading.setText(f"What a good {suggestion.foreground} looks like")
        if not same or read_only != self._read_only:
            self._read_only = read_only
            self._fill(stored)

    def _fill(self, record: PartDescription) -> None:
        self._keep_soon.cancel()
        self._shown = record
        self._filling = True
        for name, edit in self.fields.items():
            edit.setText(getattr(record, name))
        if record.caption == self._suggestion.caption:
            self.fields["caption"].clear()  # so that it follows the fields, once one is changed
        while self.rows:
            self._drop(self.rows[-1])
        for entity in record.entities:
            self._append(entity)
        self._filling = False
        for widget in (*self.fields.values(), *self.rows):
            widget.setEnabled(not self._read_only)
        self._look()

    def _append(self, entity: Entity | None) -> PartRow:
        row = PartRow(entity)
        row.edited.connect(self._edited)
        row.finished.connect(self.keep)
        row.remove_requested.connect(partial(self.remove_part, row))
        self._parts.insertWidget(1 + len(self.rows), row)
        self.rows.append(row)
        return row

    def _drop(self, row: PartRow) -> None:
        self.rows.remove(row)
        self._parts.removeWidget(row)
        row.hide()
        row.deleteLater()

    # changes

    def add_part(self) -> None:
        row = self._append(None)
        self._look()
        row.fields["noun"].setFocus()

    def remove_part(self, row: PartRow) -> None:
        self._drop(row)
        self._edited()
        self.keep()

    def reset(self) -> None:
        changed = self._shown != self._suggestion
        self._fill(self._suggestion)
        if changed:
            self.changed.emit(self._class_id, None)

    def _edited(self) -> None:
        if not self._filling:
            self._look()
            self._keep_soon()

    def keep(self) -> None:
        """Tell what was changed, if all of it is sound."""
        self._keep_soon.cancel()
        record = self._look()
        if record is not None and record != self._shown and not self._read_only:
            self._shown = record
            self.changed.emit(self._class_id, None if record == self._suggestion else record)
            self._look()

    def _look(self) -> PartDescription | None:
        """The record of the fields, or None where something is wrong, which is then said beside its field."""
        texts = {name: edit.text() for name, edit in self.fields.items()}
        sound = True
        for name, label in self.problems.items():
            said = _problem(name, texts[name])
            label.setText(said)
            label.setVisible(bool(said))
            sound &= not said
        made = [row.read() for row in self.rows if not row.blank]
        entities = tuple(entity for entity in made if entity is not None)
        sound &= len(entities) == len(made)
        record: PartDescription | None = None
        said = ""
        if sound:
            try:
                record = self._put_together(texts, entities)
            except DetectorError as error:  # too few or too many parts
                said = sentence(error)
        self.parts_problem.setText(said)
        self.parts_problem.setVisible(bool(said))
        if record is not None:
            self.fields["caption"].setPlaceholderText(record.spoken)
        full = len(self.rows) >= MAX_ENTITIES
        self.add_button.setEnabled(not full and not self._read_only)
        self.add_button.setToolTip(f"At most {MAX_ENTITIES} parts" if full else "")
        for row in self.rows:
            row.remove_button.setEnabled(len(self.rows) > 1)
        self.reset_button.setEnabled(record != self._suggestion and not self._read_only)
        self.import_action.setEnabled(not self._read_only)
        return record

    def _put_together(self, texts: dict[str, str], entities: tuple[Entity, ...]) -> PartDescription:
        record = PartDescription(
            texts["foreground"], texts["background"], entities, texts["relation"], texts["caption"]
        )
        if record == replace(self._shown, caption="") and self._shown.caption == self._suggestion.caption:
            return self._shown  # nothing was changed: what was there stays word for word
        return record

    # files

    def _choose_import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Import a description", "", "Descriptions (*.json);;All files (*)"
        )
        if name:
            self.import_file(Path(name))

    def _choose_export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Export the description", f"{self._name}.json", "Descriptions (*.json)"
        )
        if name:
            self.export_file(Path(name))

    def import_file(self, source: Path) -> None:
        """Take the record of a JSON file for this class. Wrong files are named in the window."""
        class_id = self._class_id

        def done(record: PartDescription) -> None:
            if class_id == self._class_id and record != self._shown:
                self._fill(record)
                self.changed.emit(class_id, None if record == self._suggestion else record)

        self._context.runner.read(self, partial(_read_file, source), done, self._context.show_error)

    def export_file(self, target: Path) -> None:
        """Write the record as JSON."""
        text = self._shown.dumps()
        self._context.runner.write(
            self,
            partial(_write_file, target, text),
            lambda _none: self._context.toast(f"Exported the description to {target.name}."),
            self._context.show_error,
        )


def _problem(name: str, text: str) -> str:
    """What is wrong with one field of the whole picture, in a sentence, or ""."""
    sound = {"foreground": "part", "background": "plain", "relation": "", "caption": ""}
    try:
        PartDescription(**(sound | {name: text}), entities=(Entity("part"),))
    except DetectorError as error:
        return sentence(error).replace(f"“{name}”", f"“{_FIELDS[name][0]}”")
    return ""


def _form() -> QFormLayout:
    layout = QFormLayout()
    layout.setSpacing(8)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return layout


def _read_file(source: Path) -> PartDescription:
    try:
        if source.stat().st_size > MAX_FILE:
            raise DetectorError(f"{source.name} is too large for a description.", "Choose another file.")
        text = source.read_text("utf-8")
    except OSError as error:
        raise DetectorError(
            f"{source.name} can't be read: {error.strerror or error}.", "Choose another file."
        ) from error
    except UnicodeDecodeError as error:
        raise DetectorError(f"{source.name} is no text file.", "Choose a JSON file.") from error
    try:
        return PartDescription.loads(text)
    except DetectorError as error:
        raise DetectorError(f"{source.name} can't be used: {error.message}", error.hint) from error


def _write_file(target: Path, text: str) -> None:
    from inspector import paths

    try:
        paths.write_atomic(target, f"{text}\n".encode())
    except OSError as error:
        raise DetectorError(
            f"{target.name} can't be written: {error.strerror or error}.", "Choose another folder."
        ) from error

"""The setup of a station: a name and where its pictures come from; all the rest has a default that can be left as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.errors import InspectorError, SettingsError
from inspector.views.line.edits import Draft
from inspector.views.line.stations.setup.field_form import FieldForm, add_row, plain_form
from inspector.views.line.stations.setup.folder_check import FolderCheck
from inspector.views.line.stations.setup.keeping import KeepForm, ShiftForm
from inspector.views.line.stations.setup.outputs_editor import OutputsEditor, Try
from inspector.views.look import theme
from inspector.views.look.kit import narrow_combo, scrolling
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.line.stations import Part
    from inspector.views.line.stations.reads import Choices
    from inspector.views.shared.context import WindowContext

_FIRST = "folder"
"""The source that a new station is offered."""


Save = Callable[[Draft, Callable[[BaseException], None]], None]
"""Stores a draft and closes the dialog, or says why not."""


class SetupDialog(QDialog):
    """Stays open, with a sentence, until what is typed can be stored."""

    def __init__(
        self,
        context: WindowContext,
        choices: Choices,
        draft: Draft,
        *,
        save: Save,
        ask: Try,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.context, self.choices, self.draft, self._save = context, choices, draft, save
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Station “{draft.name}”" if draft.station_id else "New station")
        self.resize(720, 640)
        now = draft.settings
        self._source_now = now.source
        self.name = QLineEdit(draft.name)
        self.name.setPlaceholderText("Station 1")
        self.name.setMaxLength(80)
        self.class_name = narrow_combo("The class of all parts that come here")
        self.class_name.addItem("Found by itself, per image", None)
        for class_id, name in choices.classes.items():
            self.class_name.addItem(name, class_id)
        self.class_name.setCurrentIndex(max(0, self.class_name.findData(draft.class_id)))
        self.detector = narrow_combo("Who judges here")
        self.class_name.currentIndexChanged.connect(lambda _row: self._fill_detectors())
        self.lot = QLineEdit(now.lot)
        self.lot.setMaxLength(80)
        self.lot.setPlaceholderText("None")
        self.source = narrow_combo("Where pictures come from")
        for info in choices.sources:
            self.source.addItem(info.title, info.kind)
        self.source.setCurrentIndex(max(0, self.source.findData(now.source.kind or _FIRST)))
        self.source_words = wrapped("small")
        self.form: FieldForm | None = None
        self._form_place = QVBoxLayout()
        self.check: FolderCheck | None = None  # of the folder that the source watches
        self.outputs = OutputsEditor(choices.outputs, now.outputs, ask)
        self.keep = KeepForm(now.retention)
        self.shifts = ShiftForm(now.shifts, now.check, now.sound)
        self.said = wrapped("error")
        self.said.hide()

        self.tabs = QButtonGroup(self)
        self._stack = QStackedWidget()
        row = QHBoxLayout()
        row.setContentsMargins(16, 12, 16, 0)
        row.setSpacing(4)
        for place, (title, tip, page) in enumerate(
            (
                ("Station", "Its name, who judges, and where pictures come from", self._first()),
                ("Tells", "Whom it tells what it said", self.outputs),
                ("Keeps", "Which images stay", self.keep),
                ("Shifts", "When shifts begin, and the check of the golden set", self.shifts),
            )
        ):
            button = QToolButton()
            button.setText(title)
            button.setToolTip(tip)
            button.setCheckable(True)
            theme.set_role(button, "tab")
            self.tabs.addButton(button, place)
            row.addWidget(button)
            self._stack.addWidget(_scrolled(page, title))
        row.addStretch(1)
        self.tabs.button(0).setChecked(True)
        self.tabs.idClicked.connect(self._stack.setCurrentIndex)
        buttons = QDialogButtonBox()
        self.save_button = buttons.addButton(
            "Save" if draft.station_id else "Add station", QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.save_button.setDefault(True)
        theme.set_role(self.save_button, "primary")
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 16)
        foot.setSpacing(16)
        foot.addWidget(self.said, 1)
        foot.addStretch(0)
        foot.addWidget(buttons, alignment=Qt.AlignmentFlag.AlignRight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self._stack, 1)
        column.addLayout(foot)
        self.source.currentIndexChanged.connect(lambda _row: self._show_source())
        self._fill_detectors()
        self._show_source()
        self.name.setFocus()

    def show_tab(self, place: int) -> None:
        self.tabs.button(place).setChecked(True)
        self._stack.setCurrentIndex(place)

    def accept(self) -> None:
        try:
            made = self._made()
        except InspectorError as error:
            self._say(str(error))
            return
        self._save(made, lambda error: self._say(str(error)))

    def _say(self, words: str) -> None:
        self.said.setText(words)
        self.said.show()

    def _made(self) -> Draft:
        from inspector.records.line.stations import Part
        from inspector.stations.fields import checked

        name = " ".join(self.name.text().split())
        if not name:
            self.show_tab(0)
            self.name.setFocus()
            raise SettingsError("The station has no name yet.", "Type one.")
        assert self.form is not None
        try:
            values = checked(self.form.fields, self.form.values())
        except SettingsError:
            self.show_tab(0)
            raise
        source: Part = Part(self.source.currentData(), values)
        settings = replace(
            self.draft.settings,
            source=source,
            outputs=self.outputs.parts(),
            retention=self.keep.retention(),
            check=self.shifts.check(),
            shifts=self.shifts.times(),
            lot=" ".join(self.lot.text().split()),
            sound=self.shifts.sound.isChecked(),
        )
        return replace(
            self.draft,
            name=name,
            settings=settings,
            class_id=self.class_name.currentData(),
            detector_id=self.detector.currentData(),
        )

    def _first(self) -> QWidget:
        page = QWidget()
        form = plain_form()
        add_row(form, "Name", self.name)
        add_row(form, "Class", self.class_name)
        add_row(form, "Detector", self.detector)
        add_row(form, "Order", self.lot, "What is made now; the operator can change it.")
        source = QWidget()
        inside = QVBoxLayout(source)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(2)
        inside.addWidget(self.source)
        inside.addWidget(self.source_words)
        add_row(form, "Pictures from", source)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(form)
        column.addLayout(self._form_place)
        column.addStretch(1)
        return page

    def _fill_detectors(self) -> None:
        class_id = self.class_name.currentData()
        chosen = self.detector.currentData() if self.detector.count() else self.draft.detector_id
        self.detector.clear()
        charged = self.choices.in_charge.get(class_id) if class_id is not None else None
        self.detector.addItem(f"The one in charge, now #{charged}" if charged else "The one in charge", None)
        for row in self.choices.detectors:
            if class_id is None or class_id in row.classes:
                self.detector.addItem(f"Always {row.label}", row.id)
        self.detector.setCurrentIndex(max(0, self.detector.findData(chosen)))

    def _show_source(self) -> None:
        info = next(one for one in self.choices.sources if one.kind == self.source.currentData())
        self.source_words.setText(info.summary)
        if self.form is not None:
            self._form_place.removeWidget(self.form)
            self.form.hide()
            self.form.deleteLater()
        own: Part = self._source_now
        self.form = FieldForm(info.fields, own.values if own.kind == info.kind else {})
        self._form_place.addWidget(self.form)
        self.check = None
        folder = next((one.name for one in info.fields if one.kind == "folder" and one.default is None), "")
        if folder:
            self.check = check = FolderCheck(self.context)
            self.form.holders[folder].addWidget(check)
            self.form.changed.connect(lambda: self._look(folder))
            self._look(folder)

    def _look(self, folder: str) -> None:
        if self.form is not None and self.check is not None:
            self.check.look(str(self.form.values()[folder]))


def _scrolled(page: QWidget, name: str) -> QScrollArea:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(16, 16, 16, 16)
    column.addWidget(page)
    area = scrolling(holder, name)
    area.setFrameShape(QFrame.Shape.NoFrame)
    return area

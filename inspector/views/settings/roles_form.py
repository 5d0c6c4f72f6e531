"""Which roles of the open project ask for a PIN."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Deed, Role
from inspector.views.look import theme
from inspector.views.look.kit import switch
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext

_MAY = {
    Role.ENGINEER: "May do everything.",
    Role.INSPECTOR: "Also inspects images, sets up studies and exports.",
    Role.OPERATOR: "Judges parts, starts and stops stations, checks the golden set.",
}
_OFF = "No role asks for a PIN, so everybody may do everything. Set the engineer's to keep others from what teaches and judges."
_ON = "Who gives no PIN may do what the highest role without one may."


class RolesForm(QWidget):
    """`dialog`: the one that is open, if any."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        self.dialog: PinDialog | None = None
        self.said = wrapped("small")
        self.buttons: dict[Role, QPushButton] = {}
        self.removers: dict[Role, QPushButton] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for line, role in enumerate(reversed(Role)):
            grid.addWidget(QLabel(role.value.capitalize()), line, 0)
            may = wrapped("small")
            may.setText(_MAY[role])
            grid.addWidget(may, line, 1)
            change = self.buttons[role] = QPushButton()
            change.clicked.connect(partial(self.change, role))
            grid.addWidget(change, line, 2)
            remove = self.removers[role] = QPushButton("Remove")
            remove.setToolTip("This role asks for no PIN any more")
            remove.setAccessibleName(f"Remove the {role.value}'s PIN")
            remove.clicked.connect(partial(self.remove, role))
            grid.addWidget(remove, line, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.said)
        column.addLayout(grid)
        context.project_changed.connect(self.refresh)
        context.role_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        project = self.context.project
        guarded = project.guarded if project else frozenset()
        self.said.setText(
            _ON if guarded else _OFF if project else "Roles belong to a project: open one first."
        )
        for role in Role:
            self.buttons[role].setText("Change PIN…" if role in guarded else "Set PIN…")
            self.buttons[role].setAccessibleName(f"Set the {role.value}'s PIN")
            why = self.context.viewing_only or ("" if project else "Open a project first.")
            first = "" if guarded or role is Role.ENGINEER else "Set the engineer's first."
            switch(self.buttons[role], why or first)
            self.removers[role].setVisible(role in guarded)

    def change(self, role: Role) -> None:
        if self.context.writable() is not None and self.context.may(Deed.ROLES) and self.dialog is None:
            self.dialog = PinDialog(role, partial(self._set, role), self)
            self.dialog.finished.connect(self._left)
            self.dialog.open()

    def remove(self, role: Role) -> None:
        def work(project: Project) -> None:
            from inspector.records.line.roles import remove_pin

            remove_pin(project, role)

        if self.context.may(Deed.ROLES):
            self.context.change(
                self, work, lambda _none: self._changed(f"The {role.value}'s PIN is removed.")
            )

    def _set(self, role: Role, pin: str, failed: Callable[[BaseException], None]) -> None:
        def work(project: Project) -> bool:
            from inspector.records.line.roles import set_pin

            first = not project.guarded
            set_pin(project, role, pin)
            return first

        def done(first: bool) -> None:
            if self.dialog is not None:
                self.dialog.done(QDialog.DialogCode.Accepted)
            if first:  # who set it stays what she is until she signs out
                self.context.sign_in(Role.ENGINEER, self.context.who)
            self._changed(f"The {role.value}'s PIN is set.")

        self.context.change(self, work, done, failed)

    def _changed(self, words: str) -> None:
        self.context.role_changed.emit()
        self.context.toast(words)

    def _left(self, _result: int) -> None:
        self.dialog = None


class PinDialog(QDialog):
    """A new PIN, typed twice. `put(pin, failed)` stores it and closes the dialog, or says why not."""

    def __init__(
        self, role: Role, put: Callable[[str, Callable[[BaseException], None]], None], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._put = put
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"PIN of the {role.value}")
        self.setMinimumWidth(360)
        self.pin, self.again = QLineEdit(), QLineEdit()
        for field, name in ((self.pin, "New PIN"), (self.again, "Once more")):
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setMaxLength(12)
            field.setAccessibleName(name)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow("New PIN", self.pin)
        form.addRow("Once more", self.again)
        words = wrapped("small")
        words.setText("4 to 12 digits. It is kept as a hash that nobody can read back.")
        self.said = wrapped("error")
        self.said.hide()
        buttons = QDialogButtonBox()
        self.set_button = buttons.addButton("Set PIN", QDialogButtonBox.ButtonRole.AcceptRole)
        self.set_button.setDefault(True)
        theme.set_role(self.set_button, "primary")
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(words)
        column.addWidget(self.said)
        column.addWidget(buttons)

    def accept(self) -> None:
        if self.pin.text() != self.again.text():
            self._say("The two are not the same. Type both anew.")
        else:
            self._put(self.pin.text(), lambda error: self._say(str(error)))

    def _say(self, words: str) -> None:
        self.said.setText(words)
        self.said.show()
        self.pin.clear()
        self.again.clear()
        self.pin.setFocus()

"""Who uses the window: asked where somebody may not do what she wants, and changed in the row at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from inspector.errors import InspectorError, NotAllowedError
from inspector.views.look import theme
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.domain import Role
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext
    from inspector.views.window.tab_row import TabRow

_FORGOTTEN = "Forgotten? Whoever may write the project's folder can set it anew: inspector roles PROJECT --set engineer."


class SignInDialog(QDialog):
    """A name and a PIN; the PIN says the role. It stays until the PIN is right or somebody gives up."""

    def __init__(self, context: WindowContext, why: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.context = context
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Sign in")
        self.setMinimumWidth(400)
        words = wrapped()
        words.setText(why)
        self.name = QLineEdit()
        self.name.setAccessibleName("Your name")
        self.name.setPlaceholderText("Your name, for the audit")
        self.name.setMaxLength(80)
        self.pin = QLineEdit()
        self.pin.setEchoMode(QLineEdit.EchoMode.Password)
        self.pin.setAccessibleName("PIN")
        self.pin.setMaxLength(12)
        self.pin.setInputMethodHints(Qt.InputMethodHint.ImhDigitsOnly | Qt.InputMethodHint.ImhSensitiveData)
        self.said = wrapped("error")
        self.said.hide()
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow("Name", self.name)
        form.addRow("PIN", self.pin)
        forgotten = wrapped("small")
        forgotten.setText(_FORGOTTEN)
        buttons = QDialogButtonBox()
        self.sign = buttons.addButton("Sign in", QDialogButtonBox.ButtonRole.AcceptRole)
        self.sign.setDefault(True)
        theme.set_role(self.sign, "primary")
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(words)
        column.addLayout(form)
        column.addWidget(self.said)
        column.addWidget(forgotten)
        column.addWidget(buttons)
        self.pin.setFocus()

    def accept(self) -> None:
        project = self.context.project
        if project is None:
            self.reject()
            return
        pin, who = self.pin.text(), " ".join(self.name.text().split())
        self.sign.setEnabled(False)

        def check() -> Role:
            from inspector.records.line.roles import sign_in

            return sign_in(project, pin, who=who)

        def done(role: Role) -> None:
            if self.context.project is project:
                self.context.sign_in(role, who)
                self.context.toast(f"Signed in as {role.value}.")
            super(SignInDialog, self).accept()

        self.context.runner.write(self, check, done, self._failed)

    def _failed(self, error: BaseException) -> None:
        self.sign.setEnabled(True)
        self.pin.clear()
        self.pin.setFocus()
        if isinstance(error, InspectorError):
            self.said.setText(str(error))
            self.said.show()
        else:
            self.context.show_error(error)


class Door(QObject):
    """Shows who is signed in, and lets others in."""

    def __init__(self, context: WindowContext, row: TabRow, window: QWidget) -> None:
        super().__init__(window)
        self.context, self._row, self._window = context, row, window
        self.dialog: SignInDialog | None = None
        row.role.clicked.connect(self._pressed)
        context.role_changed.connect(self.refresh)
        context.project_changed.connect(self.refresh)
        self.refresh()

    def refused(self, error: NotAllowedError) -> None:
        self.ask(f"{error.message} {error.hint}")

    def ask(self, why: str) -> None:
        """One question at a time, over whichever window is in front."""
        if self.dialog is None:
            front = QApplication.activeWindow() or self._window
            self.dialog = SignInDialog(self.context, why, front)
            self.dialog.finished.connect(self._answered)
            self.dialog.open()

    def refresh(self) -> None:
        project = self.context.project
        words, tip = "", ""
        if project is not None and project.guarded:
            words, tip = _shown(project, self.context.signed_in)
        self._row.show_role(words, tip)

    def _pressed(self) -> None:
        if self.context.signed_in is not None:
            self.context.sign_in(None)
            self.context.toast("Signed out.")
        else:
            self.ask("Sign in with the PIN of your role.")

    def _answered(self, _result: int) -> None:
        self.dialog = None


def _shown(project: Project, signed_in: Role | None) -> tuple[str, str]:
    from inspector.records.line.roles import role_of

    role = role_of(project, signed_in)
    words = role.value.capitalize() if role else "Nobody"
    return words, f"{words} is signed in: sign out" if signed_in else f"{words}: sign in as somebody else"

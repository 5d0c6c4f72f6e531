"""One door for errors nobody caught: the log gets each, a person sees each distinct one once."""

from __future__ import annotations

import hashlib
import logging
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, QUrl, Signal, qInstallMessageHandler
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from inspector import paths
from inspector.errors import InspectorError
from inspector.views.look import theme

_log = logging.getLogger("inspector.unexpected")
_qt_log = logging.getLogger("inspector.qt")
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class ErrorDoor(QObject):
    """Takes over `sys.excepthook`, `threading.excepthook` and Qt's messages until `close`."""

    unexpected = Signal(object)  # an exception seen for the first time, on the GUI thread
    expected = Signal(object)  # an InspectorError that reached the top

    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._seen: set[str] = set()
        self._arrived.connect(self._sort, Qt.ConnectionType.QueuedConnection)
        self._before = (sys.excepthook, threading.excepthook)
        sys.excepthook = self._hook
        threading.excepthook = self._thread_hook
        qInstallMessageHandler(_from_qt)

    def close(self) -> None:
        sys.excepthook, threading.excepthook = self._before
        qInstallMessageHandler(None)

    def take(self, error: BaseException) -> None:
        """Log `error`, then show it unless its like was shown. Any thread."""
        if not isinstance(error, InspectorError):
            _log.critical("unexpected error", exc_info=error)
        self._arrived.emit(error)

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            app = QGuiApplication.instance()
            if app is not None:
                app.quit()
            return
        sys.__excepthook__(kind, error, trace)
        self.take(error)

    def _thread_hook(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._hook(args.exc_type, args.exc_value, args.exc_traceback)

    def _sort(self, error: BaseException) -> None:
        if isinstance(error, InspectorError):
            self.expected.emit(error)
            return
        key = fingerprint(error)
        if key not in self._seen:
            self._seen.add(key)
            self.unexpected.emit(error)


def fingerprint(error: BaseException) -> str:
    """Equal for errors of one kind from the same lines, whatever their messages."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return hashlib.sha256("\n".join([type(error).__qualname__, *places]).encode()).hexdigest()


def _from_qt(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    _qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s", text)


class ErrorDialog(QDialog):
    """An unexpected error: what it means for the work at hand, and the details to pass on."""

    def __init__(self, error: BaseException, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Something went wrong")
        self.resize(640, 400)
        title = QLabel("Inspector met an error that it did not expect.", self)
        theme.set_role(title, "title")
        title.setWordWrap(True)
        line = QLabel(
            "Your project is saved after every step, so nothing that was finished is lost. You can go on; if it"
            " happens again, please copy the details and report them.",
            self,
        )
        line.setWordWrap(True)
        theme.set_role(line, "quiet")
        self.details = QPlainTextEdit("".join(traceback.format_exception(error)), self)
        self.details.setReadOnly(True)
        self.details.setAccessibleName("Details")
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        buttons = QDialogButtonBox(self)
        go_on = buttons.addButton("Go on", QDialogButtonBox.ButtonRole.AcceptRole)
        theme.set_role(go_on, "primary")
        copy = buttons.addButton("Copy details", QDialogButtonBox.ButtonRole.ActionRole)
        show = buttons.addButton("Show log", QDialogButtonBox.ButtonRole.ActionRole)
        go_on.clicked.connect(self.accept)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.details.toPlainText()))
        show.clicked.connect(show_log)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(12)
        for widget in (title, line, self.details, buttons):
            column.addWidget(widget)
        go_on.setDefault(True)


def show_log() -> None:
    """Open the folder with the log files."""
    folder = paths.log_dir()
    folder.mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

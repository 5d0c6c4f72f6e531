"""Short reads and writes off the GUI thread, and their answers on it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import QDeadlineTimer, QObject, QRunnable, Qt, QThreadPool, Signal

_log = logging.getLogger("inspector.runner")


class _Read(QRunnable):
    def __init__(self, reads: Reads, number: int, work: Callable[[], Any], always: bool) -> None:
        super().__init__()
        self.reads, self.number, self.work, self.always = reads, number, work, always

    def run(self) -> None:
        value: Any = None
        error: BaseException | None = None
        if self.always or self.reads.wanted(self.number):
            try:
                value = self.work()
            except Exception as problem:
                error = problem
        with contextlib.suppress(RuntimeError):  # the window is gone, and with it whoever asked
            self.reads.arrived.emit(self.number, value, error)


class Reads(QObject):
    """Lives on the GUI thread; hands each answer to who asked, if it still exists."""

    arrived = Signal(int, object, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.pool = QThreadPool(self)
        self.pool.setMaxThreadCount(2)
        self.line = QThreadPool(self)  # one thread, so that writes keep their order
        self.line.setMaxThreadCount(1)
        self._open: dict[
            int, tuple[QObject, Callable[[Any], None], Callable[[BaseException], None] | None, str]
        ] = {}
        self._told: dict[tuple[int, str], int] = {}  # owner's id, `latest` → the newest read answered
        self._number = 0
        self.arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def wanted(self, number: int) -> bool:
        asked = self._open.get(number)
        return asked is not None and shiboken6.isValid(asked[0])

    def ask(
        self,
        owner: QObject,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None] | None,
        priority: int,
        in_line: bool = False,
        latest: str = "",
    ) -> None:
        self._number += 1
        self._open[self._number] = (owner, done, failed, latest)
        (self.line if in_line else self.pool).start(_Read(self, self._number, work, in_line), priority)

    def settled(self, milliseconds: int = 0) -> bool:
        """Whether every write is done, and every read that had begun; waits so long for them at most."""
        self.pool.clear()
        until = QDeadlineTimer(milliseconds)
        return self.line.waitForDone(milliseconds) and self.pool.waitForDone(max(0, until.remainingTime()))

    def forget(self) -> None:
        self._open.clear()

    def _deliver(self, number: int, value: Any, error: BaseException | None) -> None:
        owner, done, failed, latest = self._open.pop(number, (None, None, None, ""))
        if owner is None or done is None or not shiboken6.isValid(owner):
            return
        if latest:
            key = (id(owner), latest)
            if number < self._told.get(key, 0):
                return
            self._told[key] = number
        if error is None:
            done(value)
        elif failed is not None:
            failed(error)
        else:
            _log.error("a read failed", exc_info=error)

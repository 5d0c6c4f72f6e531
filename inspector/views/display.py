"""Whether a window can be opened here: Qt is asked in a small child process, because where a display or a system library
is missing it aborts the process that asks."""

from __future__ import annotations

import atexit
import importlib
import os
import re
import subprocess
import sys
from contextlib import suppress

from inspector import installation
from inspector.views import startup

_UNSEEN = ("offscreen", "minimal", "vnc")
_PATIENCE = 20.0
"""Seconds after which a display counts as one that doesn't answer."""
ANSWER = "--answer-for-the-display"
"""The only argument of the child process."""


def answer() -> None:
    """What the child does: connect, say by which of Qt's platforms, and stay connected until the one who asks lets go. Aborts as
    Qt does."""
    from PySide6.QtGui import QGuiApplication

    app = QGuiApplication(sys.argv[:1])
    print(app.platformName(), flush=True)
    sys.stdin.read()


class _Child:
    """Stays connected until `release`: a server such as Xvfb starts afresh when its last client leaves, and refuses
    whoever comes meanwhile."""

    def __init__(self) -> None:
        environment = dict(os.environ)
        if not environment.get("QT_QPA_PLATFORM"):  # the second is tried where the first does not answer
            environment["QT_QPA_PLATFORM"] = "wayland;xcb" if os.environ.get("WAYLAND_DISPLAY") else "xcb"
        self._process = subprocess.Popen(
            [*installation.command(), ANSWER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            errors="replace",
        )
        self.platform, self.error = "", ""

    def wait(self) -> None:
        """Until it has told `platform`, or has ended with `error`."""
        import threading

        watch = threading.Timer(_PATIENCE, self._process.kill)
        watch.start()
        try:
            assert self._process.stdout is not None
            self.platform = self._process.stdout.readline().strip()
        finally:
            watch.cancel()
            watch.join()
        if not self.platform:
            _, self.error = self._process.communicate()

    def leave(self) -> None:
        with suppress(ValueError, OSError):  # its pipes are closed where it ended by itself
            self._process.communicate()


_child: _Child | None = None


def ask() -> None:
    """Begin asking, where there is somebody to ask; other things can be done until `problem` wants the answer."""
    global _child
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if _child is None and named and sys.platform not in ("win32", "darwin") and not _unseen():
        _child = _Child()
        atexit.register(release)


def release() -> None:
    """Let go of the connection that was used for asking; to be called once Qt has connected."""
    global _child
    if _child is not None:
        _child.leave()
        _child = None
        atexit.unregister(release)


def display_available() -> bool:
    """True when a person can see a window that this process opens."""
    return not problem()


def problem() -> str:
    """Why no window can be opened, in one sentence; "" when it can. Then Qt's platform is settled, too."""
    if chosen := _unseen():
        if startup.wanted():
            return _import_problem()  # measured, not looked at
        return f"The display is set to “{chosen}” (QT_QPA_PLATFORM), which nobody can see."
    if sys.platform in ("win32", "darwin"):
        return _import_problem()
    ask()
    if _child is None:
        return "There is no display."
    if not (_child.platform or _child.error):
        _child.wait()
    if _child.platform:
        os.environ["QT_QPA_PLATFORM"] = _child.platform
        return ""
    error = _child.error
    release()
    return reason(error)


def reason(error: str) -> str:
    """What Qt or Python wrote before it gave up, as one sentence for people."""
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    library = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", error)
    if library is not None:
        return f"The window needs the system library {library[1]}, which is not installed."
    if "Error" in error:
        return f"The window toolkit can't be loaded: {error.strip().splitlines()[-1]}."
    if "could not connect" not in error and "is needed to load" in error:
        return "The window needs a system library that is not installed, most likely libxcb-cursor0."
    return f"The display {named} does not answer."


def _unseen() -> str:
    chosen = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    return chosen if chosen in _UNSEEN else ""


def _import_problem() -> str:
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:
        return reason(f"ImportError: {error}")
    return ""

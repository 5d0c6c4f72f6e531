"""Whether a window can be opened here, told without importing Qt and without Qt's abort."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import os
import re
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from inspector.views import startup

_UNSEEN = ("offscreen", "minimal", "vnc")


def display_available() -> bool:
    """True when a person can see a window that this process opens."""
    return not problem()


def problem() -> str:
    """Why no window can be opened, in one sentence; "" when it can.

    Qt's own answer to a missing display or system library is to abort the process, so it is not asked.
    """
    chosen = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    if chosen in _UNSEEN:
        if startup.wanted():
            return _import_problem()  # measured, not looked at
        return f"The display is set to “{chosen}” (QT_QPA_PLATFORM), which nobody can see."
    if sys.platform in ("win32", "darwin"):
        return _import_problem()
    x11, wayland = _x11_answers(), _wayland_answers()
    if not (x11 or wayland):
        named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        return f"The display {named} does not answer." if named else "There is no display."
    reason = _import_problem()
    if reason:
        return reason
    reasons = {
        name: _plugin_problem(name)
        for name, answers in (("xcb", x11), ("wayland", wayland))
        if answers and chosen in ("", name)
    }
    if not reasons:
        return f"The display asked for with QT_QPA_PLATFORM, “{chosen}”, does not answer."
    return "" if "" in reasons.values() else next(iter(reasons.values()))


def choose_platform() -> None:
    """Where only one of X11 and Wayland works, name it, so that Qt does not try the other and abort."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return
    usable = [
        name
        for name, answers in (("xcb", _x11_answers()), ("wayland", _wayland_answers()))
        if answers and not _plugin_problem(name)
    ]
    if len(usable) == 1:
        os.environ["QT_QPA_PLATFORM"] = usable[0]


def _import_problem() -> str:
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:
        return _missing(str(error))
    return ""


def _missing(text: str) -> str:
    found = re.search(r"(lib[\w.+-]+\.so[\w.]*)", text)
    if found and "cannot open shared object" in text:
        return f"The window needs the system library {found[1]}, which is not installed."
    return f"The window toolkit can't be loaded: {text}."


def _plugin_problem(name: str) -> str:
    """Load a platform plugin the way Qt would. A library it needs may be missing (often libxcb-cursor)."""
    spec = importlib.util.find_spec("PySide6")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        for plugin in Path(folder, "Qt", "plugins", "platforms").glob(f"libq{name}*.so"):
            try:
                ctypes.CDLL(str(plugin))
            except OSError as error:
                return _missing(str(error))
            return ""
    # A system build of Qt keeps its plugins elsewhere; Wayland comes as an add-on and may be absent.
    return "" if name == "xcb" else "Qt was built without Wayland."


_held: list[Callable[[], None]] = []
"""Ends the connection to the X server that was used for asking. It is kept until Qt has its own, because a server such
as Xvfb starts afresh when its last client leaves and refuses whoever comes meanwhile."""


def release() -> None:
    """Let go of the connection that was used for asking; to be called once Qt has connected."""
    while _held:
        _held.pop()()


def _x11_answers() -> bool:
    if _held:
        return True
    match = re.fullmatch(r"(?:.*/)?([^:/]*):(\d+)(?:\.\d+)?", os.environ.get("DISPLAY", ""))
    if match is None:
        return False
    try:  # as Qt will do it, with the user's authority
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return _x11_listens(match[1], int(match[2]))
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    if xcb.xcb_connection_has_error(connection):
        xcb.xcb_disconnect(connection)
        return False
    _held.append(partial(xcb.xcb_disconnect, connection))
    return True


def _x11_listens(host: str, number: int) -> bool:
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        return _connects(path) or _connects(f"\0{path}")
    with contextlib.suppress(OSError), socket.create_connection((host, 6000 + number), timeout=2):
        return True
    return False


def _wayland_answers() -> bool:
    name, folder = os.environ.get("WAYLAND_DISPLAY", ""), os.environ.get("XDG_RUNTIME_DIR", "")
    return bool(name) and _connects(str(Path(folder, name)))


def _connects(address: str) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        probe.connect(address)
        return True
    return False

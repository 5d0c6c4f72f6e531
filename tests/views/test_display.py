import os
import shutil
import socket
import subprocess
import sys

import pytest

from inspector.views import display

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 and Wayland are Linux matters")


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "QT_QPA_PLATFORM",
        "XDG_SESSION_TYPE",
        "INSPECTOR_STARTUP_PROBE",
    ):
        monkeypatch.delenv(name, raising=False)


@linux
def test_without_a_display_the_reason_is_said() -> None:
    assert not display.display_available()
    assert display.problem() == "There is no display."


@linux
def test_a_display_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    assert display.problem() == "The display :4711 does not answer."


@linux
def test_a_listening_server_is_found_where_libxcb_is_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1] - 6000
        assert display._x11_listens("127.0.0.1", number)
    assert not display._x11_listens("127.0.0.1", number)


@linux
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_a_real_x_server_is_found_and_one_connection_is_kept_until_qt_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with server, os.fdopen(reading) as told:
        number = told.readline().strip()
        monkeypatch.setenv("DISPLAY", f":{number}")
        assert display._x11_answers()
        assert len(display._held) == 1
        assert display._x11_answers()
        assert len(display._held) == 1
        display.release()
        assert not display._held
        server.terminate()
        server.wait(20)
    assert not display._x11_answers()


@pytest.mark.parametrize("text", ["", "no colon", ":x", "host:"])
def test_a_senseless_display_name_is_no_display(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DISPLAY", text)
    assert not display._x11_answers()


def test_offscreen_is_no_display_for_people_but_one_for_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert "offscreen" in display.problem()
    monkeypatch.setenv("INSPECTOR_STARTUP_PROBE", "somewhere")
    assert display.problem() == ""


def test_a_missing_system_library_is_named() -> None:
    text = "libEGL.so.1: cannot open shared object file: No such file or directory"
    assert (
        display._missing(text) == "The window needs the system library libEGL.so.1, which is not installed."
    )


def test_asking_for_the_display_imports_no_qt() -> None:
    code = (
        "import sys; from inspector.views import display; display.display_available();"
        "sys.exit(any(name.startswith('PySide6') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": "", "HOME": "/nonexistent"}, check=False)
    assert done.returncode == 0

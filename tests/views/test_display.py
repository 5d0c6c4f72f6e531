import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from inspector.views import display

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 and Wayland are Linux matters")


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "QT_QPA_PLATFORM",
        "XDG_SESSION_TYPE",
        "INSPECTOR_STARTUP_PROBE",
    ):
        monkeypatch.delenv(name, raising=False)
    yield
    display.release()


@linux
def test_without_a_display_the_reason_is_said() -> None:
    assert not display.display_available()
    assert display.problem() == "There is no display."


@linux
def test_a_display_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    assert display.problem() in ("The display :4711 does not answer.", display.reason("is needed to load"))


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
        for _ in range(3):
            assert display.problem() == ""
        assert os.environ["QT_QPA_PLATFORM"] == "xcb"
        display.release()
        monkeypatch.setenv("QT_QPA_PLATFORM", "")
        server.terminate()
        server.wait(20)
    assert "does not answer" in display.problem()


@linux
@pytest.mark.parametrize("text", ["no colon", ":x", "host:"])
def test_a_senseless_display_name_does_not_answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DISPLAY", text)
    said = (f"The display {text} does not answer.", display.reason("is needed to load"))
    assert display.problem() in said


def test_offscreen_is_no_display_for_people_but_one_for_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert "offscreen" in display.problem()
    monkeypatch.setenv("INSPECTOR_STARTUP_PROBE", "somewhere")
    assert display.problem() == ""


def test_a_missing_system_library_is_named() -> None:
    text = "ImportError: libEGL.so.1: cannot open shared object file: No such file or directory"
    assert display.reason(text) == "The window needs the system library libEGL.so.1, which is not installed."
    text = "From 6.5.0, xcb-cursor0 or libxcb-cursor0 is needed to load the Qt xcb platform plugin."
    assert "libxcb-cursor0" in display.reason(text)
    assert "does not answer" in display.reason(f"qt.qpa.xcb: could not connect to display :9\n{text}")


def test_asking_for_the_display_imports_no_qt() -> None:
    code = (
        "import sys; from inspector.views import display; display.display_available();"
        "sys.exit(any(name.startswith('PySide6') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": "", "HOME": "/nonexistent"}, check=False)
    assert done.returncode == 0

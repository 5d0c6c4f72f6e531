import dataclasses
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector import settings
from inspector.domain import JobKind
from inspector.features.device import devices
from inspector.features.runtimes.engines import RUNTIMES
from inspector.features.weights import catalogue, download
from inspector.views import app
from inspector.views.look import theme
from inspector.views.settings.preferences import PreferencesPage
from inspector.views.settings.weights_page import WeightsPage, size_text
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def page(window: MainWindow, idle: Idle) -> WeightsPage:
    window.menus.weights.trigger()
    idle()
    made = window.pages["weights"]
    assert isinstance(made, WeightsPage)
    return made


def test_every_backbone_is_listed_with_size_and_licence(page: WeightsPage) -> None:
    assert list(page.rows) == [entry.name for entry in catalogue.entries()]
    for entry in catalogue.entries():
        row = page.rows[entry.name]
        assert entry.licence in row.facts.text()
        assert size_text(entry.size) in row.facts.text()


def test_the_built_in_one_is_in_use_and_the_others_wait_for_an_order(page: WeightsPage) -> None:
    built_in = page.rows["inspector-tiny"]
    assert built_in.state.text() == "✓ In use"
    assert not built_in.download.isVisible()
    others = [row for name, row in page.rows.items() if name != "inspector-tiny"]
    assert all(row.download.isVisible() and not row.use.isVisible() for row in others)


def test_a_file_that_holds_no_weights_is_refused_with_a_next_step(
    qtbot: QtBot, window: MainWindow, page: WeightsPage, idle: Idle, tmp_path: Path
) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("no weights")
    window.take_paths([wrong])
    qtbot.waitUntil(window.banner.isVisible, timeout=60000)
    assert "notes.txt is not a weights file" in window.banner.message.text()
    assert window.banner.hint.text()
    assert not page.jobs


@pytest.fixture
def slow_server(monkeypatch: pytest.MonkeyPatch) -> object:
    """Serves a megabyte every few milliseconds, without end."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(598_600_000))
            self.end_headers()
            try:
                while not stop.wait(0.01):
                    self.wfile.write(bytes(10**6))
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield server
    stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_shows_its_progress_and_can_be_cancelled(
    qtbot: QtBot, slow_server: object, window: MainWindow, page: WeightsPage, idle: Idle
) -> None:
    name = "ViT-B-16-quickgelu"
    row = page.rows[name]
    assert catalogue.find(name).url.startswith("http://127.0.0.1")
    row.download.click()
    assert "599 MB will come from 127.0.0.1. Its licence is MIT." in row.said.text()
    assert row.accept.isVisible()
    assert not page.jobs
    row.accept.click()
    assert row.cancel.isVisible()
    assert not row.download.isVisible()
    qtbot.waitUntil(lambda: row.bar.maximum() > 0 and row.bar.value() > 0, timeout=60000)
    assert "MB" in row.said.text()
    row.cancel.click()
    assert row.cancel.text() == "Stopping…"
    qtbot.waitUntil(lambda: not window.context.runner.active, timeout=20000)
    idle()
    assert row.download.isVisible()
    assert not catalogue.find(name).here


def test_a_download_begins_only_after_size_and_licence_were_accepted(
    qtbot: QtBot, window: MainWindow, page: WeightsPage, idle: Idle
) -> None:
    with qtbot.waitActive(window):
        window.activateWindow()
    row = page.rows["MobileCLIP2-S0"]
    place = row.download.mapTo(window, row.download.rect().center())
    for _ in range(2):  # and changed her mind twice
        qtbot.mouseClick(row.download, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(row.said.isVisible)
        assert "299 MB" in row.said.text()
        assert "research only: don't use it in production" in row.said.text()
        under = window.childAt(place)  # what the second press of a double click would hit
        assert under not in (row.accept, row.later, row.download)
        assert QApplication.focusWidget() is row.later  # Enter accepts nothing
        qtbot.keyClick(row.later, Qt.Key.Key_Space)
        assert not row.said.isVisible()
        assert not row.accept.isVisible()
        assert row.download.text() == "Download (299 MB)"
        assert not page.jobs
    page.refresh()
    idle()
    assert not row.cancel.isVisible()


def test_inspection_goes_on_while_weights_are_downloaded(
    qtbot: QtBot, slow_server: object, window: MainWindow, page: WeightsPage
) -> None:
    row = page.rows["ViT-B-16-quickgelu"]
    row.download.click()
    row.accept.click()
    qtbot.waitUntil(lambda: row.bar.value() > 0, timeout=60000)
    done: list[int] = []
    window.context.runner.start(JobKind.INSPECT, "Inspect", lambda *_: done.append(1))
    assert window.job_bar.title.text() == "Inspect"
    qtbot.waitUntil(lambda: bool(done) and not window.context.runner.busy)
    assert window.job_bar.title.text().startswith("Download")
    assert "MB" in row.said.text()
    window.close()
    qtbot.waitUntil(lambda: not window.context.runner.active, timeout=20000)


def test_no_connection_names_the_buttons(
    qtbot: QtBot, window: MainWindow, page: WeightsPage, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(download, "PATIENCE_S", 0.01)
    page.download("ViT-B-16-quickgelu")
    qtbot.waitUntil(lambda: not window.context.runner.active, timeout=60000)
    qtbot.waitUntil(window.banner.isVisible)
    assert "127.0.0.1 can't be reached" in window.banner.message.text()
    assert "press Download again" in window.banner.hint.text()
    assert "Add a file…" in window.banner.hint.text()
    assert "inspector weights" not in window.banner.hint.text()


def test_verify_tells_that_a_file_was_changed(
    qtbot: QtBot, window: MainWindow, page: WeightsPage, idle: Idle
) -> None:
    entry = catalogue.find("ViT-B-16-quickgelu")
    entry.folder.mkdir(parents=True)
    (entry.folder / "model.safetensors").write_bytes(b"changed")
    record = {"architecture": entry.architecture, "tag": entry.tag, "image_size": 224, "size": 7}
    record |= {"file": "model.safetensors", "sha256": "0" * 64}
    (entry.folder / "weights.json").write_text(json.dumps(record))
    page.refresh()
    idle()
    page.rows[entry.name].verify.click()
    qtbot.waitUntil(lambda: not window.context.runner.active, timeout=60000)
    assert "is damaged or was changed" in window.banner.message.text()


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, ""), (5, "1 MB"), (14_600_000, "15 MB"), (834_000_000, "834 MB"), (1_700_000_000, "1.7 GB")],
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert size_text(size) == text


# preferences


def test_preferences_are_kept_as_soon_as_they_are_chosen(
    qtbot: QtBot, window: MainWindow, idle: Idle
) -> None:
    window.menus.preferences.trigger()
    page = window.page
    assert isinstance(page, PreferencesPage)
    page.theme.setCurrentIndex(page.theme.findData("light"))
    assert theme.tokens() is theme.LIGHT
    page.device.setCurrentIndex(page.device.findData("cpu"))
    page.runtime.setCurrentIndex(page.runtime.findData("openvino"))
    page.colour_map.setCurrentIndex(page.colour_map.findData("viridis"))
    page.rate.setValue(2.5)
    page.batch.setValue(16)
    qtbot.keyClicks(page.reviewer, " Ada  Byron ")
    qtbot.keyClick(page.reviewer, Qt.Key.Key_Return)
    idle()
    kept = settings.load()
    assert (kept.theme, kept.device, kept.colour_map) == ("light", "cpu", "viridis")
    assert kept.runtime == "openvino"
    assert (kept.false_alarm_rate, kept.batch_size, kept.reviewer) == (0.025, 16, "Ada Byron")
    window.context.settings.theme = "dark"
    window.context.save_settings()
    assert page.theme.currentData() == "dark"


def test_only_devices_of_this_computer_are_offered(window: MainWindow, idle: Idle) -> None:
    window.show_page("preferences")
    idle()
    page = window.page
    assert isinstance(page, PreferencesPage)
    offered = [page.device.itemData(row) for row in range(page.device.count())]
    assert offered == ["auto", *(one.name for one in devices() if one.usable)]


def test_a_chosen_device_that_is_gone_stays_in_sight_and_says_so(window: MainWindow, idle: Idle) -> None:
    window.context.settings.device = "cuda:99"
    window.show_page("preferences")
    idle()
    page = window.page
    assert isinstance(page, PreferencesPage)
    assert page.device.currentData() == "cuda:99"
    assert "not on this computer" in page.device.currentText()


def test_a_runtime_that_is_missing_says_so(
    window: MainWindow, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = dataclasses.replace(RUNTIMES["onnx"], package="no-such-package-here")
    monkeypatch.setitem(RUNTIMES, "onnx", missing)
    window.show_page("preferences")
    idle()
    page = window.page
    assert isinstance(page, PreferencesPage)
    assert "not installed" in page.runtime.itemText(page.runtime.findData("onnx"))
    assert page.runtime.itemText(page.runtime.findData("torch")) == "PyTorch"


def test_a_setting_that_cannot_be_taken_is_said_in_the_window(qtbot: QtBot, home: Path) -> None:
    target = home / "config" / "settings.toml"
    target.parent.mkdir(parents=True)
    target.write_text('theme = "dark"\nbatch_size = 0\n')
    app.application()
    window = app.build()
    qtbot.addWidget(window)
    assert "batch_size can't be “0”" in window.banner.message.text()
    assert window.context.settings.batch_size == 8
    window.shut_down()


def test_the_weights_are_reached_from_the_preferences(window: MainWindow) -> None:
    window.show_page("preferences")
    page = window.page
    assert isinstance(page, PreferencesPage)
    assert page.weights.text().startswith("inspector-tiny")
    page.weights.click()
    assert window.page_name == "weights"
    assert not any(button.isChecked() for button in window.tab_row.tabs.values())

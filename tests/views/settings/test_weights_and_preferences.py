import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector import settings
from inspector.features import weights
from inspector.features.device import devices
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
    catalogue = weights.catalogue()
    assert list(page.rows) == [entry.name for entry in catalogue]
    for entry in catalogue:
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
    qtbot.waitUntil(lambda: not window.context.runner.busy, timeout=60000)
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
            self.send_header("Content-Length", str(10**9))
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
    assert weights.find(name).url.startswith("http://127.0.0.1")
    row.download.click()
    assert row.cancel.isVisible()
    assert not row.download.isVisible()
    qtbot.waitUntil(lambda: row.bar.maximum() > 0 and row.bar.value() > 0, timeout=60000)
    assert "MB" in row.said.text()
    row.cancel.click()
    assert row.cancel.text() == "Stopping…"
    qtbot.waitUntil(lambda: not window.context.runner.busy, timeout=20000)
    idle()
    assert row.download.isVisible()
    assert not weights.find(name).here


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, ""), (5, "1 MB"), (14_600_000, "15 MB"), (834_000_000, "834 MB"), (1_700_000_000, "1.7 GB")],
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert size_text(size) == text


# preferences


def test_preferences_are_kept_as_soon_as_they_are_chosen(qtbot: QtBot, window: MainWindow) -> None:
    window.menus.preferences.trigger()
    page = window.page
    assert isinstance(page, PreferencesPage)
    page.theme.setCurrentIndex(page.theme.findData("light"))
    assert theme.tokens() is theme.LIGHT
    page.device.setCurrentIndex(page.device.findData("cpu"))
    page.colour_map.setCurrentIndex(page.colour_map.findData("viridis"))
    page.rate.setValue(2.5)
    page.batch.setValue(16)
    qtbot.keyClicks(page.reviewer, " Ada  Byron ")
    qtbot.keyClick(page.reviewer, Qt.Key.Key_Return)
    kept = settings.load()
    assert (kept.theme, kept.device, kept.colour_map) == ("light", "cpu", "viridis")
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


def test_preferences_that_cannot_be_saved_say_why_and_hold_until_the_window_closes(
    window: MainWindow, home: Path
) -> None:
    home.mkdir(exist_ok=True)
    (home / "config").write_text("a file where the folder should be")
    window.context.settings.batch_size = 16
    window.context.save_settings()
    assert "can't be saved" in window.toast.label.text()
    assert window.context.settings.batch_size == 16


def test_the_weights_are_reached_from_the_preferences(window: MainWindow) -> None:
    window.show_page("preferences")
    page = window.page
    assert isinstance(page, PreferencesPage)
    assert page.weights.text().startswith("inspector-tiny")
    page.weights.click()
    assert window.page_name == "weights"
    assert not any(button.isChecked() for button in window.tab_row.tabs.values())

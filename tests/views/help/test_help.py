"""The help opens where she is, is searched, and speaks of what the window really has."""

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from pytestqt.qtbot import QtBot

import inspector.views
from inspector.views.help.chapters import EXPLAINS, Chapter, chapters, folder
from inspector.views.help.window import HelpWindow
from inspector.views.shared.context import WindowContext
from inspector.views.window import pages
from inspector.views.window.main_window import MainWindow

_SAYS_NO_LABELS = ("8-trouble", "9-glossary")
_JARGON = re.compile(r"\b(prompts?|towers?|backbones?|epochs?|loss|memory|AnoPLe|PatchCore)\b", re.IGNORECASE)


@pytest.fixture
def shown(qtbot: QtBot, context: WindowContext) -> HelpWindow:
    made = HelpWindow(context)
    qtbot.addWidget(made)
    made.open_at("1-first-class")
    return made


def _seen(window: HelpWindow) -> list[str]:
    items = [window.list.item(row) for row in range(window.list.count())]
    return [item.text() for item in items if not item.isHidden()]


def test_f1_opens_the_help_where_she_is(qtbot: QtBot, project_window: MainWindow) -> None:
    for page, title in (
        ("start", "Your first class in five minutes"),
        ("inspect", "Reading a result"),
        ("qualify", "Qualify a detector"),
    ):
        project_window.show_page(page)
        project_window.activateWindow()
        project_window.menus.help.trigger()
        (found,) = project_window.findChildren(HelpWindow)
        assert found.isVisible()
        assert found.list.currentItem().text() == title
        assert title in found.text.toPlainText()
    project_window.page.show_section("smallest")
    project_window.menus.help.trigger()
    assert found.list.currentItem().text() == "Choose the smallest defect"
    assert project_window.menus.help.shortcut().toString() == "F1"
    found.close()


def test_a_search_leaves_the_pages_that_say_every_word(shown: HelpWindow, qtbot: QtBot) -> None:
    qtbot.keyClicks(shown.search, "kappa interv")
    assert _seen(shown) == ["Qualify a detector"]
    assert shown.list.currentItem().text() == "Qualify a detector"
    assert shown.text.textCursor().selectedText().lower() == "kappa"
    qtbot.keyClicks(shown.search, " nowhere")
    assert _seen(shown) == []
    shown.search.clear()
    assert len(_seen(shown)) == len(chapters())


def test_a_link_leads_to_its_page(shown: HelpWindow) -> None:
    shown.text.anchorClicked.emit(QUrl("3-thresholds.md"))
    assert shown.list.currentItem().text() == "Thresholds that hold"
    shown.text.anchorClicked.emit(QUrl("https://example.org/"))  # goes nowhere
    assert shown.list.currentItem().text() == "Thresholds that hold"


def test_pictures_are_decoded_beside_the_window_and_fit_it(shown: HelpWindow, qtbot: QtBot) -> None:
    shown.open_at("5-results")
    url = QUrl.fromLocalFile(str((folder() / "../screenshots/results.webp").resolve())).toString()
    qtbot.waitUntil(
        lambda: url in shown.text._images and shown.text._images[url].pixelColor(300, 200).alpha() == 255
    )
    assert shown.text._images[url].width() <= 720 * shown.devicePixelRatioF()


def test_every_page_of_the_window_has_its_page_of_the_help() -> None:
    names = {chapter.name for chapter in chapters()}
    assert {info.name for info in pages.PAGES} <= EXPLAINS.keys()
    assert set(EXPLAINS.values()) <= names


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.name)
def test_what_a_page_names_is_there(chapter: Chapter) -> None:
    """Links, pictures, and, in bold, words that stand on the window."""
    text = chapter.text
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (folder() / target).resolve().is_file(), target
    if chapter.name in _SAYS_NO_LABELS:
        return
    assert not _JARGON.search(text)
    sources = Path(inspector.views.__file__).parent.rglob("*.py")
    said = "\n".join(source.read_text("utf-8") for source in sources)
    for words in re.findall(r"^\d\. .*?\*\*(.+?)\*\*|[Pp]ress \*\*(.+?)\*\*", text, re.MULTILINE):
        label = words[0] or words[1]
        assert f'"{label}' in said, label

"""How a detector is taught is chosen in plain words; methods by name wait under Advanced."""

import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from inspector.methods import catalogue
from inspector.settings import Settings
from inspector.views.shared.context import WindowContext
from inspector.views.teach.panel.teach_panel import TeachPanel

_JARGON = re.compile(r"prompt|tower|backbone|memory|epoch|loss|anople|patchcore|transformer", re.IGNORECASE)


@pytest.fixture
def panel(qtbot: QtBot, context: WindowContext) -> TeachPanel:
    context.settings = Settings()
    made = TeachPanel(context)
    qtbot.addWidget(made)
    made.resize(320, 700)
    made.show()
    return made


def _read(panel: TeachPanel) -> str:
    """Every word that can be seen on the panel."""
    seen = [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]
    buttons = [*panel.choice.plain.values(), panel.choice.other, panel.button]
    return "\n".join([*seen, *(button.text() for button in buttons if button.isVisible())])


def test_nobody_needs_to_know_a_methods_name(panel: TeachPanel) -> None:
    said = _read(panel)
    assert "Thorough (recommended)" in said
    assert "Quick" in said
    assert not _JARGON.search(said)
    assert not panel.choice.method.isVisible()
    assert panel.choice.plain[catalogue.RECOMMENDED].isChecked()


def test_quick_and_thorough_are_chosen_by_mouse_and_by_key_and_kept(panel: TeachPanel, qtbot: QtBot) -> None:
    quick, thorough = (panel.choice.plain[name] for name in (catalogue.QUICK, catalogue.RECOMMENDED))
    with qtbot.waitSignal(panel.choice._context.settings_changed):
        qtbot.mouseClick(quick, Qt.MouseButton.LeftButton, pos=quick.rect().center() / 2)
    assert panel.choice.current == panel.choice.own == catalogue.QUICK
    quick.setFocus()
    qtbot.keyClick(quick, Qt.Key.Key_Up)
    assert thorough.isChecked()
    assert panel.choice.current == catalogue.RECOMMENDED


def test_another_method_is_chosen_under_advanced_and_named_above(panel: TeachPanel, qtbot: QtBot) -> None:
    qtbot.mouseClick(panel.choice.advanced, Qt.MouseButton.LeftButton)
    method = panel.choice.method
    assert method.isVisible()
    method.setCurrentIndex(method.findData("iipad"))
    assert panel.choice.other.isVisible()
    assert panel.choice.other.isChecked()
    assert panel.choice.other.text() == "Another method: IIPAD"
    panel.choice.plain[catalogue.QUICK].click()
    assert not panel.choice.other.isVisible()
    assert method.currentData() == catalogue.QUICK


def test_where_the_weights_have_no_text_only_quick_is_left(panel: TeachPanel) -> None:
    panel.choice._context.settings = Settings(weights="vit_small_patch14_reg4_dinov2")
    panel.choice._context.settings_changed.emit()
    assert not panel.choice.plain[catalogue.RECOMMENDED].isEnabled()
    assert "needs a text tower" in panel.choice.plain[catalogue.RECOMMENDED].toolTip()
    assert panel.choice.plain[catalogue.QUICK].isChecked()

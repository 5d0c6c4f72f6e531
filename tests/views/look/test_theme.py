import re
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import inspector.views
from inspector import paths
from inspector.domain import Decision
from inspector.views.look import icons, theme

SOURCES = Path(inspector.views.__file__).parent
ICONS = sorted(path.stem for path in (paths.resources() / "icons").glob("*.svg"))


def _contrast(a: str, b: str) -> float:
    """WCAG 2.1 contrast ratio of two "#rrggbb"."""

    def light(text: str) -> float:
        parts = [channel / 255 for channel in QColor(text).toTuple()[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tokens", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("ink", ["text", "quiet", "link", "warning", "danger", "good"])
@pytest.mark.parametrize("ground", ["window", "surround", "base"])
def test_text_can_be_read_on_every_ground(tokens: theme.Tokens, ink: str, ground: str) -> None:
    assert _contrast(getattr(tokens, ink), getattr(tokens, ground)) >= 4.5


@pytest.mark.parametrize("decision", list(Decision))
def test_the_word_on_a_verdict_can_be_read(decision: Decision) -> None:
    assert _contrast(theme.ON_VERDICTS[decision], theme.VERDICTS[decision]) >= 4


def test_a_running_application_switches_theme_at_once(qtbot: QtBot) -> None:
    theme.apply("light")
    assert QApplication.palette().color(QPalette.ColorRole.Window) == QColor(theme.LIGHT.window)
    theme.apply("dark")
    assert QApplication.palette().color(QPalette.ColorRole.Window) == QColor(theme.DARK.window)
    assert theme.tokens() is theme.DARK


TINTED = [
    name
    for name in ICONS
    if "currentColor" in (paths.resources() / "icons" / f"{name}.svg").read_text("utf-8")
]


@pytest.mark.parametrize("name", TINTED)
def test_every_icon_takes_the_colour_it_is_asked_for(qtbot: QtBot, name: str) -> None:
    drawn = icons.pixmap(name, "#ff0000", 20, 2.0).toImage()
    assert (drawn.width(), drawn.height()) == (40, 40)
    inked = [
        drawn.pixelColor(x, y) for x in range(40) for y in range(40) if drawn.pixelColor(x, y).alpha() > 200
    ]
    assert inked
    assert all(colour.red() > 240 and colour.green() < 15 for colour in inked)


def test_every_icon_that_is_asked_for_exists() -> None:
    asked = set()
    for source in SOURCES.rglob("*.py"):
        asked |= set(re.findall(r"icons\.(?:icon|pixmap|plain)\(\s*\"([\w-]+)\"", source.read_text("utf-8")))
    assert asked
    assert asked <= set(ICONS)


def test_an_icon_follows_the_theme(qtbot: QtBot) -> None:
    icon = icons.icon("folder")

    def darkest() -> int:
        image = icon.pixmap(QSize(20, 20)).toImage()
        return max(
            image.pixelColor(x, y).lightness()
            for x in range(20)
            for y in range(20)
            if image.pixelColor(x, y).alpha() > 200
        )

    theme.apply("dark")
    assert darkest() > 200
    theme.apply("light")
    assert darkest() < 100
    faint = icon.pixmap(QSize(20, 20), QIcon.Mode.Disabled).toImage()
    assert any(
        faint.pixelColor(x, y).alpha() > 200 and faint.pixelColor(x, y).lightness() > 130
        for x in range(20)
        for y in range(20)
    )
    theme.apply("dark")


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_icons_have_a_pixel_of_their_own_for_every_one_of_the_screen(qtbot: QtBot, scale: float) -> None:
    drawn = icons.icon("home").pixmap(QSize(20, 20), scale)
    assert (drawn.width(), drawn.devicePixelRatio()) == (20 * scale, scale)

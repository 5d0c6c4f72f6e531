"""Colours, sizes and the two palettes. Everything else in the window takes its looks from here."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from inspector import paths
from inspector.domain import Decision

ICON = 20  # px

ACCENT = "#3b82c4"
SIGNS = {Decision.OK: "✓", Decision.REVIEW: "?", Decision.NG: "✕", Decision.OTHER: "≠"}
WORDS = {
    Decision.OK: "OK",
    Decision.REVIEW: "Review",
    Decision.NG: "NG",
    Decision.OTHER: "Not this product",
}
VERDICTS = {
    Decision.OK: "#1f9e89",
    Decision.REVIEW: "#e0a030",
    Decision.NG: "#d1495b",
    Decision.OTHER: "#7a5fb0",
}
ON_VERDICTS = {
    Decision.OK: "#0b1412",
    Decision.REVIEW: "#1a1304",
    Decision.NG: "#ffffff",
    Decision.OTHER: "#ffffff",
}
"""Text that can be read on a verdict's colour."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One theme's colours as "#rrggbb"."""

    dark: bool
    window: str  # chrome: bars, panels
    surround: str  # behind images; neutral, never black or white
    base: str  # lists, tables, fields
    raised: str  # buttons, cards
    hover: str
    line: str  # borders, separators
    text: str
    quiet: str  # secondary text, still readable
    faint: str  # disabled
    link: str  # accent as text
    chosen: str  # background of a selected row
    warning: str  # text of a warning
    danger: str  # text of an error
    good: str  # text of something that is well


DARK = Tokens(
    dark=True,
    window="#25272b",
    surround="#1b1d20",
    base="#1f2124",
    raised="#33363b",
    hover="#3c4046",
    line="#3d4147",
    text="#e7e8ea",
    quiet="#a3a9b1",
    faint="#6c727a",
    link="#74aede",
    chosen="#2c4763",
    warning="#e0a030",
    danger="#ec7a89",
    good="#3dbfa9",
)
LIGHT = Tokens(
    dark=False,
    window="#f3f4f5",
    surround="#e9eaec",
    base="#fbfbfc",
    raised="#ffffff",
    hover="#e6e8eb",
    line="#cfd3d8",
    text="#1e2124",
    quiet="#59616a",
    faint="#9aa1a9",
    link="#25669f",
    chosen="#cfe2f4",
    warning="#875a05",
    danger="#b02a3e",
    good="#13705f",
)

_current = DARK


def tokens() -> Tokens:
    """The colours in use now. Ask while painting; don't keep them."""
    return _current


def colour(name: str) -> QColor:
    """A token of the theme in use, for instance `colour("surround")`."""
    return QColor(getattr(_current, name))


def verdict_text(decision: Decision) -> str:
    """Sign and word, for instance "✕ NG"."""
    return f"{SIGNS[decision]} {WORDS[decision]}"


def font(size: str = "normal", *, bold: bool = False, figures: bool = False) -> QFont:
    """The system font in one of three sizes: "small", "normal", "title". `figures`: digits of one width (scores)."""
    made = QFont(QApplication.font())
    base = made.pointSizeF() if made.pointSizeF() > 0 else 10.0
    made.setPointSizeF(base * {"small": 0.88, "normal": 1.0, "title": 1.5}[size])
    if bold:
        made.setWeight(QFont.Weight.DemiBold)
    if figures:
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget a look of the style sheet: "title", "quiet", "primary", "link", "warning", "error", "panel" …"""
    widget.setProperty("role", role)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)


def wanted(choice: str) -> Tokens:
    """The theme for a choice of "system", "dark" or "light"."""
    if choice == "dark":
        return DARK
    if choice == "light":
        return LIGHT
    scheme = QGuiApplication.styleHints().colorScheme()
    return LIGHT if scheme == Qt.ColorScheme.Light else DARK


def apply(choice: str) -> Tokens:
    """Dress the whole application in "system", "dark" or "light"; switches a running window at once."""
    global _current
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    hints = QGuiApplication.styleHints()
    if hasattr(hints, "setColorScheme"):  # Qt 6.8: title bars and native dialogs follow
        hints.setColorScheme(
            {"dark": Qt.ColorScheme.Dark, "light": Qt.ColorScheme.Light}.get(choice, Qt.ColorScheme.Unknown)
        )
    _current = wanted(choice)
    app.setPalette(_palette(_current))
    app.setStyleSheet(_style_sheet(_current))
    return _current


def _palette(t: Tokens) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    palette = QPalette()
    for which, value in {
        role.Window: t.window,
        role.WindowText: t.text,
        role.Base: t.base,
        role.AlternateBase: t.window,
        role.Text: t.text,
        role.Button: t.raised,
        role.ButtonText: t.text,
        role.BrightText: "#ffffff",
        role.ToolTipBase: t.raised,
        role.ToolTipText: t.text,
        role.PlaceholderText: t.quiet,
        role.Highlight: ACCENT,
        role.HighlightedText: "#ffffff",
        role.Accent: ACCENT,
        role.Link: t.link,
        role.LinkVisited: t.link,
        role.Light: t.hover,
        role.Midlight: t.raised,
        role.Mid: t.line,
        role.Dark: t.line,
        role.Shadow: t.surround,
    }.items():
        palette.setColor(which, QColor(value))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(group.Disabled, which, QColor(t.faint))
    palette.setColor(group.Disabled, role.Highlight, QColor(t.line))
    return palette


def _style_sheet(t: Tokens) -> str:
    base = QApplication.font().pointSizeF()
    base = base if base > 0 else 10.0
    icons = (paths.resources() / "icons").as_posix()
    small, title = f"{base * 0.88:.1f}pt", f"{base * 1.5:.1f}pt"
    return f"""
    QToolTip {{ color: {t.text}; background: {t.raised}; border: 1px solid {t.line}; padding: 4px; }}
    QMenuBar {{ background: {t.window}; border: none; }}
    QMenuBar::item {{ padding: 5px 8px; border-radius: 4px; background: transparent; }}
    QMenuBar::item:selected {{ background: {t.hover}; }}
    QStatusBar {{ background: {t.window}; border-top: 1px solid {t.line}; }}
    QStatusBar::item {{ border: none; }}
    QStatusBar QPushButton {{ padding: 1px 10px; min-height: 18px; }}
    QSplitter::handle {{ background: {t.line}; }}
    QSplitter::handle:horizontal {{ width: 1px; }}
    QSplitter::handle:vertical {{ height: 1px; }}

    *[role="title"] {{ font-size: {title}; font-weight: 600; }}
    *[role="heading"] {{ font-weight: 600; }}
    *[role="quiet"] {{ color: {t.quiet}; }}
    *[role="small"] {{ color: {t.quiet}; font-size: {small}; }}
    *[role="warning"] {{ color: {t.warning}; }}
    *[role="error"] {{ color: {t.danger}; }}
    *[role="good"] {{ color: {t.good}; }}
    QFrame[role="panel"], QWidget[role="panel"] {{ background: {t.window}; }}
    QWidget[role="surround"], QFrame[role="surround"] {{ background: {t.surround}; }}
    QListView[role="shots"] {{ background: {t.surround}; }}
    QListView[role="pages"] {{ background: transparent; border: none; }}
    QListView[role="pages"]::item {{ padding: 7px 8px; border-radius: 6px; color: {t.text}; }}
    QListView[role="pages"]::item:hover {{ background: {t.hover}; }}
    QListView[role="pages"]::item:selected {{ background: {t.chosen}; color: {t.text}; }}
    QTextBrowser[role="page"] {{ background: {t.base}; color: {t.text}; border: none;
        border-left: 1px solid {t.line}; }}
    QListView[role="panel"] {{ background: {t.window}; }}
    QFrame[role="card"] {{ background: {t.base}; border: 1px solid {t.line}; border-radius: 8px; }}
    QFrame[role="callout"] {{ background: {t.raised if t.dark else t.base}; border: 2px solid {ACCENT};
        border-radius: 8px; }}
    QFrame[role="clickable"] {{ background: {t.raised if t.dark else t.base}; border: 1px solid {t.line};
        border-radius: 8px; }}
    QFrame[role="clickable"]:hover, QFrame[role="clickable"]:focus {{ border-color: {ACCENT}; }}
    QFrame[role="clickable"]:disabled {{ background: {t.window}; }}
    QFrame[role="banner"] {{ background: {t.base}; border: none; border-left: 4px solid {t.danger};
        border-bottom: 1px solid {t.line}; }}
    QFrame[role="rule"] {{ background: {t.line}; border: none; max-height: 1px; min-height: 1px; }}

    QPushButton {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; border-radius: 6px;
        padding: 6px 12px; min-height: 18px; }}
    QPushButton:hover {{ background: {t.hover}; }}
    QPushButton:pressed {{ background: {t.line}; }}
    QPushButton:focus {{ border-color: {ACCENT}; }}
    QPushButton:disabled {{ color: {t.faint}; background: {t.window}; }}
    QPushButton[role="primary"] {{ background: {ACCENT}; color: #ffffff; border-color: {ACCENT}; font-weight: 600; }}
    QPushButton[role="primary"]:hover {{ background: #3576b4; }}
    QPushButton[role="primary"]:pressed {{ background: #2d679e; }}
    QPushButton[role="primary"]:focus {{ border-color: {t.text}; }}
    QPushButton[role="primary"]:disabled {{ background: {t.raised}; color: {t.faint}; border-color: {t.line}; }}
    QPushButton[role="large"] {{ font-size: {base * 1.3:.1f}pt; font-weight: 600; min-height: 44px; }}
    QPushButton[role="link"] {{ background: transparent; border: none; color: {t.link}; padding: 4px 2px;
        text-align: left; }}
    QPushButton[role="link"]:hover, QPushButton[role="link"]:focus {{ text-decoration: underline; }}
    QPushButton[role="link"]:disabled {{ color: {t.faint}; }}
    QToolButton {{ border: 1px solid transparent; border-radius: 6px; padding: 4px; background: transparent; }}
    QToolButton:hover {{ background: {t.hover}; }}
    QToolButton:pressed {{ background: {t.line}; }}
    QToolButton:checked {{ background: {t.chosen}; }}
    QToolButton:focus {{ border-color: {ACCENT}; }}
    QToolButton[role="fold"] {{ padding: 4px 4px 4px 0; color: {t.quiet}; }}
    QToolButton[role="fold"]:checked {{ background: transparent; color: {t.text}; }}
    QToolButton[role="fold"]:hover {{ background: {t.hover}; }}
    QToolButton[role="tab"] {{ padding: 8px 12px; border-radius: 0; border: none;
        border-bottom: 2px solid transparent; color: {t.quiet}; }}
    QToolButton[role="tab"]:hover {{ color: {t.text}; background: transparent; }}
    QToolButton[role="tab"]:checked {{ color: {t.text}; background: transparent; border-bottom: 2px solid {ACCENT};
        font-weight: 600; }}
    QToolButton[role="tab"]:focus {{ color: {t.text}; background: {t.hover}; }}
    QToolButton[role="tab"]:disabled {{ color: {t.faint}; }}

    QLineEdit, QPlainTextEdit {{ background: {t.base}; color: {t.text};
        border: 1px solid {t.line}; border-radius: 6px; padding: 5px 8px; selection-background-color: {ACCENT}; }}
    QLineEdit:focus, QPlainTextEdit:focus {{ border-color: {ACCENT}; }}
    QComboBox {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; border-radius: 6px;
        padding: 3px 8px; min-height: 22px; }}
    QComboBox:hover {{ background: {t.hover}; }}
    QComboBox:focus, QComboBox:on {{ border-color: {ACCENT}; }}
    QComboBox:disabled {{ color: {t.faint}; background: {t.window}; }}
    QComboBox::drop-down {{ border: none; width: 20px; }}
    QComboBox::down-arrow {{ image: url("{icons}/arrow-down.svg"); width: 14px; height: 14px; }}
    QComboBox QAbstractItemView {{ background: {t.base}; color: {t.text}; border: 1px solid {t.line};
        selection-background-color: {t.chosen}; selection-color: {t.text}; padding: 4px; }}
    QSpinBox, QDoubleSpinBox {{ min-height: 26px; }}
    QComboBox QLineEdit {{ border: none; padding: 0; background: transparent; }}
    QCheckBox, QRadioButton {{ spacing: 8px; }}
    QCheckBox::indicator, QAbstractItemView::indicator, QRadioButton::indicator {{ width: 14px; height: 14px;
        background: {t.base}; border: 1px solid {t.faint}; border-radius: 4px; }}
    QRadioButton::indicator {{ border-radius: 8px; }}
    QCheckBox::indicator:hover, QRadioButton::indicator:hover, QCheckBox::indicator:focus {{ border-color: {ACCENT}; }}
    QCheckBox::indicator:checked, QAbstractItemView::indicator:checked {{ background: {ACCENT};
        border-color: {ACCENT}; image: url("{icons}/tick.svg"); }}
    QRadioButton::indicator:checked {{ width: 6px; height: 6px; border: 5px solid {ACCENT}; background: #ffffff; }}
    QCheckBox::indicator:disabled, QRadioButton::indicator:disabled {{ background: {t.window};
        border-color: {t.line}; }}
    QScrollBar {{ background: transparent; border: none; }}
    QScrollBar:vertical {{ width: 12px; }}
    QScrollBar:horizontal {{ height: 12px; }}
    QScrollBar::handle {{ background: {t.line}; border-radius: 4px; margin: 2px; }}
    QScrollBar::handle:disabled {{ background: transparent; }}
    QScrollBar::handle:hover {{ background: {t.faint}; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QAbstractItemView {{ outline: none; }}
    QHeaderView::section {{ background: {t.window}; color: {t.quiet}; border: none;
        border-bottom: 1px solid {t.line}; padding: 6px 8px; font-weight: 600; }}
    QProgressBar {{ background: {t.base}; border: 1px solid {t.line}; border-radius: 4px; text-align: center;
        color: {t.text}; max-height: 14px; }}
    QProgressBar::chunk {{ background: {ACCENT}; border-radius: 3px; }}
    QScrollArea {{ background: transparent; border: none; }}
    """

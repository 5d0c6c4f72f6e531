"""What a right click on a result offers, wherever it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from inspector.domain import Decision
from inspector.views.look import icons, theme

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow


def show(
    parent: QWidget,
    at: QPoint,
    row: ResultRow,
    *,
    open_it: Callable[[], object] | None = None,
    here: Mapping[str, Callable[[], object]],
    judge: Sequence[QAction],
    golden: Callable[[Decision], object] | None,
) -> QMenu:
    """Open it at the global point `at`. `open_it`: None where the result is open already; `here`: what can be done with the place
    under it; `golden`: takes it into the golden set, None where that can't be."""
    menu = QMenu(parent)
    if open_it is not None:
        _add(menu, "Open in Inspect", "inspect", open_it)
        menu.addSeparator()
    for text, action in here.items():
        _add(menu, text, "", action)
    if here:
        menu.addSeparator()
    menu.addActions(judge)
    known = menu.addMenu(icons.icon("golden"), "Golden set")
    known.setEnabled(golden is not None)
    for decision in (Decision.OK, Decision.NG):
        act = partial(golden, decision) if golden else None
        _add(known, f"Must always be {theme.WORDS[decision]}", decision.value, act or (lambda: None))
    menu.addSeparator()
    folder = _add(menu, "Show in folder", "folder", lambda: _show_folder(row))
    folder.setEnabled(row.path is not None)
    _add(menu, "Copy name", "", lambda: QGuiApplication.clipboard().setText(row.name))
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(at)
    return menu


def _add(menu: QMenu, text: str, icon: str, action: Callable[[], object]) -> QAction:
    made = menu.addAction(text)
    if icon:
        made.setIcon(icons.icon(icon))
    made.triggered.connect(lambda _checked=False: action())
    return made


def _show_folder(row: ResultRow) -> None:
    if row.path is not None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.path.parent)))

"""A tour of the window on the demo project: one thing after the other is framed and explained, and at the end comes her own class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QKeySequence, QPainter, QPaintEvent, QPen, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from inspector import paths
from inspector.views.look import theme
from inspector.views.look.labels import wrapped
from inspector.views.shared.context import WindowContext
from inspector.views.shared.page import Page


@dataclass(frozen=True, slots=True)
class Stop:
    """`target`: what of the page it is about, as attributes."""

    page: str
    target: str
    title: str
    text: str


STOPS = (
    Stop(
        "inspect",
        "viewer",
        "This is what it says",
        "The demo: three drawn products and a batch of parts that were dropped on the window. The heat shows what is unusual; "
        "good parts stay clear. Press W and click a spot to see why.",
    ),
    Stop(
        "inspect",
        "panel.scores",
        "You decide where NG begins",
        "Drag the red or the yellow mark: every part is judged anew at once, and you see what changes before it does.",
    ),
    Stop(
        "inspect",
        "queue",
        "Tell it what is good",
        "Confirm good parts as you review them. From 19 on, the rate of false alarms you allow is a promise.",
    ),
    Stop(
        "results",
        "middle",
        "Every result is kept",
        "Filter, review by single keys, and export tables, masks and a report. Line and Qualify, next to it, bring it to the "
        "line and to your audit.",
    ),
    Stop(
        "teach",
        "grid",
        "Good parts are all it needs",
        "Eight pictures of each product taught it all that you saw. Nobody showed it a defect.",
    ),
    Stop(
        "teach",
        "panel.choice",
        "Teach it once",
        "Quick is ready in seconds, Thorough in a minute or two. One detector knows all your products.",
    ),
    Stop(
        "start",
        "new_card",
        "Now your own",
        "Make a project, add a class, give it a few pictures of good parts, and press Teach.",
    ),
)
"""The first is where the window goes by itself, when a project that was taught is opened."""


class Toured(Protocol):
    """What the tour asks of the window."""

    context: WindowContext
    pages: dict[str, Page]

    @property
    def page_name(self) -> str: ...
    def show_page(self, name: str) -> None: ...


def begin(window: Toured, parent: QWidget, open_demo: Callable[[], None]) -> None:
    """Start it, once the demo is open; `open_demo` makes that one first if need be."""
    context = window.context

    def is_demo() -> bool:
        folder = None if context.project is None else context.project.folder
        return (
            folder is not None and folder.parent == paths.documents_dir() and folder.name.startswith("Demo")
        )

    def start() -> None:
        for former in parent.findChildren(Tour):
            former.end()
        Tour(window, parent).go(0)

    def opened() -> None:
        if context.project is not None:
            context.project_changed.disconnect(opened)
            if is_demo():
                QTimer.singleShot(0, parent, start)  # the window shows a page of its own first

    if is_demo():
        start()
    else:
        context.project_changed.connect(opened)
        open_demo()


class _Ring(QWidget):
    """A frame around what is explained; clicks go through it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.ACCENT), 3))
        painter.drawRoundedRect(self.rect().adjusted(2, 2, -2, -2), 8, 8)


class Tour(QFrame):
    """The card that explains. It lies over the window, which stays usable; made anew for every tour, it deletes itself at its end."""

    WIDTH = 340

    def __init__(self, window: Toured, parent: QWidget) -> None:
        super().__init__(parent)
        self._window, self._over = window, parent
        self._at = -1
        self._target: QWidget | None = None
        self._ring = _Ring(parent)
        theme.set_role(self, "callout")
        self.setAccessibleName("Tour")
        self.title = QLabel()
        theme.set_role(self.title, "heading")
        self.text = wrapped("")
        self.count = QLabel()
        theme.set_role(self.count, "small")
        self.skip = QPushButton("Leave the tour")
        theme.set_role(self.skip, "link")
        self.back = QPushButton("Back")
        self.next = QPushButton("Next")
        theme.set_role(self.next, "primary")
        row = QHBoxLayout()
        row.setSpacing(8)
        for widget in (self.count, self.skip):
            row.addWidget(widget)
        row.addStretch(1)
        for widget in (self.back, self.next):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addLayout(row)
        self.setFixedWidth(self.WIDTH)
        self.next.clicked.connect(lambda: self.go(self._at + 1))
        self.back.clicked.connect(lambda: self.go(self._at - 1))
        self.skip.clicked.connect(self.end)
        QShortcut(
            QKeySequence("Esc"), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut
        ).activated.connect(self.end)
        window.context.project_changed.connect(self.end)  # what it tells of is gone
        parent.installEventFilter(self)

    @property
    def stop(self) -> Stop:
        return STOPS[self._at]

    def go(self, number: int) -> None:
        """To a stop by its number; past the last, the tour is over, and she names her own project."""
        if number >= len(STOPS):
            self.end()
            return
        self._at = number
        stop = self.stop
        self._window.show_page(stop.page)
        self._watch(attrgetter(stop.target)(self._window.pages[stop.page]))
        self.title.setText(stop.title)
        self.text.setText(stop.text)
        self.count.setText(f"{number + 1} of {len(STOPS)}")
        self.back.setVisible(number > 0)
        self.next.setText("Next" if number + 1 < len(STOPS) else "Done")
        self.show()
        self._ring.show()
        self.place()
        self.next.setFocus()

    def end(self) -> None:
        """Take the card away."""
        self._watch(None)
        self._over.removeEventFilter(self)
        self._window.context.project_changed.disconnect(self.end)
        for widget in (self._ring, self):
            widget.hide()
            widget.deleteLater()

    def place(self) -> None:
        """Beside what is explained, where there is room, else over it; nothing is framed while another page is in sight."""
        target, whole = self._target, self._over.rect()
        self.setFixedHeight(self.heightForWidth(self.WIDTH))
        size = QSize(self.WIDTH, self.height())
        seen = target is not None and target.isVisible() and self._window.page_name == self.stop.page
        self._ring.setVisible(seen)
        if target is None or not seen:
            self.move(whole.center() - QRect(QPoint(), size).center())
            return
        around = QRect(target.mapTo(self._over, QPoint()), target.size())
        around = around.adjusted(-4, -4, 4, 4) & whole
        self._ring.setGeometry(around)
        right, left, under = (
            QPoint(around.right() + 12, around.top()),
            QPoint(around.left() - 12 - size.width(), around.top()),
            QPoint(around.left(), around.bottom() + 12),
        )
        inside = QPoint(around.right() - size.width() - 24, around.bottom() - size.height() - 24)
        self.move(next((spot for spot in (right, left, under) if whole.contains(QRect(spot, size))), inside))
        self._ring.raise_()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide):
            self.place()
        return False

    def _watch(self, target: QWidget | None) -> None:
        if self._target is not None:
            self._target.removeEventFilter(self)
        self._target = target
        if target is not None:
            target.installEventFilter(self)

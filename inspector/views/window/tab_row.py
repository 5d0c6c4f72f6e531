"""The row at the top: menus, a tab for each page, the project's name, and the buttons at the right."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QMenuBar, QSizePolicy, QToolButton, QWidget

from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.window.pages import PAGES


class TabRow(QWidget):
    page_requested = Signal(str)
    theme_requested = Signal()  # the other one of dark and light
    help_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.tabs: dict[str, QToolButton] = {}
        theme.set_role(self, "panel")
        self._row = row = QHBoxLayout(self)
        self._words_shown = True
        self._extras: list[QToolButton] = []  # what the menus offer too
        self._wide = 0  # px that all takes with the words of the tabs
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(0)
        self.menu_bar = QMenuBar(self)  # beside the tabs: a row of its own would be taken from the image
        self.menu_bar.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        row.addWidget(self.menu_bar, alignment=Qt.AlignmentFlag.AlignVCenter)
        row.addSpacing(16)
        group = QButtonGroup(self)
        for page in PAGES:
            if not page.tab:
                continue
            button = QToolButton(self)
            button.setText(page.title)
            button.setIcon(icons.icon(page.icon))
            button.setIconSize(QSize(theme.ICON, theme.ICON))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setCheckable(True)
            theme.set_role(button, "tab")
            button.clicked.connect(lambda _=False, name=page.name: self.page_requested.emit(name))
            group.addButton(button)
            row.addWidget(button)
            self.tabs[page.name] = button
        group.setExclusive(False)  # pages without a tab leave none checked
        self._name = ""
        self.project = QLabel(self)
        self.project.setTextFormat(Qt.TextFormat.PlainText)
        self.project.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.project.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        theme.set_role(self.project, "quiet")
        row.addWidget(self.project, 1)
        row.addSpacing(8)
        self.role = QToolButton(self)
        self.role.setIcon(icons.icon("person"))
        self.role.setIconSize(QSize(theme.ICON, theme.ICON))
        self.role.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.role.hide()
        row.addWidget(self.role)
        for name, tip, action in (
            ("moon", "Dark or light", self.theme_requested.emit),
            ("settings", "Preferences (Ctrl+,)", lambda: self.page_requested.emit("preferences")),
            ("help", "Help for this page (F1)", self.help_requested.emit),
        ):
            button = QToolButton(self)
            button.setIcon(icons.icon(name))
            button.setIconSize(QSize(theme.ICON, theme.ICON))
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.clicked.connect(action)
            row.addWidget(button)
            self._extras.append(button)

    def show_page(self, name: str) -> None:
        for tab, button in self.tabs.items():
            button.setChecked(tab == name)

    def show_project(self, name: str, opened: bool) -> None:
        """Its name, and which pages can be gone to."""
        self.name_project(name)
        for page in PAGES:
            if page.tab and page.needs_project:
                self.tabs[page.name].setEnabled(opened)
                self.tabs[page.name].setToolTip(page.title if opened else "Open or make a project first")

    def show_role(self, words: str, tip: str) -> None:
        """Who is signed in; "" where nobody has to."""
        self.role.setText(words)
        self.role.setToolTip(tip)
        self.role.setAccessibleName(tip)
        self.role.setVisible(bool(words))
        self._fit()

    def name_project(self, name: str) -> None:
        """Shortened where there is no room for all of it."""
        self._name = name
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """In a narrow window the tabs are icons, and in a very narrow one what the menus offer too goes: else the menus would
        be cut off."""
        if self._words_shown:
            self._wide = self._row.sizeHint().width()
        if self._words_shown != (self.width() >= self._wide):
            style = Qt.ToolButtonStyle
            for button in self.tabs.values():
                button.setToolButtonStyle(
                    style.ToolButtonIconOnly if self._words_shown else style.ToolButtonTextBesideIcon
                )
            self._words_shown = not self._words_shown
        hidden = sum(button.sizeHint().width() for button in self._extras if button.isHidden())
        shown = self._words_shown or self.width() >= self._row.sizeHint().width() + hidden
        for button in self._extras:
            button.setVisible(shown)
        room = self.width() - self._row.sizeHint().width()
        name = self.project.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideMiddle, max(0, room))
        self.project.setText(name)
        self.project.setToolTip(plain(self._name) if name != self._name else "")

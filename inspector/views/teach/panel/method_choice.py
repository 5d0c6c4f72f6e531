"""How a detector is taught, chosen in plain words; which method that is, on which weights, waits under Advanced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from inspector.methods import catalogue
from inspector.methods.catalogue import METHODS, MethodInfo
from inspector.views.look import icons, theme
from inspector.views.look.kit import Fold
from inspector.views.look.labels import plain, wrapped
from inspector.views.shared.context import WindowContext

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow

PLAIN = {
    catalogue.RECOMMENDED: (
        "Thorough (recommended)",
        "Practises on defects that it makes up on your good shots. Takes a minute or two.",
    ),
    catalogue.QUICK: (
        "Quick",
        "Remembers your good shots and compares parts with them. Ready in seconds.",
    ),
}
"""Method → what people are asked who need not know its name, and what it does."""
_INDENT = 22
"""So far the text of a radio button lies from its left edge."""


def way(method: str) -> str:
    """A stored method in the words that people chose it by."""
    return PLAIN[method][0].partition(" (")[0].lower() if method in PLAIN else catalogue.title(method)


def needs(info: MethodInfo) -> str:
    """What a method asks for, in one line."""
    words = {"text": "a text tower", "vit": "a vision transformer", "class": "the class (given or found)"}
    wanted = ", ".join(word for need, word in words.items() if need in info.needs) or "nothing but weights"
    return f"Needs {wanted}. {'Learns; the loss is shown.' if info.learns else 'Learns nothing: ready in seconds.'}"


class MethodChoice(QWidget):
    """The choice is told as all settings are: `WindowContext.settings_changed`."""

    describe_requested = Signal()

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self.own: str | None = None
        """The method of this project: chosen here, or else of what it was taught with."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        group = QButtonGroup(self)
        self.plain: dict[str, QRadioButton] = {}
        for method, (words, line) in PLAIN.items():
            button = QRadioButton(words)
            button.setAccessibleDescription(line)
            button.clicked.connect(lambda _=False, method=method: self._choose(method))
            group.addButton(button)
            column.addWidget(button)
            under = QHBoxLayout()
            under.setContentsMargins(_INDENT, 0, 0, 4)
            said = wrapped("small")
            said.setText(line)
            under.addWidget(said)
            column.addLayout(under)
            self.plain[method] = button
        self.other = QRadioButton()  # only where neither is chosen: Advanced says which
        group.addButton(self.other)
        column.addWidget(self.other)

        self.method = QComboBox()
        self.method.setAccessibleName("Method")
        for info in METHODS.values():
            title = f"{info.title} (reconstruction)" if info.reconstruction else info.title
            self.method.addItem(title, info.name)
        self.line = wrapped("quiet")
        self.needs = wrapped("small")
        self.weights = QPushButton()
        theme.set_role(self.weights, "link")
        self.weights.setToolTip("The pretrained network underneath; choose another")
        self.weights.clicked.connect(lambda: context.go("weights"))
        self.describe_button = QPushButton()
        self.describe_button.setIcon(icons.icon("rename"))
        self.describe_button.setCheckable(True)
        self.describe_button.clicked.connect(self.describe_requested)
        self.described = wrapped("small")

        inside = QWidget()
        deeper = QVBoxLayout(inside)
        deeper.setContentsMargins(0, 0, 0, 4)
        deeper.setSpacing(8)
        deeper.addWidget(QLabel("Method"))
        for widget in (self.method, self.line, self.needs):
            deeper.addWidget(widget)
        weights = QHBoxLayout()
        weights.addWidget(QLabel("Weights"), 1)
        weights.addWidget(self.weights)
        deeper.addLayout(weights)
        self.advanced = Fold("Advanced", inside)
        self.advanced.setToolTip("Methods and weights by name")
        column.addWidget(self.advanced)
        column.addWidget(inside)
        column.addWidget(self.describe_button)
        column.addWidget(self.described)

        self.method.currentIndexChanged.connect(self._chosen)
        context.settings_changed.connect(self.show_settings)
        self.show_settings()

    @property
    def current(self) -> str:
        """The name of the method that teaches next."""
        return str(self.method.currentData())

    @property
    def info(self) -> MethodInfo:
        return METHODS[self.current]

    def show_settings(self) -> None:
        """The method of this project, or of the last one; another where the weights don't fit it."""
        settings = self._context.settings
        wanted = self.method.findData(self.own or settings.method or catalogue.RECOMMENDED)
        unfit = METHODS[self.method.itemData(wanted)].unfit(settings.weights) if wanted >= 0 else ""
        if wanted < 0 or unfit:
            wanted = next(
                (i for i, info in enumerate(METHODS.values()) if not info.unfit(settings.weights)), 0
            )
        with QSignalBlocker(self.method):
            self._grey_out(settings.weights)
            self.method.setCurrentIndex(wanted)
        self.weights.setText(settings.weights)
        self._say(unfit)

    def show_description(self, chosen: ClassRow | None, described: bool, open_now: bool) -> None:
        """Whether the chosen class was described, and the button that opens its form."""
        shown = chosen is not None and self.info.reads_descriptions
        self.describe_button.setVisible(shown)
        self.described.setVisible(shown)
        if chosen is not None:
            name = self.describe_button.fontMetrics().elidedText(
                chosen.name, Qt.TextElideMode.ElideRight, 150
            )
            self.describe_button.setText(f"Describe {name}…")
            self.describe_button.setToolTip(plain(f"Say what a good {chosen.name} looks like"))
            self.describe_button.setChecked(open_now)
            self.described.setText(
                "Teaches with your description of it."
                if described
                else "Teaches with the suggestion that follows from its name; you need not write anything."
            )

    def _grey_out(self, weights: str) -> None:
        """The methods that can't be taught on these weights."""
        model = self.method.model()
        assert isinstance(model, QStandardItemModel)
        for number, info in enumerate(METHODS.values()):
            why = info.unfit(weights)
            model.item(number).setEnabled(not why)
            model.item(number).setToolTip(plain(why))
            if info.name in self.plain:
                self.plain[info.name].setEnabled(not why)
                self.plain[info.name].setToolTip(plain(why))

    def _choose(self, method: str) -> None:
        self.method.setCurrentIndex(self.method.findData(method))

    def _chosen(self) -> None:
        self._context.settings.method = self.own = self.current
        self._context.save_settings()
        self._say("")

    def _say(self, unfit: str) -> None:
        info = self.info
        among = info.name in self.plain
        self.other.setText(f"Another method: {info.title}")
        self.other.setVisible(not among)
        (self.plain[info.name] if among else self.other).setChecked(True)
        if not among:
            self.advanced.setChecked(True)
        note = (
            " Rebuilt from its paper; published figures need not carry over." if info.reconstruction else ""
        )
        self.line.setText(f"{info.line}{note}")
        self.needs.setText(" ".join(filter(None, (unfit, needs(info)))))

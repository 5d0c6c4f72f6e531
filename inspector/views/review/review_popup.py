"""A person's word on results: verdict, reason, type of defect. Opens beside the result, closes with Enter or Esc."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Decision
from inspector.views.look import theme

_NO_DEFECT = (Decision.OK, Decision.OTHER)
_OTHER = "Nothing is said of defects of another product."


class ReviewPopup(QDialog):
    """`decided(decision, reason, defect_type)` when saved.

    A dialog and no popup: a click beside it must not throw away what was typed, nor Enter reach the page below.
    """

    decided = Signal(object, str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Override")
        self._verdicts: frozenset[Decision] = frozenset()
        self._many = False
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.title, "heading")
        self.said = QLabel()
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setWordWrap(True)
        theme.set_role(self.said, "small")
        self.said.hide()
        self.choices = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(8)
        for number, decision in enumerate(Decision):
            button = QPushButton(theme.verdict_text(decision))
            button.setCheckable(True)
            button.setAutoDefault(False)
            button.setStyleSheet(
                f"QPushButton:checked {{ background: {theme.VERDICTS[decision]};"
                f" color: {theme.ON_VERDICTS[decision]}; font-weight: 600; }}"
            )
            self.choices.addButton(button, number)
            row.addWidget(button)
        self.reason = QLineEdit()
        self.reason.setPlaceholderText("for instance: reflection, not a scratch")
        self.reason.setMaxLength(500)
        self.defect_type = QComboBox()
        self.defect_type.setEditable(True)
        self.defect_type.setMinimumWidth(240)
        self.missing = QLabel()
        self.missing.setWordWrap(True)
        theme.set_role(self.missing, "error")
        buttons = QDialogButtonBox()
        self.save_button = buttons.addButton("Save", QDialogButtonBox.ButtonRole.AcceptRole)
        theme.set_role(self.save_button, "primary")
        self.save_button.setDefault(True)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        form = QGridLayout()
        form.setHorizontalSpacing(8)
        form.setVerticalSpacing(8)
        for number, (words, field) in enumerate((("Reason", self.reason), ("Defect type", self.defect_type))):
            label = QLabel(words)
            label.setBuddy(field)
            form.addWidget(label, number, 0)
            form.addWidget(field, number, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self.title)
        layout.addWidget(self.said)
        layout.addLayout(row)
        layout.addLayout(form)
        layout.addWidget(self.missing)
        layout.addWidget(buttons)
        buttons.accepted.connect(self.save)
        buttons.rejected.connect(self.reject)
        self.choices.idToggled.connect(lambda _number, _on: self._refresh())
        self.reason.textChanged.connect(lambda _text: self.missing.hide())
        line = self.defect_type.lineEdit()
        if line is not None:
            line.setPlaceholderText("for instance: scratch")

    def show_words(self, words: str) -> None:
        """What each person said of it so far, "" for nothing."""
        self.said.setText(words)
        self.said.setVisible(bool(words))

    def ask(
        self,
        title: str,
        verdicts: Collection[Decision],
        defect_types: Sequence[str],
        at: QPoint,
        *,
        many: bool = False,
        reason: str = "",
        defect_type: str = "",
        type_first: bool = False,
    ) -> None:
        """Open with its bottom right at the global point `at`. `verdicts`: of what is judged; of a single one, its
        `reason` and `defect_type` too. The opposite verdict is proposed for a single one, and none for `many`.
        `type_first`: only the type of defect is to be told."""
        self.title.setText(title)
        self._verdicts, self._many = frozenset(verdicts), many
        self.choices.setExclusive(False)
        for button in self.choices.buttons():
            button.setChecked(False)
        self.choices.setExclusive(True)
        if not many:
            proposed = _proposed(next(iter(self._verdicts)), type_first)
            self.choices.button(tuple(Decision).index(proposed)).setChecked(True)
        self.reason.setText(reason if type_first else "")
        self.defect_type.clear()
        self.defect_type.addItems(list(dict.fromkeys(["", *defect_types])))
        self.defect_type.setEditText(defect_type)
        self._refresh()
        self.adjustSize()
        place = at - QPoint(self.width(), self.height())
        screen = self.screen().availableGeometry()
        place.setX(min(max(place.x(), screen.left()), screen.right() - self.width()))
        place.setY(min(max(place.y(), screen.top()), screen.bottom() - self.height()))
        self.move(place)
        self.open()
        (self.defect_type if type_first else self.reason).setFocus()

    @property
    def chosen(self) -> Decision | None:
        number = self.choices.checkedId()
        return tuple(Decision)[number] if number >= 0 else None

    def save(self) -> None:
        if not self.isVisible():
            return
        decision, reason = self.chosen, " ".join(self.reason.text().split())
        passes = decision is Decision.OK and bool({Decision.NG, Decision.OTHER} & self._verdicts)
        if decision is None:
            self._miss("Choose a verdict.")
        elif not reason and (passes or self._many):
            ng = "NG becomes OK" if Decision.NG in self._verdicts else "it is a good part of this product"
            self._miss(f"Say why {ng if passes else 'these are judged otherwise'}.")
        else:
            defect_type = " ".join(self.defect_type.currentText().split())
            self.accept()
            self.decided.emit(decision, reason, "" if decision in _NO_DEFECT else defect_type)

    def _miss(self, words: str) -> None:
        self.missing.setText(words)
        self.missing.show()
        self.reason.setFocus()

    def _refresh(self) -> None:
        """What is OK, or another product, has no defect."""
        self.missing.hide()
        none = self.chosen in _NO_DEFECT
        self.defect_type.setEnabled(not none)
        okay = self.chosen is Decision.OK
        self.defect_type.setToolTip(
            "A part that is OK has no defect." if okay else "" if not none else _OTHER
        )


def _proposed(verdict: Decision, type_first: bool) -> Decision:
    if type_first:  # a part with a defect isn't OK
        return Decision.NG if verdict is Decision.OK else verdict
    return Decision.OK if verdict is Decision.NG else Decision.NG

"""A person's word on a result: verdict, reason, type of defect. Opens beside the result, closes with Enter or Esc."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFrame,
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


class ReviewPopup(QFrame):
    """`decided(decision, reason, defect_type)` when saved."""

    decided = Signal(object, str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.title, "heading")
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
        save = QPushButton("Save")
        theme.set_role(save, "primary")
        save.setDefault(True)
        cancel = QPushButton("Cancel")
        form = QGridLayout()
        form.setHorizontalSpacing(8)
        form.setVerticalSpacing(8)
        for number, (words, field) in enumerate((("Reason", self.reason), ("Defect type", self.defect_type))):
            label = QLabel(words)
            label.setBuddy(field)
            form.addWidget(label, number, 0)
            form.addWidget(field, number, 1)
        last = QHBoxLayout()
        last.addStretch(1)
        last.addWidget(cancel)
        last.addWidget(save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self.title)
        layout.addLayout(row)
        layout.addLayout(form)
        layout.addLayout(last)
        save.clicked.connect(self.save)
        cancel.clicked.connect(self.close)
        self.reason.returnPressed.connect(self.save)
        line = self.defect_type.lineEdit()
        if line is not None:
            line.setPlaceholderText("for instance: scratch")
            line.returnPressed.connect(self.save)

    def ask(
        self,
        title: str,
        decision: Decision,
        defect_type: str,
        defect_types: Sequence[str],
        at: QPoint,
        *,
        type_first: bool = False,
    ) -> None:
        """Open with `decision` chosen, its bottom right at the global point `at`."""
        self.title.setText(title)
        self.choices.button(tuple(Decision).index(decision)).setChecked(True)
        self.reason.clear()
        self.defect_type.clear()
        self.defect_type.addItems(list(dict.fromkeys(["", *defect_types])))
        self.defect_type.setEditText(defect_type)
        self.adjustSize()
        place = at - QPoint(self.width(), self.height())
        screen = self.screen().availableGeometry()
        place.setX(min(max(place.x(), screen.left()), screen.right() - self.width()))
        place.setY(min(max(place.y(), screen.top()), screen.bottom() - self.height()))
        self.move(place)
        self.show()
        (self.defect_type if type_first else self.reason).setFocus()

    def save(self) -> None:
        if not self.isVisible():
            return
        decision = tuple(Decision)[self.choices.checkedId()]
        self.close()
        self.decided.emit(decision, self.reason.text().strip(), self.defect_type.currentText().strip())

"""Whether pictures of another product are told apart in a class, and how far the image at hand lies from its shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from inspector.domain import Pose
from inspector.views.look.kit import switch
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.verdicts.product import Limit

_TOLD = "What looks unlike the shots, or lies elsewhere than in them, is neither OK nor NG"
_POSES = {
    Pose.FIXED: "A camera that was moved is noticed: parts lie alike in the shots.",
    Pose.ANYHOW: "Parts lie anyhow in the shots, so a moved camera can't be noticed.",
    Pose.FEW: "A moved camera can be noticed from three shots on.",
    Pose.UNKNOWN: "",
}


class ProductLine(QWidget):
    """`toggled(asked)` when a person wants it otherwise. Hidden where the detector can't tell."""

    toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QCheckBox("Tell other products apart")
        self.words = wrapped("small")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.box)
        layout.addWidget(self.words)
        self.box.clicked.connect(self.toggled)
        self.show_limit(None, None, "")

    def show_limit(self, limit: Limit | None, distance: float | None, why: str) -> None:
        """`distance`: of the image at hand; `why` nothing can be changed now, or ""."""
        self.setVisible(limit is not None)
        if limit is None:
            return
        self.box.setChecked(limit.asked)
        switch(self.box, why)
        self.box.setToolTip(f"{_TOLD}. {_POSES[limit.pose]}".strip())
        here = "" if distance is None else f"; this image lies at {distance:.2f}"
        by = "Another product from" if limit.asked else "It would be another product from"
        told = f"{by} a distance of {limit.distance:.2f} from the shots on{here}."
        self.words.setText(f"{told} {_POSES[limit.pose]}".strip())

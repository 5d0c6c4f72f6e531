"""Preferences: each is kept as soon as it is chosen."""

from __future__ import annotations

from contextlib import ExitStack

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from inspector.views.look import theme
from inspector.views.look.kit import centred_column
from inspector.views.settings.roles_form import RolesForm
from inspector.views.shared.context import WindowContext
from inspector.views.shared.page import Page

THEMES = (("system", "Follow the system"), ("dark", "Dark"), ("light", "Light"))
RUNTIMES = (
    ("auto", "Automatic: the fastest that judges alike"),
    ("torch", "PyTorch"),
    ("onnx", "ONNX Runtime"),
    ("openvino", "OpenVINO"),
)
DEVICES = (("auto", "Automatic: the fastest there is"), ("cpu", "CPU"))


class PreferencesPage(Page):
    shortcuts = (("Esc", "Back to the page before"),)

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._context = context
        title = QLabel("Preferences")
        theme.set_role(title, "title")
        line = QLabel("Each is kept as soon as you choose it.")
        theme.set_role(line, "quiet")

        self.theme = _choice(THEMES, "Theme")
        self.device = _choice(DEVICES, "Device")
        self.runtime = _choice(RUNTIMES, "Inspect with")
        self.weights = QPushButton()
        theme.set_role(self.weights, "link")
        self.weights.clicked.connect(lambda: context.go("weights"))
        self.colour_map = QComboBox()
        self.colour_map.setAccessibleName("Colour map")
        self.colour_map.setIconSize(QSize(96, 14))
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0.1, 50.0)
        self.rate.setDecimals(1)
        self.rate.setSuffix("\u00a0%")
        self.rate.setAccessibleName("False-alarm rate")
        self.batch = QSpinBox()
        self.batch.setRange(1, 256)
        self.batch.setAccessibleName("Batch size")
        self.reviewer = QLineEdit()
        self.reviewer.setPlaceholderText("Your name, as reviews will show it")
        self.reviewer.setMaxLength(80)
        self.reviewer.setAccessibleName("Reviewer")

        form = QFormLayout()
        form.setHorizontalSpacing(32)
        form.setVerticalSpacing(8)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._row(form, "Theme", self.theme, "")
        self._row(form, "Device", self.device, "Those of this computer that compute.")
        self._row(
            form,
            "Inspect with",
            self.runtime,
            "Programs that compute scores on the processor; PyTorch teaches.",
        )
        self._row(form, "Weights", self.weights, "The pretrained network for the next teaching.")
        self._row(form, "Colour map", self.colour_map, "For the heat over images and in exports.")
        self._row(form, "False alarms allowed", self.rate, "The share of good parts that may be called NG.")
        self._row(form, "Batch size", self.batch, "Images taken at once; more is faster on a GPU.")
        self._row(form, "Reviewer", self.reviewer, "Kept with every accepted or overridden verdict.")

        column = centred_column(self, "Preferences", 720)
        column.addWidget(title)
        column.addWidget(line)
        column.addSpacing(16)
        column.addLayout(form)
        column.addSpacing(16)
        heading = QLabel("Roles")
        theme.set_role(heading, "heading")
        column.addWidget(heading)
        self.roles = RolesForm(context)
        column.addWidget(self.roles)
        column.addStretch(1)

        self._fill_colour_maps()
        self._show()
        for box in (self.theme, self.device, self.runtime, self.colour_map):
            box.currentIndexChanged.connect(self._keep)
        self.rate.valueChanged.connect(self._keep)
        self.batch.valueChanged.connect(self._keep)
        self.reviewer.editingFinished.connect(self._keep)
        context.settings_changed.connect(self._show)

    def _row(self, form: QFormLayout, title: str, field: QWidget, more: str) -> None:
        label = QLabel(title)
        label.setBuddy(field)
        holder = QVBoxLayout()
        holder.setSpacing(2)
        holder.setContentsMargins(0, 0, 0, 8)
        holder.addWidget(field, alignment=Qt.AlignmentFlag.AlignLeft)
        field.setMinimumWidth(280)
        if more:
            words = QLabel(more)
            words.setWordWrap(True)
            theme.set_role(words, "small")
            holder.addWidget(words)
        form.addRow(label, holder)

    def _fill_colour_maps(self) -> None:
        from inspector.exports import heat

        for name in heat.COLOUR_MAPS:
            self.colour_map.addItem(_strip(name), name.capitalize(), name)

    def activated(self) -> None:
        self._context.runner.read(self, _here, self._offer)

    def _offer(self, here: tuple[list[tuple[str, str]], set[str]]) -> None:
        """Offer the GPUs that are here, and keep the one that was chosen in sight when it is not; say which runtimes are not."""
        found, runtimes = here
        for row, (name, title) in enumerate(RUNTIMES):
            missing = name not in {"auto", "torch", *runtimes}
            self.runtime.setItemText(row, f"{title}: not installed, PyTorch is used" if missing else title)
        chosen = self._context.settings.device
        known = dict([*DEVICES, *found])
        if chosen not in known:
            found = [*found, (chosen, f"{chosen.upper()}: not on this computer, the CPU is used")]
        with QSignalBlocker(self.device):
            while self.device.count() > len(DEVICES):
                self.device.removeItem(len(DEVICES))
            for value, title in found:
                self.device.addItem(title, value)
            self.device.setCurrentIndex(self.device.findData(chosen))

    def _show(self) -> None:
        settings = self._context.settings
        boxes = (self.theme, self.device, self.runtime, self.colour_map)
        fields = (*boxes, self.rate, self.batch, self.reviewer)
        with ExitStack() as quiet:
            for field in fields:
                quiet.enter_context(QSignalBlocker(field))
            self.theme.setCurrentIndex(max(0, self.theme.findData(settings.theme)))
            if self.device.findData(settings.device) < 0:
                self.device.addItem(settings.device.upper(), settings.device)
            self.device.setCurrentIndex(self.device.findData(settings.device))
            self.runtime.setCurrentIndex(self.runtime.findData(settings.runtime))
            self.colour_map.setCurrentIndex(max(0, self.colour_map.findData(settings.colour_map)))
            self.rate.setValue(settings.false_alarm_rate * 100)
            self.batch.setValue(settings.batch_size)
            if not self.reviewer.hasFocus():
                self.reviewer.setText(settings.reviewer)
            self.weights.setText(f"{settings.weights}: choose another…")

    def _keep(self) -> None:
        settings = self._context.settings
        settings.theme = self.theme.currentData()
        settings.device = self.device.currentData()
        settings.runtime = self.runtime.currentData()
        settings.colour_map = self.colour_map.currentData()
        settings.false_alarm_rate = round(self.rate.value() / 100, 4)
        settings.batch_size = self.batch.value()
        settings.reviewer = "".join(c for c in " ".join(self.reviewer.text().split()) if c.isprintable())
        self._context.save_settings()


def _here() -> tuple[list[tuple[str, str]], set[str]]:
    """((value, title) of every GPU of this computer that computes, names of the runtimes that are installed)."""
    from inspector.features.device import devices
    from inspector.features.runtimes.engines import installed

    gpus = [(gpu.name, f"GPU: {gpu.found}") for gpu in devices() if gpu.usable and gpu.name != "cpu"]
    return gpus, {one.name for one in installed()}


def _choice(items: tuple[tuple[str, str], ...], name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    for value, title in items:
        box.addItem(title, value)
    return box


def _strip(colour_map: str) -> QIcon:
    """A colour map as a small picture."""
    import numpy as np

    from inspector.exports import heat

    line = np.ascontiguousarray(heat.ramp(colour_map).astype(np.uint8))
    image = QImage(line.tobytes(), len(line), 1, 3 * len(line), QImage.Format.Format_RGB888)
    return QIcon(QPixmap.fromImage(image.scaled(96, 14)))

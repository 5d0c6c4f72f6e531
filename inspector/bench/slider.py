"""How long a threshold takes from a move of the line to a repainted window, on a large image."""

from __future__ import annotations

import os
import sys
import time

import numpy as np


def slider(megapixels: float = 24, moves: int = 200) -> dict[str, float]:
    """Drive the real viewer and the real threshold line: {"median_ms", "p95_ms", "megapixels", "moves"}.

    One move is the mouse event on the histogram, the new mask and heat, and the synchronous repaint of both widgets
    at 1280 × 800.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from dataclasses import replace

    from PySide6.QtCore import QPointF, Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication, QHBoxLayout, QWidget

    from inspector.domain import Thresholds
    from inspector.exports.heat import Heat
    from inspector.views.inspect.scores.score_view import ScoreView
    from inspector.views.look import theme
    from inspector.views.viewer.image_view import ImageView
    from inspector.views.viewer.picture import picture

    app = QApplication.instance() or QApplication([])
    theme.apply("dark")
    random = np.random.default_rng(7)
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    pixels = np.repeat(random.integers(0, 256, (height, 1, 3), np.uint8), round(height * 1.5), axis=1)
    values = random.random((60, 60), np.float32)
    window = QWidget()
    view, scores = ImageView(), ScoreView()
    scores.setFixedWidth(280)
    layout = QHBoxLayout(window)
    layout.addWidget(view, 1)
    layout.addWidget(scores)
    heat = Heat(0.5, 1.0, 0.5)
    view.show_picture(picture(pixels), values)
    view.set_heat(heat)
    scores.set_scores(random.random(500), random.random(4) * 0.4)
    scores.set_thresholds(*[Thresholds(0.5, 0.7, 0.5)] * 2)
    scores.moved.connect(lambda moved: view.set_heat(replace(heat, threshold=moved.review)))
    window.resize(1280, 800)
    window.show()
    for _ in range(5):
        app.processEvents()
    line, floor = scores.histogram, scores.histogram.height() // 2
    start = round(line.x_of(0.5))
    QTest.mousePress(line, Qt.MouseButton.LeftButton, pos=QPointF(start, floor).toPoint())
    took = []
    for move in range(moves):
        x = start + round(50 * np.sin(move / 7))
        began = time.perf_counter()
        QTest.mouseMove(line, QPointF(x, floor).toPoint(), 0)
        app.processEvents()
        view.repaint()
        line.repaint()
        took.append((time.perf_counter() - began) * 1000)
    QTest.mouseRelease(line, Qt.MouseButton.LeftButton, pos=QPointF(start, floor).toPoint())
    window.close()
    window.deleteLater()
    app.processEvents()
    return {
        "median_ms": float(np.median(took)),
        "p95_ms": float(np.percentile(took, 95)),
        "megapixels": view.picture.width * view.picture.height / 1e6 if view.picture else 0.0,
        "moves": float(moves),
    }

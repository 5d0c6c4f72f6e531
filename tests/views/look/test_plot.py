"""Charts in the colours of the theme."""

import numpy as np
import pytest
from PySide6.QtGui import QColor

from inspector.exports.heat import Heat
from inspector.views.evaluate.curves import CurvesView, Line
from inspector.views.inspect.scores.score_histogram import Histogram
from inspector.views.look import theme
from inspector.views.teach.panel.loss_curve import LossCurve
from inspector.views.viewer.colour_bar import ColourBar


@pytest.fixture
def back_to_dark():
    yield
    theme.apply("dark")


def made(kind):
    chart = kind()
    if kind is CurvesView:
        x = np.linspace(0, 1, 50)
        chart.set_lines("image_roc", [Line("washer", x, x**0.2, "main"), Line("cloth & <b>", x, x)])
    elif kind is LossCurve:
        for epoch in range(1, 9):
            chart.add(epoch, 1 / epoch, 10)
    elif kind is ColourBar:
        chart.show_heat(Heat(0.5, 1.0, 0.7))
        chart.show_value(0.9)
    else:
        chart.set_scores(np.linspace(0, 1, 99), [0.1, 0.2])
        chart.set_lines(0.4, 0.6)
    return chart


@pytest.mark.parametrize("kind", [CurvesView, LossCurve, Histogram, ColourBar])
def test_a_chart_follows_the_theme_and_looks_as_if_it_had_begun_in_it(kind, qtbot, back_to_dark):
    pictures = []
    for begun, shown in (("light", "light"), ("dark", "light"), ("dark", "dark")):
        theme.apply(begun)
        chart = made(kind)
        qtbot.addWidget(chart)
        chart.resize(320, 240)
        chart.grab()
        theme.apply(shown)
        pictures.append(chart.grab().toImage())
    assert pictures[0] == pictures[1]
    assert pictures[0].pixelColor(0, 0) == QColor(theme.LIGHT.window)
    assert pictures[2].pixelColor(0, 0) == QColor(theme.DARK.window)


def test_the_legend_names_each_look_of_the_curves_shown(qtbot):
    chart = made(CurvesView)
    qtbot.addWidget(chart)
    assert [label.text for _, label in chart._legend.items] == ["washer", "cloth &amp; &lt;b&gt;"]
    x = np.linspace(0, 1, 9)
    chart.set_lines("pro", [Line(f"class {number}", x, x) for number in range(12)])
    assert [label.text for _, label in chart._legend.items] == ["class 0 and 11 more"]
    chart.set_lines("pro", [Line(name, x, x) for name in ("cloth", "washer")])
    assert [label.text for _, label in chart._legend.items] == ["cloth, washer"]
    chart.set_lines("pro", [])
    assert not chart._legend.isVisible()


def test_the_colour_bar_is_empty_below_the_threshold_and_coloured_from_it_on(qtbot, back_to_dark):
    theme.apply("dark")
    bar = made(ColourBar)
    qtbot.addWidget(bar)
    bar.resize(208, 34)  # 200 px for 0.375 to 1
    empty = QColor(theme.DARK.surround)

    def coloured():
        image = bar.grab().toImage()
        return [x for x in range(6, 202) if image.pixelColor(x * image.width() // 208, 5) != empty]

    assert min(coloured()) == pytest.approx(4 + (0.7 - 0.375) / 0.625 * 200, abs=2)
    bar.show_heat(Heat(0.5, 1.0, 0.9))
    assert min(coloured()) == pytest.approx(4 + (0.9 - 0.375) / 0.625 * 200, abs=2)
    assert bar.accessibleName() == "Colour scale from 0.5 to 1"

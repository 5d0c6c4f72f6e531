"""The viewer, looked at through the pixels it paints."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage

from inspector.bench import slider
from inspector.domain import Region
from inspector.exports.heat import COLOUR_MAPS, Heat, Mode, ramp
from inspector.views.viewer.image_view import Hover, ImageView
from inspector.views.viewer.map_overlay import enlarge
from inspector.views.viewer.picture import picture

HEAT = Heat(0.4, 1.0, 0.5)


@pytest.fixture
def view(qtbot):
    made = ImageView()
    qtbot.addWidget(made)
    made.resize(400, 300)
    with qtbot.waitExposed(made):
        made.show()
    made.set_heat(HEAT)
    made.set_boxes(False)
    return made


def part(width=200, height=150, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def painted(view):
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return flat[:, : image.width(), 2::-1].copy()


def spot(value=1.0):
    values = np.zeros((12, 16), np.float32)
    values[3:6, 4:8] = value
    return values


def test_a_new_image_is_shown_whole(view):
    view.show_picture(picture(part(800, 300)))
    assert view.scale == pytest.approx(0.5)
    assert view.view()[1:] == pytest.approx((0.5, 0.5))


def test_the_picture_holds_every_pixel_of_the_image(view):
    pixels = part(3001, 2003)
    made = picture(pixels)
    full = made.levels[0]
    for x, y in ((0, 0), (3000, 2002), (1234, 777)):
        assert full.pixelColor(x, y).getRgb()[:3] == tuple(int(v) for v in pixels[y, x])
    assert max(made.levels[-1].width(), made.levels[-1].height()) <= 1024


def test_past_one_to_one_every_image_pixel_is_a_square_of_its_own_colour(view):
    pixels = part()
    view.show_picture(picture(pixels))
    view.set_view(10.0, 0.5, 0.5)  # image point (100, 75) lies at widget point (200, 150)
    shown = painted(view)
    for row in range(-3, 3):
        for column in range(-3, 3):
            x, y = 200 + 10 * column, 150 + 10 * row
            square = shown[y : y + 10, x : x + 10].reshape(-1, 3)
            assert (square == pixels[75 + row, 100 + column]).all()


def test_zooming_keeps_the_point_under_the_cursor(view):
    view.show_picture(picture(part()))
    at = QPointF(130, 90)
    before = view._image_point(at)
    view.zoom(3.0, at)
    assert view._image_point(at) == pytest.approx(before)


def test_pan_and_zoom_stay_over_images_of_one_size(view):
    view.show_picture(picture(part(seed=1)))
    view.set_view(4.0, 0.3, 0.7)
    kept = view.view()
    view.show_picture(picture(part(seed=2)))
    assert view.view() == pytest.approx(kept)
    view.show_picture(picture(part(300, 150)))
    assert view.scale == pytest.approx(400 / 300)


def test_some_of_the_image_always_stays_in_sight(view):
    view.show_picture(picture(part()))
    view.pan(100_000, -100_000)
    assert not view._visible().isEmpty()
    view.zoom(1e9)
    assert view.scale <= 64


def test_a_good_part_looks_untouched(view):
    pixels = picture(part())
    view.show_picture(pixels)
    bare = painted(view)
    view.show_picture(pixels, np.full((12, 16), 0.49, np.float32))
    assert (painted(view) == bare).all()


def test_heat_covers_what_lies_above_the_threshold_and_nothing_else(view):
    view.show_picture(picture(np.full((150, 200, 3), 128, np.uint8)), spot())
    shown = painted(view)
    field = cv2.resize(spot(), (400, 300), interpolation=cv2.INTER_LINEAR)
    coloured = (shown != 128).any(axis=2)
    assert coloured[field > 0.51].all()
    assert not coloured[field < 0.49].any()


def test_one_value_has_one_colour_on_every_image(view):
    gray = picture(np.full((150, 200, 3), 128, np.uint8))
    colours = []
    for highest in (0.8, 50.0):
        values = np.full((12, 16), 0.8, np.float32)
        values[0, 0] = highest
        view.show_picture(gray, values)
        colours.append(painted(view)[250, 350].astype(int))
    assert np.abs(colours[0] - colours[1]).max() <= 3


def test_a_lower_threshold_marks_more_at_once(view):
    view.show_picture(picture(np.full((150, 200, 3), 128, np.uint8)), spot())

    def marked(threshold, mode):
        view.set_heat(replace(HEAT, threshold=threshold, mode=mode))
        return int((painted(view) != 128).any(axis=2).sum())

    for mode in (Mode.HEAT, Mode.MASK):
        assert marked(0.1, mode) > marked(0.5, mode) > marked(0.9, mode) > marked(1.1, mode) == 0


def test_the_contour_leaves_the_inside_free(view):
    view.show_picture(picture(np.full((150, 200, 3), 128, np.uint8)), spot())
    view.set_heat(replace(HEAT, mode=Mode.CONTOUR))
    changed = (painted(view) != 128).any(axis=2)
    field = cv2.resize(spot(), (400, 300), interpolation=cv2.INTER_LINEAR)
    assert changed.any()
    assert not changed[field > 0.95].any()


def test_opacity_blends_the_heat_with_the_image(view):
    view.show_picture(picture(np.zeros((150, 200, 3), np.uint8)), np.ones((12, 16), np.float32))
    levels = []
    for opacity in (0.0, 0.3, 1.0):
        view.set_heat(replace(HEAT, opacity=opacity))
        levels.append(int(painted(view)[150, 200].sum()))
    assert levels[0] == 0 < levels[1] < levels[2]


def test_enlarging_agrees_with_opencv():
    values = np.random.default_rng(3).random((60, 47)).astype(np.float32)
    x, y = (np.arange(640) + 0.5) / 640, (np.arange(400) + 0.5) / 400
    expected = cv2.resize(values, (640, 400), interpolation=cv2.INTER_LINEAR)
    assert np.abs(enlarge(values, x, y) - expected).max() < 1e-3
    assert enlarge(np.ones((1, 1), np.float32), x, y) == pytest.approx(1.0)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_every_colour_map_grows_lighter_or_brighter_without_a_jump(name):
    colours = ramp(name)
    assert colours.shape == (256, 3)
    assert np.abs(np.diff(colours, axis=0)).max() < 8


def test_a_map_that_failed_is_called_unavailable(view):
    values = spot()
    values[0, 0] = np.nan
    view.show_picture(picture(part()), values)
    assert view.values is None
    assert view.note == "heatmap unavailable"
    shown = painted(view)
    view.note = ""
    view.update()
    assert (painted(view) != shown).any()


def test_the_value_under_the_cursor_is_the_maps(view, qtbot):
    values = np.arange(12 * 16, dtype=np.float32).reshape(12, 16)
    view.show_picture(picture(part()), values)
    with qtbot.waitSignal(view.hovered) as seen:
        qtbot.mouseMove(view, QPoint(201, 151))
    hover = seen.args[0]
    assert isinstance(hover, Hover)
    assert (hover.x, hover.y) == (100, 75)
    field = cv2.resize(values, (200, 150), interpolation=cv2.INTER_LINEAR)
    assert hover.value == pytest.approx(float(field[75, 100]), abs=0.7)


def test_a_drag_moves_the_image_and_a_click_chooses_the_smallest_region(view, qtbot):
    view.set_boxes(True)
    regions = [Region((0, 0, 200, 150), 9, 1.0), Region((95, 70, 10, 10), 9, 1.0)]
    view.show_picture(picture(part()), spot(), regions)
    with qtbot.waitSignal(view.region_clicked) as seen:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    assert seen.args == [1]
    view.zoom(3)
    origin = view._origin
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    qtbot.mouseMove(view, QPoint(220, 160))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(220, 160))
    assert view._origin == pytest.approx((origin[0] + 20, origin[1] + 10))


def test_a_threshold_repaints_a_24_megapixel_image_within_a_frame(qapp, monkeypatch):
    monkeypatch.setattr(slider.time, "perf_counter", time.thread_time)  # a busy machine does not matter
    taken = slider.slider(24, 40)
    assert taken["megapixels"] == pytest.approx(24, rel=0.01)
    assert taken["median_ms"] < 16

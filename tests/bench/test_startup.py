from inspector.bench import startup


def test_the_window_is_painted_before_anything_heavy_is_imported() -> None:
    figures = startup.measure(repeats=1)
    assert figures["imported"] == []
    assert figures["torch_imported"] is False
    assert figures["first_paint_s"] > 0  # `inspector bench startup` holds the limit, on a quiet machine

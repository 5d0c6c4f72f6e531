"""The shapes at which images keep their proportions."""

from hypothesis import given
from hypothesis import strategies as st

from inspector.features.framing import framed


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([160, 240, 256]))
def test_a_frame_keeps_proportions_on_about_as_many_pixels(height: int, width: int, size: int) -> None:
    rows, columns = framed((height, width, 3), size)
    assert rows % 16 == columns % 16 == 0
    assert 0.93 < rows * columns / size**2 < 1.07
    assert framed((rows, columns), size) == (rows, columns)
    assert framed((width, height), size) == (columns, rows)
    elongated = max(height, width) / min(height, width)
    if elongated <= 3:
        stretched = max(rows, columns) / min(rows, columns) / elongated
        assert 0.84 < stretched < 1.19
        assert elongated < 1.01 or rows == columns or (rows > columns) == (height > width)

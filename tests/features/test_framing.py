"""The shapes at which images keep their proportions."""

from hypothesis import given
from hypothesis import strategies as st

from inspector.features.framing import framed


@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.sampled_from([(160, 16), (240, 16), (256, 16), (224, 14), (384, 14)]),
)
def test_a_frame_keeps_proportions_on_about_as_many_pixels(
    height: int, width: int, size_and_step: tuple[int, int]
) -> None:
    size, step = size_and_step
    rows, columns = framed((height, width, 3), size, step)
    assert rows == columns == size or rows % step == columns % step == 0
    assert 0.93 < rows * columns / size**2 < 1.07
    assert framed((rows, columns), size, step) == (rows, columns)
    assert framed((width, height), size, step) == (columns, rows)
    elongated = max(height, width) / min(height, width)
    if elongated <= 3:
        stretched = max(rows, columns) / min(rows, columns) / elongated
        assert 0.84 < stretched < 1.19
        assert elongated < 1.01 or rows == columns or (rows > columns) == (height > width)

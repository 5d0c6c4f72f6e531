"""Where in an image its pieces and their patches lie. Boxes and points are in shares of an image's or a piece's sides."""

import torch
from torch import Tensor

from inspector.features.tiles import Tiles
from inspector.images.area import Polygon

Box = tuple[float, float, float, float]
"""Left, top, width and height."""


def piece_boxes(tiles: Tiles | None) -> list[Box]:
    """Where the pieces of an image lie in it; all of it where it isn't cut."""
    if tiles is None:
        return [(0.0, 0.0, 1.0, 1.0)]
    rows, columns = tiles.map_shape
    size = tiles.cells / columns, tiles.cells / rows
    return [(column / columns, row / rows, *size) for row, column in tiles.starts]


def depth(box: Box, x: float, y: float) -> float:
    """How far inside a box a point lies, negative outside."""
    left, top, width, height = box
    return min(x - left, left + width - x, y - top, top + height - y)


def in_piece(piece: Box, x: float, y: float) -> tuple[float, float]:
    """A point of the image, as one of a piece."""
    return (x - piece[0]) / piece[2], (y - piece[1]) / piece[3]


def in_image(piece: Box, box: Box) -> Box:
    """A box of a piece, as one of the image."""
    left, top, width, height = piece
    return left + box[0] * width, top + box[1] * height, box[2] * width, box[3] * height


def index(x: float, y: float, grid: tuple[int, int]) -> int:
    """Which patch of a piece, row by row, shows a point of it."""
    row, column = (min(max(int(at * side), 0), side - 1) for at, side in zip((y, x), grid, strict=True))
    return row * grid[1] + column


def cell(x: float, y: float, grid: tuple[int, int]) -> Box:
    """A patch of `grid` (rows, columns) around a point, inside its piece."""
    height, width = 1 / grid[0], 1 / grid[1]
    return min(max(x - width / 2, 0), 1 - width), min(max(y - height / 2, 0), 1 - height), width, height


def inside(outline: Polygon, piece: Box, grid: tuple[int, int]) -> Tensor:
    """Which patches of a piece have their centre within an outline in the image: bool [rows · columns]; where it is so small
    or thin that none has, those that show its corners."""
    x = piece[0] + (torch.arange(grid[1]) + 0.5) / grid[1] * piece[2]
    y = (piece[1] + (torch.arange(grid[0]) + 0.5) / grid[0] * piece[3])[:, None]
    found = torch.zeros(grid, dtype=torch.bool)
    for (x1, y1), (x2, y2) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if y1 != y2:  # how often a ray to the left crosses the outline
            found ^= ((y1 > y) != (y2 > y)) & (x > (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    flat = found.flatten()
    if not flat.any():
        for corner in outline:
            if depth(piece, *corner) >= 0:
                flat[index(*in_piece(piece, *corner), grid)] = True
    return flat

"""Folders of pictures: overlays, masks in an MVTec-AD-style tree, anomaly maps."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress
from inspector.errors import InspectorError
from inspector.exports.files import folder, stem_of
from inspector.exports.heat import Heat, Mode, scale
from inspector.exports.overlay import render_overlay
from inspector.exports.rows import (
    ExportRow,
    Rows,
    drawable_size,
    each,
    load_bytes,
    load_map,
    load_mask,
    load_pixels,
)

UNNAMED_DEFECT = "defect"
"""Folder and category of an NG part whose defect type nobody has named."""


def heat_of(
    row: ExportRow, colour_map: str = "inferno", opacity: float = 0.6, mode: Mode = Mode.HEAT
) -> Heat:
    """How the map of `row` is shown: the detector's scale, the threshold of the row's class."""
    low, high = row.scale or scale([row.thresholds] if row.thresholds else [])
    threshold = row.thresholds.review if row.thresholds else low
    return Heat(low, high, threshold, colour_map, opacity, mode)


def export_overlays(
    rows: Rows,
    target: Path,
    *,
    mode: Mode = Mode.HEAT,
    colour_map: str = "inferno",
    opacity: float = 0.6,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """`<class>/<verdict>/<image>_overlay.png` in full resolution, one colour scale per detector.

    Returns a sentence for each row left out (image or map missing). Raises `ExportError` or `Cancelled`; then
    `target` is as it was.
    """
    problems: list[str] = []
    with folder(target, "overlays") as made:
        for row in each(rows, progress, cancel, "Overlay"):
            if row.result.decision is None:
                continue
            try:
                picture = render_overlay(
                    load_pixels(row), load_map(row), heat_of(row, colour_map, opacity, mode)
                )
            except InspectorError as error:
                problems.append(str(error))
                continue
            parts = (row.result.class_name, str(row.verdict))
            made.write(
                made.name(*parts, stem=stem_of(row.result.name), suffix="_overlay.png"), png(picture), row
            )
    return problems


def export_masks(
    rows: Rows,
    target: Path,
    *,
    images: bool = True,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """An MVTec-AD-style tree by what counts (a person's verdict before the detector's).

    `<class>/test/good`: OK parts; `<class>/test/<defect type>`: NG parts; `<class>/test/review`: undecided ones; for
    the latter two `<class>/ground_truth/<…>/<stem>_mask.png` holds 255 where somebody drew the
    defects, else where the map reaches the review threshold.
    Pictures of another product are left out. `images`: put copies of the image files under `test` too, so that the tree is a data set. Returns and raises as
    `export_overlays`.
    """
    problems: list[str] = []
    with folder(target, "masks") as made:
        for row in each(rows, progress, cancel, "Mask"):
            if row.verdict in (None, Decision.OTHER) or row.thresholds is None:
                continue
            defect = {
                Decision.OK: "good",
                Decision.REVIEW: "review",
                Decision.NG: row.result.defect_type or UNNAMED_DEFECT,
            }[row.verdict]
            if row.verdict is Decision.NG and defect.casefold() == "good":
                defect = UNNAMED_DEFECT
            # Twins of one stem must not share a mask, so the stem is what is made unique.
            image = made.name(row.result.class_name, "test", defect, stem=stem_of(row.result.name), suffix="")
            try:
                if images:
                    data = load_bytes(row)
                    made.write(image + (row.result.path.suffix if row.result.path else ""), data, row)
                if row.verdict is not Decision.OK:
                    product, _, *rest = image.split("/")
                    drawn = load_mask(row, drawable_size(row))
                    made.write("/".join([product, "ground_truth", *rest]) + "_mask.png", png(drawn), row)
            except InspectorError as error:
                problems.append(str(error))
    return problems


def export_maps(
    rows: Rows,
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """`<class>/<image>.npy`: the anomaly map, float32 (map_h, map_w), whose highest value is the image score; it covers
    the whole image. Returns and raises as `export_overlays`."""
    problems: list[str] = []
    with folder(target, "maps") as made:
        for row in each(rows, progress, cancel, "Map"):
            if row.result.decision is None:
                continue
            try:
                values = load_map(row)
            except InspectorError as error:
                problems.append(str(error))
                continue
            buffer = io.BytesIO()
            np.save(buffer, values, allow_pickle=False)
            made.write(
                made.name(row.result.class_name, stem=stem_of(row.result.name), suffix=".npy"),
                buffer.getvalue(),
                row,
            )
    return problems


def png(pixels: NDArray[np.uint8]) -> bytes:
    """uint8 (h, w) or RGB (h, w, 3) as a PNG file."""
    import cv2

    order = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".png", order, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1])

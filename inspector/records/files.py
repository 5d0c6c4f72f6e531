"""Files of a project: kept images and maps, by content hash."""

import logging
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector import paths
from inspector.domain import Image
from inspector.errors import ProjectError
from inspector.images.read import MAX_PIXELS
from inspector.records import schema as t
from inspector.records.project import Project

_log = logging.getLogger("inspector.records")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is stored of an image. `size`: (width, height)."""

    sha256: str
    suffix: str
    size: tuple[int, int]
    mode: str

    @classmethod
    def of(cls, image: Image, data: bytes) -> "ImageFacts":
        """`data`: the file's bytes; they decide the suffix, so that one content has one place."""
        return cls(image.sha256, _suffix(data), image.size, image.mode)


def image_name(sha256: str, suffix: str) -> str:
    """Where an image lies in the project folder."""
    return f"images/{sha256[:2]}/{sha256}{suffix}"


def pairs(rows: Iterable[Any]) -> dict[Any, Any]:
    """Rows of two columns as a dict."""
    return {key: value for key, value in rows}  # noqa: C416  (rows are no plain tuples to a type checker)


def keep_image(project: Project, facts: ImageFacts, data: bytes, *, lasting: bool = True) -> None:
    """Copy an image into the project, unless it is there (whole) already. Any thread may call. Without `lasting`, `make_last`
    before a row names it."""
    target = project.path(image_name(facts.sha256, facts.suffix))
    if not target.is_file() or target.stat().st_size != len(data):
        write_file(project, target, data, lasting=lasting)


def write_file(project: Project, target: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write a file of an open project as a whole; `lasting` as in `paths.new_file`. Raises `ProjectError`, also when the project
    isn't there any more."""
    project.require_writable()
    with project.plain_errors():
        target.parent.mkdir(exist_ok=True)
        paths.write_atomic(target, data, parents=False, lasting=lasting)


def find_image(project: Project, sha256: str, suffix: str) -> tuple[Path, bool]:
    """(where a kept image lies, whether it is missing). A name that leaves the folder and a link count as missing."""
    try:
        path = project.path(image_name(sha256, suffix))
    except ProjectError:
        return project.folder / "images" / "missing", True
    return path, not path.is_file()


class KeptFiles:
    """Where the image and the map of a result lie; looked up when first asked, as most of a million rows never are.

    `path`: the project's own copy of the image (None when it could not be read), and whether it is `missing`.
    `map_path`: float16 NPY, or None.
    """

    def __init__(
        self, project: Project, sha256: str | None, suffix: str | None, map_name: str | None
    ) -> None:
        self._project, self._sha256, self._suffix, self._map_name = project, sha256, suffix, map_name

    def look_up(self) -> None:
        """Now rather than when asked: for rows that are shown where nothing may wait for a drive."""
        _ = self._image, self.map_path

    @property
    def path(self) -> Path | None:
        """The image, as `missing` says; None where none was kept."""
        return self._image[0]

    @property
    def missing(self) -> bool:
        """Whether the image should be there and is not."""
        return self._image[1]

    @cached_property
    def map_path(self) -> Path | None:
        """The anomaly map; None where there is none."""
        name = self._map_name
        if not name:
            return None
        try:
            if re.fullmatch(rf"maps/\d+/{re.escape(self._sha256 or '')}(-[0-9a-f]{{8}})?\.npy", name):
                return self._project.path(name)
            _log.warning("a map is not used: %r is another image's", name)
        except ProjectError as error:  # damage in one row: the others go on
            _log.warning("a map is not used: %s", error.message)
        return None

    @cached_property
    def _image(self) -> tuple[Path | None, bool]:
        if not self._sha256:
            return None, False
        return find_image(self._project, self._sha256, self._suffix or "")


def image_ids(session: Session, wanted: Sequence[ImageFacts]) -> dict[str, int]:
    """sha256 → row id; new images get a row."""
    facts = {item.sha256: item for item in wanted}
    known: dict[str, int] = pairs(
        session.execute(
            select(t.StoredImage.sha256, t.StoredImage.id).where(t.StoredImage.sha256.in_(facts))
        ).all()
    )
    fresh = [
        t.StoredImage(sha256=key, suffix=item.suffix, width=item.size[0], height=item.size[1], mode=item.mode)
        for key, item in facts.items()
        if key not in known
    ]
    session.add_all(fresh)
    session.flush()
    return known | {row.sha256: row.id for row in fresh}


def _suffix(data: bytes) -> str:
    for start, suffix in ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"BM", ".bmp"), (b"RIFF", ".webp")):
        if data.startswith(start):
            return suffix
    return ".tiff"


def as_stored(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """An anomaly map (h, w) with the precision in which it is kept; what isn't finite stays so."""
    rounded = np.clip(values, -65504, 65504).astype(np.float16).astype(np.float32)
    return np.where(np.isfinite(values), rounded, values)


def keep_map(project: Project, run_id: int, sha256: str, values: NDArray[np.float32]) -> str:
    """Store the anomaly map (h, w) of an image in a run; its name inside the project, which ends in the file's CRC-32. Before a
    row names it, `make_last`."""
    buffer = BytesIO()
    np.save(buffer, as_stored(values).astype(np.float16), allow_pickle=False)
    data = buffer.getvalue()
    name = f"maps/{run_id}/{sha256}-{zlib.crc32(data):08x}.npy"
    write_file(project, project.path(name), data, lasting=False)
    return name


def make_last(project: Project, names: Sequence[str]) -> None:
    """Make files of the project, and their names, last through a power cut: many together wait for the drive about as long as
    one alone. One that somebody took away is left out."""
    with project.plain_errors():
        places = [project.path(name) for name in names]
        folders = dict.fromkeys(folder for place in places for folder in (place.parent, place.parent.parent))
        for place in (*places, *folders):
            with suppress(FileNotFoundError):
                paths.sync(place)


def read_map(path: Path) -> NDArray[np.float32]:
    """A stored anomaly map, float32 (map_h, map_w). Raises OSError, and ValueError for a damaged one.

    What the file says about its shape is believed only where it has as many values; maps of earlier versions have no
    checksum in their name.
    """
    head = np.lib.format
    try:
        with path.open("rb") as file:
            read = {1: head.read_array_header_1_0, 2: head.read_array_header_2_0}[head.read_magic(file)[0]]
            shape, _, kind = read(file)
            told = math.prod(shape)
            if len(shape) != 2 or kind.kind != "f" or not 0 < told <= MAX_PIXELS:
                raise ValueError("no map")
            if path.stat().st_size != file.tell() + told * kind.itemsize:
                raise ValueError("of another size")
            file.seek(0)
            data = file.read()
        crc = re.search(r"-([0-9a-f]{8})\.npy$", path.name)
        if crc and zlib.crc32(data) != int(crc[1], 16):
            raise ValueError("changed")
        values = np.load(BytesIO(data), allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # whatever a foreign head provokes
        raise ValueError("no map") from error
    if not np.isfinite(values).all():
        raise ValueError("not finite")
    return np.asarray(values, np.float32)

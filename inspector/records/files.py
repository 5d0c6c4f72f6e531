"""Files of a project: kept images and maps, by content hash."""

import logging
import math
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from inspector import paths
from inspector.domain import Image
from inspector.errors import ProjectError, ProjectFullError
from inspector.images.read import MAX_PIXELS
from inspector.records import schema as t
from inspector.records.disk import spare
from inspector.records.names import moment
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


def thumbnail_name(sha256: str) -> str:
    """Where what is left of an image lies, once its file was let go."""
    return f"thumbnails/{sha256[:2]}/{sha256}.jpg"


def let_go_words(when: datetime) -> str:
    """Why a kept image isn't there any more, in a sentence."""
    return f"The image was let go by the station's rule on {moment(when)}; its thumbnail remains."


def is_kept() -> ColumnElement[bool]:
    """A condition on results: each has an image that nobody let go."""
    return exists().where(t.StoredImage.id == t.Result.image_id, t.StoredImage.let_go.is_(None))


def pairs(rows: Iterable[Any]) -> dict[Any, Any]:
    """Rows of two columns as a dict."""
    return {key: value for key, value in rows}  # noqa: C416  (rows are no plain tuples to a type checker)


def keep_image(project: Project, facts: ImageFacts, data: bytes, *, lasting: bool = True) -> None:
    """Copy an image into the project, unless it is there (whole) already. Any thread may call. Without `lasting`, `make_last`
    before a row names it.

    Never a hard link, though it would spare the room: who writes a file anew in its place would change what was judged with it.
    """
    target = project.path(image_name(facts.sha256, facts.suffix))
    if not target.is_file() or target.stat().st_size != len(data):
        write_file(project, target, data, lasting=lasting)
    else:
        with suppress(OSError):  # wanted anew: a station's rule lets nothing go that was touched just now
            os.utime(target)


def write_file(project: Project, target: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write a file of an open project as a whole; `lasting` as in `paths.new_file`. Raises `ProjectError`, also when the project
    isn't there any more, and where what is left of the drive is held back for rows."""
    project.require_writable()
    if spare.is_short(project.folder):
        raise ProjectFullError(
            f"The disk with {project.folder} is full, so no image or map is kept.",
            "Free some space and try again.",
        )
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

    `path`: the project's own copy of the image (None when it could not be read, or was `let_go` then), and whether it is
    `missing`. `thumbnail`: what remains of one that was let go. `map_path`: float16 NPY, or None.
    """

    def __init__(
        self,
        project: Project,
        sha256: str | None,
        suffix: str | None,
        map_name: str | None,
        let_go: datetime | None = None,
    ) -> None:
        self._project, self._sha256, self._suffix, self._map_name = project, sha256, suffix, map_name
        self.let_go = let_go

    def look_up(self) -> None:
        """Now rather than when asked: for rows that are shown where nothing may wait for a drive."""
        _ = self._image, self.map_path, self.thumbnail

    @property
    def trouble(self) -> str:
        """Why there is no image though there was one, in a sentence; "" where nobody let it go."""
        return let_go_words(self.let_go) if self.let_go else ""

    @cached_property
    def thumbnail(self) -> Path | None:
        """The small picture that remains of an image that was let go, JPEG; None for every other."""
        if not self._sha256 or self.let_go is None:
            return None
        try:
            return self._project.path(thumbnail_name(self._sha256))
        except ProjectError:
            return None

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
        if not self._sha256 or self.let_go is not None:
            return None, False
        return find_image(self._project, self._sha256, self._suffix or "")


def image_ids(project: Project, session: Session, wanted: Sequence[ImageFacts]) -> dict[str, int]:
    """sha256 → row id; new images get a row. `project`: one that was let go and is kept anew is no longer let go."""
    facts = {item.sha256: item for item in wanted}
    stored = session.execute(
        select(t.StoredImage.sha256, t.StoredImage.id, t.StoredImage.let_go).where(
            t.StoredImage.sha256.in_(facts)
        )
    ).all()
    known: dict[str, int] = {sha256: key for sha256, key, _ in stored}
    back = [
        known[sha256]
        for sha256, _, gone in stored
        if gone is not None and find_image(project, sha256, facts[sha256].suffix)[1] is False
    ]
    if back:
        session.execute(update(t.StoredImage).where(t.StoredImage.id.in_(back)).values(let_go=None))
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
    """Store the anomaly map (h, w) of an image in a run, unless it is there already; its name inside the project, which ends in the
    file's CRC-32. Before a row names it, `make_last`."""
    buffer = BytesIO()
    np.save(buffer, as_stored(values).astype(np.float16), allow_pickle=False)
    data = buffer.getvalue()
    name = f"maps/{run_id}/{sha256}-{zlib.crc32(data):08x}.npy"
    target = project.path(name)
    if not target.is_file() or target.stat().st_size != len(data):
        write_file(project, target, data, lasting=False)
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

"""The file that carries a detector: a zip whose every member is named, with its size and sha256, by a manifest, and nothing else.

Members are `content.json`, `detector/detector.json`, `detector/detector.safetensors` and `images/<sha256><suffix>`; there is no pickle
and no program in it. Images and learned values are stored as they are, so that nothing in it grows when it is read; only JSON is
packed, and read up to a limit.

The manifest holds a sha256 of itself: the file's fingerprint. That shows damage, and who has the fingerprint by another way (on the
phone, on paper) can tell that no byte is another than when it was made. It doesn't show who made the file: whoever changes it on
purpose can make the checksums anew, and has another fingerprint then.
"""

import errno
import hashlib
import json
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from inspector.errors import HandOverError
from inspector.images.read import MAX_BYTES

SUFFIX = ".inspector"
FORMAT = 1
MANIFEST, CONTENT = "manifest.json", "content.json"
DETECTOR = "detector"
_NAME = re.compile(
    r"content\.json|detector/detector\.(json|safetensors)|images/[0-9a-f]{64}\.(png|jpg|bmp|webp|tiff)"
)
_MOST_MEMBERS = 20_000
_MOST_JSON = 64 << 20
_MOST_SAID = 16 << 20
"""Bytes of the manifest and of the content: read as a whole, JSON takes some twenty times as much."""
_MOST_TENSORS = 8 << 30
_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_AGAIN = "Ask for the file again; it is to be made by “Hand over…”."
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(target: Path, members: Mapping[str, bytes | Path]) -> str:
    """Write the file; its fingerprint. `members`: name → content, or the file that holds it. Raises OSError, and `HandOverError` for an
    image that is another than its name says."""
    said: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, source in members.items():
            said[name] = _put(archive, name, source)
            if name.startswith("images/") and not name[7:].startswith(said[name]["sha256"]):
                raise HandOverError(
                    f"The image {name[7:19]}… was changed inside the project folder, so the detector can't be handed over.",
                    "Put it back from your own backup, or remove the part and teach again.",
                )
        manifest = {
            "format": FORMAT,
            "program": f"Inspector {version('inspector')}",
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "members": said,
        }
        manifest["sha256"] = _digest(manifest)
        _put(archive, MANIFEST, json.dumps(manifest, ensure_ascii=False).encode())
    return str(manifest["sha256"])


def _put(archive: zipfile.ZipFile, name: str, source: bytes | Path) -> dict[str, Any]:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
    digest, size = hashlib.sha256(), 0
    large = isinstance(source, Path) and source.stat().st_size > 1 << 31
    with archive.open(info, "w", force_zip64=large) as into:
        if isinstance(source, bytes):
            into.write(source)
            return {"sha256": hashlib.sha256(source).hexdigest(), "size": len(source)}
        with source.open("rb") as file:
            while piece := file.read(_CHUNK):
                into.write(piece)
                digest.update(piece)
                size += len(piece)
    return {"sha256": digest.hexdigest(), "size": size}


def unpack(source: Path, folder: Path) -> tuple[dict[str, Any], str]:
    """Put what the file holds into an empty folder, each byte compared with what the manifest says: (content, fingerprint). Raises
    `HandOverError` with one sentence for a file that is none, damaged, changed, of a newer version or larger than any."""
    return _read(source, folder)


def look(source: Path) -> tuple[dict[str, Any], str]:
    """(content, fingerprint), without images and learned values. Raises as `unpack`."""
    return _read(source, None)


def _read(source: Path, folder: Path | None) -> tuple[dict[str, Any], str]:
    name = source.name
    try:
        with zipfile.ZipFile(source) as archive:
            members = _members(archive, source)
            manifest = _manifest(archive, members, name)
            said = manifest["members"]
            if folder is not None:
                _check_room(folder, sum(one["size"] for one in said.values()))
            content = b""
            for member, about in said.items():
                if member == CONTENT or folder is not None:
                    content = _copy(archive, members[member], about, folder, name) or content
            return json.loads(content), str(manifest["sha256"])
    except HandOverError:
        raise
    except FileNotFoundError:
        raise HandOverError(f"There is no file “{name}”.", "Choose another one.") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError) as error:
        if not _begins_like_a_zip(source):
            raise HandOverError(
                f"“{name}” carries no detector: it is another kind of file.",
                f"Choose a file that “Hand over…” made; it ends in {SUFFIX}.",
            ) from error
        raise _damaged(name) from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise _damaged(name) from error
    except OSError as error:
        if error.errno in _FULL:
            raise HandOverError(
                "There is no room for what the file holds.", "Free some space and try again."
            ) from error
        if folder is not None and getattr(error, "filename", None) is None:
            raise _damaged(name) from error  # a place in the file that it doesn't have
        raise HandOverError(
            f"“{name}” can't be read: {error.strerror or error}.", "Check the drive and your rights."
        ) from error


def _members(archive: zipfile.ZipFile, source: Path) -> dict[str, zipfile.ZipInfo]:
    """What is in it, by name; what no such file has is refused before a byte is read."""
    infos = archive.infolist()
    found = {one.filename: one for one in infos}
    stored = sum(one.compress_size for one in infos)
    if len(infos) > _MOST_MEMBERS or len(found) < len(infos) or stored > source.stat().st_size:
        raise _damaged(source.name)
    for name, one in found.items():
        packed = one.compress_type == zipfile.ZIP_DEFLATED and name.endswith(".json")
        plain = one.compress_type == zipfile.ZIP_STORED and one.compress_size == one.file_size
        if one.flag_bits & 0x1 or not (packed or plain) or one.file_size > _limit(name):
            raise _damaged(source.name)
    return found


def _limit(name: str) -> int:
    if name in (MANIFEST, CONTENT):
        return _MOST_SAID
    if name.endswith(".json"):
        return _MOST_JSON
    return _MOST_TENSORS if name.endswith(".safetensors") else MAX_BYTES


def _manifest(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str) -> dict[str, Any]:
    if MANIFEST not in members:
        raise HandOverError(
            f"“{name}” carries no detector: it is an archive of something else.",
            f"Choose a file that “Hand over…” made; it ends in {SUFFIX}.",
        )
    with archive.open(members[MANIFEST]) as file:
        manifest = json.loads(_bounded(file.read(_MOST_SAID + 1), name))
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int:
        raise _damaged(name)
    if manifest["format"] > FORMAT:
        raise HandOverError(
            f"“{name}” was made by a newer version of Inspector ({str(manifest.get('program'))[:40]}).",
            "Update Inspector.",
        )
    said = manifest.get("members")
    if manifest.get("sha256") != _digest(manifest) or not isinstance(said, dict):
        raise _damaged(name)
    needed = {CONTENT, f"{DETECTOR}/detector.json", f"{DETECTOR}/detector.safetensors"}
    if {*said, MANIFEST} != members.keys() or not needed <= said.keys():
        raise _damaged(name)
    for member, about in said.items():
        if _NAME.fullmatch(member) is None or about["size"] != members[member].file_size:
            raise _damaged(name)
    return manifest


def _copy(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    about: Mapping[str, Any],
    folder: Path | None,
    name: str,
) -> bytes:
    """Read a member, compare it, and put it in its place; its bytes where it is the content."""
    digest, left, pieces = hashlib.sha256(), about["size"], []
    kept = info.filename == CONTENT
    target = None if folder is None else folder / info.filename
    if target is not None:
        target.parent.mkdir(exist_ok=True)
    with archive.open(info) as file, target.open("wb") if target else BytesIO() as into:
        while piece := file.read(_CHUNK):
            left -= len(piece)
            if left < 0:
                raise _damaged(name)
            digest.update(piece)
            if target is not None:
                into.write(piece)
            if kept:
                pieces.append(piece)
    if left or digest.hexdigest() != about["sha256"]:
        raise _damaged(name)
    return b"".join(pieces)


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > _MOST_SAID:
        raise _damaged(name)
    return data


def _check_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size + (64 << 20):
        raise HandOverError(
            f"There is no room for what the file holds: {size / 1e6:,.0f} MB.",
            "Free some space and try again.",
        )


def _damaged(name: str) -> HandOverError:
    return HandOverError(
        f"“{name}” is damaged, incomplete or was changed since it was made, so nothing was taken over.",
        _AGAIN,
    )


def _begins_like_a_zip(source: Path) -> bool:
    try:
        with source.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False


def _digest(manifest: Mapping[str, Any]) -> str:
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def spoken(fingerprint: str) -> str:
    """A fingerprint as people read it to each other: "3f2a 91c0 77de 0b12"."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, 16, 4))

"""How weights come here, downloaded on order or copied, and whether they still are what came.

A file gets its name only after it was found whole: by a
checksum that was published, or by building its model.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from inspector import paths
from inspector.domain import CancelToken, Progress
from inspector.errors import WeightsError
from inspector.features.weights.catalogue import (
    EMBEDDED,
    RECORD,
    SUFFIXES,
    TOKENIZER_FILES,
    Weights,
    check_activation,
    find,
    image_size_of,
    plain,
    recognise,
    sized,
)
from inspector.features.weights.download import CHUNK, download, sha256_of

ADD_HINT = "Add a copied file on the Weights page (Add a file…)."


def fetch(name: str, progress: Progress | None = None, cancel: CancelToken | None = None) -> Weights:
    """Download on the user's order; goes on where an interrupted download stopped.

    `progress` gets the values "done" and "total" in bytes and "rate" in bytes a second.
    Raises WeightsError (offline, no space, wrong content, already being downloaded), Cancelled.
    """
    name, _ = sized(name)  # a file is the same for all sizes
    entry = find(name)
    progress, cancel = progress or _quiet, cancel or CancelToken()
    if entry.here:
        return entry
    if not entry.url:
        raise WeightsError(f"{entry.name} can't be downloaded.", ADD_HINT)
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        raise WeightsError("HF_HUB_OFFLINE is set, so nothing is downloaded.", f"Unset it, or: {ADD_HINT}")
    entry.folder.mkdir(parents=True, exist_ok=True)
    target = entry.folder / Path(urlsplit(entry.url).path).name
    try:
        with FileLock(entry.folder / ".lock", timeout=0):
            for file, url in entry.extras.items():
                if not (entry.folder / file).exists():
                    _fetch_extra(url, entry.folder / file, cancel)
            got = download(
                entry.url, target, sha256=entry.sha256, size=entry.size, progress=progress, cancel=cancel
            )
            try:
                _check(entry, got.part, built=not got.published, progress=progress)
            except WeightsError:
                got.discard()
                raise
            got.keep(target)
            _write_record(entry, target, got.sha256, entry.url, published=got.published)
    except Timeout as error:
        raise WeightsError(
            f"{entry.name} is being downloaded already.", "Wait until that is done."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{entry.name} can't be kept: {error.strerror}.", f"Free some space, or check {entry.folder}."
        ) from error
    return find(name)


def _quiet(_share: float, _line: str, _values: Mapping[str, float]) -> None:
    pass


def _fetch_extra(url: str, target: Path, cancel: CancelToken) -> None:
    part = download(url, target, progress=_quiet, cancel=cancel).part
    try:
        json.loads(part.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        part.unlink()
        raise WeightsError(
            f"What came for {target.name} is not JSON, so it was deleted.", ADD_HINT
        ) from error
    part.replace(target)


def _check(entry: Weights, file: Path, *, built: bool, progress: Progress = _quiet) -> None:
    from inspector.features.weights import model

    model.refuse_program(file)
    if built:
        size = float(file.stat().st_size)
        progress(1.0, "Building the model to check it", {"done": size, "total": size, "rate": 0.0})
        model.check(entry, file)


def add(path: Path, name: str | None = None, cancel: CancelToken | None = None) -> Weights:
    """Take in a copied weights file, as good as a download: its model is built before it is accepted.

    `name`: a catalogue name or "architecture:tag" (a tag of one's own is allowed for one's own training);
    without it the file must be known by its checksum or by its name. Raises WeightsError, Cancelled.
    """
    from inspector.features.weights.model import refuse_program

    path, cancel = Path(path), cancel or CancelToken()
    if not path.is_file():
        raise WeightsError(f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() not in SUFFIXES:
        raise WeightsError(f"{path.name} is not a weights file.", f"Weights end in {', '.join(SUFFIXES)}.")
    refuse_program(path)
    sha256 = sha256_of(path, cancel)
    entry = _named(sized(name)[0], path) if name else recognise(path, sha256)
    check_activation(entry.architecture, entry.tag, path.name)
    if entry.embedded:
        raise WeightsError(f"{EMBEDDED} is built in.", "Give the file another name.")
    if not sha256.startswith(entry.sha256):
        raise WeightsError(
            f"{path.name} is not the published file of {entry.name} (its sha256 begins with {sha256[:8]}, "
            f"not with {entry.sha256[:8]}).",
            f"Copy it again, or give it a tag of your own: --name {entry.architecture}:MY_TAG",
        )
    _check(entry, path, built=True)
    cancel.check()
    target = entry.folder / path.name
    try:
        if not (target.exists() and target.samefile(path)):
            _copy(path, target, cancel)
        for extra in TOKENIZER_FILES:
            if (path.parent / extra).is_file() and path.parent != entry.folder:
                shutil.copyfile(path.parent / extra, entry.folder / extra)
        if sha256_of(target, cancel) != sha256:
            raise WeightsError(f"{path.name} changed while it was copied.", "Add it again.")
        _write_record(entry, target, sha256, str(path), published=len(entry.sha256) == 64)
    except OSError as error:
        raise WeightsError(f"{path.name} can't be copied: {error.strerror}.", "Free some space.") from error
    return replace(entry, size=target.stat().st_size)


def _copy(source: Path, target: Path, cancel: CancelToken) -> None:
    with paths.new_file(target) as part, source.open("rb") as reader, part.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            cancel.check()
            writer.write(chunk)


def _named(name: str, path: Path) -> Weights:
    architecture, colon, tag = name.partition(":")
    try:
        return find(name)
    except WeightsError:
        import open_clip

        size = image_size_of(architecture) if colon else None
        if size is None or open_clip.get_pretrained_cfg(architecture, tag):
            raise
        check_activation(architecture, tag, path.name)
    if not tag or plain(tag) != tag.lower().replace("_", "").replace("-", ""):
        raise WeightsError(f"{tag!r} can't be a tag.", "Use letters, digits, - and _.") from None
    title, licence = "Added", "unknown"
    return Weights(f"{architecture}-{tag}", architecture, tag, title, licence, size, path.stat().st_size)


def unchanged(entry: Weights, cancel: CancelToken | None = None) -> Path:
    """Read the weights again and hold them against their sha256; returns where they lie.

    Raises WeightsError when they are missing, damaged or changed, Cancelled.
    """
    if entry.embedded:
        from inspector.features import inspector_tiny

        inspector_tiny.lite0_state()
        inspector_tiny.read_state(entry.folder)
        return entry.folder
    file = entry.file
    if file is None and (entry.folder / RECORD).exists():
        raise WeightsError(
            f"What is kept about {entry.name} ({RECORD}) is damaged, or its file is gone.",
            f"Delete the folder {entry.folder} and download or add it again.",
        )
    if file is None:
        raise WeightsError(
            f"{entry.name} is not on this computer.",
            "Download it on the Weights page, or add a copied file there.",
        )
    if sha256_of(file, cancel) != entry.record["sha256"]:
        raise WeightsError(
            f"The weights file {file.name} is damaged or was changed.",
            f"Delete the folder {entry.folder} and download or add it again.",
        )
    return file


def verify(name: str, cancel: CancelToken | None = None) -> Path:
    """`unchanged`, and its model can be built; returns where
    the weights lie. Raises WeightsError, Cancelled."""
    entry = find(name)
    file = unchanged(entry, cancel)
    _check(entry, file, built=True)
    return file


def _write_record(entry: Weights, file: Path, sha256: str, source: str, *, published: bool) -> None:
    record = {
        "architecture": entry.architecture,
        "tag": entry.tag,
        "image_size": entry.image_size,
        "file": file.name,
        "size": file.stat().st_size,
        "sha256": sha256,
        "published": published,
        "source": source,
    }
    paths.write_atomic(entry.folder / RECORD, json.dumps(record, indent=1).encode())

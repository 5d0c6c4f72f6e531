"""One download, on the user's order; nothing else in Inspector opens a connection.

The connection, proxies and TLS are huggingface_hub's. Its own `hf_hub_download`, like pooch, begins again
after every interruption, and takes what a server without a checksum sends; so what is asked for and taken is
decided here.
"""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import get_session

from inspector import paths
from inspector.domain import CancelToken, Progress
from inspector.errors import WeightsError

CHUNK = 1 << 20
ATTEMPTS = 4
"""Connections tried in one order before giving up; each goes on where the last one broke."""
TIMEOUT_S = 20
PATIENCE_S = 2.0
"""Wait before the second attempt, doubled for every further one."""
REDIRECTS = 10
SIZE_TOLERANCE = 0.2
"""Share by which a file's size may differ from what the catalogue says about it."""
LARGEST = 40_000_000_000
"""Bytes; no weights of open_clip have as many."""

AGAIN_HINT = (
    "Check the connection and press Download again, it goes on where it stopped; or copy the file from another computer "
    "and add it on the Weights page (Add a file…)."
)
LATER_HINT = "Try again later, or add a copied file on the Weights page (Add a file…)."


@dataclass(frozen=True, slots=True)
class Downloaded:
    """`part`: the whole file beside its target, which hasn't its name yet. `published`: whether a full
    checksum that was known before (or that the hub states) proves its content."""

    part: Path
    sha256: str
    published: bool

    def keep(self, target: Path) -> None:
        """Give it its name."""
        self.part.replace(target)
        _record_of(self.part).unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete what was downloaded."""
        self.part.unlink(missing_ok=True)
        _record_of(self.part).unlink(missing_ok=True)


def sha256_of(path: Path, cancel: CancelToken | None = None) -> str:
    """Hex digest of a file. Raises WeightsError when it can't be read, Cancelled."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                if cancel is not None:
                    cancel.check()
                digest.update(chunk)
    except OSError as error:
        raise WeightsError(f"The file {path.name} can't be read: {error.strerror}.") from error
    return digest.hexdigest()


def part_of(target: Path) -> Path:
    """Where an unfinished download of `target` lies. Keeps
    the suffix, by which readers tell kinds of weights."""
    return target.with_name(f"{target.stem}.part{target.suffix}")


def _record_of(part: Path) -> Path:
    return part.with_suffix(".json")


def download(
    url: str, target: Path, *, sha256: str = "", size: int = 0, progress: Progress, cancel: CancelToken
) -> Downloaded:
    """Fetch what will be `target` to `part_of(target)`; the caller looks at it and renames it.

    `sha256`: what is expected, or its beginning, or "" (then what the hub states of the file, if it does).
    With one, an interrupted transfer stays and goes on at the next order; without one it begins again, for
    nothing would tell a mix of two files. `size`: bytes, about; 0 unknown. `progress` gets {"done", "total",
    "rate"} in bytes and bytes a second.

    Raises WeightsError (no connection, refused, no space, not a file, of another size or content), Cancelled.
    """
    transfer = _Transfer(url, target, sha256.lower(), size, progress, cancel)
    for attempt in range(ATTEMPTS):
        try:
            transfer.run()
            break
        except _Refused as error:
            raise WeightsError(
                f"{_host(url)} {error} for {target.name}, so it was not taken.", LATER_HINT
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
                raise WeightsError(
                    f"{target.name} can't be written ({_reason(error)}).",
                    "Free some space, or check the folder.",
                ) from error
            if attempt == ATTEMPTS - 1:
                what = (
                    "does not answer properly"
                    if isinstance(error, httpx2.ProtocolError)
                    else "can't be reached"
                )
                raise WeightsError(f"{_host(url)} {what} ({_reason(error)}).", AGAIN_HINT) from error
        _wait(PATIENCE_S * 2**attempt, cancel)
    found = sha256_of(transfer.part, cancel)
    if not found.startswith(transfer.sha256):
        transfer.forget()
        raise WeightsError(
            f"What {_host(url)} sent for {target.name} is not the expected file (sha256 {found[:12]}…, "
            f"expected {transfer.sha256[:12]}…), so it was deleted.",
            LATER_HINT,
        )
    with transfer.part.open("rb+") as file:
        os.fsync(file.fileno())
    return Downloaded(transfer.part, found, published=len(transfer.sha256) == 64)


class _Refused(Exception):
    """What a server sent is not to be had by asking again. Reads on from "example.org …"."""


@dataclass
class _Transfer:
    """The unfinished file, what is known about it, and one connection at a time."""

    url: str
    target: Path
    wanted: str  # the sha256 that is asked for, its beginning, or ""
    size: int
    progress: Progress
    cancel: CancelToken
    part: Path = field(init=False)
    record: Path = field(init=False)
    sha256: str = field(init=False)  # that, or the whole of it once the hub stated it

    def __post_init__(self) -> None:
        self.sha256 = self.wanted
        self.part = part_of(self.target)
        self.record = _record_of(self.part)

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def run(self) -> None:
        self.cancel.check()
        have, total = self._resumable()
        if have and have == total:
            return
        with _opened(self.url, {"Range": f"bytes={have}-"} if have else {}) as (answer, stated):
            if answer.status_code == 416:
                self.forget()
                raise httpx2.RemoteProtocolError("the server has less than was asked for")
            if answer.status_code >= 500 or answer.status_code in (408, 429):
                raise httpx2.NetworkError(f"{answer.status_code} {answer.reason_phrase}")
            if answer.status_code not in (200, 206):
                raise _Refused(f"answered {answer.status_code} {answer.reason_phrase}")
            if stated and stated != self.sha256:
                if not stated.startswith(self.wanted):
                    raise _Refused(f"has another file (sha256 {stated[:12]}…, expected {self.wanted[:12]}…)")
                self.sha256 = stated
                if have:
                    self.forget()
                    raise httpx2.RemoteProtocolError("the server has another file by now")
            start, total = self._extent(answer, have)
            self._check_size(total)
            self.part.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.part.parent).free < total - start:
                raise OSError(errno.ENOSPC, "No space left on device")
            if self.sha256:
                note = {"url": self.url, "sha256": self.sha256, "total": total}
                paths.write_atomic(self.record, json.dumps(note).encode())
            self._receive(answer, start, total)

    def _resumable(self) -> tuple[int, int]:
        """Bytes of the same file that are here, and of the whole."""
        try:
            known = json.loads(self.record.read_text(encoding="utf-8"))
            fits = (
                known["url"] == self.url and bool(known["sha256"]) and known["sha256"].startswith(self.wanted)
            )
            have, total = self.part.stat().st_size if fits else 0, int(known["total"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return 0, 0
        if have:
            self.sha256 = known["sha256"]
        return have, total

    def _extent(self, answer: httpx2.Response, have: int) -> tuple[int, int]:
        """(first byte that is sent, bytes of the whole file)."""
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise _Refused("sent a web page")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _Refused("sent it packed")
        length = answer.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _Refused("did not say how many bytes it sends")
        if answer.status_code == 200:
            return 0, int(length)
        total = have + int(length)
        if not have or answer.headers.get("Content-Range", "") != f"bytes {have}-{total - 1}/{total}":
            self.forget()
            raise httpx2.RemoteProtocolError("the server sent another part than was asked for")
        return have, total

    def _check_size(self, total: int) -> None:
        about = self.size or total
        if not 0 < total <= LARGEST or abs(total - about) > SIZE_TOLERANCE * about:
            expected = f"about {about / 1e6:.0f} MB" if self.size else "some MB"
            raise _Refused(f"offers {total / 1e6:.1f} MB instead of {expected}")

    def _receive(self, answer: httpx2.Response, start: int, total: int) -> None:
        done, began, shown = start, time.monotonic(), 0.0
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            for chunk in answer.iter_raw():
                self.cancel.check()
                file.write(chunk)
                done += len(chunk)
                now = time.monotonic()
                if now - shown > 0.1 or done == total:
                    shown = now
                    rate = (done - start) / max(now - began, 1e-3)
                    line = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB, {rate / 1e6:.1f} MB/s"
                    self.progress(done / total, line, {"done": done, "total": total, "rate": rate})
        if done < total:
            raise httpx2.ReadError(f"the connection broke after {done / 1e6:.0f} of {total / 1e6:.0f} MB")


@contextmanager
def _opened(url: str, headers: dict[str, str]) -> Iterator[tuple[httpx2.Response, str]]:
    """The answer to one question, its body not read yet, and the sha256 that the Hugging Face hub states
    before it sends on. Redirects are followed to the web only, and never from a protected address to an
    unprotected one."""
    session = get_session()
    asked = {"User-Agent": "inspector", "Accept-Encoding": "identity", **headers}
    request = session.build_request("GET", url, headers=asked, timeout=TIMEOUT_S)
    stated = ""
    for _ in range(REDIRECTS):
        answer = session.send(request, stream=True, follow_redirects=False)
        try:
            linked = answer.headers.get("X-Linked-Etag", "").strip('"').lower()
            if len(linked) == 64 and not linked.strip("0123456789abcdef"):
                stated = linked
            following: Any = answer.next_request
            if following is None:
                yield answer, stated
                return
        finally:
            answer.close()
        if following.url.scheme not in ("https", "http"):
            raise _Refused(f"sends on to an address of another kind ({following.url.scheme})")
        if request.url.scheme == "https" and following.url.scheme == "http":
            raise _Refused("sends on to an unprotected address")
        request = following
    raise _Refused("sends on and on")


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]


def _wait(seconds: float, cancel: CancelToken) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        cancel.check()
        time.sleep(0.05)

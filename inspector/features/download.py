"""One resumable download. Called only on the user's order; nothing else in Inspector opens a connection."""

import errno
import hashlib
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from inspector import paths
from inspector.domain import CancelToken, Progress
from inspector.errors import WeightsError

CHUNK = 1 << 20
ATTEMPTS = 4
"""Connections tried in one order before giving up; each goes on where the last one broke."""
TIMEOUT_S = 30
PATIENCE_S = 2.0
"""Wait before the second attempt, doubled for every further one."""

COPY_HINT = (
    "Check the connection and start again, it goes on where it stopped; "
    "or copy the file from another computer and add it: inspector weights add FILE"
)


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


def download(url: str, target: Path, *, sha256: str, progress: Progress, cancel: CancelToken) -> str:
    """Fetch `url` to `target`, atomically; returns the file's sha256.

    An interrupted transfer stays beside the target as `.part` and goes on from there next time, if the server still
    offers the same file. `sha256`: what is expected, or its beginning, or "" (then the hub's own record of the file is
    held against it where the server sends one). `progress` gets {"done", "total", "rate"} in bytes and bytes a second.

    Raises WeightsError (no connection, refused, no space, other content than expected), Cancelled.
    """
    transfer = _Transfer(url, target, progress, cancel)
    for attempt in range(ATTEMPTS):
        try:
            transfer.run()
            break
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # what is here doesn't fit what is there: begin again
                transfer.forget()
            elif error.code < 500 or attempt == ATTEMPTS - 1:
                host, reason = _host(url), f"{error.code} {error.reason}"
                raise WeightsError(f"{host} did not give out {target.name} ({reason}).", COPY_HINT) from error
        except (HTTPException, OSError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
                raise WeightsError(
                    f"{target.name} can't be written ({_reason(error)}).",
                    "Free some space, or check the folder.",
                ) from error
            if attempt == ATTEMPTS - 1:
                raise WeightsError(f"{_host(url)} can't be reached ({_reason(error)}).", COPY_HINT) from error
        _wait(PATIENCE_S * 2**attempt, cancel)
    found = sha256_of(transfer.part, cancel)
    expected = sha256 or transfer.announced_sha256
    if not found.startswith(expected.lower()):
        transfer.forget()
        raise WeightsError(
            f"What {_host(url)} sent for {target.name} is not the expected file (sha256 {found[:12]}…, "
            f"expected {expected[:12]}…), so it was deleted.",
            "Try again later, or add a copied file: inspector weights add FILE",
        )
    with transfer.part.open("rb+") as file:
        os.fsync(file.fileno())
    transfer.part.replace(target)
    transfer.record.unlink(missing_ok=True)
    return found


class _Transfer:
    """The unfinished file, what is known about it, and one connection at a time."""

    def __init__(self, url: str, target: Path, progress: Progress, cancel: CancelToken) -> None:
        self.url, self.progress, self.cancel = url, progress, cancel
        self.part = target.with_name(target.name + ".part")
        self.record = target.with_name(target.name + ".part.json")
        self.announced_sha256 = ""

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def run(self) -> None:
        self.cancel.check()
        known = self._known()
        have = self.part.stat().st_size if known and self.part.exists() else 0
        if have and have == known.get("total"):
            self.announced_sha256 = str(known.get("sha256", ""))
            return
        headers = {"User-Agent": "inspector", "Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(known["version"])}
        redirects = _Redirects()
        opener = urllib.request.build_opener(redirects)
        request = urllib.request.Request(self.url, headers=headers)
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            goes_on = answer.status == 206 and _range_start(answer) == have
            if answer.status == 206 and not goes_on:
                raise HTTPException("the server sent another part than asked for")
            start = have if goes_on else 0
            total = start + int(answer.headers.get("Content-Length") or 0)
            self.announced_sha256 = redirects.linked_sha256 or (
                str(known.get("sha256", "")) if goes_on else ""
            )
            # Without a version a later part could belong to another file, so nothing is kept for resuming.
            version = answer.headers.get("ETag", "") or answer.headers.get("Last-Modified", "")
            self.part.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.part.parent).free < total - start:
                raise OSError(errno.ENOSPC, "No space left on device")
            if version and not version.startswith("W/"):
                note = {"url": self.url, "version": version, "total": total, "sha256": self.announced_sha256}
                paths.write_atomic(self.record, json.dumps(note).encode())
            else:
                self.record.unlink(missing_ok=True)
            self._receive(answer, start, total)

    def _receive(self, answer: HTTPResponse, start: int, total: int) -> None:
        done, began, shown = start, time.monotonic(), 0.0
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            while chunk := answer.read1(CHUNK):
                self.cancel.check()
                file.write(chunk)
                done += len(chunk)
                now = time.monotonic()
                if now - shown > 0.1 or done == total:
                    shown = now
                    rate = (done - start) / max(now - began, 1e-3)
                    self._report(done, total, rate)
        if total and done < total:
            raise HTTPException(f"the connection broke after {done / 1e6:.0f} of {total / 1e6:.0f} MB")

    def _report(self, done: int, total: int, rate: float) -> None:
        of = f" of {total / 1e6:.0f}" if total else ""
        line = f"{done / 1e6:.0f}{of} MB, {rate / 1e6:.1f} MB/s"
        self.progress(done / total if total else 0.0, line, {"done": done, "total": total, "rate": rate})

    def _known(self) -> Mapping[str, Any]:
        try:
            known = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return (
            known if isinstance(known, dict) and known.get("url") == self.url and known.get("version") else {}
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects; the Hugging Face hub names the file's sha256 in the first answer."""

    linked_sha256 = ""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        linked = str(headers.get("X-Linked-Etag", "")).strip('"').lower()
        if len(linked) == 64 and not linked.strip("0123456789abcdef"):
            self.linked_sha256 = linked
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise HTTPException(f"{_host(req.full_url)} redirects to an unprotected address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _range_start(answer: HTTPResponse) -> int:
    _, _, value = answer.headers.get("Content-Range", "").partition("bytes ")
    start = value.partition("-")[0]
    return int(start) if start.isdigit() else -1


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason)


def _wait(seconds: float, cancel: CancelToken) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        cancel.check()
        time.sleep(0.05)

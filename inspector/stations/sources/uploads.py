"""Pictures on their way in a request: never more of them, nor larger ones, than there is room for, and none that never ends."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from inspector.images.read import MAX_BYTES

PATIENCE = 60.0
"""Seconds within which a picture must be there whole, once its sender began."""
ROOM = 2 * MAX_BYTES
"""Bytes of all pictures together that are on their way."""
_FORM = 1 << 16
"""Bytes that a form has beside its picture, at most."""
_TOO_LARGE = "The picture is too large."


class NotTaken(Exception):
    """Why a picture isn't taken: an HTTP status, and a sentence for its sender."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Uploads:
    """Used by the server's loop alone. `most`: how many pictures may be on their way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = self._bytes = 0

    async def receive(self, request: Any) -> tuple[bytes, str]:
        """(bytes, name) of the picture in a Starlette request: its body, or the first file of its form. Raises `NotTaken`."""
        if self._count >= self._most:
            raise NotTaken(503, "Too many pictures are being sent; send this one again.")
        body = _Body(request, self)
        self._count += 1
        try:
            return await asyncio.wait_for(_picture(request, body), PATIENCE)
        except TimeoutError:
            raise NotTaken(408, "The picture did not come in time.") from None
        finally:
            self._count -= 1
            self._bytes -= body.size

    def add(self, count: int) -> None:
        """So many bytes more. Raises `NotTaken`."""
        self._bytes += count
        if self._bytes > ROOM:
            raise NotTaken(503, "Too much is being sent; send this one again.")


class _Body:
    """`size`: bytes of it that came."""

    def __init__(self, request: Any, uploads: Uploads) -> None:
        self._request, self._uploads = request, uploads
        self.size = 0

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """What is sent. Raises `NotTaken` as soon as it is more than a picture may have."""
        from starlette.requests import ClientDisconnect

        if int(self._request.headers.get("content-length") or 0) > MAX_BYTES + _FORM:
            raise NotTaken(413, _TOO_LARGE)
        try:
            async for part in self._request.stream():
                self.size += len(part)
                self._uploads.add(len(part))
                if self.size > MAX_BYTES + _FORM:
                    raise NotTaken(413, _TOO_LARGE)
                yield part
        except ClientDisconnect:
            raise NotTaken(400, "The picture ended too early.") from None


async def _picture(request: Any, body: _Body) -> tuple[bytes, str]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        data = b"".join([part async for part in body.stream()])
        if not data:
            raise NotTaken(400, "There is no picture in the body.")
        return data, ""
    from starlette.formparsers import MultiPartException, MultiPartParser

    # not `request.form`, which takes as much as somebody sends
    parser = MultiPartParser(request.headers, body.stream(), max_files=1, max_fields=16)
    try:
        form = await parser.parse()
    except BaseException as error:
        for file in getattr(parser, "_files_to_close_on_error", ()):
            file.close()
        if not isinstance(error, (MultiPartException, KeyError)):
            raise
        why = getattr(error, "message", "") or "it has no boundary."
        raise NotTaken(400, f"The form can't be read: {why}") from None
    try:
        for one in form.values():
            if not isinstance(one, str):
                return await one.read(), one.filename or ""
    finally:
        await form.close()
    raise NotTaken(400, "There is no file in the form.")

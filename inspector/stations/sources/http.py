"""Pictures that other programs send: `POST /inspect`, answered with the verdict. On this computer alone unless told otherwise."""

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from threading import Condition, Thread
from typing import Any
from urllib.parse import quote

from inspector import installation
from inspector.errors import SettingsError
from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.stations import Value
from inspector.records.names import file_name
from inspector.stations.fields import Field, SourceInfo, is_loopback
from inspector.stations.output import message
from inspector.stations.source import Past, Taken
from inspector.stations.sources.uploads import NotTaken, Uploads

_log = logging.getLogger("inspector.stations")

INFO = SourceInfo(
    "http",
    "Pictures sent by HTTP",
    "Another program sends each picture (POST /inspect) and is answered with its verdict.",
    (
        Field("host", "Address", "text", "127.0.0.1", "127.0.0.1: only programs of this computer."),
        Field("port", "Port", "number", 8642, least=1, most=65535),
        Field(
            "token",
            "Token",
            "secret",
            "",
            "Senders give it as “Authorization: Bearer TOKEN”. Needed where others than this computer may send.",
        ),
        Field("most", "Pictures that may wait", "number", 16, "More are refused.", least=1, most=1000),
        Field("patience", "Wait for a verdict", "number", 30.0, least=1, most=600, unit="s"),
    ),
    "line",
)
_LONGEST = 200
"""Letters of an X-Id."""
_START = 5.0
"""Seconds within which the port must be open."""
_AGAIN = 5.0


@dataclass(eq=False)
class _Sent:
    """A picture, and all who wait for its verdict."""

    taken: Taken
    digest: str
    answers: list["Future[ArrivalRow | None]"] = field(default_factory=list)


class HttpSource:
    """See `Source`. `values`: of `INFO.fields`, checked. Raises `SettingsError`."""

    def __init__(self, values: Mapping[str, Value], past: Past) -> None:
        if not all(find_spec(name) for name in ("fastapi", "uvicorn", "python_multipart")):
            raise SettingsError(
                "Pictures can't be taken by HTTP: what is needed for it isn't installed.",
                installation.add("inspector[line]"),
            )
        self._host, self._port = str(values["host"]), int(values["port"])
        self._token = str(values["token"])
        if not self._token and not is_loopback(self._host):
            raise SettingsError(
                f"Without a token, only programs of this computer may send pictures, and {self._host} is reached by others.",
                "Set a token, or the address 127.0.0.1.",
            )
        self._most, self._patience = int(values["most"]), float(values["patience"])
        self._past = past
        self._queue: deque[_Sent] = deque()
        self._open: dict[str, _Sent] = {}  # by mark, until their verdict is stored
        self._change = Condition()
        self._closed = False
        self._uploads = Uploads(self._most)
        self.state = ""
        self.dropped = 0
        self._server: Any = None
        self._thread: Thread | None = None
        self._tried = -_AGAIN
        self._serve()

    @property
    def waiting(self) -> int:
        """See `Source`."""
        return len(self._queue)

    def take(self, most: int, wait: float) -> Sequence[Taken]:
        """See `Source`."""
        if self._thread is not None and not self._thread.is_alive():
            self._serve()
        with self._change:
            if not self._queue:
                self._change.wait(wait)
            return [self._queue.popleft().taken for _ in range(min(most, len(self._queue)))]

    def done(self, taken: Sequence[Taken]) -> None:
        """See `Source`."""
        said = self._past.arrivals([one.mark for one in taken])
        with self._change:
            judged = [self._open.pop(one.mark, None) for one in taken]
        for one in judged:
            if one is not None:
                _answer(one, said.get(one.taken.mark))

    def trigger(self, job: str = "") -> bool:
        """See `Source`."""
        return False

    def close(self) -> None:
        """See `Source`. Whoever still waits is told to send again."""
        with self._change:
            self._closed = True
            left, self._open = list(self._open.values()), {}
        for one in left:
            _answer(one, None)
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join()

    def _serve(self) -> None:
        """Open the port; where another program holds it, that is the state, and it is tried again."""
        import uvicorn

        if time.monotonic() - self._tried < _AGAIN:
            return
        self._tried = time.monotonic()
        config = uvicorn.Config(
            self._app(),
            self._host,
            self._port,
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        self._server = server = uvicorn.Server(config)

        def run() -> None:
            try:
                server.run()
            except SystemExit:  # how it says that the port is taken
                pass
            except Exception:
                _log.exception("pictures can't be taken by HTTP")

        self._thread = Thread(target=run, name="http", daemon=True)
        self._thread.start()
        until = time.monotonic() + _START
        while not server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        self.state = (
            ""
            if server.started
            else f"No pictures can be taken at {self._host}:{self._port}; another program may use this port."
        )

    def _app(self) -> Any:
        from fastapi import FastAPI, Request

        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

        async def inspect(request: Request) -> Any:
            if (refusal := self._refusal(request.headers)) is not None:
                return _refused(*refusal)
            try:
                data, name = await self._uploads.receive(request)
            except NotTaken as error:
                self.dropped += error.status == 503
                return _busy(error.words) if error.status == 503 else _refused(error.status, error.words)
            return await self._judged(request.headers, data, name)

        inspect.__annotations__["request"] = Request  # imported here, where FastAPI doesn't look
        app.post("/inspect")(inspect)
        return app

    def _refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        given = headers.get("authorization", "").removeprefix("Bearer ").encode()
        if self._token and not hmac.compare_digest(given, self._token.encode()):
            return 401, "The token is wrong or missing."
        if not self._token and "origin" in headers:  # a page in a browser, which may be anybody's
            return 403, "Pages in a browser need a token."
        if len(headers.get("x-id", "")) > _LONGEST:
            return 400, f"An X-Id has at most {_LONGEST} letters."
        return None

    async def _judged(self, headers: Mapping[str, str], data: bytes, name: str) -> Any:
        from fastapi.responses import JSONResponse

        key = _text(headers.get("x-id", ""))
        digest = hashlib.sha256(data).hexdigest()
        mark = f"id {quote(key, safe='')}" if key else f"sent {secrets.token_hex(16)}"
        answer: Future[ArrivalRow | None] = Future()
        arrived = datetime.now(UTC)
        known, judged = await asyncio.to_thread(self._asked_before, mark) if key else (None, None)
        if known is not None:
            return _conflict(key) if judged and judged != digest else JSONResponse(message(known))
        given = _text(headers.get("x-name", "")) or name or key
        name = file_name(given or f"{arrived:%Y-%m-%d %H-%M-%S.%f}")
        with self._change:
            sent = self._open.get(mark)
            if sent is not None and sent.digest != digest:
                return _conflict(key)
            if self._closed or (sent is None and len(self._queue) >= self._most):
                self.dropped += sent is None
                return _busy("Too many pictures wait; send this one again.")
            if sent is None:
                sent = self._open[mark] = _Sent(Taken(mark, name, data, arrived), digest)
                self._queue.append(sent)
                self._change.notify_all()
            sent.answers.append(answer)
        try:
            row = await asyncio.wait_for(asyncio.wrap_future(answer), self._patience)
        except TimeoutError:
            if not key and self._withdrawn(sent):
                return _busy("Pictures wait for too long; send this one again.")
            return _busy("It takes longer than usual; ask again with the same X-Id.")
        if row is None:
            return _busy("The station was stopped before it was judged; send it again.")
        return JSONResponse(message(row))

    def _asked_before(self, mark: str) -> tuple[ArrivalRow | None, str | None]:
        """(what was said under a mark, the content that was judged then)"""
        return self._past.arrivals([mark]).get(mark), self._past.content(mark)

    def _withdrawn(self, sent: _Sent) -> bool:
        """Whether it is no longer to be judged: nobody could ask for its verdict, and its sender sends it again."""
        with self._change:
            if sent not in self._queue:
                return False
            self._queue.remove(sent)
            del self._open[sent.taken.mark]
            self.dropped += 1
            return True


def _text(header: str) -> str:
    """What was sent as UTF-8 and read as Latin-1, as headers are."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _conflict(key: str) -> Any:
    return _refused(
        409,
        f"Another picture was sent with the X-Id “{key}” before; each needs its own. This one was not judged.",
    )


def _refused(status: int, words: str) -> Any:
    from fastapi.responses import JSONResponse

    return JSONResponse({"error": words}, status)


def _busy(words: str) -> Any:
    from fastapi.responses import JSONResponse

    return JSONResponse({"error": words}, 503, {"Retry-After": "1"})


def _answer(sent: _Sent, row: ArrivalRow | None) -> None:
    for one in sent.answers:
        with suppress(InvalidStateError):  # whoever asked has just gone
            one.set_result(row)

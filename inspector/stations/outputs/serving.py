"""What outputs share that are servers: they show each result until its turn is over, to whoever connects.

Whether anybody looked is known only where the receiver says so. So there are two ways to tell: a result is shown at least so long,
then the next one; or it is shown until the receiver has acknowledged it, and the others wait in the project until then.
"""

import asyncio
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from inspector.domain import Decision
from inspector.errors import ExportError
from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.deliveries import count_arrivals
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.outputs.link import Link
from inspector.text import reason

PATIENCE = 5.0
"""Seconds without acknowledgement after which the station says so."""
_STARTING = 20.0
_ANSWERING = 5.0
_ENDING = 0.6

Given = TypeVar("Given")

CODES = {Decision.OK: 1, Decision.NG: 2, Decision.REVIEW: 3, None: 4, Decision.OTHER: 5}
"""The verdict as a number; None: failed, OTHER: not this product."""


class Loop:
    """An asyncio loop on a thread of its own."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(
        self, work: Coroutine[Any, Any, Given], seconds: float, check: Callable[[], None] | None = None
    ) -> Given:
        """Do it there and wait for it, at most so long. Raises what it or `check` raises, else TimeoutError."""
        task = asyncio.run_coroutine_threadsafe(work, self._loop)
        until = time.monotonic() + seconds
        try:
            while not task.done() and time.monotonic() < until:
                with suppress(TimeoutError):
                    task.result(0.1)
                if check is not None:
                    check()
            return task.result(0)
        except BaseException:
            task.cancel()
            raise

    def close(self) -> None:
        """End it and all that still runs there."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ENDING)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_end_tasks())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()


async def _end_tasks() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Server(ABC):
    """An output to which receivers connect. `count`: how many results the station had up to the one that is shown, itself included;
    it is the same whenever a result is shown again."""

    def __init__(self, values: Mapping[str, Value], link: Link, title: str) -> None:
        self._link = link
        self._host, self._port = str(values["host"]), int(values["port"])
        self._acknowledged_only = bool(values["acknowledge"])
        self._shown_for = float(values["shown_for"]) / 1000
        self._title = title
        self._count = self._taken = 0
        self._last = 0
        try:
            socket.create_server((self._host, self._port)).close()
        except (OSError, OverflowError) as error:
            raise self._not_started(error) from error
        self._loop = Loop(title)
        try:
            self._loop.do(self.start(), _STARTING, link.check)
        except BaseException as error:
            self._end()
            if isinstance(error, (OSError, RuntimeError, TimeoutError)):
                raise self._not_started(error) from error
            raise

    @abstractmethod
    async def start(self) -> None:
        """Begin to serve; on the loop, as are the others."""

    @abstractmethod
    async def show(self, arrival: ArrivalRow, count: int) -> None:
        """Show this result instead of the one before."""

    @abstractmethod
    async def acknowledged(self, count: int) -> bool:
        """Whether the receiver took the result with this count."""

    @abstractmethod
    async def stop(self) -> None:
        """End serving, also when `start` failed."""

    def send(self, arrivals: Sequence[ArrivalRow]) -> None:
        """See `Output`."""
        for one in arrivals:
            self._link.check()
            count = self._counted(one)
            self._do(self.show(one, count))
            if self._acknowledged_only:
                self._wait_for(one, count)
            elif self._link.stopping.wait(self._shown_for):
                self._link.check()
            self._taken = one.id
            self._link.taken(one.id)

    def close(self) -> None:
        """See `Output`."""
        self._end()

    def _do(self, work: Coroutine[Any, Any, Given]) -> Given:
        try:
            return self._loop.do(work, _ANSWERING)
        except TimeoutError:
            raise ExportError(f"The {self._title} server hangs.", "It is started anew.") from None

    def _not_started(self, error: Exception) -> ExportError:
        return ExportError(
            f"The {self._title} server can't be started on {self._host}:{self._port} ({reason(error)}).",
            "Choose another port, unless this computer has no such address.",
        )

    def _wait_for(self, arrival: ArrivalRow, count: int) -> None:
        since = time.monotonic()
        said = False
        while not self._do(self.acknowledged(count)):
            self._link.stopping.wait(0.01)
            self._link.check()
            self._link.taken(self._taken)  # those before it are noted, however long this one takes
            if time.monotonic() - since > PATIENCE:
                since, said = time.monotonic(), True
                self._link.say(
                    f"{self._title}: nobody acknowledged result {arrival.id} “{arrival.name}” yet; it is shown until somebody does."
                )
                self._do(self.show(arrival, count))
        if said:
            self._link.say("")

    def _counted(self, arrival: ArrivalRow) -> int:
        """Counts on from the one before, as a station may have a million."""
        project, station = self._link.project, self._link.station.id
        self._count += count_arrivals(project, station, after=self._last, up_to=arrival.id)[0]
        self._last = arrival.id
        return self._count

    def _end(self) -> None:
        try:
            self._loop.do(self.stop(), _ENDING)
        except TimeoutError:
            pass
        finally:
            self._loop.close()


def server_fields(port: int) -> tuple[Field, ...]:
    """The settings that all servers have."""
    return (
        Field(
            "host",
            "Listen on",
            "text",
            "127.0.0.1",
            "127.0.0.1: programs on this computer only; 0.0.0.0: everybody in the network; or one of its addresses.",
        ),
        Field("port", "Port", "number", port, least=1, most=65535),
        Field(
            "acknowledge",
            "Wait for acknowledgement",
            "flag",
            False,
            "The next result comes once the receiver has acknowledged the one that is shown.",
        ),
        Field(
            "shown_for",
            "Show each result at least",
            "number",
            100,
            "Longer than the receiver takes to come by again; not where it acknowledges.",
            least=0,
            most=10000,
            unit="ms",
        ),
    )

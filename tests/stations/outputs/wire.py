"""A wire between a program and a server on this computer, which can be cut and can go dead."""

import selectors
import socket
import threading
from contextlib import suppress


class Wire:
    """Listens on `port` and carries bytes to and from `target`. `cut_after`: so many bytes on, both ends are closed, and again after
    as many; None: never. `dead`: what is sent goes nowhere."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.dead = threading.Event()
        self.cut_after: int | None = None
        self.cuts = 0
        self._carried = 0
        self._ending = threading.Event()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run, name="wire")

    def __enter__(self) -> "Wire":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        with selectors.DefaultSelector() as watched, self._door:
            watched.register(self._door, selectors.EVENT_READ)
            while not self._ending.is_set():
                for key, _ in watched.select(0.02):
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    if end is self._door:
                        self._connect(watched)
                    elif end in self._pairs and not self.dead.is_set():
                        self._carry(watched, end)
                if self.dead.is_set():
                    self._ending.wait(0.02)
            for end in list(self._pairs):
                self._close(watched, end)

    def _connect(self, watched: selectors.BaseSelector) -> None:
        near, _ = self._door.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self._pairs[one] = other
            watched.register(one, selectors.EVENT_READ)

    def _carry(self, watched: selectors.BaseSelector, end: socket.socket) -> None:
        try:
            data = end.recv(4096)
            left = None if self.cut_after is None else self.cut_after - self._carried
            self._carried += len(data)
            if left is not None and left <= len(data):
                self._pairs[end].sendall(data[: max(left, 0)])
                self._carried = 0
                self.cuts += 1
                data = b""
            if data:
                self._pairs[end].sendall(data)
                return
        except OSError:
            pass
        self._close(watched, end)

    def _close(self, watched: selectors.BaseSelector, end: socket.socket) -> None:
        other = self._pairs.pop(end, None)
        for one in (end, other):
            if one is not None:
                self._pairs.pop(one, None)
                with suppress(KeyError, ValueError):
                    watched.unregister(one)
                one.close()

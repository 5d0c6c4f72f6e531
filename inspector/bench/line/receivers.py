"""Whom a measured station tells: a real MQTT broker with a subscriber, and a client of its OPC UA server, which go away and come back."""

import asyncio
import getpass
import json
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Any

from inspector.errors import InspectorError, SettingsError
from inspector.records.line.stations import Part

_STARTING = 30.0
_AWAY = 0.5, 3.0
"""Seconds that one is away, at least and at most."""
_THERE = 1.0, 6.0
"""Seconds between its coming back and its going again."""
_TOPIC = "line/result"


class Receivers:
    """`broker` and `client`: who goes away. `seen`: by output, the ids of arrivals in the order in which they were received, those that
    were received again too. `outages`: by output, how often its receiver was away."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.broker = _Broker(folder)
        self.client = _OpcUaClient(_free_port())
        self._subscriber = _Subscriber(self.broker.port, five=self.broker.five)
        self.seen = {"mqtt": self._subscriber.seen, "opcua": self.client.seen}
        self.outages = {"mqtt": 0, "opcua": 0}
        self._rng = random.Random(seed)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._away_and_back, args=(name, one))
            for name, one in (("mqtt", self.broker), ("opcua", self.client))
        ]

    @property
    def outputs(self) -> tuple[Part, ...]:
        """The outputs of a station that tells both."""
        version = "5" if self.broker.five else "3.1.1"
        return (
            Part(
                "mqtt",
                {"host": "127.0.0.1", "port": self.broker.port, "topic": _TOPIC, "version": version},
                "mqtt",
            ),
            Part("opcua", {"port": self.client.port, "acknowledge": True}, "opcua"),
        )

    def __enter__(self) -> "Receivers":
        self.broker.start()
        self._subscriber.start()
        self.client.start()
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stay()
        self.client.close()
        self._subscriber.close()
        self.broker.stop()

    def stay(self) -> None:
        """Nobody goes away any more."""
        self._stop.set()
        for one in self._threads:
            one.join()

    def wait_for(self, count: int, quiet: float) -> None:
        """Until each received so many, or nobody received anything for `quiet` seconds."""
        before, since = -1, time.monotonic()
        while any(len(set(ids)) < count for ids in self.seen.values()):
            now = sum(len(ids) for ids in self.seen.values())
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since > quiet:
                return
            time.sleep(0.05)

    def compared(self, ids: Sequence[int]) -> dict[str, Any]:
        """`NAME_wrong`: results that a receiver did not get, or not in this order; `NAME_again`: that it got more than once."""
        found: dict[str, Any] = {"outages": dict(self.outages)}
        for name, seen in self.seen.items():
            first = list(dict.fromkeys(seen))
            found[f"{name}_wrong"] = sum(a != b for a, b in zip_longest(first, ids))
            found[f"{name}_again"] = len(seen) - len(first)
        return found

    def _away_and_back(self, name: str, one: "_Broker | _OpcUaClient") -> None:
        while not self._stop.wait(self._rng.uniform(*_THERE)):
            one.stop()
            self.outages[name] += 1
            self._stop.wait(self._rng.uniform(*_AWAY))
            one.start()


class _Broker:
    """Mosquitto where it is installed, else amqtt. It keeps what it took while it is away."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        self.five = mosquitto is not None
        file, kept = folder / "broker.conf", folder / "broker"
        kept.mkdir()
        if mosquitto:
            lines = (
                f"user {getpass.getuser()}",  # else, run by root, it becomes somebody who can't write the folder
                f"listener {self.port} 127.0.0.1",
                "allow_anonymous true",
                "persistence true",
                f"persistence_location {kept}/",
                "max_queued_messages 0",
            )
            file.write_text("\n".join(lines))
            self._command = [mosquitto, "-c", str(file)]
        elif find_spec("amqtt") is not None:
            door = f"{{default: {{type: tcp, bind: '127.0.0.1:{self.port}'}}}}"
            anybody = "{amqtt.plugins.authentication.AnonymousAuthPlugin: {allow_anonymous: true}}"
            file.write_text(f"listeners: {door}\nplugins: {anybody}\n")
            code = "from amqtt.scripts.broker_script import main; main()"
            self._command = [sys.executable, "-c", code, "-c", str(file)]
        else:
            raise SettingsError(
                "There is no MQTT broker here.", "Install mosquitto, or run: pip install amqtt"
            )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it answers. Raises InspectorError."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + _STARTING
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise InspectorError("The MQTT broker does not start.", "Start it by hand to see why.")

    def stop(self) -> None:
        """As a computer is shut down; connections break."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


class _Subscriber:
    """Comes back by itself, with a session that the broker keeps."""

    def __init__(self, port: int, *, five: bool) -> None:
        self.seen: list[int] = []
        self._port, self._five = port, five
        self._client: Any = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="subscriber")

    def start(self) -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        version = MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311
        clean = None if self._five else False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="receiver", protocol=version, clean_session=clean
        )
        ready = threading.Event()
        self._client.on_connect = lambda *_: self._client.subscribe(_TOPIC, qos=1)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _c, _d, told: self.seen.append(json.loads(told.payload)["id"])
        self._thread.start()
        if not ready.wait(_STARTING):
            raise InspectorError("The MQTT broker takes no subscriber.", "Start it by hand to see why.")

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        more: dict[str, Any] = {}
        if self._five:
            more = {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
            more["properties"].SessionExpiryInterval = 3600
        while not self._stop.is_set():
            try:
                self._client.connect("127.0.0.1", self._port, keepalive=20, **more)
                while not self._stop.is_set() and not self._client.loop(0.05):
                    pass
            except OSError:
                pass
            self._stop.wait(0.05)
        self._client.disconnect()
        if (left := self._client.socket()) is not None:
            left.close()


class _OpcUaClient:
    """A controller that takes each result and acknowledges it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: list[int] = []
        self._there, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="controller")

    def start(self) -> None:
        self._there.set()
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        self._there.clear()

    def close(self) -> None:
        self._there.clear()
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    async def _run(self) -> None:
        import logging

        from asyncua import Client, ua

        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # the server is killed under it
        while not self._end.is_set():
            if not self._there.is_set() or not _answers(self.port):
                await asyncio.sleep(0.05)
                continue
            with suppress(OSError, TimeoutError, ua.UaError, asyncio.CancelledError, ConnectionError):
                async with Client(f"opc.tcp://127.0.0.1:{self.port}/inspector", timeout=5) as client:
                    await self._take(client, ua)

    async def _take(self, client: Any, ua: Any) -> None:
        space = await client.get_namespace_index("urn:inspector:line")
        names = ("Result.Counter", "Result.ResultId", "Acknowledged")
        counter, result, acknowledged = (client.get_node(f"ns={space};s={name}") for name in names)
        last = 0
        while self._there.is_set():
            now, shown = await client.read_values([counter, result])
            if now == last:
                await asyncio.sleep(0.005)
                continue
            self.seen.append(int(shown))
            await acknowledged.write_value(now, ua.VariantType.UInt32)
            last = now


@contextmanager
def receiving(folder: Path, seed: int, wanted: bool) -> Iterator[Receivers | None]:
    """None where they aren't `wanted`."""
    if not wanted:
        yield None
        return
    for module in ("paho", "asyncua"):
        if find_spec(module) is None:
            raise SettingsError("MQTT and OPC UA aren't installed.", 'Run: pip install "inspector[line]"')
    with Receivers(folder, seed) as found:
        yield found


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

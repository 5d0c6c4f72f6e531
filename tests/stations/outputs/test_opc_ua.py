"""Results at the OPC UA server, read by a real client."""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stations.outputs.arriving_parts import EVERY, WORDS, Line, wait_for

from inspector.records.line.deliveries import told_up_to
from inspector.records.line.stations import Part, StationRow, Value
from inspector.stations.fields import checked
from inspector.stations.outputs import serving
from inspector.stations.outputs.catalogue import find_output
from inspector.stations.sending import Sending

asyncua = pytest.importorskip("asyncua")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving_station(line: Line, port: int, **values: Value) -> Iterator[tuple[StationRow, Sending]]:
    part = Part("opcua", {"port": port, "shown_for": 0, **values}, "a")
    station = line.station(part)
    with Sending(line.project, station, pauses=(0.02, 0.1)) as sending:
        wait_for(lambda: _answers(port), 30)
        yield station, sending


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Seen:
    """What a subscription got."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.events.append(event)


Act = Callable[[Any, Any], Coroutine[Any, Any, Any]]


def as_client(port: int, act: Act, user: str = "", password: str = "") -> Any:
    """`act(client, node)` by a client that connects and goes; `node(name)`: of our namespace."""

    async def run() -> Any:
        client = asyncua.Client(f"opc.tcp://127.0.0.1:{port}/inspector")
        if user:
            client.set_user(user)
            client.set_password(password)
        async with client:
            space = await client.get_namespace_index("urn:inspector:line")
            return await act(client, lambda name: client.get_node(f"ns={space};s={name}"))

    return asyncio.run(run())


def as_encrypted_client(port: int, act: Act, folder: Path, user: str = "", password: str = "") -> Any:
    """`as_client` with a certificate of its own."""
    from asyncua.crypto.cert_gen import setup_self_signed_certificate
    from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
    from cryptography.x509.oid import ExtendedKeyUsageOID

    async def run() -> Any:
        key, certificate = folder / "client.pem", folder / "client.der"
        await setup_self_signed_certificate(
            key, certificate, "urn:plc", "localhost", [ExtendedKeyUsageOID.CLIENT_AUTH], {"commonName": "PLC"}
        )
        client = asyncua.Client(f"opc.tcp://127.0.0.1:{port}/inspector")
        client.application_uri = "urn:plc"
        if user:
            client.set_user(user)
            client.set_password(password)
        await client.set_security(SecurityPolicyBasic256Sha256, str(certificate), str(key))
        async with client:
            space = await client.get_namespace_index("urn:inspector:line")
            return await act(client, lambda name: client.get_node(f"ns={space};s={name}"))

    return asyncio.run(run())


async def subscribed(client: Any, node: Any, seen: Seen) -> Any:
    types = client.get_node(asyncua.ua.ObjectIds.BaseEventType)
    (kind,) = [
        one
        for one in await types.get_children()
        if (await one.read_browse_name()).Name == "ResultReadyEventType"
    ]
    subscription = await client.create_subscription(20, seen)
    await subscription.subscribe_events(node("VisionSystem"), kind)
    return subscription


async def until(done: Callable[[], object]) -> None:
    for _ in range(1500):
        if done():
            return
        await asyncio.sleep(0.01)
    pytest.fail("waited in vain")


def test_a_client_sees_each_result_in_order_also_of_many_at_once_and_asks_for_what_it_missed(
    line: Line, port: int
) -> None:
    with serving_station(line, port) as (station, sending):

        async def act(client: Any, node: Any) -> None:
            seen = Seen()
            subscription = await subscribed(client, node, seen)
            ids = line.judge(station, EVERY * 12)
            sending.note()
            await until(lambda: len(seen.events) == len(ids))
            assert [one.ResultId for one in seen.events] == [*map(str, ids)]
            assert [one.Counter for one in seen.events] == [*range(1, len(ids) + 1)]
            assert [one.Verdict for one in seen.events[:5]] == ["ok", "ng", "review", "failed", "other"]
            assert [one.VerdictCode for one in seen.events[:5]] == [1, 2, 3, 4, 5]
            assert [one.ResultState for one in seen.events[:4]] == [1, 1, 1, 4]
            assert seen.events[1].PartId == "part 2.png"
            assert seen.events[1].JobId == str(line.run_id)
            assert seen.events[1].Score == pytest.approx(0.900002)
            assert await node("Ready").read_value() is True
            assert await node("Result.Counter").read_value() == len(ids)
            assert await node("Result.Verdict").read_value() == "other"
            with pytest.raises(asyncua.ua.UaStatusCodeError):
                await node("Result.Verdict").write_value("ok")
            await subscription.delete()

        as_client(port, act)
        assert sending.states == {"a": ""}

        # gone, and back when more came
        ids = line.judge(station) + line.judge(station)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})

        async def asks(_: Any, node: Any) -> list[list[str]]:
            call = node("ResultManagement").call_method
            unsigned = asyncua.ua.VariantType.UInt32
            return [
                await call(node("GetResults"), *(asyncua.ua.Variant(one, unsigned) for one in pair))
                for pair in [(0, 0), (60, 0), (64, 1), (64, 50), (66, 9)]
            ]

        all_of_them, *pieces = as_client(port, asks)
        assert [json.loads(text)["counter"] for text in all_of_them] == [*range(1, 67)]
        told = [[json.loads(text)["id"] for text in piece] for piece in pieces]
        assert told == [ids, ids[4:5], ids[4:], []]
    assert not _answers(port)


@pytest.mark.timeout(60)
def test_results_wait_for_a_client_that_acknowledges_and_went_away_meanwhile(
    line: Line, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.2)
    with serving_station(line, port, acknowledge=True) as (station, sending):
        ids = line.judge(station, WORDS * 2)
        sending.note()
        took: list[str] = []

        def takes(several: int, by_method: bool) -> Act:
            async def act(client: Any, node: Any) -> None:
                counter = 0
                for _ in range(several):
                    while (now := await node("Result.Counter").read_value()) == counter:
                        await asyncio.sleep(0.005)
                    counter = now
                    took.append(await node("Result.ResultId").read_value())
                    if by_method:
                        await node("ResultManagement").call_method(node("AcknowledgeResults"), [took[-1]])
                    else:
                        await node("Acknowledged").write_value(counter, asyncua.ua.VariantType.UInt32)

            return act

        as_client(port, takes(2, by_method=False))
        wait_for(lambda: f"nobody acknowledged result {ids[2]}" in sending.states["a"])
        assert sending.behind == {"a": 4}
        wait_for(lambda: told_up_to(line.project, station.id, "a") == ids[1])
        as_client(port, takes(4, by_method=True))
        wait_for(lambda: sending.behind == {"a": 0})
        assert sending.states == {"a": ""}
        assert took == [*map(str, ids)]


def test_a_taken_port_is_a_state_that_passes_and_an_encrypted_server_answers_nobody_else(
    line: Line, port: int, tmp_path: Path
) -> None:
    async def reads(client: Any, node: Any) -> Any:
        return await node("Station").read_value()

    values = {"port": port, "encrypted": True, "user": "plc", "password": "grün"}
    station = line.station(Part("opcua", values, "a"))
    blocker = socket.create_server(("127.0.0.1", port))
    with Sending(line.project, station, pauses=(0.02, 0.1)) as sending:
        wait_for(lambda: f"can't be started on 127.0.0.1:{port}" in sending.states["a"])
        blocker.close()
        wait_for(lambda: not sending.states["a"], 30)
        assert as_encrypted_client(port, reads, tmp_path, "plc", "grün") == "Press 3"
        with pytest.raises(asyncua.ua.UaError):
            as_encrypted_client(port, reads, tmp_path, "plc", "blau")
        with pytest.raises(asyncua.ua.UaError):
            as_client(port, reads, "plc", "grün")
    key = tmp_path / "home" / "config" / "opcua" / "key.pem"
    assert key.stat().st_mode & 0o077 == 0


def test_only_clients_whose_certificates_the_station_names_may_connect(
    line: Line, port: int, tmp_path: Path, template: Path
) -> None:
    async def reads(client: Any, node: Any) -> Any:
        return await node("Station").read_value()

    for name in ("plc", "guest"):
        (tmp_path / name).mkdir()
    with serving_station(line, port, encrypted=True) as (station, _):  # as long as none is named, any does
        for name in ("plc", "guest"):
            assert as_encrypted_client(port, reads, tmp_path / name) == station.name
    trusted = tmp_path / "trusted.pem"
    pems = [ssl.DER_cert_to_PEM_cert((tmp_path / "plc" / "client.der").read_bytes()) for _ in range(2)]
    trusted.write_text("".join(pems))
    other = Line(tmp_path / "other", template)
    with (
        other.project,
        serving_station(other, port, encrypted=True, trusted=str(trusted)) as (station, sending),
    ):
        assert as_encrypted_client(port, reads, tmp_path / "plc") == station.name
        with pytest.raises(asyncua.ua.UaError):
            as_encrypted_client(port, reads, tmp_path / "guest")
        assert sending.states == {"a": ""}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"host": "127.0.0.1"}, ""),
        ({"host": "0.0.0.0"}, "Anybody in the network can read"),
        ({"host": "0.0.0.0", "user": "plc", "password": "x"}, "isn't encrypted"),
        ({"host": "0.0.0.0", "encrypted": True}, "any certificate is accepted: anybody"),
        ({"host": "0.0.0.0", "encrypted": True, "user": "plc"}, "Any certificate is accepted; only user"),
        ({"host": "0.0.0.0", "encrypted": True, "trusted": "a.pem"}, ""),
    ],
)
def test_what_is_open_to_others_is_said(values: dict[str, Value], said: str) -> None:
    info = find_output("opcua")
    assert said in info.exposed(checked(info.fields, values))
    assert bool(said) == bool(info.exposed(checked(info.fields, values)))


def test_certificates_that_cannot_be_asked_for_or_read_are_a_state(
    line: Line, port: int, tmp_path: Path
) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    for values, words in (({"encrypted": False}, "only asked for"), ({"encrypted": True}, "can't be read")):
        part = Part("opcua", {"port": port, "trusted": str(tmp_path / "no.pem"), **values}, "a")
        station = line.station(part, name=words)
        with Sending(line.project, station, pauses=(0.02, 0.1)) as sending:
            wait_for(lambda sending=sending, words=words: words in sending.states["a"])

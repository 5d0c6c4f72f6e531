"""Pictures that others ask for: a message at a real broker, a call or a written node at the station's own OPC UA server."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stations.outputs.broker import MOSQUITTO, Broker
from stations.sources.opened_sources import opened, until, wait_for
from stations.sources.streams import Stream
from stations.station_runs import Running, arrivals, station

from inspector.errors import SettingsError
from inspector.records.line.stations import Part, StationSettings, add_station
from inspector.records.project import Project
from inspector.stations.sources.mqtt_trigger import job_in

paho = pytest.importorskip("paho.mqtt.client")
publish = pytest.importorskip("paho.mqtt.publish")
asyncua = pytest.importorskip("asyncua")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="there is no mosquitto here")
Start = Callable[[int], Running]


@pytest.fixture
def stream() -> Iterator[Stream]:
    made = Stream()
    yield made
    made.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path, "allow_anonymous true") as made:
        yield made


def told(broker: Broker, topic: str, payload: str, *, retain: bool = False) -> None:
    publish.single(topic, payload, qos=1, retain=retain, hostname="127.0.0.1", port=broker.port)


def watched(stream: Stream, broker: Broker) -> dict[str, str | int]:
    return {
        "device": f"http://127.0.0.1:{stream.port}/live",
        "trigger": "mqtt",
        "trigger_host": "127.0.0.1",
        "trigger_port": broker.port,
    }


@needs_mosquitto
def test_a_message_takes_one_picture_and_its_id_is_told_with_the_result(
    project: Project, stream: Stream, broker: Broker, start: Start, tmp_path: Path
) -> None:
    output = Part("jsonl", {"folder": str(tmp_path / "told")}, "a")
    key = add_station(
        project, "Press #3", StationSettings(Part("camera", watched(stream, broker)), (output,))
    )
    press = start(key)
    press.until(lambda: press.watch.state.running and press.watch.state.source == "")
    for count, payload in enumerate((json.dumps({"id": "A-17/4", "speed": 3}), "A-17/5", ""), 1):
        told(broker, "inspector/Press _3/trigger", payload)
        press.until_judged(count)
    rows = arrivals(project, key)
    assert [one.job for one in rows] == ["A-17/4", "A-17/5", ""]
    told_of = tmp_path / "told"
    press.until(lambda: sum(one.read_text().count("\n") for one in told_of.glob("**/*.jsonl")) == 3)
    lines = "".join(one.read_text() for one in told_of.glob("**/*.jsonl")).splitlines()
    assert [json.loads(one)["job"] for one in lines] == ["A-17/4", "A-17/5", ""]
    press.stop()


@needs_mosquitto
def test_a_message_that_the_broker_kept_takes_no_picture_and_a_broker_that_comes_back_is_listened_to_again(
    project: Project, stream: Stream, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.stations.sources.mqtt_trigger._AGAIN", 0.1)
    station(project, "folder", path="/in")
    told(broker, "line/go", "old", retain=True)
    with opened(project, "camera", **watched(stream, broker), trigger_topic="line/go") as source:
        wait_for(source, lambda: source.state == "")
        assert source.take(5, 0.3) == []
        broker.kill()
        wait_for(source, lambda: "can't be reached" in source.state)
        broker.start()
        wait_for(source, lambda: source.state == "")
        told(broker, "line/go", "new")
        (taken,) = until(source, 1)
        assert taken.name.startswith("new ")


@needs_mosquitto
def test_a_broker_that_refuses_the_account_is_said(project: Project, stream: Stream, tmp_path: Path) -> None:
    station(project, "folder", path="/in")
    with (
        Broker(tmp_path, "allow_anonymous false") as strict,
        opened(project, "camera", **watched(stream, strict)) as source,
    ):
        wait_for(source, lambda: "refuses the connection" in source.state)


def test_a_trigger_by_mqtt_needs_a_broker_and_another_one_none(project: Project, stream: Stream) -> None:
    device = f"http://127.0.0.1:{stream.port}/live"
    with pytest.raises(SettingsError, match="“Broker” is missing"), opened(project, "camera", trigger="mqtt"):
        pass
    with opened(project, "camera", device=device, trigger="software"):
        pass


@pytest.mark.parametrize(
    ("payload", "job"),
    [
        (b'{"id": 17}', "17"),
        (b'{"job": "x"}', "x"),
        (b'{"speed": 3}', ""),
        (b"17", "17"),
        (b"  A 1 ", "A 1"),
        (b"[1]", ""),
        (b"null", ""),
        (b"\xff\xfe", "��"),
        (b"x" * 999, "x" * 120),
        (b"a\x00b\nc", "ab c"),
    ],
)
def test_what_a_message_calls_its_picture(payload: bytes, job: str) -> None:
    assert job_in(payload) == job


def test_an_opc_ua_client_takes_a_picture_by_a_call_or_by_writing_a_node(
    project: Project, stream: Stream, start: Start
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    values = {"device": f"http://127.0.0.1:{stream.port}/live", "trigger": "software"}
    output = Part("opcua", {"host": "127.0.0.1", "port": port, "shown_for": 0}, "a")
    key = add_station(project, "Press 3", StationSettings(Part("camera", values), (output,)))
    press = start(key)
    press.until(lambda: press.watch.state.running)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    press.until(answers)

    async def act() -> tuple[Any, ...]:
        async with asyncua.Client(f"opc.tcp://127.0.0.1:{port}/inspector") as client:
            space = await client.get_namespace_index("urn:inspector:line")

            def node(name: str) -> Any:
                return client.get_node(f"ns={space};s={name}")

            async def judged(count: int) -> str:
                for _ in range(2000):
                    if await node("Result.Counter").read_value() == count:
                        return str(await node("Result.JobId").read_value())
                    await asyncio.sleep(0.01)
                raise AssertionError("waited in vain")

            taken = await node("VisionSystem").call_method(f"{space}:Trigger", "P-1")
            first = await judged(1)
            await node("TriggerJobId").write_value("P-2")
            second = await judged(2)
            await node("TriggerJobId").write_value("P-2")
            third = await judged(3)
            return taken, first, second, third, await node("TriggersTaken").read_value()

    assert asyncio.run(act()) == (True, "P-1", "P-2", "P-2", 3)
    assert [one.job for one in arrivals(project, key)] == ["P-1", "P-2", "P-2"]
    press.stop()


def test_a_source_that_takes_nothing_by_trigger_says_so_to_an_opc_ua_client(
    project: Project, stream: Stream, start: Start
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    output = Part("opcua", {"host": "127.0.0.1", "port": port, "shown_for": 0}, "a")
    key = add_station(project, "Press 3", StationSettings(Part("folder", {"path": "/in"}), (output,)))
    press = start(key)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    press.until(answers)

    async def act() -> Any:
        async with asyncua.Client(f"opc.tcp://127.0.0.1:{port}/inspector") as client:
            space = await client.get_namespace_index("urn:inspector:line")
            system = client.get_node(f"ns={space};s=VisionSystem")
            return await system.call_method(f"{space}:Trigger", "P-1")

    assert asyncio.run(act()) is False
    press.stop()


def test_a_trigger_that_comes_before_the_one_before_was_served_is_refused_and_counted(
    project: Project, stream: Stream
) -> None:
    device = f"http://127.0.0.1:{stream.port}/live"
    with opened(project, "camera", device=device, trigger="software") as source:
        asked = [source.trigger(str(number)) for number in range(50)]
        assert asked.count(False) == source.dropped > 0
        taken = until(source, asked.count(True))
        assert [one.name.split(" ")[0] for one in taken] == [str(n) for n, ok in enumerate(asked) if ok]

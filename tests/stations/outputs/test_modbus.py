"""Results in the registers of the Modbus server, read by a real client."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from stations.outputs.arriving_parts import EVERY, WORDS, Line, wait_for

from inspector.records.line.deliveries import told_up_to
from inspector.records.line.stations import Part, StationRow, Value
from inspector.stations.outputs import serving
from inspector.stations.sending import Sending

pymodbus_client = pytest.importorskip("pymodbus.client")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving_station(
    line: Line, port: int, **values: Value
) -> Iterator[tuple[StationRow, Sending, "Controller"]]:
    station = line.station(Part("modbus", {"port": port, "shown_for": 60, **values}, "a"))
    with Sending(line.project, station, pauses=(0.02, 0.1)) as sending:
        wait_for(lambda: _answers(port))
        with Controller(port) as controller:
            yield station, sending, controller


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Controller:
    """Reads as a controller does."""

    def __init__(self, port: int) -> None:
        self.client: Any = pymodbus_client.ModbusTcpClient("127.0.0.1", port=port, timeout=3)
        assert self.client.connect()

    def __enter__(self) -> "Controller":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def registers(self) -> list[int]:
        answer = self.client.read_holding_registers(0, count=17)
        assert not answer.isError()
        return list(answer.registers)

    def counter(self) -> int:
        return _whole(self.registers(), 1)


def _whole(registers: list[int], at: int) -> int:
    return int.from_bytes(
        registers[at].to_bytes(2, "big") + registers[at + 1].to_bytes(2, "big"), signed=True
    )


def test_a_controller_that_comes_by_often_enough_sees_every_result_in_order(line: Line, port: int) -> None:
    with serving_station(line, port) as (station, sending, controller):
        before = controller.registers()
        assert (before[0], before[10], controller.counter()) == (1, 0, 0)
        ids = line.judge(station, EVERY)
        sending.note()
        seen: list[list[int]] = []
        while len(seen) < len(ids):
            now = controller.registers()
            if _whole(now, 1) and (not seen or now[1:3] != seen[-1][1:3]):
                seen.append(now)
                coils = controller.client.read_coils(0, count=9).bits
                inputs = controller.client.read_discrete_inputs(0, count=9).bits
                flags = [bool(now[0] >> bit & 1) for bit in range(7)]
                assert coils[:7] == inputs[:7] == flags
                assert controller.client.read_input_registers(0, count=11).registers == now[:11]
        assert [_whole(one, 1) for one in seen] == [1, 2, 3, 4, 5]
        assert [one[10] for one in seen] == [1, 2, 3, 4, 5]
        assert [one[0] for one in seen] == [0b00011, 0b00101, 0b01001, 0b10001, 0b1000001]
        assert [_whole(one, 7) for one in seen] == ids
        assert [_whole(one, 3) for one in seen] == [200, 900, 600, -(2**31), 400]
        assert sending.states == {"a": ""}
    assert not _answers(port)


@pytest.mark.parametrize("by_coil", [True, False])
def test_each_result_stays_until_the_controller_acknowledges_it_and_nothing_else_can_be_written(
    line: Line, port: int, by_coil: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.1)
    with serving_station(line, port, acknowledge=True) as (station, sending, controller):
        client = controller.client
        ids = line.judge(station, WORDS * 2)
        sending.note()
        for count in range(1, len(ids) + 1):
            wait_for(lambda count=count: controller.counter() == count)
            assert controller.registers()[0] & 32
            assert not client.read_coils(8, count=1).bits[0]
            if not by_coil:  # the one before once more: a telegram that was repeated
                client.write_register(16, count - 1)
                wait_for(lambda: "nobody acknowledged" in sending.states["a"])
                assert controller.counter() == count
            if count == 4:
                wait_for(lambda: "nobody acknowledged" in sending.states["a"])
                wait_for(lambda: told_up_to(line.project, station.id, "a") == ids[2])
            assert not (client.write_coil(8, True) if by_coil else client.write_register(16, count)).isError()
        wait_for(lambda: sending.behind == {"a": 0})
        assert controller.registers()[0] == 0b1001
        assert client.read_coils(8, count=1).bits[0]
        for answer in (
            client.write_coil(2, True),
            client.write_coils(8, [True, True]),
            client.write_register(0, 7),
            client.write_registers(16, [1, 2]),
            client.read_holding_registers(30, count=10),
        ):
            assert answer.isError()
        assert controller.registers()[0] == 0b1001


def test_the_counter_goes_on_where_it_was_when_the_station_runs_again(line: Line, port: int) -> None:
    with serving_station(line, port, shown_for=0) as (station, sending, _):
        line.judge(station, WORDS * 30)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
    with Sending(line.project, station) as again:
        line.judge(station)
        again.note()
        wait_for(lambda: again.behind == {"a": 0})
        with Controller(port) as controller:
            assert controller.counter() == 93


def test_a_port_that_is_taken_is_a_state_that_passes_and_nobody_outside_is_answered_unless_told(
    line: Line, port: int
) -> None:
    station = line.station(Part("modbus", {"port": port}, "a"))
    with (
        socket.create_server(("127.0.0.1", port)),
        Sending(line.project, station, pauses=(0.02, 0.05)) as sending,
    ):
        wait_for(lambda: f"can't be started on 127.0.0.1:{port}" in sending.states["a"])
    with Sending(line.project, station) as sending:
        wait_for(lambda: _answers(port))
        assert sending.states == {"a": ""}
        with socket.create_server(("127.0.0.2", port)):  # where it doesn't listen
            pass

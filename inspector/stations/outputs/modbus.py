"""Results in the registers of a Modbus/TCP server, for controllers.

Addresses as in the telegram, counted from 0 (a controller that counts from 1 calls holding register 0 “40001”). Any unit number is
answered. Coils and discrete inputs hold the same, as do holding and input registers. 32 bits lie in two registers, the higher half
first; what is read by one telegram belongs together.

| coil / discrete input | |
|---|---|
| 0 | ready: the station runs |
| 1 | OK |
| 2 | NG |
| 3 | review |
| 4 | fail: the image could not be judged |
| 5 | new: nobody has acknowledged this result (only where acknowledgement is asked for) |
| 6 | other: the image doesn't show this product |
| 8 | acknowledge: set by the controller; cleared with the next result |

| holding / input register | |
|---|---|
| 0 | bits 0 to 6 as coils 0 to 6 |
| 1–2 | result counter: rises by one with every result, 0 before the first of this start |
| 3–4 | score × 1000, signed; −2147483648 where there is none |
| 5–6 | NG from this score × 1000, signed; −2147483648 where there is none |
| 7–8 | id of the result in the station |
| 9 | number of the detector |
| 10 | verdict: 0 none yet, 1 OK, 2 NG, 3 review, 4 fail, 5 other |
| 11 | heartbeat: rises once a second while the server answers |
| 16 | acknowledge: the controller writes the lower half of the result counter (register 2) here |

Acknowledging by register 16 is the safer way, since a repeated telegram can't acknowledge the next result unseen. Everything but coil 8
and register 16 can't be written.
"""

import struct
import time
from collections.abc import Mapping
from typing import Any

from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.stations import Value
from inspector.stations.fields import is_loopback
from inspector.stations.output import message
from inspector.stations.outputs.link import Link, OutputInfo
from inspector.stations.outputs.serving import CODES, Server, server_fields

ACKNOWLEDGE_COIL, ACKNOWLEDGE_REGISTER = 8, 16
_REGISTERS = 32
_NONE = -(2**31)
_READY, _NEW = 1, 1 << 5
_BIT = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6}
"""Code of a verdict → its coil."""
_STATUS = 0x7F
_WRITES_BITS, _WRITES_REGISTERS = (5, 15), (6, 16, 22, 23)
_BITS = (1, 2, 5, 15)


class Modbus(Server):
    """See the module."""

    def __init__(self, values: Mapping[str, Value], link: Link) -> None:
        self._server: Any = None
        self._shown = 0  # the counter
        self._acknowledged = False
        self._words = [_READY] + [0] * (_REGISTERS - 1)
        self._words[3] = self._words[5] = 0x8000
        super().__init__(values, link, "Modbus")

    async def start(self) -> None:
        """See `Server`."""
        from pymodbus.server import ModbusTcpServer
        from pymodbus.simulator import DataType, SimData, SimDevice

        bits = SimData(0, values=[0, 0], datatype=DataType.BITS)
        words = SimData(0, values=[0] * _REGISTERS, datatype=DataType.REGISTERS)
        device = SimDevice(0, simdata=([bits], [bits], [words], [words]), action=self._asked)
        self._server = ModbusTcpServer(device, address=(self._host, self._port))
        await self._server.serve_forever(background=True)

    async def show(self, arrival: ArrivalRow, count: int) -> None:
        """See `Server`."""
        if count == self._shown:
            return
        limit = message(arrival)["threshold"]
        self._shown, self._acknowledged = count, False
        status = _READY | 1 << _BIT[CODES[arrival.said]] | (_NEW if self._acknowledged_only else 0)
        self._words[:11] = [
            status,
            *_halves(count & 0xFFFFFFFF),
            *_halves(_thousandths(arrival.image_score)),
            *_halves(_thousandths(limit)),
            *_halves(arrival.id & 0xFFFFFFFF),
            arrival.detector_id & 0xFFFF,
            CODES[arrival.said],
        ]

    async def acknowledged(self, count: int) -> bool:
        """See `Server`."""
        return self._acknowledged

    async def stop(self) -> None:
        """See `Server`."""
        if self._server is not None:
            await self._server.shutdown()

    async def _asked(
        self, function: int, start: int, address: int, count: int, current: list[int], new: list[Any] | None
    ) -> Any:
        """Called by the server before it answers: it reads from `current`, and writes `new` there if we return None."""
        from pymodbus.constants import ExcCodes

        self._words[11] = int(time.monotonic()) & 0xFFFF
        if new is not None and not self._written(function, address, new):
            return ExcCodes.ILLEGAL_ADDRESS
        if function in _BITS:
            current[:] = [self._words[0] & _STATUS | self._acknowledged << ACKNOWLEDGE_COIL, 0]
        else:
            current[:] = self._words
        return None

    def _written(self, function: int, address: int, new: list[Any]) -> bool:
        """Whether it may be."""
        if len(new) != 1 or not self._shown:
            return len(new) == 1 and address in (ACKNOWLEDGE_COIL, ACKNOWLEDGE_REGISTER)
        if function in _WRITES_BITS and address == ACKNOWLEDGE_COIL:
            took = bool(new[0])
        elif function in _WRITES_REGISTERS and address == ACKNOWLEDGE_REGISTER:
            self._words[ACKNOWLEDGE_REGISTER] = int(new[0])
            took = int(new[0]) == self._shown & 0xFFFF
        else:
            return False
        if took:
            self._acknowledged = True
            self._words[0] &= ~_NEW
        return True


def _halves(value: int) -> tuple[int, int]:
    """The two registers of a number of 32 bits."""
    return struct.unpack(">HH", (value & 0xFFFFFFFF).to_bytes(4, "big"))


def _thousandths(value: float | None) -> int:
    return _NONE if value is None else max(_NONE + 1, min(2**31 - 1, round(value * 1000)))


def _exposed(values: Mapping[str, Value]) -> str:
    if is_loopback(str(values["host"])):
        return ""
    return "Anybody in the network can read the results, and acknowledge them in the controller's place: Modbus knows no passwords."


INFO = OutputInfo(
    "modbus",
    "Modbus/TCP",
    "A server with coils and registers that a controller reads.",
    server_fields(5020),
    Modbus,
    extra="line",
    module="pymodbus",
    exposed=_exposed,
)

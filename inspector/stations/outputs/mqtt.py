"""Results to an MQTT broker: each as JSON (`output.message`), with QoS 1, in order.

Topic: as set; `{station}`, `{order}`, `{class}` and `{verdict}` in it stand for those of the result, with _ for + # / and what can't be
shown. A result counts as told once the broker has acknowledged it. By MQTT 5 a broker says when it refuses one, which 3.1.1 can't:
there a topic that the account may not write loses results without a word, so 5 is what is tried unless told otherwise.

`<topic up to the first {order}, {class} or {verdict}>/status`, where asked for: `online` while the station runs and `offline` after,
retained; the broker says `offline` itself when the station is gone (last will).
"""

import json
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from inspector.errors import ExportError, SettingsError
from inspector.exports.files import json_values
from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.output import message
from inspector.stations.outputs.link import SKIP_AFTER, Link, OutputInfo, Refused
from inspector.text import hidden, reason

_UNDERWAY = 20
"""Results that are sent before the first of them is acknowledged."""
_KEEPALIVE = 20
"""Seconds; well above `sending.LOOKED_EVERY`."""
_FAREWELL = 0.3
"""Seconds to say that the station ends."""
_PLACES = ("station", "order", "class", "verdict")
_REFUSED = ("Topic Name invalid", "Packet too large", "Payload format invalid")
"""What MQTT 5 calls the fault of one message; all else concerns every one."""


class Mqtt:
    """See the module. All of it runs on the thread that calls: a client that keeps a thread of its own can't be ended while its broker
    hangs."""

    def __init__(self, values: Mapping[str, Value], link: Link) -> None:
        self._link = link
        self._values = values
        self._host, self._port = str(values["host"]), int(values["port"])
        self._topic = str(values["topic"])
        _require_topic(self._topic)
        self._timeout = float(values["timeout"])
        self._connected: str | None = None  # "": it is; None: not yet; else why not
        self._answers: dict[int, str] = {}  # of the broker to what was published, "" where it took it
        self._takes = False  # one at a time until one is taken: none may overtake one that is refused
        self._client = self._new_client()

    def send(self, arrivals: Sequence[ArrivalRow]) -> None:
        """See `Output`."""
        if self._connected is None:
            self._connect()
        self._turn(0)
        underway: deque[tuple[int, ArrivalRow]] = deque()
        for one in arrivals:
            underway.append((self._publish(one), one))
            while len(underway) >= (_UNDERWAY if self._takes else 1):
                self._await(*underway.popleft())
        while underway:
            self._await(*underway.popleft())

    def close(self) -> None:
        """See `Output`."""
        if self._connected == "":
            if self._values["status"]:
                number = self._client.publish(self._status, "offline", qos=1, retain=True).mid
                until = time.monotonic() + _FAREWELL
                while number not in self._answers and self._connected == "" and time.monotonic() < until:
                    self._client.loop(0.02)
            self._client.disconnect()
        if (socket := self._client.socket()) is not None:
            socket.close()

    @property
    def _status(self) -> str:
        fixed = self._topic
        for name in _PLACES[1:]:
            fixed = fixed.split("{" + name + "}")[0]
        station = _level(self._link.station.name)
        return f"{fixed.replace('{station}', station).rstrip('/') or 'inspector'}/status"

    def _new_client(self) -> Any:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        values = self._values
        five = values["version"] == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=str(values["client"]),
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            clean_session=None if five else True,
            reconnect_on_failure=False,  # what was under way is told again from what is noted, in order
        )
        client.connect_timeout = self._timeout
        client.max_inflight_messages_set(_UNDERWAY)
        if values["user"]:
            client.username_pw_set(str(values["user"]), str(values["password"]) or None)
        if values["tls"]:
            client.tls_set_context(self._tls())
        if values["status"]:
            client.will_set(self._status, "offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _tls(self) -> ssl.SSLContext:
        named = {name: str(self._values[name]) for name in ("authority", "certificate", "key")}
        try:
            context = ssl.create_default_context(cafile=named["authority"] or None)
            if named["certificate"]:
                context.load_cert_chain(named["certificate"], named["key"] or None)
        except OSError as error:
            raise SettingsError(
                f"A certificate for {self._host} can't be read ({reason(error)}).", "Choose PEM files."
            ) from error
        return context

    def _connect(self) -> None:
        try:
            self._client.connect(self._host, self._port, keepalive=_KEEPALIVE)
        except (OSError, ValueError) as error:
            raise ExportError(
                f"The broker {self._host}:{self._port} can't be reached ({reason(error)}).",
                "Check the address, and whether it runs.",
            ) from error
        until = time.monotonic() + self._timeout
        while self._connected is None:
            self._turn(0.05)
            if time.monotonic() > until:
                raise ExportError(f"The broker {self._host} does not answer.", "Check the port.")
        if self._values["status"]:
            self._client.publish(self._status, "online", qos=1, retain=True)

    def _turn(self, seconds: float) -> None:
        """Read and write what there is, at most so long. Raises `ExportError` where the connection is gone."""
        self._link.check()
        done = self._client.loop(seconds)
        if done and not self._connected:
            self._connected = f"is gone ({done.name})"
        if self._connected:
            raise ExportError(f"The broker {self._host} {self._connected}.", "It is tried again.")

    def _publish(self, arrival: ArrivalRow) -> int:
        told = message(arrival)
        topic = self._topic
        for name in _PLACES:
            topic = topic.replace("{" + name + "}", _level(str(told[name])))
        body = json.dumps(json_values(told), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        try:
            sent = self._client.publish(topic, body, qos=1, retain=bool(self._values["retain"]))
        except ValueError as error:
            raise Refused(arrival.id, f"MQTT can't carry result {arrival.id} ({reason(error)}).") from error
        return int(sent.mid)

    def _await(self, number: int, arrival: ArrivalRow) -> None:
        until = time.monotonic() + self._timeout
        while number not in self._answers:
            self._turn(0.05)
            if time.monotonic() > until:
                raise ExportError(
                    f"The broker {self._host} does not acknowledge result {arrival.id}.", "It is tried again."
                )
        if answer := self._answers.pop(number):
            said = f"The broker {self._host} does not take result {arrival.id} “{arrival.name}” ({answer})."
            if answer in _REFUSED:
                raise Refused(arrival.id, said)
            raise ExportError(said, "Check what this account may publish.")
        self._takes = True
        self._link.taken(arrival.id)

    def _on_connect(self, _client: Any, _data: object, _flags: object, code: Any, _more: object) -> None:
        hint = "; it may know MQTT 3.1.1 only" if "protocol" in str(code).lower() else ""
        self._connected = f"refuses the connection ({code}{hint})" if code.is_failure else ""

    def _on_disconnect(self, _client: Any, _data: object, _flags: object, code: Any, _more: object) -> None:
        if not self._connected:  # why it refused tells more
            self._connected = f"is gone ({code})"

    def _on_publish(self, _client: Any, _data: object, number: int, code: Any, _more: object) -> None:
        self._answers[number] = str(code) if code.is_failure else ""


def _level(text: str) -> str:
    """One level of a topic."""
    return "".join("_" if one in "+#/" or hidden(one) else one for one in text).strip() or "_"


def _require_topic(topic: str) -> None:
    bare = topic
    for name in _PLACES:
        bare = bare.replace("{" + name + "}", "x")
    if set(bare) & set("+#{}") or any(map(hidden, bare)) or len(topic.encode()) > 1000:
        raise SettingsError(
            f"Nothing can be published to “{topic}”.",
            "A topic has no + and no #, and only {station}, {order}, {class} and {verdict} stand for something.",
        )


INFO = OutputInfo(
    "mqtt",
    "MQTT",
    "Every result to an MQTT broker, acknowledged by it.",
    (
        Field("host", "Broker", "text", None, "Its name or address in the network."),
        Field("port", "Port", "number", 1883, "Mostly 1883, with TLS 8883.", least=1, most=65535),
        Field(
            "topic",
            "Topic",
            "text",
            "inspector/{station}/result",
            "{station}, {order}, {class} and {verdict} stand for those of the result.",
        ),
        Field(
            "retain",
            "Keep the last result at the broker",
            "flag",
            False,
            "Who subscribes later gets it at once.",
        ),
        Field(
            "status",
            "Say whether the station runs",
            "flag",
            True,
            "“online” or “offline”, kept at the broker.",
        ),
        Field("user", "User", "text", ""),
        Field("password", "Password", "secret", ""),
        Field("tls", "Encrypted (TLS)", "flag", False, "Else passwords can be read in the network."),
        Field(
            "authority",
            "Certificate of the authority",
            "file",
            "",
            "PEM file of who vouches for the broker; else who the system trusts.",
        ),
        Field("certificate", "Own certificate", "file", "", "PEM file, where the broker asks for one."),
        Field(
            "key", "Key of the own certificate", "file", "", "PEM file, unless it is in the certificate's."
        ),
        Field(
            "client",
            "Client ID",
            "text",
            "",
            "Where the broker wants a certain one; each station needs its own.",
        ),
        Field(
            "version",
            "MQTT version",
            "choice",
            "5",
            "3.1.1 can't say when a result is refused.",
            choices=(("5", "5"), ("3.1.1", "3.1.1")),
        ),
        Field("timeout", "Wait at most", "number", 5.0, "For an answer.", least=0.5, most=60, unit="s"),
        SKIP_AFTER,
    ),
    Mqtt,
    extra="line",
    module="paho",
)

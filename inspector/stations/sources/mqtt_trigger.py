"""Pictures that an MQTT message asks for.

Each message on the topic takes one picture. What it says is the job that the result then bears: a JSON object's `id`, else the whole
text, else nothing. What the broker kept from before the station listened takes none: its part is gone.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from threading import Event, Thread
from typing import Any

from inspector import installation
from inspector.errors import SettingsError
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.source import job_name
from inspector.text import printable, reason

_ON = ("trigger", "mqtt")
_AGAIN = 2.0
_KEEPALIVE = 20
_TURN = 0.1

FIELDS = (
    Field("trigger_host", "Broker", "text", None, "Its name or address in the network.", only=_ON),
    Field(
        "trigger_port",
        "Port",
        "number",
        1883,
        "Mostly 1883, with TLS 8883.",
        least=1,
        most=65535,
        only=_ON,
    ),
    Field(
        "trigger_topic",
        "Topic",
        "text",
        "inspector/{station}/trigger",
        "Each message takes a picture; its text, or “id” of its JSON, is told with the result as its job.",
        only=_ON,
    ),
    Field("trigger_user", "User", "text", "", only=_ON),
    Field("trigger_password", "Password", "secret", "", only=_ON),
    Field(
        "trigger_tls",
        "Encrypted (TLS)",
        "flag",
        False,
        "Else passwords can be read in the network.",
        only=_ON,
    ),
    Field(
        "trigger_authority",
        "TLS authority",
        "file",
        "",
        "PEM file with the certificate of who vouches for the broker; else who the system trusts.",
        only=_ON,
    ),
)


class MqttTrigger:
    """Listens on a thread of its own and reconnects for ever. `state`: a sentence on what stands in the way, or ""."""

    def __init__(self, values: Mapping[str, Value], station: str, take: Callable[[str], bool]) -> None:
        """`values`: of `FIELDS`, checked. `take`: takes a picture for a job. Raises `SettingsError`."""
        if not find_spec("paho"):
            raise SettingsError(
                "MQTT can't be listened to: what is needed for it isn't installed.",
                installation.add("inspector[line]"),
            )
        self._values, self._take = values, take
        self._host, self._port = str(values["trigger_host"]), int(values["trigger_port"])
        level = "".join("_" if one in "+#/" else one for one in station)
        self._topic = str(values["trigger_topic"]).replace("{station}", level)
        if not self._topic or "\0" in self._topic or len(self._topic.encode()) > 1000:
            raise SettingsError("The topic of the trigger is none.", "Type one, such as line/3/trigger.")
        self._context = self._tls() if values["trigger_tls"] else None
        self._last = ""
        self._stop = Event()
        self.state = f"The broker {self._host} isn't connected yet."
        self._thread = Thread(target=self._run, name="trigger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End listening."""
        self._stop.set()
        self._thread.join()

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self._values["trigger_authority"]) or None)
        except OSError as error:
            raise SettingsError(
                f"The certificate of the authority can't be read ({reason(error)}).", "Choose a PEM file."
            ) from error

    def _run(self) -> None:
        while not self._stop.is_set():
            client = self._client()
            try:
                client.connect(self._host, self._port, keepalive=_KEEPALIVE, clean_start=True)
                while not self._stop.is_set():
                    if code := client.loop(_TURN):
                        raise OSError(str(code.name))
            except (OSError, ValueError) as error:
                if not self.state or "isn't connected" in self.state:
                    self.state = f"The broker {self._host}:{self._port} can't be reached ({reason(error)}): no trigger comes."
            client.disconnect()
            if (socket := client.socket()) is not None:
                socket.close()
            self._stop.wait(_AGAIN)

    def _client(self) -> Any:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        client = paho.Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        client.connect_timeout = 5.0
        if self._values["trigger_user"]:
            password = str(self._values["trigger_password"]) or None
            client.username_pw_set(str(self._values["trigger_user"]), password)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_message = self._came
        return client

    def _connected(self, client: Any, _data: object, _flags: object, code: Any, _more: object) -> None:
        if code.is_failure:
            self.state = f"The broker {self._host} refuses the connection ({code}): no trigger comes."
        else:
            client.subscribe(self._topic, qos=1)

    def _subscribed(self, _client: Any, _data: object, _number: int, codes: Any, _more: object) -> None:
        refused = any(code.is_failure for code in codes)
        self.state = (
            f"The broker {self._host} doesn't let this account listen to “{printable(self._topic)}”."
            if refused
            else ""
        )

    def _came(self, _client: Any, _data: object, message: Any) -> None:
        job = job_in(message.payload)
        again = message.dup and job and job == self._last
        if message.retain or again:
            return
        self._last = job
        self._take(job)


def job_in(payload: bytes) -> str:
    """What a message names the picture that it asks for."""
    text = payload.decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
    except ValueError:
        found = text
    if isinstance(found, dict):
        found = found.get("id", found.get("job", ""))
    elif isinstance(found, bool | list) or found is None:
        found = ""
    return job_name(str(found))

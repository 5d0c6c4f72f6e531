"""Results at a real broker, which is killed, started again, hangs and refuses: mosquitto where it is installed, else amqtt, which knows
neither MQTT 5 nor who may write what."""

import gc
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stations.outputs.arriving_parts import WORDS, Line, wait_for
from stations.outputs.broker import AMQTT, MOSQUITTO, Broker
from stations.outputs.wire import Wire

from inspector.records.line.stations import Part, Value
from inspector.stations import sending as sending_module
from inspector.stations.sending import Sending

paho = pytest.importorskip("paho.mqtt.client")
VERSION = "5" if MOSQUITTO else "3.1.1"
pytestmark = pytest.mark.skipif(MOSQUITTO is None and AMQTT is None, reason="there is no broker here")
of_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="there is no mosquitto here")
PASSWD = shutil.which("mosquitto_passwd")
FAST = (0.02, 0.1)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path, "allow_anonymous true") as made:
        yield made


class Listener:
    """Subscribes to everything, on a thread; also again after the broker was gone."""

    def __init__(self, port: int, lasting: str = "") -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self.ready = threading.Event()
        self._client: Any = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=lasting, clean_session=not lasting
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda *_: self._client.subscribe("#", qos=1)
        self._client.on_disconnect = lambda *_: self.ready.clear()
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_message = lambda _client, _data, one: self.got.append(
            (one.topic, one.payload, one.retain)
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(10)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def ids(self) -> list[int]:
        return [json.loads(body)["id"] for topic, body, _ in self.got if topic.endswith("/result")]

    def firsts(self) -> list[int]:
        """Without those that came before."""
        return [*dict.fromkeys(self.ids())]


def mqtt(broker: Broker, **values: Value) -> Part:
    return Part(
        "mqtt", {"host": "127.0.0.1", "port": broker.port, "timeout": 2, "version": VERSION, **values}, "a"
    )


def test_a_broker_gets_every_result_in_order_and_knows_whether_the_station_runs(
    line: Line, broker: Broker
) -> None:
    station = line.station(
        mqtt(broker, topic="plant/{station}/{order}/{verdict}", retain=True), name="Press #3/+"
    )
    with Listener(broker.port) as listener:
        with Sending(line.project, station, pauses=FAST) as sending:
            ids = line.judge(station, [*WORDS, None])
            sending.note()
            wait_for(lambda: len(listener.got) == 5)
            assert sending.states == {"a": ""}
        wait_for(lambda: len(listener.got) == 6)
        status = "plant/Press _3__/status"
        assert [(listener.got[at][0], listener.got[at][1]) for at in (0, 5)] == [
            (status, b"online"),
            (status, b"offline"),
        ]
        results = listener.got[1:5]
        assert [topic.split("/", 2)[2] for topic, _, _ in results] == [
            "A-17/ok",
            "A-17/ng",
            "A-17/review",
            "A-17/failed",
        ]
        assert [json.loads(body)["id"] for _, body, _ in results] == ids
    with Listener(broker.port) as late:
        wait_for(lambda: len(late.got) == 5)
        assert all(retained for _, _, retained in late.got)


@of_mosquitto
def test_results_that_come_while_the_broker_is_killed_and_gone_follow_in_order_when_it_is_back(
    line: Line, tmp_path: Path
) -> None:
    kept = [f"persistence_location {tmp_path}/", "autosave_interval 1", "autosave_on_changes true"]
    ids: list[int] = []
    with Broker(tmp_path, "allow_anonymous true", "persistence true", *kept) as broker:
        station = line.station(mqtt(broker, status=False))
        # the broker itself keeps what comes for this one while it is away
        with (
            Listener(broker.port, lasting="book") as listener,
            Sending(line.project, station, pauses=FAST) as sending,
        ):
            for _ in range(3):
                ids += line.judge(station, WORDS * 5, images=False)
                sending.note()
                wait_for(lambda: listener.firsts() == ids)  # noqa: B023
                wait_for(lambda: sending.behind == {"a": 0})
                broker.kill()
                ids += line.judge(station, images=False)
                sending.note()
                wait_for(lambda: "can't be reached" in sending.states["a"])
                assert sending.behind == {"a": 3}
                starting = threading.Thread(target=broker.start)
                starting.start()
                while starting.is_alive():
                    ids += line.judge(station, images=False)
                    sending.note()
                starting.join()
            wait_for(lambda: listener.firsts() == ids)
            assert sending.behind == {"a": 0}


def test_a_broker_that_goes_while_there_is_nothing_to_tell_is_a_state_too(
    line: Line, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_module, "LOOKED_EVERY", 0.05)
    station = line.station(mqtt(broker))
    with Sending(line.project, station, pauses=FAST) as sending:
        line.judge(station, images=False)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
        broker.kill()
        wait_for(lambda: "can't be reached" in sending.states["a"])
        broker.start()
        wait_for(lambda: not sending.states["a"])


def test_a_wire_that_is_cut_again_and_again_loses_nothing_and_changes_no_order(
    line: Line, broker: Broker
) -> None:
    with Listener(broker.port) as listener, Wire(broker.port) as wire:
        station = line.station(mqtt(broker, port=wire.port))
        with Sending(line.project, station, pauses=FAST) as sending:
            wait_for(lambda: listener.got)
            wire.cut_after = 9_000
            ids = line.judge(station, WORDS * 100, images=False)
            sending.note()
            wait_for(lambda: sending.behind == {"a": 0}, 30)
            wire.cut_after = None
        wait_for(lambda: listener.ids()[-1:] == ids[-1:])
    assert wire.cuts > 5
    assert listener.firsts() == ids  # first comings: all, in order; some came twice
    assert len(listener.ids()) < 2 * len(ids)


def test_a_station_ends_at_once_though_its_broker_hangs(line: Line, broker: Broker) -> None:
    with Wire(broker.port) as wire:
        station = line.station(mqtt(broker, port=wire.port, timeout=30))
        with Sending(line.project, station, pauses=FAST) as sending:
            line.judge(station, images=False)
            sending.note()
            wait_for(lambda: sending.behind == {"a": 0})
            wire.dead.set()
            line.judge(station, images=False)
            sending.note()
            time.sleep(0.2)
            began = time.monotonic()
        assert time.monotonic() - began < 1
        assert not [one for one in threading.enumerate() if one.name == "output a"]
        # nor while it connects, or waits to be let in
        with Sending(line.project, station, pauses=FAST) as sending:
            time.sleep(0.3)
            began = time.monotonic()
        assert time.monotonic() - began < 1


@of_mosquitto
@pytest.mark.parametrize(("version", "said"), [("5", "Not authorized"), ("3.1.1", "")])
def test_a_topic_that_may_not_be_written_is_a_state_with_mqtt_5_and_passes_when_it_may(
    line: Line, tmp_path: Path, version: str, said: str
) -> None:
    rights = tmp_path / "acl"
    rights.write_text("topic read #\ntopic readwrite other/#\n")
    with Broker(tmp_path, "allow_anonymous true", f"acl_file {rights}") as broker:
        station = line.station(mqtt(broker, version=version, status=False))
        with Sending(line.project, station, pauses=FAST) as sending:
            ids = line.judge(station)
            sending.note()
            if not said:  # the broker says that it took them
                wait_for(lambda: sending.behind == {"a": 0})
                return
            wait_for(lambda: said in sending.states["a"])
            assert sending.behind == {"a": 3}
            rights.write_text("topic readwrite #\n")
            assert broker.process
            with Listener(broker.port) as listener:
                broker.process.send_signal(signal.SIGHUP)
                wait_for(lambda: sending.behind == {"a": 0})
                wait_for(lambda: listener.firsts() == ids)
                wait_for(lambda: not sending.states["a"])


@of_mosquitto
@pytest.mark.filterwarnings(
    "ignore:unclosed <ssl.SSLSocket:ResourceWarning"
)  # paho's, where a handshake fails
def test_user_and_password_by_tls_are_asked_for(line: Line, tmp_path: Path) -> None:
    certificate = _certificate(tmp_path)
    passwords = tmp_path / "passwords"
    subprocess.run([str(PASSWD), "-b", "-c", str(passwords), "plc", "grün"], check=True, capture_output=True)
    with Broker(
        tmp_path,
        "allow_anonymous false",
        f"password_file {passwords}",
        f"certfile {certificate}",
        f"keyfile {tmp_path / 'key.pem'}",
    ) as broker:
        right = {"host": "localhost", "tls": True, "authority": str(certificate), "user": "plc"}
        for number, (changed, said) in enumerate(
            [
                ({"password": "grün"}, ""),
                ({"password": "blau"}, "ot authori"),
                ({"password": "grün", "authority": ""}, "certificate verify failed"),
                ({"password": "grün", "tls": False}, "The broker localhost"),
                ({"password": "grün", "authority": str(tmp_path / "none.pem")}, "can't be read"),
            ]
        ):
            station = line.station(mqtt(broker, **(right | changed)), name=f"Press {number}")
            with Sending(line.project, station, pauses=FAST) as sending:
                line.judge(station, images=False)
                sending.note()
                if said:
                    wait_for(lambda sending=sending, said=said: said in sending.states["a"])
                    assert sending.behind == {"a": 3}
                else:
                    wait_for(lambda sending=sending: sending.behind == {"a": 0})
                    assert sending.states == {"a": ""}
            gc.collect()


def _certificate(folder: Path) -> Path:
    """For localhost, signed by itself; its key is `key.pem` beside it."""
    certificate = folder / "certificate.pem"
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate.write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate


@pytest.mark.parametrize("topic", ["a/#", "a/+/b", "a/{lot}", "a/{", "\u202eabc"])
def test_a_topic_that_is_none_is_refused_with_a_sentence(line: Line, topic: str) -> None:
    station = line.station(Part("mqtt", {"host": "127.0.0.1", "topic": topic}, "a"))
    with Sending(line.project, station, pauses=FAST) as sending:
        wait_for(lambda: "Nothing can be published" in sending.states["a"])

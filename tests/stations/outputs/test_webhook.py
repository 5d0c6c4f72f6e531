"""Results to a web server that refuses, hangs, goes and comes back."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from stations.outputs.arriving_parts import WORDS, Line, wait_for
from stations.outputs.wire import Wire

from inspector.records.audit import ActKind, list_acts
from inspector.records.line.deliveries import told_up_to
from inspector.records.line.stations import Part, Value
from inspector.stations.sending import Sending

FAST = (0.02, 0.1)


class Receiver(ThreadingHTTPServer):
    """`answers(result)`: the status for what came; `took`: what was answered by 200."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers: Callable[[Any], int] = lambda told: 200
        self.took: list[int] = []
        self.came: list[tuple[dict[str, str], bytes]] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"
    timeout = 2
    wbufsize = -1  # an answer in one piece, as servers send it: else each waits 40 ms for the client's word

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((dict(self.headers), body))
        told = json.loads(body)
        status = self.server.answers(told)
        if status == 200:
            self.server.took.append(told["id"])
        self.send_response(status)
        self.send_header("Content-Length", "2")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def webhook(port: int, **values: Value) -> Part:
    return Part("webhook", {"url": f"http://127.0.0.1:{port}/in?line=3", "timeout": 0.5, **values}, "a")


def test_every_result_is_posted_in_order_and_signed(line: Line, receiver: Receiver) -> None:
    station = line.station(webhook(receiver.server_port, secret="Schlüssel", token="abc"))
    with Sending(line.project, station, pauses=FAST) as sending:
        ids = line.judge(station, [*WORDS, None])
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
        assert sending.states == {"a": ""}
    assert receiver.took == ids
    for (headers, body), number in zip(receiver.came, ids, strict=True):
        stamp = headers["X-Inspector-Timestamp"]
        assert abs(time.time() - int(stamp)) < 60
        own = hmac.new("Schlüssel".encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["X-Inspector-Signature"] == f"sha256={own}"
        assert headers["Idempotency-Key"] == f"Press 3-{number}"
        assert headers["Authorization"] == "Bearer abc"
    assert json.loads(receiver.came[1][1])["verdict"] == "ng"


def test_a_receiver_that_fails_goes_and_comes_back_gets_all_in_order(line: Line) -> None:
    with Receiver() as receiver:
        port = receiver.server_port
        seen: dict[int, int] = {}

        def every_third_time(told: Any) -> int:
            seen[told["id"]] = seen.get(told["id"], 0) + 1
            return {1: 503, 2: 429}.get(seen[told["id"]] + told["id"] % 3, 200)

        receiver.answers = every_third_time
        station = line.station(webhook(port))
        with Sending(line.project, station, pauses=FAST) as sending:
            ids = line.judge(station, WORDS * 3)
            sending.note()
            wait_for(lambda: sending.behind == {"a": 0})
    with Sending(line.project, station, pauses=FAST) as sending:
        more = line.judge(station, WORDS * 3)
        sending.note()
        wait_for(lambda: "can't be reached" in sending.states["a"])
        assert sending.behind == {"a": 9}
        with Receiver(port) as again:
            wait_for(lambda: sending.behind == {"a": 0})
            wait_for(lambda: not sending.states["a"])
    assert receiver.took == ids
    assert again.took == more


@pytest.mark.parametrize(("status", "hint"), [(401, "token"), (404, "address"), (302, "address")])
def test_what_would_meet_every_result_leaves_none_out(
    line: Line, receiver: Receiver, status: int, hint: str
) -> None:
    receiver.answers = lambda told: status
    station = line.station(webhook(receiver.server_port, skip_after=1))
    with Sending(line.project, station, pauses=FAST) as sending:
        ids = line.judge(station, images=False)
        sending.note()
        wait_for(lambda: len(receiver.came) > 2)
        assert f"answers {status} to result {ids[0]}" in sending.states["a"]
        assert hint in sending.states["a"]
        assert sending.behind == {"a": 3}
        receiver.answers = lambda told: 200
        wait_for(lambda: receiver.took == ids)


@pytest.mark.parametrize("status", [400, 500])
def test_a_refused_result_is_sent_again_for_ever_unless_it_may_be_left_out_which_is_said_and_audited(
    line: Line, receiver: Receiver, status: int
) -> None:
    bad = [0]
    receiver.answers = lambda told: status if told["id"] in bad else 200
    station = line.station(webhook(receiver.server_port))
    with Sending(line.project, station, pauses=FAST) as sending:
        bad[:] = [told_up_to(line.project, station.id, "a") + 2]
        ids = line.judge(station, images=False)
        sending.note()
        wait_for(lambda: len(receiver.came) > 6)
        assert sending.states["a"].startswith(f"127.0.0.1 answers {status} to result {ids[1]} “part 2.png”.")
        assert sending.behind == {"a": 2}
        assert receiver.took == ids[:1]
    patient = line.station(webhook(receiver.server_port, skip_after="3"), name="Press 4")
    receiver.came.clear()
    receiver.took.clear()
    with Sending(line.project, patient, pauses=FAST) as sending:
        bad[:] = [ids[-1] + 2]
        ids = line.judge(patient, images=False)
        sending.note()
        wait_for(lambda: receiver.took == [ids[0], ids[2]])
        assert [json.loads(body)["id"] for _, body in receiver.came].count(ids[1]) == 3
        wait_for(lambda: sending.behind == {"a": 0})
        assert sending.states["a"].startswith(
            "Left out 1 that the receiver refused, the last one “part 5.png”"
        )
    (act,) = [one for one in list_acts(line.project) if one.kind == ActKind.RESULT_NOT_TOLD]
    assert act.subject == f"Press 4, a: result {ids[1]} “part 5.png”"
    assert f"answers {status}" in act.reason


def test_a_receiver_that_stumbles_over_every_result_misses_one_at_most(
    line: Line, receiver: Receiver
) -> None:
    receiver.answers = lambda told: 500
    station = line.station(webhook(receiver.server_port, skip_after=2))
    with Sending(line.project, station, pauses=FAST) as sending:
        ids = line.judge(station, WORDS * 2, images=False)
        sending.note()
        wait_for(lambda: len(receiver.came) > 8)
        assert sending.behind == {"a": 5}
        assert f"answers 500 to result {ids[1]}" in sending.states["a"]
        receiver.answers = lambda told: 200
        wait_for(lambda: receiver.took == ids[1:])


def test_a_station_ends_within_a_second_though_the_receiver_hangs_and_it_is_told_again(
    line: Line, receiver: Receiver
) -> None:
    with Wire(receiver.server_port) as wire:
        wire.dead.set()
        station = line.station(webhook(wire.port, timeout=2))
        with Sending(line.project, station, pauses=FAST) as sending:
            ids = line.judge(station, images=False)
            sending.note()
            time.sleep(0.2)
            began = time.monotonic()
        assert time.monotonic() - began < 1
        assert told_up_to(line.project, station.id, "a") == 0
        wire.dead.clear()
        with Sending(line.project, station, pauses=FAST) as sending:
            wait_for(lambda: sending.behind == {"a": 0})
    assert [*dict.fromkeys(receiver.took)] == ids


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": "ftp://x"}, "no web address"),
        ({"url": "nonsense"}, "no web address"),
        ({"url": ""}, "“Address” is missing"),
        ({"url": "http://127.0.0.1:1/", "token": "a\nb"}, "The token"),
        ({"url": "http://127.0.0.1:1/", "timeout": "soon"}, "“Wait at most” is a number"),
        ({"url": "http://127.0.0.1:1/", "authority": "/none.pem"}, "can't be read"),
    ],
)
def test_settings_that_can_not_work_are_said(line: Line, values: dict[str, Value], said: str) -> None:
    station = line.station(Part("webhook", values, "a"))
    with Sending(line.project, station, pauses=FAST) as sending:
        wait_for(lambda: said in sending.states["a"])

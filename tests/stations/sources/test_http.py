"""Pictures that other programs send, over a real socket."""

import http.client
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stations.station_runs import Running, arrivals, pictures, station

from inspector.errors import SettingsError
from inspector.records.line.stations import Part
from inspector.records.project import Project
from inspector.stations.source import Past
from inspector.stations.sources import uploads
from inspector.stations.sources.catalogue import open_source

Start = Callable[[int], Running]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def post(port: int, data: bytes, **headers: str) -> tuple[int, dict[str, object]]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/inspect", data, {"Content-Type": "image/png", **names}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def sent_in_pieces(port: int, kind: str, pieces: Iterator[bytes]) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/inspect", pieces, {"Content-Type": kind}, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def test_a_sent_picture_is_answered_with_its_verdict_and_the_same_id_is_judged_once(
    project: Project, washers: Path, start: Start
) -> None:
    port = free_port()
    key = station(project, "http", port=port, token="secret")
    press = start(key)
    press.until(lambda: press.watch.state.running)
    good, bad = pictures(washers)[0].read_bytes(), pictures(washers, "bad")[0].read_bytes()
    assert post(port, good)[0] == 401
    assert post(port, good, Authorization="Bearer guess")[0] == 401
    allowed = {"Authorization": "Bearer secret"}
    code, said = post(port, good, X_Id="part 1", X_Name="one.png", **allowed)
    assert (code, said["verdict"], said["name"], said["station"]) == (200, "ok", "one.png", "Press 3")
    assert post(port, good, X_Id="part 1", **allowed) == (200, said)  # asked again: what was said of it then
    code, other = post(port, bad, X_Id="part 1", **allowed)  # a sender that counts anew, say
    assert code == 409
    assert "not judged" in str(other["error"])
    assert post(port, good, X_Id="p" * 201, **allowed)[0] == 400
    code, said = post(port, bad, X_Id="part 2", **allowed)
    assert (code, said["verdict"]) == (200, "ng")
    code, said = post(port, b"no picture at all", X_Id="part 3", **allowed)
    assert (code, said["verdict"]) == (200, "failed")
    assert "not an image" in str(said["error"])
    assert post(port, b"", **allowed)[0] == 400
    border = "xyz"
    form = (
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="two.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + good + b"\r\n--xyz--\r\n"
    )
    code, said = post(port, form, **allowed, Content_Type=f"multipart/form-data; boundary={border}")
    assert (code, said["verdict"], said["name"]) == (200, "ok", "two.png")
    press.stop()
    assert len(arrivals(project, key)) == 4


def test_too_many_are_told_to_come_again_and_all_that_are_taken_are_answered(
    project: Project, washers: Path
) -> None:
    port, good = free_port(), pictures(washers)[0].read_bytes()
    key = station(project, "http", port=port)
    source = open_source(Part("http", {"port": port, "most": 2, "patience": 60.0}), Past(project, key))
    codes: list[int] = []
    senders = [
        threading.Thread(target=lambda n=n: codes.append(post(port, good, X_Id=f"{n}")[0])) for n in range(2)
    ]
    try:
        for one in senders:
            one.start()
        while source.waiting < 2:
            pass
        assert post(port, good, X_Id="2")[0] == 503
        assert source.dropped == 1
        assert post(port, good, Origin="http://elsewhere.example")[0] == 403
        assert len(source.take(5, 1.0)) == 2
    finally:
        source.close()  # nobody judged them: their senders are told so
        for one in senders:
            one.join()
    assert codes == [503, 503]


def test_nobody_can_send_more_than_there_is_room_for(
    project: Project, washers: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", 100_000)
    monkeypatch.setattr(uploads, "PATIENCE", 1.0)
    port, good = free_port(), pictures(washers)[0].read_bytes()
    key = station(project, "http", port=port, most=2)
    press = start(key)
    press.until(lambda: press.watch.state.running)
    head = b'--x\r\nContent-Disposition: form-data; name="a"; filename="1.png"\r\n\r\n'
    for kind, begin in (("multipart/form-data; boundary=x", head), ("image/png", b"")):
        pieces = iter([begin + bytes(1000), *[bytes(50_000)] * 10])
        code, said = sent_in_pieces(port, kind, pieces)
        assert (code, said) == (413, {"error": "The picture is too large."})
    for kind, words in (("multipart/form-data; boundary=x", "form"), ("multipart/form-data", "boundary")):
        code, said = post(port, b"nothing", Content_Type=kind)
        assert code == 400
        assert words in str(said["error"])
    hanging = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    for one in hanging:
        one.sendall(b"POST /inspect HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc")
    press.until(lambda: post(port, good)[0] == 503)
    press.until(lambda: post(port, good)[0] == 200)  # they had their time
    for one in hanging:
        with one:
            assert b" 408 " in one.recv(200)
    press.stop()


def test_who_is_told_to_send_again_and_has_no_id_is_not_judged_twice(project: Project, washers: Path) -> None:
    port, good = free_port(), pictures(washers)[0].read_bytes()
    key = station(project, "http", port=port)
    source = open_source(Part("http", {"port": port, "patience": 1.0}), Past(project, key))
    try:
        assert post(port, good)[0] == 503
        assert post(port, good, X_Id="grün 1".encode().decode("latin-1"))[0] == 503
        (taken,) = source.take(5, 1.0)
        assert taken.name == "grün 1"
        assert source.dropped == 1
    finally:
        source.close()


def test_others_than_this_computer_need_a_token_and_a_taken_port_is_a_state(project: Project) -> None:
    key = station(project, "http")
    with pytest.raises(SettingsError, match="token"):
        open_source(Part("http", {"host": "0.0.0.0"}), Past(project, key))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        source = open_source(Part("http", {"port": port}), Past(project, key))
        assert f"127.0.0.1:{port}" in source.state
        assert source.take(1, 0.01) == []
        source.close()

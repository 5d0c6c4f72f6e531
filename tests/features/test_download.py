"""Downloads from a real server on this computer: they survive interruption, and take nothing that isn't the file."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from file_server import CONTENT, Server
from safetensors.torch import save
from torch import nn
from typer.testing import CliRunner, Result

from inspector.cli.main import app
from inspector.domain import CancelToken
from inspector.errors import Cancelled, InspectorError, WeightsError
from inspector.features.weights import catalogue, download, intake

SHA256 = hashlib.sha256(CONTENT).hexdigest()
Offer = Callable[..., str]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PATIENCE_S", 0.01)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def offer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Put one entry with the server's address into the catalogue."""

    def put(**changes: Any) -> str:
        known = next(entry for entry in catalogue.entries() if entry.name == "ViT-B-16-quickgelu")
        entry = replace(known, **{"url": server.url, "sha256": SHA256, "size": len(CONTENT)} | changes)
        monkeypatch.setattr(catalogue, "entries", lambda: [entry])
        return entry.name

    return put


@pytest.fixture
def offer_tiny(server: Server, offer: Offer, tiny: nn.Module) -> str:
    """Real weights of a small model, of which no checksum is known."""
    server.content = save({name: tensor.contiguous() for name, tensor in tiny.state_dict().items()})
    return offer(architecture="Tiny-16", tag="mine", name="Tiny-16-mine", sha256="", size=len(server.content))


def left(name: str) -> set[str]:
    """What lies in the folder of these weights."""
    folder = catalogue.find(name).folder
    return {file.name for file in folder.iterdir()} - {".lock"} if folder.exists() else set()


def interrupt(name: str) -> int:
    """Cancel a download in its middle; returns how many bytes of it are here."""
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        intake.fetch(name, lambda *_: cancel.cancel(), cancel)
    return (catalogue.find(name).folder / "model.part.safetensors").stat().st_size


def test_a_download_lands_with_its_checksum_and_reports_progress(server: Server, offer: Offer) -> None:
    seen: list[Any] = []
    entry = intake.fetch(offer(), lambda *report: seen.append(report))
    assert entry.file is not None
    assert entry.file.read_bytes() == CONTENT
    assert entry.record["sha256"] == SHA256
    assert entry.record["published"] is True
    assert seen[-1][0] == 1.0
    assert seen[-1][2]["done"] == seen[-1][2]["total"] == len(CONTENT)
    assert "MB/s" in seen[-1][1]
    assert seen == sorted(seen, key=lambda report: report[0])
    assert catalogue.state(entry.name) == "here"
    assert left(entry.name) == {"model.safetensors", "weights.json"}
    server.asked.clear()
    assert intake.fetch(entry.name).file == entry.file
    assert server.asked == []


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, offer: Offer) -> None:
    server.breaks_after = [1_000_000, 1_500_000]
    entry = intake.fetch(offer())
    assert entry.file is not None
    assert entry.file.read_bytes() == CONTENT
    assert server.asked[0] == ""
    first, second = (int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.asked[1:])
    assert 0 < first <= 1_000_000
    assert first < second <= 2_500_000


def test_a_cancelled_download_goes_on_at_the_next_order(server: Server, offer: Offer) -> None:
    name = offer()
    had = interrupt(name)
    assert not catalogue.find(name).here
    assert 0 < had < len(CONTENT)
    server.asked.clear()
    assert catalogue.state(name).startswith("not here, ")
    assert intake.fetch(name).record["sha256"] == SHA256
    assert server.asked == [f"bytes={had}-"]


def test_a_server_that_forgets_ranges_sends_all_again(server: Server, offer: Offer) -> None:
    name = offer()
    interrupt(name)
    server.takes_ranges = False
    assert intake.fetch(name).record["sha256"] == SHA256


def test_a_mix_of_two_files_is_deleted(server: Server, offer: Offer) -> None:
    name = offer()
    interrupt(name)
    server.content = CONTENT[::-1]
    with pytest.raises(WeightsError, match="not the expected file"):
        intake.fetch(name)
    assert left(name) == set()


def test_without_a_checksum_an_interrupted_download_begins_again(server: Server, offer_tiny: str) -> None:
    interrupt(offer_tiny)
    server.asked.clear()
    entry = intake.fetch(offer_tiny)
    assert server.asked == [""]
    assert entry.record["published"] is False
    assert left(offer_tiny) == {"model.safetensors", "weights.json"}


def test_without_a_checksum_the_model_is_built_before_the_file_gets_its_name(
    server: Server, offer_tiny: str
) -> None:
    server.content = bytes(len(server.content))
    with pytest.raises(WeightsError, match="doesn't fit Tiny-16"):
        intake.fetch(offer_tiny)
    assert left(offer_tiny) == set()


def test_other_content_than_expected_is_deleted(server: Server, offer: Offer) -> None:
    server.content = CONTENT[:-1] + b"x"
    name = offer()
    with pytest.raises(WeightsError, match="not the expected file"):
        intake.fetch(name)
    assert left(name) == set()


def test_the_hubs_own_record_of_a_file_is_held_against_it(server: Server, offer: Offer) -> None:
    name = offer(sha256="")
    server.moved_to, server.linked = "/moved/model.safetensors", "0" * 64
    with pytest.raises(WeightsError, match="expected 000000000000"):
        intake.fetch(name)
    server.linked, server.breaks_after = SHA256, [1_000_000]
    entry = intake.fetch(name)
    assert entry.record["sha256"] == SHA256
    assert entry.record["published"] is True


def test_a_file_that_the_hub_replaced_meanwhile_is_begun_again(server: Server, offer: Offer) -> None:
    name = offer(sha256="")
    server.moved_to, server.linked = "/moved/model.safetensors", SHA256
    interrupt(name)
    server.content = CONTENT[::-1]
    server.linked = hashlib.sha256(server.content).hexdigest()
    assert intake.fetch(name).record["sha256"] == server.linked


def test_another_file_than_the_catalogues_is_refused_before_it_is_sent(server: Server, offer: Offer) -> None:
    name = offer()
    server.moved_to, server.linked = "/moved/model.safetensors", "0" * 64
    with pytest.raises(WeightsError, match="has another file"):
        intake.fetch(name)
    assert left(name) == set()


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Content-Type": "text/html; charset=utf-8"}, "sent a web page"),
        ({"Content-Length": None}, "did not say how many bytes"),
        ({"Content-Length": None, "Transfer-Encoding": "chunked"}, "did not say how many bytes"),
        ({"Content-Length": "abc"}, "does not answer properly"),
        ({"Content-Length": "-5"}, "does not answer properly"),
        ({"Content-Length": "20000000"}, "offers 20.0 MB instead of about 5 MB"),
        ({"Content-Length": "400"}, "offers 0.0 MB instead of about 5 MB"),
        ({"Content-Length": "9" * 400}, "instead of|does not answer properly"),
        ({"Content-Encoding": "gzip"}, "sent it packed"),
    ],
)
@pytest.mark.parametrize("sha256", ["", SHA256])
def test_what_is_not_the_file_is_refused_with_a_sentence(
    server: Server, offer: Offer, headers: dict[str, str | None], said: str, sha256: str
) -> None:
    server.headers = headers
    name = offer(sha256=sha256)
    with pytest.raises(WeightsError, match=said) as refused:
        intake.fetch(name)
    assert refused.value.message.startswith("127.0.0.1 ")
    assert "Add a file…" in refused.value.hint
    assert left(name) == set()


@pytest.mark.parametrize(
    "answer",
    [
        {"Content-Range": None},
        {"Content-Range": "bytes 0-9/10"},
        {"Content-Range": "bytes abc"},
        {"Content-Range": f"bytes 7-{len(CONTENT) - 1}/*"},
    ],
)
def test_another_part_than_asked_for_is_not_put_in(
    server: Server, offer: Offer, answer: dict[str, str | None]
) -> None:
    name = offer()
    assert interrupt(name)
    server.headers = answer
    entry = intake.fetch(name)  # begins again, and then the answer needs no such header
    assert entry.record["sha256"] == SHA256


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("ftp://127.0.0.1/model.safetensors", r"another kind \(ftp\)"),
        ("file:///etc/passwd", r"another kind \(file\)"),
        ("/files/again", "sends on and on"),
    ],
)
def test_redirects_lead_to_the_web_only_and_end(server: Server, offer: Offer, target: str, said: str) -> None:
    server.moved_to = target
    name = offer()
    with pytest.raises(WeightsError, match=said):
        intake.fetch(name)
    assert left(name) == set()


def test_a_busy_server_is_asked_again(server: Server, offer: Offer) -> None:
    server.status = [503, 429]
    assert intake.fetch(offer()).here
    assert len(server.asked) == 3


def test_a_refusing_server_and_no_connection_say_how_to_copy_the_file(server: Server, offer: Offer) -> None:
    name = offer()
    had = interrupt(name)
    server.status = [404]
    server.asked.clear()
    with pytest.raises(WeightsError, match="answered 404") as refused:
        intake.fetch(name)
    assert "Add a file…" in refused.value.hint
    assert len(server.asked) == 1
    assert (catalogue.find(name).folder / "model.part.safetensors").stat().st_size == had
    name = offer(url="http://127.0.0.1:9/model.safetensors")
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1 can't be reached") as offline:
        intake.fetch(name)
    assert "press Download again" in offline.value.hint


def test_offline_mode_opens_no_connection(
    server: Server, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        intake.fetch(offer())
    assert server.asked == []


def test_a_tokenizer_file_that_is_no_json_is_deleted(server: Server, offer: Offer) -> None:
    name = offer(extras={"tokenizer.json": server.url.replace("model.safetensors", "tokenizer.json")})
    with pytest.raises(WeightsError, match="not JSON"):
        intake.fetch(name)
    assert left(name) == set()
    server.content = json.dumps({"model": {}}).encode()
    with pytest.raises(WeightsError, match="instead of about"):  # the same answer is no weights file
        intake.fetch(name)
    assert left(name) == {"tokenizer.json"}


@pytest.mark.parametrize("damage", ["{", "[" * 100_000, '{"total": ' + "9" * 5000 + "}", "[1]", "\0"])
def test_a_damaged_note_about_an_unfinished_download_begins_it_again(
    server: Server, offer: Offer, damage: str
) -> None:
    name = offer()
    interrupt(name)
    (catalogue.find(name).folder / "model.part.json").write_text(damage)
    assert intake.fetch(name).record["sha256"] == SHA256


def fetch(name: str, *options: str, answer: str = "") -> Result:
    """The command; without an `answer`, nobody is there to give one."""
    return CliRunner().invoke(app, ["weights", "fetch", name, *options], input=answer)


def test_the_command_shows_licence_size_and_source_and_downloads_what_was_accepted(
    server: Server, offer_tiny: str
) -> None:
    done = fetch(offer_tiny, answer="y\n")
    assert done.exit_code == 0, done.output
    for said in (f"{len(server.content) / 1e6:,.0f} MB", "MIT", server.url, "Accept and download?"):
        assert said in done.output
    assert left(offer_tiny) == {"model.safetensors", "weights.json"}
    asked = len(server.asked)
    again = fetch(offer_tiny)  # there is nothing to accept any more
    assert again.exit_code == 0
    assert len(server.asked) == asked


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_the_command_downloads_nothing_that_was_not_accepted(
    server: Server, offer: Offer, answer: str
) -> None:
    name = offer(licence="Apple AMLR (research only)", size=0)
    done = fetch(name, answer=answer)
    assert isinstance(done.exception, InspectorError)
    assert done.exception.message == "Nothing was downloaded."
    assert ("--yes" in done.exception.hint) == (not answer)
    assert "research only" in done.output
    assert "don't use it in production" in done.output
    assert "not known before" in done.output
    assert server.asked == []
    assert left(name) == set()


def test_who_accepted_beforehand_is_not_asked_but_told(server: Server, offer_tiny: str) -> None:
    done = fetch(offer_tiny, "--yes")
    assert done.exit_code == 0, done.output
    assert "MIT" in done.output
    assert "?" not in done.output


def test_without_a_connection_the_command_says_what_to_do(server: Server, offer: Offer) -> None:
    done = fetch(offer(url="http://127.0.0.1:9/model.safetensors"), "--yes")
    assert isinstance(done.exception, WeightsError)
    assert "can't be reached" in done.exception.message
    assert "copy the file from another computer" in done.exception.hint

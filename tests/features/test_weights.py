"""Weights: what there is, downloads that survive interruption, copied files, damage."""

import hashlib
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from inspector.domain import CancelToken
from inspector.errors import Cancelled, WeightsError
from inspector.features import backbone, download, weights

CONTENT = bytes(range(256)) * 20_000  # 5 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
TINY = {
    "embed_dim": 32,
    "vision_cfg": {"layers": 2, "width": 48, "head_width": 16, "patch_size": 16, "image_size": 64},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 2},
}


class Server(ThreadingHTTPServer):
    """A file server that can break connections, forget ranges, change its file or refuse."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.version = '"one"'
        self.breaks_after: list[int] = []
        self.status = 0
        self.linked = ""
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/files/model.safetensors"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers.get("Range", ""))
        if server.status:
            self.send_error(server.status)
            return
        if server.linked and not self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("X-Linked-Etag", f'"{server.linked}"')
            self.send_header("Location", "/moved" + self.path)
            self.end_headers()
            return
        start = 0
        if (asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))) and self.headers.get(
            "If-Range"
        ) == server.version:
            start = int(asked[1])
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
            )
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.version)
        self.end_headers()
        if server.breaks_after:
            self.wfile.write(body[: server.breaks_after.pop(0)])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


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
def offer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Put one entry with the server's address into the catalogue."""

    def put(**changes: object) -> str:
        known = next(entry for entry in weights.catalogue() if entry.name == "ViT-B-16-quickgelu")
        entry = replace(known, **{"url": server.url, "sha256": SHA256} | changes)
        monkeypatch.setattr(weights, "catalogue", lambda: [entry])
        return entry.name

    return put


def test_a_download_lands_with_its_checksum_and_reports_progress(
    server: Server, offer: Callable[..., str]
) -> None:
    seen: list[tuple[float, str, dict[str, float]]] = []
    entry = weights.fetch(offer(), lambda *report: seen.append(report))
    assert entry.file.read_bytes() == CONTENT
    assert entry.record["sha256"] == SHA256
    assert entry.record["trusted_on_first_use"] is False
    assert weights.verify(entry.name) == entry.file
    assert seen[-1][0] == 1.0
    assert seen[-1][2]["done"] == seen[-1][2]["total"] == len(CONTENT)
    assert "MB/s" in seen[-1][1]
    assert seen == sorted(seen, key=lambda report: report[0])
    assert weights.state(entry.name) == "here"
    assert {file.name for file in entry.folder.iterdir()} <= {"model.safetensors", "weights.json", ".lock"}
    server.asked.clear()
    assert weights.fetch(entry.name).file == entry.file
    assert server.asked == []


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, offer: Callable[..., str]) -> None:
    server.breaks_after = [1_000_000, 1_500_000]
    entry = weights.fetch(offer())
    assert entry.file.read_bytes() == CONTENT
    assert server.asked[0] == ""
    first, second = (int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.asked[1:])
    assert 0 < first <= 1_000_000
    assert first < second <= 2_500_000


def test_a_cancelled_download_goes_on_at_the_next_order(server: Server, offer: Callable[..., str]) -> None:
    cancel = CancelToken()
    name = offer()
    with pytest.raises(Cancelled):
        weights.fetch(name, lambda *_: cancel.cancel(), cancel)
    assert not weights.find(name).here
    part = weights.find(name).folder / "model.safetensors.part"
    had = part.stat().st_size
    assert 0 < had < len(CONTENT)
    server.asked.clear()
    assert weights.state(name).startswith("not here, ")
    assert weights.fetch(name).file.read_bytes() == CONTENT
    assert server.asked == [f"bytes={had}-"]


def test_a_file_that_changed_meanwhile_is_begun_again(server: Server, offer: Callable[..., str]) -> None:
    cancel = CancelToken()
    name = offer(sha256="")
    with pytest.raises(Cancelled):
        weights.fetch(name, lambda *_: cancel.cancel(), cancel)
    server.content, server.version = CONTENT[::-1], '"two"'
    entry = weights.fetch(name)
    assert entry.file.read_bytes() == CONTENT[::-1]
    assert entry.record["trusted_on_first_use"] is True


def test_other_content_than_expected_is_deleted(server: Server, offer: Callable[..., str]) -> None:
    server.content = CONTENT[:-1] + b"x"
    name = offer()
    with pytest.raises(WeightsError, match="not the expected file"):
        weights.fetch(name)
    assert not weights.find(name).here
    assert not list(weights.find(name).folder.glob("model*"))


def test_the_hubs_own_record_of_a_file_is_held_against_it(server: Server, offer: Callable[..., str]) -> None:
    name = offer(sha256="")
    server.linked = "0" * 64
    with pytest.raises(WeightsError, match="expected 000000000000"):
        weights.fetch(name)
    server.linked, server.breaks_after = SHA256, [1_000_000]
    assert weights.fetch(name).file.read_bytes() == CONTENT


def test_a_refusing_server_and_no_connection_say_how_to_copy_the_file(
    server: Server, offer: Callable[..., str]
) -> None:
    name = offer()
    server.status = 404
    with pytest.raises(WeightsError, match="404") as refused:
        weights.fetch(name)
    assert "inspector weights add" in refused.value.hint
    assert len(server.asked) == 1
    name = offer(url="http://127.0.0.1:9/model.safetensors")
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1 can't be reached") as offline:
        weights.fetch(name)
    assert "inspector weights add" in offline.value.hint


def test_offline_mode_opens_no_connection(
    server: Server, offer: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        weights.fetch(offer())
    assert server.asked == []


def test_the_catalogue_agrees_with_open_clip() -> None:
    for entry in weights.catalogue():
        if entry.embedded:
            continue
        known = open_clip.get_pretrained_cfg(entry.architecture, entry.tag)
        assert entry.url == known["url"] or known["hf_hub"] in entry.url.replace("/resolve/main/", "/")
        assert open_clip.get_model_config(entry.architecture)["vision_cfg"]["image_size"] == entry.image_size
        weights.check_activation(entry.architecture, entry.tag)
        assert entry.licence
        assert not entry.here
        with pytest.raises(WeightsError, match="not on this computer"):
            weights.verify(entry.name)


def test_any_model_of_open_clip_can_be_named() -> None:
    entry = weights.find("ViT-B-32:laion2b_s34b_b79k")
    assert entry.url.endswith(".safetensors") or entry.sha256
    assert entry.image_size == 224
    with pytest.raises(WeightsError, match="no architecture"):
        weights.find("ViT-Z:openai")
    with pytest.raises(WeightsError, match="no weights nothing"):
        weights.find("ViT-B-32:nothing")
    with pytest.raises(WeightsError, match="no weights called"):
        weights.find("../somewhere")


@pytest.mark.parametrize(
    ("architecture", "tag", "file"),
    [
        ("ViT-B-16", "openai", ""),
        ("ViT-L-14-336", "openai", ""),
        ("ViT-B-16-quickgelu", "laion400m_e32", ""),
        ("ViT-B-32", "laion400m_e32", ""),
        ("ViT-B-16", "mine", "openai_finetuned.safetensors"),
    ],
)
def test_the_wrong_activation_is_refused(architecture: str, tag: str, file: str) -> None:
    with pytest.raises(WeightsError, match="quick-GELU"):
        weights.check_activation(architecture, tag, file)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """An architecture of our own that open_clip knows, and a model of it."""
    (tmp_path / "Tiny-16.json").write_text(json.dumps(TINY))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [*open_clip.factory._MODEL_CONFIG_PATHS])
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
    open_clip.add_model_config(tmp_path / "Tiny-16.json")
    torch.manual_seed(0)
    return open_clip.CLIP(**TINY).eval()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_copied_file_works_as_well_as_a_download(tiny: nn.Module, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"copied{suffix}"
    if suffix == ".pt":
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in tiny.state_dict().items()}}, file)
    else:
        save_file(tiny.state_dict(), file)
    entry = weights.add(file, "Tiny-16:mine")
    assert entry.file.is_relative_to(weights.paths.weights_dir())
    file.unlink()
    assert [e.name for e in weights.catalogue()][-1] == "Tiny-16-mine"
    for name in ("Tiny-16:mine", "Tiny-16-mine"):
        loaded = backbone.load(name, "cpu", dtype=torch.float32)
        x = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            assert torch.allclose(loaded(x).cls, tiny.encode_image(x), atol=1e-5)
            ids = loaded.text.tokens(["a washer"])
            assert torch.allclose(
                loaded.text.encode_texts(["a washer"])[0],
                nn.functional.normalize(tiny.encode_text(ids), dim=-1)[0],
                atol=1e-5,
            )
    assert loaded.identity.weights_sha256 == hashlib.sha256(entry.file.read_bytes()).hexdigest()
    assert loaded.identity.tag == "mine"
    larger = backbone.load("Tiny-16:mine", "cpu", image_size=96, dtype=torch.float32)
    assert larger.grid == (6, 6)
    assert larger(torch.zeros(1, 3, 96, 96)).patches.shape == (1, 36, 32)
    assert larger.identity.key != loaded.identity.key


def test_damaged_weights_are_never_loaded(tiny: nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "copied.safetensors"
    save_file(tiny.state_dict(), file)
    entry = weights.add(file, "Tiny-16:mine")
    data = bytearray(entry.file.read_bytes())
    data[-5] ^= 1
    entry.file.write_bytes(data)
    for read in (weights.verify, backbone.load):
        with pytest.raises(WeightsError, match="damaged or was changed"):
            read("Tiny-16:mine")


def test_weights_of_another_architecture_are_refused(tiny: nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "copied.safetensors"
    save_file({name: tensor for name, tensor in tiny.state_dict().items() if "resblocks.1" not in name}, file)
    weights.add(file, "Tiny-16:mine")
    with pytest.raises(WeightsError, match="doesn't fit Tiny-16"):
        backbone.load("Tiny-16:mine")


def test_programs_pickles_and_unknown_files_are_refused(
    tiny: nn.Module, tmp_path: Path, recwarn: object
) -> None:
    program = tmp_path / "ViT-B-16.pt"
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("ViT-B-16/code/__torch__.py", "")
        archive.writestr("ViT-B-16/data.pkl", "")
    for read in (weights.add, backbone.load):
        with pytest.raises(WeightsError, match="TorchScript"):
            read(program)
    harmful = tmp_path / "harmful.pt"
    torch.save({"state_dict": Harmful(tmp_path / "ran")}, harmful)
    weights.add(harmful, "Tiny-16:mine")
    with pytest.raises(WeightsError, match="doesn't fit"):
        backbone.load("Tiny-16:mine")
    assert not (tmp_path / "ran").exists()
    other = tmp_path / "model.safetensors"
    save_file(tiny.state_dict(), other)
    with pytest.raises(WeightsError, match="can't be told"):
        weights.add(other)
    with pytest.raises(WeightsError, match="no file"):
        weights.add(tmp_path / "missing.safetensors")
    with pytest.raises(WeightsError, match="not a weights file"):
        weights.add(Path(__file__))
    with pytest.raises(WeightsError, match="699c4b84"):
        weights.add(other, "ViT-B-16-plus-240")


def test_a_file_is_known_by_its_publishers_name(tmp_path: Path) -> None:
    file = tmp_path / "vit_b_16_plus_240-laion400m_e32-699c4b84.pt"
    assert weights.recognise(file, "0" * 64).name == "ViT-B-16-plus-240"
    assert weights.recognise(tmp_path / "x.pt", "699c4b84" + "0" * 56).name == "ViT-B-16-plus-240"
    hub = tmp_path / "vit_base_patch16_clip_224.openai" / "open_clip_model.safetensors"
    assert weights.recognise(hub, "0" * 64).name == "ViT-B-16-quickgelu"


class Harmful:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)

"""Weights: what there is, copied files, damage."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from inspector import paths
from inspector.errors import WeightsError
from inspector.features import loading
from inspector.features.weights import catalogue, intake


def test_the_catalogue_agrees_with_open_clip() -> None:
    for entry in catalogue.entries():
        assert entry.licence
        if entry.embedded or entry.vision_only:
            continue
        known = open_clip.get_pretrained_cfg(entry.architecture, entry.tag)
        assert entry.url == known["url"] or known["hf_hub"] in entry.url.replace("/resolve/main/", "/")
        assert open_clip.get_model_config(entry.architecture)["vision_cfg"]["image_size"] == entry.image_size
        catalogue.check_activation(entry.architecture, entry.tag)
        assert not entry.here
        with pytest.raises(WeightsError, match="not on this computer"):
            intake.verify(entry.name)


def test_any_model_of_open_clip_can_be_named() -> None:
    entry = catalogue.find("ViT-B-32:laion2b_s34b_b79k")
    assert entry.url.endswith(".safetensors") or entry.sha256
    assert entry.image_size == 224
    with pytest.raises(WeightsError, match="no architecture"):
        catalogue.find("ViT-Z:openai")
    with pytest.raises(WeightsError, match="no weights nothing"):
        catalogue.find("ViT-B-32:nothing")
    with pytest.raises(WeightsError, match="no weights called"):
        catalogue.find("../somewhere")


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
        catalogue.check_activation(architecture, tag, file)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_copied_file_works_as_well_as_a_download(tiny: nn.Module, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"copied{suffix}"
    if suffix == ".pt":
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in tiny.state_dict().items()}}, file)
    else:
        save_file(tiny.state_dict(), file)
    entry = intake.add(file, "Tiny-16:mine")
    assert entry.file.is_relative_to(paths.weights_dir())
    file.unlink()
    assert [e.name for e in catalogue.entries()][-1] == "Tiny-16-mine"
    for name in ("Tiny-16:mine", "Tiny-16-mine"):
        loaded = loading.load(name, "cpu", dtype=torch.float32)
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
    larger = loading.load("Tiny-16:mine", "cpu", image_size=96, dtype=torch.float32)
    assert larger.grid == (6, 6)
    assert larger(torch.zeros(1, 3, 96, 96)).patches.shape == (1, 36, 32)
    assert larger.identity.key != loaded.identity.key


def test_damaged_weights_are_never_loaded(tiny: nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "copied.safetensors"
    save_file(tiny.state_dict(), file)
    entry = intake.add(file, "Tiny-16:mine")
    data = bytearray(entry.file.read_bytes())
    data[-5] ^= 1
    entry.file.write_bytes(data)
    for read in (intake.verify, loading.load):
        with pytest.raises(WeightsError, match="damaged or was changed"):
            read("Tiny-16:mine")


def _state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def _lacking(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in _state(model).items() if "resblocks.1" not in name}


def _other_image_size(model: nn.Module) -> dict[str, torch.Tensor]:
    return _state(model) | {"visual.positional_embedding": torch.zeros(26, 48)}


def _other_width(model: nn.Module) -> dict[str, torch.Tensor]:
    return _state(model) | {"visual.proj": torch.zeros(48, 16)}


def _no_number(model: nn.Module) -> dict[str, torch.Tensor]:
    state = _state(model)
    state["visual.proj"][0, 0] = float("nan")
    return state


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("wrong", [_lacking, _other_image_size, _other_width, _no_number])
def test_weights_that_do_not_fit_their_architecture_are_not_accepted(
    tiny: nn.Module, tmp_path: Path, wrong: Callable[[nn.Module], dict[str, torch.Tensor]], suffix: str
) -> None:
    file = tmp_path / f"copied{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(wrong(tiny), file)
    with pytest.raises(WeightsError, match="doesn't fit Tiny-16") as refused:
        intake.add(file, "Tiny-16:mine")
    assert refused.value.hint
    assert not paths.weights_dir().exists()
    assert not [entry for entry in catalogue.entries() if entry.name == "Tiny-16-mine"]


@pytest.mark.parametrize("suffix", catalogue.SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"", b"no weights at all\n", b"<!DOCTYPE html><html></html>", bytes(4096)]
)
def test_files_that_hold_no_weights_are_not_accepted(
    tiny: nn.Module, tmp_path: Path, content: bytes, suffix: str
) -> None:
    file = tmp_path / f"copied{suffix}"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="doesn't fit Tiny-16"):
        intake.add(file, "Tiny-16:mine")
    assert not paths.weights_dir().exists()


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_file_cut_short_is_not_accepted(tiny: nn.Module, tmp_path: Path, suffix: str, share: float) -> None:
    file = tmp_path / f"copied{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(_state(tiny), file)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match="Copy or download it again"):
        intake.add(file, "Tiny-16:mine")
    assert not paths.weights_dir().exists()


@pytest.mark.parametrize("content", [[], [1, 2], {}, {"state_dict": 3}, torch.zeros(3), {1: torch.zeros(3)}])
def test_pickled_values_that_are_no_weights_are_not_accepted(
    tiny: nn.Module, tmp_path: Path, content: object
) -> None:
    file = tmp_path / "copied.pt"
    torch.save(content, file)
    with pytest.raises(WeightsError, match="doesn't fit Tiny-16"):
        intake.add(file, "Tiny-16:mine")


def test_verify_tells_the_truth_of_a_file_that_was_accepted_before_it_was_checked(tiny: nn.Module) -> None:
    entry = _stored(b"no weights at all")
    assert catalogue.state("Tiny-16-mine") == "here"
    with pytest.raises(WeightsError, match="doesn't fit Tiny-16"):
        intake.verify(entry)


def _stored(content: bytes, **changes: object) -> str:
    folder = paths.weights_dir() / "Tiny-16-mine"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    record = {
        "architecture": "Tiny-16",
        "tag": "mine",
        "image_size": 64,
        "file": "model.safetensors",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / "weights.json").write_text(json.dumps(record | changes))
    return folder.name


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 10**400},
        {"image_size": -1},
        {"image_size": 1e400},
        {"sha256": "short"},
        {"sha256": None},
        {"file": "../../elsewhere.pt"},
        {"file": "a\0b"},
        {"tag": "\x1b[31m"},
        {"architecture": ["Tiny-16"] * 3},
    ],
)
def test_a_record_with_impossible_values_is_not_believed(tiny: nn.Module, changes: dict[str, object]) -> None:
    _stored(b"x", **changes)
    assert [entry.name for entry in catalogue.entries() if entry.here] == ["inspector-tiny"]


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", '{"size": ' + "9" * 5000 + "}", "\0"])
def test_a_record_that_is_damaged_is_said(text: str) -> None:
    folder = paths.weights_dir() / "ViT-B-16-quickgelu"
    folder.mkdir(parents=True)
    (folder / "weights.json").write_text(text)
    assert catalogue.state("ViT-B-16-quickgelu") == "damaged"
    with pytest.raises(WeightsError, match="is damaged, or its file is gone"):
        intake.verify("ViT-B-16-quickgelu")


def test_the_command_says_in_two_lines_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ViT-B-32.safetensors"
    file.write_bytes(b"no weights")
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "weights", "add", str(file), "--name", "ViT-B-32:mine"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=170,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("✗ ViT-B-32.safetensors is damaged or doesn't fit ViT-B-32")


def test_programs_pickles_and_unknown_files_are_refused(
    tiny: nn.Module, tmp_path: Path, recwarn: object
) -> None:
    program = tmp_path / "ViT-B-16.pt"
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("ViT-B-16/code/__torch__.py", "")
        archive.writestr("ViT-B-16/data.pkl", "")
    for read in (intake.add, loading.load):
        with pytest.raises(WeightsError, match="TorchScript"):
            read(program)
    harmful = tmp_path / "harmful.pt"
    torch.save({"state_dict": Harmful(tmp_path / "ran")}, harmful)
    with pytest.raises(WeightsError, match="doesn't fit"):
        intake.add(harmful, "Tiny-16:mine")
    assert not (tmp_path / "ran").exists()
    other = tmp_path / "model.safetensors"
    save_file(tiny.state_dict(), other)
    with pytest.raises(WeightsError, match="can't be told"):
        intake.add(other)
    with pytest.raises(WeightsError, match="no file"):
        intake.add(tmp_path / "missing.safetensors")
    with pytest.raises(WeightsError, match="not a weights file"):
        intake.add(Path(__file__))
    with pytest.raises(WeightsError, match="699c4b84"):
        intake.add(other, "ViT-B-16-plus-240")


def test_a_file_is_known_by_its_publishers_name(tmp_path: Path) -> None:
    file = tmp_path / "vit_b_16_plus_240-laion400m_e32-699c4b84.pt"
    assert catalogue.recognise(file, "0" * 64).name == "ViT-B-16-plus-240"
    assert catalogue.recognise(tmp_path / "x.pt", "699c4b84" + "0" * 56).name == "ViT-B-16-plus-240"
    assert (
        catalogue.recognise(tmp_path / "ViT-B-16-openai.safetensors", "0" * 64).name == "ViT-B-16-quickgelu"
    )
    hub = tmp_path / "vit_base_patch16_clip_224.openai" / "open_clip_model.safetensors"
    assert catalogue.recognise(hub, "0" * 64).name == "ViT-B-16-quickgelu"


class Harmful:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)

"""Exported graphs say what torch says, and where they can't, torch says it."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inspector.features import loading, random_weights
from inspector.features.backbone import Backbone, Features
from inspector.features.runtimes import choice, graphs
from inspector.features.runtimes.engines import RUNTIMES, Runtime, installed
from inspector.features.runtimes.scoring import ScoringBackbone
from inspector.jobs import doctor

EARLY: dict[str, Any] = {"taps": ("stem8", "stem16"), "joint": False}
Pixels = list[np.ndarray[Any, Any]]


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An entry for every graph that was exported."""
    seen: list[str] = []
    export: Callable[..., Any] = torch.onnx.export

    def counted(*values: Any, **options: Any) -> Any:
        seen.append("export")
        return export(*values, **options)

    monkeypatch.setattr(torch.onnx, "export", counted)
    return seen


def pixels(rows: int = 200, columns: int = 210, count: int = 3) -> Pixels:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (rows, columns, 3), np.uint8) for _ in range(count)]


def apart(one: Features, other: Features) -> float:
    """The largest difference, in parts of the length of what differs."""

    def tensors(seen: Features) -> dict[str, Tensor]:
        named = {"cls": seen.cls, "patches": seen.patches, "vv": seen.vv, **seen.taps}
        named |= {f"prompt {number}": value for number, value in enumerate(seen.prompts)}
        return {name: value.float() for name, value in named.items() if value is not None}

    left, right = tensors(one), tensors(other)
    assert left.keys() == right.keys()
    assert one.grids == other.grids
    assert all(left[name].shape == right[name].shape for name in left)
    return max(float((left[name] - right[name]).norm() / left[name].norm()) for name in left)


def test_the_layers_that_a_memory_reads_are_the_same_in_any_frame(
    exact: Backbone, runtime: Runtime, early: Path
) -> None:
    scoring = choice.scoring(exact, runtime.name)
    assert scoring.runtime == runtime.name
    assert runtime.title in scoring.device_note
    assert scoring.identity == exact.identity
    for shape in ((200, 210), (120, 300)):
        x = scoring.prepare(pixels(*shape), proportions=True)
        assert apart(exact.forward(x, **EARLY), scoring.forward(x, **EARLY)) < 1e-5
    assert len(list(graphs.folder().iterdir())) == 2


def test_the_whole_tower_with_prompts_of_each_image_is_the_same(exact: Backbone, early: Path) -> None:
    scoring = choice.scoring(exact, "onnx")
    draw = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, exact.width, generator=draw)

    x = scoring.prepare(pixels())
    tokens = scoring.embed(x)
    torch.testing.assert_close(tokens, exact.embed(x), rtol=1e-3, atol=1e-3)
    options = {"visual_prompts": [drawn(2), drawn(3, 2)], "prefix": drawn(3, 1), "vv_from": 3}
    options |= {"grid": (15, 15), "taps": ("block2", "vv4")}
    assert apart(exact.forward(tokens, **options), scoring.forward(tokens, **options)) < 1e-4
    assert len(list(graphs.folder().iterdir())) == 3


def test_what_learns_is_computed_by_torch(exact: Backbone, early: Path, exports: list[str]) -> None:
    scoring = choice.scoring(exact, "onnx")
    prompt = torch.randn(2, exact.width, requires_grad=True)
    seen = scoring.forward(scoring.prepare(pixels(count=1)), visual_prompts=[prompt])
    assert seen.cls is not None
    seen.cls.sum().backward()  # type: ignore[no-untyped-call]
    assert prompt.grad is not None
    assert not exports


def test_a_graph_is_exported_once_and_a_damaged_one_anew(
    exact: Backbone, early: Path, exports: list[str]
) -> None:
    x = exact.prepare(pixels())
    expected = exact.forward(x, **EARLY)
    assert apart(expected, choice.scoring(exact, "onnx").forward(x, **EARLY)) < 1e-5
    assert not exports
    whole = early.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"[]\n", b"{}\nx", b"\xff", whole[:-3] + b"???"):
        early.write_bytes(damaged)
        assert graphs._read(early) is None
    assert apart(expected, choice.scoring(exact, "onnx").forward(x, **EARLY)) < 1e-5
    assert exports == ["export"]
    assert graphs._read(early) is not None


def test_a_graph_that_says_something_else_is_not_used(
    exact: Backbone, early: Path, exports: list[str]
) -> None:
    other = random_weights.same_as(exact)
    shutil.copy(early, graphs._path(other.identity.key, choice.early(other)))
    scoring = choice.scoring(other, "onnx")
    assert scoring.runtime == "torch"
    assert "can't run this network" in scoring.device_note
    x = other.prepare(pixels())
    found = ScoringBackbone(other, RUNTIMES["onnx"], "fp32").forward(x, **EARLY)
    assert apart(other.forward(x, **EARLY), found) == 0
    assert not exports


def test_a_pass_that_can_not_be_exported_is_computed_by_torch(
    exact: Backbone, early: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = choice.scoring(exact, "onnx")

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("this exporter is gone")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    x = scoring.prepare(pixels())
    assert apart(exact.forward(x, taps=("block1",)), scoring.forward(x, taps=("block1",))) == 0
    assert not [file for file in graphs.folder().iterdir() if file != early]


def test_a_runtime_that_is_missing_is_named(exact: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = dataclasses.replace(RUNTIMES["openvino"], package="no-such-package-here")
    monkeypatch.setitem(RUNTIMES, "openvino", missing)
    found = choice.scoring(exact, "openvino")
    assert found.runtime == "torch"
    assert "OpenVINO is not installed" in found.device_note
    lines = [str(one) for one in doctor._runtimes()]
    assert any("OpenVINO: not installed" in line and "inspector[openvino]" in line for line in lines)


def test_three_digits_are_never_computed_where_torch_computes_seven_nor_the_other_way(early: Path) -> None:
    rounded = loading.load(device="cpu", dtype=torch.bfloat16)
    found = choice.scoring(rounded, "onnx")
    assert found.runtime == "torch"
    assert "doesn't compute in bf16" in found.device_note
    assert rounded.full().dtype == torch.float32
    if RUNTIMES["openvino"].version:
        scoring = choice.scoring(rounded, "openvino")
        assert scoring.runtime == "openvino"
        assert "(bf16)" in scoring.device_note
        seen = scoring.forward(scoring.prepare(pixels()), **EARLY)
        assert apart(rounded.forward(rounded.prepare(pixels()), **EARLY), seen) < 0.05


def test_the_fastest_is_measured_once_and_said(
    exact: Backbone, early: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_decided", {})
    seconds = {"torch": 0.4, **{one.name: 0.3 for one in installed()}, "onnx": 0.1}
    monkeypatch.setattr(choice, "race", lambda runs: {name: seconds[name] for name in runs})
    assert choice.scoring(exact).runtime == "onnx"
    lines = [str(one) for one in doctor._runtimes() if one.what == "runtime for inspector-tiny@240"]
    assert len(lines) == 1
    assert "ONNX Runtime (fp32), 25.0 ms an image" in lines[0]
    assert "PyTorch 100.0" in lines[0]

    monkeypatch.setattr(choice, "_decided", {})
    monkeypatch.setattr(choice, "race", lambda runs: pytest.fail("measured again"))
    assert choice.scoring(exact).runtime == "onnx"

    (file,) = (choice._folder()).iterdir()
    file.write_text(json.dumps({**json.loads(file.read_text()), "runtime": "abacus"}))
    monkeypatch.setattr(choice, "_decided", {})
    monkeypatch.setattr(choice, "race", lambda runs: dict.fromkeys(runs, 0.1))
    assert choice.scoring(exact).runtime == "torch"  # no faster, no change


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    if not RUNTIMES["openvino"].version:
        pytest.skip("OpenVINO is not installed")
    program = (
        "import socket, sys\n"
        "def asked(*_): raise SystemExit('asked the network')\n"
        "socket.socket.connect = socket.getaddrinfo = asked\n"
        "from inspector.features.runtimes import engines\n"
        "engines._core()\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
    )
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists()

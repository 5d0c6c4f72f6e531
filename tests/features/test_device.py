"""Which processor computes, and in which precision."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inspector.features import device


def test_a_device_that_cannot_be_used_is_replaced_and_the_reason_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen, note = device.choose("cuda")
    assert chosen == torch.device("cpu")
    assert "cuda can't be used" in note
    assert "driver" in note
    assert device.choose("cpu") == (torch.device("cpu"), "CPU")
    assert "no device has this name" in device.choose("abacus")[1]


def test_only_devices_that_are_here_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    (cpu,) = device.devices()
    assert (cpu.name, cpu.usable) == ("cpu", True)
    assert "threads" in cpu.found


def test_a_gpu_that_does_not_compute_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpus = [one for one in device.devices() if one.name.startswith("cuda")]
    assert [gpu.name for gpu in gpus] == ["cuda", "cuda:1"]
    assert not any(gpu.usable for gpu in gpus)
    assert all("driver" in gpu.found for gpu in gpus)


@pytest.mark.parametrize(
    ("slow", "expected"), [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)]
)
def test_the_faster_precision_is_chosen_once_and_remembered(
    home: Path, slow: torch.dtype, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_decided", {})
    probed: list[torch.dtype] = []

    def runner(dtype: torch.dtype) -> Callable[[], object]:
        probed.append(dtype)
        return lambda: time.sleep(0.02 if dtype == slow else 0.002)

    assert device.faster_cpu_dtype("model", runner) == expected
    assert device.faster_cpu_dtype("model", runner) == expected
    device._decided.clear()  # the next start
    assert device.faster_cpu_dtype("model", runner) == expected
    assert probed == [torch.float32, torch.bfloat16]
    (file,) = home.glob("cache/precision/*.json")
    assert json.loads(file.read_text())["fp32_s"] > 0
    file.write_text("damaged")
    device._decided.clear()
    assert device.faster_cpu_dtype("model", runner) == expected
    assert len(probed) == 4


def test_a_small_gain_keeps_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_decided", {})
    delays = {torch.float32: 0.044, torch.bfloat16: 0.040}
    assert device.faster_cpu_dtype("model", lambda dtype: lambda: time.sleep(delays[dtype])) == torch.float32

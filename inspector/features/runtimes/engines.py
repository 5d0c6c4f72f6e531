"""What runs exported graphs on the processor: ONNX Runtime and OpenVINO, each an extra that may be missing."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Run = Callable[[Sequence[Array]], list[Array]]
"""The inputs of one image → its outputs, both in the graph's order. Any thread, several at once."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """`name`: as people choose it; `package`: of the extra of the same name; `precisions`: "fp32", "bf16" that it computes in; `load`:
    a graph, the precision, and how many processor threads one call may use → how to run it."""

    name: str
    title: str
    package: str
    precisions: tuple[str, ...]
    load: Callable[[bytes, str, int], Run]

    @property
    def version(self) -> str:
        """Of the installed package; "" where it, or what exports graphs for it, is not installed."""
        try:
            metadata.version("onnx")
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""


def _load_onnx(graph: bytes, precision: str, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # threads that wait by spinning would keep readers and the writer from working
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(inputs: Sequence[Array]) -> list[Array]:
        found: list[Array] = session.run(None, dict(zip(names, inputs, strict=True)))
        return found

    return run


@lru_cache(maxsize=1)
def _core() -> Any:
    # The package reports every import of it to its makers, unless the one that sends is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()


def _load_openvino(graph: bytes, precision: str, threads: int) -> Run:
    cores = max(threads, os.cpu_count() or 1)
    core = _core()
    compiled = core.compile_model(
        core.read_model(graph),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": cores,
            "NUM_STREAMS": max(1, cores // threads),  # as many images at once as there are callers
            "ENABLE_CPU_PINNING": False,  # other work shares the cores
        },
    )
    count = len(compiled.outputs)
    # Of no thread: what is a thread's own dies with it, and where Qt ends the thread a request must not die.
    free: list[Any] = []

    def run(inputs: Sequence[Array]) -> list[Array]:
        try:
            request = free.pop()
        except IndexError:
            request = compiled.create_infer_request()
        request.infer(list(inputs), share_inputs=True)
        found = [request.get_output_tensor(place).data.copy() for place in range(count)]
        free.append(request)
        return found

    return run


RUNTIMES = {
    one.name: one
    for one in (
        Runtime("onnx", "ONNX Runtime", "onnxruntime", ("fp32",), _load_onnx),
        Runtime("openvino", "OpenVINO", "openvino", ("fp32", "bf16"), _load_openvino),
    )
}


def installed() -> list[Runtime]:
    """Those of this computer."""
    return [one for one in RUNTIMES.values() if one.version]

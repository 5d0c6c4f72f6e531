"""Passes of an image tower as ONNX graphs: exported from the tower itself, for one image of one frame, and kept in the cache folder.

A graph holds the tower in full precision up to the deepest thing that is asked for; learned prompts are inputs, so that one graph
serves every detector of a backbone. A file is one line of JSON and the graph, and says its own sha256: a damaged one is made anew.
"""

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inspector import paths

_log = logging.getLogger("inspector.features")

OPSET = 17
"""The oldest that has layer norms as one operation."""
LARGEST = 1_900_000_000
"""Bytes of a graph with its weights: one file of the format holds two gigabytes."""
LIMIT_BYTES = 4 << 30
"""Graphs that were used longest ago go first when the folder grows beyond this."""
_FORMAT = 1
_exporting = threading.Lock()  # torch's exporter keeps what it does in globals


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a tower for one image. `shape`: (3, h, w) of its pixels or (tokens, width) of what enters block 1; `grid`:
    (rows, columns) of its patches; `taps`, `joint`, `vv_from`: see `Backbone.forward`; `prompts`: tokens of each prompted layer;
    `prefix`: its tokens; `embed`: what enters block 1 is wanted and nothing else."""

    shape: tuple[int, ...]
    grid: tuple[int, int]
    taps: tuple[str, ...] = ()
    joint: bool = False
    vv_from: int | None = None
    prompts: tuple[int, ...] = ()
    prefix: int = 0
    embed: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """`data`: ONNX, of as many inputs as a call has tensors, one image each. `outputs`: their names, `grids` as in `Features`."""

    data: bytes
    outputs: tuple[str, ...]
    grids: Mapping[str, tuple[int, int]]


Traced = tuple[nn.Module, Sequence[Tensor]]
"""What is exported: a module in full precision whose `outputs` and `grids` stand once it ran, and inputs to run it with."""


def graph_of(identity_key: str, call: Call, trace: Callable[[], Traced]) -> Graph:
    """The graph of a call, from the cache or made anew. `trace` is asked only where there is none. Raises whatever the exporter
    does, ValueError for one that is too large."""
    path = _path(identity_key, call)
    found = _read(path)
    if found is None:
        with _exporting:
            found = _read(path)  # another thread may have been faster
            if found is None:
                found = _export(trace())
                _write(path, found)
    return found


def folder() -> Path:
    """Where graphs are kept."""
    return paths.cache_dir() / "graphs"


def _path(identity_key: str, call: Call) -> Path:
    said = json.dumps([_FORMAT, identity_key, OPSET, "fp32", asdict(call), torch.__version__], sort_keys=True)
    return folder() / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.onnx"


def _read(path: Path) -> Graph | None:
    try:
        head, _, data = path.read_bytes().partition(b"\n")
        said: dict[str, Any] = json.loads(head)
        if said["sha256"] != hashlib.sha256(data).hexdigest():
            raise ValueError("another sha256")
        grids = {str(name): (int(rows), int(columns)) for name, (rows, columns) in said["grids"].items()}
        found = Graph(data, tuple(map(str, said["outputs"])), grids)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        _log.warning("the graph %s is damaged and made anew", path.name)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of the last use decides what goes first
    return found


def _write(path: Path, graph: Graph) -> None:
    """A full or read-only disk is no error: it is exported again next time."""
    said = {
        "sha256": hashlib.sha256(graph.data).hexdigest(),
        "outputs": list(graph.outputs),
        "grids": graph.grids,
    }
    with contextlib.suppress(OSError):
        paths.write_atomic(path, json.dumps(said).encode() + b"\n" + graph.data)
        kept = sorted((one.stat().st_mtime_ns, one.stat().st_size, one) for one in folder().glob("*.onnx"))
        total = sum(size for _, size, _ in kept)
        for _, size, one in kept[:-1]:
            if total <= LIMIT_BYTES:
                break
            one.unlink(missing_ok=True)
            total -= size


def _export(traced: Traced) -> Graph:
    module, inputs = traced
    if sum(one.numel() * one.element_size() for one in module.parameters()) > LARGEST:
        raise ValueError("the tower is too large for one graph")
    began = time.perf_counter()
    with torch.no_grad(), _quietly(), tempfile.TemporaryDirectory(prefix="inspector-graph-") as scratch:
        module(*inputs)  # so that what it caches isn't traced, and its outputs are known
        outputs, grids = tuple(module.outputs), dict(module.grids)  # type: ignore[arg-type]
        into = Path(scratch) / "graph.onnx"
        torch.onnx.export(module, tuple(inputs), into, opset_version=OPSET, dynamo=False)
        data = into.read_bytes()
    _log.info("exported a graph of %d kB in %.1f s", len(data) >> 10, time.perf_counter() - began)
    return Graph(data, outputs, grids)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what the tracing exporter says of itself, and without torch's fused attention, which no other runtime has."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)

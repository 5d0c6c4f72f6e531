"""A backbone whose frozen passes run as exported graphs: another way to compute the same."""

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inspector.features.backbone import Backbone, Features, of_images, token_count
from inspector.features.device import thread_count
from inspector.features.runtimes.engines import Array, Run, Runtime
from inspector.features.runtimes.graphs import Call, Traced, graph_of
from inspector.text import reason

_log = logging.getLogger("inspector.features")

LOADED_BYTES = 2 << 30
"""Graphs in memory, with their weights; those used longest ago go first."""
TOLERATED = {"fp32": 1e-3, "bf16": 0.1}
"""How far, in parts of its length, what a graph gives may lie from what torch gives for the same image. Both round, bf16 to three
digits a layer; a graph that was traced wrongly is off by its whole length."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A graph that is ready: its outputs and grids (see `Graph`), how many bytes it has, and how to run it."""

    outputs: tuple[str, ...]
    grids: Mapping[str, tuple[int, int]]
    size: int
    run: Run


class ScoringBackbone(Backbone):
    """As the backbone it is made of, but `embed` and `forward` without gradient run on a runtime, image by image, in `precision`
    ("fp32" or "bf16"); `windows` stays torch's. Safe to call from several threads.

    The first image of each call is looked at by torch too: where a graph can't be made, or says something else, torch goes on.
    """

    def __init__(self, backbone: Backbone, runtime: Runtime, precision: str) -> None:
        self.__dict__.update(vars(backbone))
        self.runtime, self.precision = runtime.name, precision
        self.device_note = f"{backbone.device_note}, {runtime.title} ({precision})"
        self._engine = runtime
        self._loaded: OrderedDict[tuple[Call, int], _Loaded | None] = OrderedDict()
        self._loading = threading.RLock()

    def prepare(self, pixels: Sequence[NDArray[np.uint8]], proportions: bool = False) -> Tensor:
        return self._normalised(pixels, proportions)  # the runtime rounds by itself

    def windows(self, x: Tensor, indices: Tensor) -> Tensor:
        return super().windows(x.to(self.dtype), indices)

    def can(self, call: Call) -> bool:
        """Whether a call without prompts runs on the runtime; it is loaded then."""
        image = torch.randn(1, *call.shape, generator=torch.Generator().manual_seed(0))
        return self._run(call, image, (), None) is not None

    def _embedded(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        call = Call(tuple(x.shape[1:]), grid, embed=True)
        found = self._run(call, x, (), None)
        return super()._embedded(x, grid).float() if found is None else found[1]["embedded"]

    def _frozen(
        self,
        x: Tensor,
        grid: tuple[int, int],
        taps: tuple[str, ...],
        joint: bool,
        vv_from: int | None,
        prompts: Sequence[Tensor],
        prefix: Tensor | None,
    ) -> Features:
        rows = 0 if prefix is None else token_count(prefix)
        call = Call(
            tuple(x.shape[1:]), grid, taps, joint, vv_from, tuple(token_count(one) for one in prompts), rows
        )
        found = self._run(call, x, prompts, prefix)
        if found is None:
            return super()._frozen(x, grid, taps, joint, vv_from, prompts, prefix)
        loaded, named = found
        return Features(
            named.get("cls"),
            named.get("patches"),
            named.get("vv"),
            {name[4:]: value for name, value in named.items() if name.startswith("tap.")},
            dict(loaded.grids),
            tuple(value for name, value in named.items() if name.startswith("prompts")),
        )

    def _run(
        self, call: Call, x: Tensor, prompts: Sequence[Tensor], prefix: Tensor | None
    ) -> tuple[_Loaded, dict[str, Tensor]] | None:
        """The outputs of all images by name; None where torch has to do it."""
        if not len(x):
            return None
        learned = [*prompts, *(() if prefix is None else (prefix,))]
        images = [_inputs(x, learned, place) for place in range(len(x))]
        held = self._held(call, images[0])
        if held is None:
            return None
        rows = [held.run(one) for one in images]
        joined = [torch.from_numpy(np.concatenate(values)) for values in zip(*rows, strict=True)]
        return held, dict(zip(held.outputs, joined, strict=True))

    def _held(self, call: Call, image: Sequence[Array]) -> _Loaded | None:
        """The graph of a call, loaded; it was compared with torch on `image` once."""
        key = call, thread_count()
        with self._loading:
            if key not in self._loaded:
                try:
                    self._loaded[key] = self._load(call, image, key[1])
                except Exception as error:  # exporters and compilers raise all kinds
                    _log.warning(
                        "%s isn't used for a pass of %s: %s", self._engine.title, call, reason(error)
                    )
                    self._loaded[key] = None
                self._make_room()
            self._loaded.move_to_end(key)
            return self._loaded[key]

    def _load(self, call: Call, image: Sequence[Array], threads: int) -> _Loaded:
        inputs = [torch.from_numpy(one) for one in image]

        def trace() -> Traced:
            return _Pass(self.full(), call), inputs

        graph = graph_of(self.identity.key, call, trace)
        run = self._engine.load(graph.data, self.precision, threads)
        with torch.no_grad():
            ours = _Pass(self, call, self.dtype)(*inputs)
        for name, here, there in zip(graph.outputs, ours, run(image), strict=True):
            gap = torch.linalg.vector_norm(torch.from_numpy(there) - here.float())
            share = float(gap / torch.linalg.vector_norm(here.float()).clamp_min(1e-6))
            if not (math.isfinite(share) and share <= TOLERATED[self.precision]):
                raise ValueError(f"{name} is {share:.2g} of its length away from torch's")
        return _Loaded(graph.outputs, graph.grids, len(graph.data), run)

    def _make_room(self) -> None:
        sizes = {key: held.size for key, held in self._loaded.items() if held is not None}
        for key, size in list(sizes.items())[:-1]:
            if sum(sizes.values()) <= LOADED_BYTES:
                return
            del self._loaded[key], sizes[key]
            _log.info("freed a graph of %d MB", size >> 20)


def _inputs(x: Tensor, learned: Sequence[Tensor], place: int) -> list[Array]:
    """Image number `place` of a batch, and the learned tokens that go with it, [1, …] each."""
    one = x[place : place + 1].float().contiguous().numpy()
    tokens = [of_images(token, place, 1).detach().float() for token in learned]
    return [one, *(token.reshape(1, -1, token.shape[-1]).contiguous().numpy() for token in tokens)]


class _Pass(nn.Module):
    """A call as a module: the inputs of one image → its outputs, whose names it knows after the first time."""

    def __init__(self, backbone: Backbone, call: Call, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.visual = backbone.visual  # so that its weights are this module's
        self.outputs: list[str] = []
        self.grids: dict[str, tuple[int, int]] = {}
        self._of = [backbone]  # in a list: no part of the module
        self._call, self._dtype = call, dtype

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        call, (x, *learned) = self._call, (one.to(self._dtype) for one in inputs)
        if call.embed:
            self.outputs = ["embedded"]
            return (self._of[0].tower.embed(x, None, call.grid),)
        prefix = learned.pop() if call.prefix else None
        seen = self._of[0].run(x, call.grid, call.taps, call.joint, call.vv_from, learned, prefix)
        named = {"cls": seen.cls, "patches": seen.patches, "vv": seen.vv}
        named |= {f"tap.{name}": tap for name, tap in seen.taps.items()}
        named |= {f"prompts{number}": one for number, one in enumerate(seen.prompts)}
        self.grids = dict(seen.grids)
        self.outputs = [name for name, value in named.items() if value is not None]
        return tuple(value for value in named.values() if value is not None)

"""Features kept between runs: teaching again, adding a shot or changing a threshold computes nothing twice.

One safetensors file per (image, backbone, view) under `paths.cache_dir()`, half precision, so a reading is
within fp16 of the first computation. Losing any of it costs only time: what is missing or damaged is computed
and written again.
"""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from inspector import paths

LIMIT_BYTES = 2 * 2**30
"""Files last used longest ago go first when the cache grows beyond this."""
TRIM_TO = 0.9


class FeatureCache:
    """A dictionary on disk. Safe for several threads and
    processes: every file is written whole or not at all."""

    def __init__(self, folder: Path | None = None, limit: int = LIMIT_BYTES) -> None:
        self.folder = folder or paths.cache_dir() / "features"
        self.limit = limit
        self._size: int | None = None  # of all files; counted once, then kept up with what this cache writes

    def _path(self, image_sha256: str, backbone_key: str, view: str) -> Path:
        name = hashlib.sha256(f"{image_sha256}|{backbone_key}|{view}".encode()).hexdigest()
        return self.folder / name[:2] / f"{name[2:34]}.safetensors"

    def get(self, image_sha256: str, backbone_key: str, view: str) -> dict[str, Tensor] | None:
        """What `put` kept, on the CPU, in its shapes: floating tensors
        in fp16, others as they were. None when it isn't there.

        `view` names all else that decides the tensors: taps, precision, tile, augmentation.
        """
        path = self._path(image_sha256, backbone_key, view)
        try:
            tensors = load_tensors(path.read_bytes())
        except (OSError, SafetensorError, ValueError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the time of the last use decides what goes first
        return tensors

    def put(self, image_sha256: str, backbone_key: str, view: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors of any shape. A full or read-only disk
        is no error: then they are computed again next time.

        Tensors with values beyond fp16's range are not kept.
        """
        half = {name: _half(tensor) for name, tensor in tensors.items()}
        if any(tensor.is_floating_point() and not torch.isfinite(tensor).all() for tensor in half.values()):
            return
        data = save_tensors(half)
        path = self._path(image_sha256, backbone_key, view)
        with contextlib.suppress(OSError):
            paths.write_atomic(path, data)
            self._size = self._measure() if self._size is None else self._size + len(data)
            if self._size > self.limit:
                self._trim()

    def clear(self) -> None:
        """Remove every file. Raises OSError."""
        for path in self.folder.glob("*/*.safetensors"):
            path.unlink(missing_ok=True)
        self._size = None

    def _measure(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("*/*.safetensors"))

    def _trim(self) -> None:
        entries = []
        for path in self.folder.glob("*/*.safetensors"):
            with contextlib.suppress(OSError):  # another process may trim, too
                stat = path.stat()
                entries.append((stat.st_mtime_ns, stat.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit * TRIM_TO:
                break
            path.unlink(missing_ok=True)
            total -= size
        self._size = total


def _half(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu()
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()

"""Pretrained networks. timm and torchvision come in without torch's compiler, which nothing here uses."""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_COMPILER = "torch._dynamo.utils"


class _WithoutCompiler(MetaPathFinder):
    """Finds timm and torchvision where Python does. Both ask torch's compiler one small thing as they are imported, and it
    takes over a second to come; here it comes when it is first used, which is never."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in ("timm", "torchvision"):
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((one for one in found if one is not None), None)
        loader: Any = spec.loader if spec else None
        if loader is not None:
            with suppress(AttributeError):  # a loader that takes no other: it all comes a second later
                loader.exec_module = _put_off(loader.exec_module)
        return spec


def _put_off(run: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def exec_module(module: ModuleType) -> None:
        with _compiler_put_off():
            run(module)

    return exec_module


@contextmanager
def _compiler_put_off() -> Iterator[None]:
    import torch

    if "torch._dynamo" in sys.modules or _COMPILER in sys.modules:
        yield
        return
    compiler: Any = torch.compiler
    later: Any = ModuleType(_COMPILER)

    def real(name: str) -> Any:
        if name.startswith("__"):  # whoever looks through all modules asks for these
            raise AttributeError(name)
        if sys.modules.get(_COMPILER) is later:
            del sys.modules[_COMPILER]
        return getattr(importlib.import_module(_COMPILER), name)

    later.__getattr__ = real
    later.is_compile_supported = lambda device: real("is_compile_supported")(device)
    sys.modules[_COMPILER] = later
    disable, at_first_call = compiler.disable, torch._disable_dynamo  # type: ignore[attr-defined]
    compiler.disable = lambda fn=None, recursive=True, *, reason=None: at_first_call(fn, recursive)
    try:
        yield
    finally:
        compiler.disable = disable
        if sys.modules.get(_COMPILER) is later:
            del sys.modules[_COMPILER]


sys.meta_path.insert(0, _WithoutCompiler())

"""Which detection methods there are, and what each needs. Imports nothing heavy: the window reads this at its start."""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inspector.errors import DetectorError

if TYPE_CHECKING:
    from inspector.methods.detector import Detector

DEFAULT = "anople"


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """One method as people read it.

    `needs`: of "text" (a backbone with a text tower), "vit" (a backbone with transformer blocks), "class" (the class
    name must be known when inspecting). `learns`: teaching runs an optimiser. `reconstruction`: built from a paper
    whose details or code are not public, so published figures don't carry over. `factory`: "module:Class".
    """

    name: str
    title: str
    line: str
    factory: str
    needs: tuple[str, ...] = ()
    learns: bool = False
    reconstruction: bool = False
    min_shots: int = 1

    @property
    def available(self) -> bool:
        """Whether this installation holds the method's code."""
        return importlib.util.find_spec(self.factory.partition(":")[0]) is not None


METHODS: dict[str, MethodInfo] = {
    info.name: info
    for info in (
        MethodInfo(
            "anople",
            "AnoPLe",
            "Learns text and image prompts together from simulated defects; one detector for all classes.",
            "inspector.methods.anople:AnoPLe",
            needs=("text", "vit", "class"),
            learns=True,
            reconstruction=True,
        ),
        MethodInfo(
            "iipad",
            "IIPAD",
            "Writes a prompt for every single image; needs no class name.",
            "inspector.methods.iipad:IIPAD",
            needs=("text", "vit"),
            learns=True,
        ),
        MethodInfo(
            "finegrained",
            "FineGrainedAD",
            "Learns prompts for the parts and attributes that a description of the product names.",
            "inspector.methods.finegrained:FineGrainedAD",
            needs=("text", "vit", "class"),
            learns=True,
        ),
        MethodInfo(
            "mpama",
            "MPAMA",
            "Prompts at several neighbourhood sizes and a mixture of small experts.",
            "inspector.methods.mpama:MPAMA",
            needs=("text", "vit"),
            learns=True,
            reconstruction=True,
        ),
        MethodInfo(
            "winclip",
            "WinCLIP+",
            "Fixed phrases on sliding windows, with normal shots where there are any; nothing is learned.",
            "inspector.methods.winclip:WinCLIP",
            needs=("text", "vit", "class"),
            min_shots=0,
        ),
        MethodInfo(
            "promptad",
            "PromptAD",
            "Learns one normal prompt per class against fixed and learned words for defects.",
            "inspector.methods.promptad:PromptAD",
            needs=("text", "vit", "class"),
            learns=True,
        ),
        MethodInfo(
            "patchcore",
            "PatchCore",
            "Remembers the patches of the normal shots; a patch that resembles none of them is anomalous.",
            "inspector.methods.patchcore:PatchCore",
        ),
        MethodInfo(
            "subspace",
            "SubspaceAD",
            "Remembers the directions in which normal patches vary; what is left over is anomalous.",
            "inspector.methods.subspace:SubspaceAD",
        ),
    )
}


def find(method: str) -> MethodInfo:
    """Raises DetectorError for a name that is not in the catalogue."""
    try:
        return METHODS[method]
    except KeyError:
        known = ", ".join(METHODS)
        raise DetectorError(f"There is no method named “{method}”.", f"Choose one of: {known}.") from None


def implementation(method: str) -> "type[Detector]":
    """The class behind a method. Raises DetectorError when it is unknown or not part of this installation."""
    info = find(method)
    if not info.available:
        raise DetectorError(
            f"The method {info.title} is not part of this installation.",
            "Choose another method or update Inspector.",
        )
    module, _, name = info.factory.partition(":")
    found: type[Detector] = getattr(importlib.import_module(module), name)
    return found


def make(method: str, **settings: Any) -> "Detector":
    """A detector that is not taught yet. Raises DetectorError for an unknown method or setting."""
    made = implementation(method)
    try:
        return made(**settings)
    except (TypeError, ValueError) as error:
        wanted = ", ".join(f"{key}={value!r}" for key, value in settings.items())
        raise DetectorError(
            f"{find(method).title} can't be made with {wanted or 'its settings'}: {error}.",
            "Use the method's default settings.",
        ) from error


def available() -> list[MethodInfo]:
    """The methods that this installation can run, in the catalogue's order."""
    return [info for info in METHODS.values() if info.available]

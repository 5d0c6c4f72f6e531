"""Which detection methods there are, and what each needs.
Imports nothing heavy: the window reads this at its start."""

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from inspector.errors import DetectorError
from inspector.features.vision_names import is_convolutional, is_vision_only, needs_transformers
from inspector.methods.settings import fits

if TYPE_CHECKING:
    from inspector.methods.detector import Detector

RECOMMENDED = "anople"
"""Where nobody has chosen a method."""
QUICK = "patchcore"
"""Teaches in a second and needs nothing of a backbone: for
the demo, and where a default must cost nothing."""
SMALL = (
    "anople:depth=2:length=1:epochs=1:variants=1",
    "iipad:contexts=4:objects=2:epochs=1",
    "finegrained:alps=1:ahps=1:epochs=1",
    "mpama:levels=[1]:length=2:deep=2:bottlenecks=2:epochs=1:adaptation_epochs=1",
    "winclip",
    "promptad:prompts=[1,1]:epochs=1",
    "subspace",
    "patchcore",
    "anomalydino:rotated=[]",
)
"""A variant of every method that learns little in seconds:
where every kind of detector is needed, and no good one."""
DESCRIPTIONS = "descriptions"
"""The setting that takes descriptions, by class name."""
SMALLEST = "smallest"
"""What a stored row of a detector calls the smallest defects to find, by class name."""
AREAS = "areas"
"""What it calls the areas that are inspected, by class name, see `Area`."""


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """One method as people read it.

    `needs`: of "text" (a backbone with a text tower), "vit" (a backbone with transformer blocks), "class"
    (the class name must be known when inspecting). `learns`: teaching runs an optimiser.
    `reads_descriptions`: it learns from what people say of a class (`prompts.description`), handed over as
    the setting DESCRIPTIONS. `reconstruction`: built from a paper whose details or code are not public, so
    published figures don't carry over. `min_shots`: a class. `factory`: "module:Class".
    """

    name: str
    title: str
    line: str
    factory: str
    needs: tuple[str, ...] = ()
    learns: bool = False
    reads_descriptions: bool = False
    reconstruction: bool = False
    min_shots: int = 1

    @property
    def independent(self) -> bool:
        """Whether a shot that `Detector.held_out` scores taught
        nothing that scores it; learned prompts saw them all."""
        return not self.learns

    @property
    def available(self) -> bool:
        """Whether this installation holds the method's code."""
        return find_spec(self.factory.partition(":")[0]) is not None

    def unfit(self, weights: str) -> str:
        """Why it can't be taught on the weights of that name, as a sentence; "" where nothing speaks against it. By the name
        alone: teaching refuses what only a loaded backbone tells."""
        if not self.available:
            return "Not part of this installation."
        if "text" in self.needs and is_vision_only(weights):
            return f"{self.title} needs a text tower, and {weights} has none."
        if "text" in self.needs and needs_transformers(weights) and not find_spec("transformers"):
            return (
                f"{self.title} needs the package transformers for the words of {weights}, "
                "and it is not installed (pip install transformers)."
            )
        if "vit" in self.needs and is_convolutional(weights):
            return f"{self.title} needs transformer blocks, and {weights} has none."
        return ""


METHODS: dict[str, MethodInfo] = {
    info.name: info
    for info in (
        MethodInfo(
            "anople",
            "AnoPLe",
            "Learns text and image prompts together from simulated defects; one detector for all classes.",
            "inspector.methods.anople.method:AnoPLe",
            needs=("text", "vit", "class"),
            learns=True,
            reconstruction=True,
        ),
        MethodInfo(
            "iipad",
            "IIPAD",
            "Writes a prompt for every single image; needs no class name.",
            "inspector.methods.iipad.method:IIPAD",
            needs=("text", "vit"),
            learns=True,
        ),
        MethodInfo(
            "finegrained",
            "FineGrainedAD",
            "Learns prompts for the parts and attributes that a description of the product names.",
            "inspector.methods.finegrained.method:FineGrainedAD",
            needs=("text", "vit", "class"),
            learns=True,
            reads_descriptions=True,
        ),
        MethodInfo(
            "mpama",
            "MPAMA",
            "Prompts at several neighbourhood sizes and a mixture of small experts.",
            "inspector.methods.mpama.method:MPAMA",
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
            "inspector.methods.memory.patchcore:PatchCore",
        ),
        MethodInfo(
            "subspace",
            "SubspaceAD",
            "Remembers the directions in which normal patches vary; what is left over is anomalous.",
            "inspector.methods.memory.subspace:SubspaceAD",
        ),
        MethodInfo(
            "anomalydino",
            "AnomalyDINO",
            "Remembers what the last layer says of the shots, turned ones too; made for backbones that learned without text.",
            "inspector.methods.memory.anomalydino:AnomalyDINO",
            needs=("vit",),
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


def title(method: str) -> str:
    """As people read a stored name; the name itself where this version doesn't know it."""
    return METHODS[method].title if method in METHODS else method


def reads_descriptions(method: str) -> bool:
    """Whether a method, by its stored name, learns from
    descriptions; False for one that is not in the catalogue."""
    return method in METHODS and METHODS[method].reads_descriptions


def smallest(settings: Mapping[str, Any]) -> Mapping[str, int]:
    """What a detector's stored settings say of the smallest defects to find: class name → pixels of its pictures."""
    return _by_class(settings, SMALLEST)


def areas(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a detector's stored settings say of the areas that are inspected: class name → `Area` as JSON."""
    return _by_class(settings, AREAS)


def _by_class(settings: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    found = settings.get(what) if isinstance(settings, Mapping) else None  # a damaged row holds anything
    return found if isinstance(found, Mapping) else {}


def descriptions(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a detector's stored settings say of its classes: name
    → `PartDescription` as JSON. Older ones call it "mfsc"."""
    found = settings.get(DESCRIPTIONS, settings.get("mfsc"))
    return found if isinstance(found, Mapping) else {}


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
            f"{find(method).title} can't be made with {wanted[:120] or 'its settings'}: {error}.",
            "Use the method's default settings.",
        ) from error


def available() -> list[MethodInfo]:
    """The methods that this installation can run, in the catalogue's order."""
    return [info for info in METHODS.values() if info.available]


# Variants: a method with settings of its own, or on random weights

ABLATIONS: dict[str, str] = {
    "anople:prompts=text": "AnoPLe without visual prompts",
    "anople:prompts=vision": "AnoPLe without text prompts",
    "anople:scales=one": "AnoPLe taught on whole images only",
    "anople:alignment=false": "AnoPLe without the alignment loss",
}
"""What each ablation leaves out, by its name."""
RANDOM = "@random"
"""Ends the name of a method that is measured on an untrained backbone."""
CONTROLS = (f"{QUICK}{RANDOM}", f"{RECOMMENDED}{RANDOM}")
"""Tell how much of a result the pretrained weights give, and how much the images give away by themselves."""


@dataclass(frozen=True, slots=True)
class Variant:
    """`name`: METHOD[:key=value…][@random] as it was typed; `settings`: those that differ from the method's
    own; `random_weights`: the backbone is untrained."""

    name: str
    method: str
    settings: Mapping[str, Any]
    random_weights: bool

    @property
    def title(self) -> str:
        """For people: the method's title with what differs in brackets."""
        changed = [f"{key} {_spoken(value)}" for key, value in self.settings.items()]
        changed += ["random weights"] * self.random_weights
        return find(self.method).title + (f" ({', '.join(changed)})" if changed else "")


def parse(name: str) -> Variant:
    """The variant of a name such as "anople:scales=one:alignment=false" or "patchcore@random".

    Values are read as JSON where they are JSON, else as text. Raises DetectorError for an unknown method or a
    setting without a value; whether the method has the setting is `check`'s to say, as that needs its code.
    """
    plain = name.removesuffix(RANDOM)
    method, *pairs = plain.split(":")
    find(method)
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            raise DetectorError(
                f"“{pair}” in “{name}” is not a setting.",
                "Write METHOD:NAME=VALUE, such as anople:scales=one.",
            )
        settings[key] = _value(value)
    return Variant(name, method, settings, name.endswith(RANDOM))


def titles(names: Iterable[str]) -> str:
    """The methods of variants, for people, each once: "PatchCore
    and AnoPLe". Raises DetectorError as `parse` does."""
    return " and ".join(dict.fromkeys(find(parse(name).method).title for name in names))


def check(variant: Variant) -> None:
    """Raises DetectorError for a setting that the method doesn't have, or a value that it can't take."""
    title, found = find(variant.method).title, implementation(variant.method)
    known = found.defaults
    for key, value in variant.settings.items():
        if key not in known:
            raise DetectorError(f"{title} has no setting “{key}”.", f"It has: {', '.join(known)}.")
        if not fits(value, known[key], found.choices.get(key, ())):
            raise DetectorError(
                f"The setting {key} of {title} can't be {json.dumps(value)}.",
                f"Its default is {json.dumps(known[key])}.",
            )
    make(variant.method, **variant.settings)


def defaults(method: str) -> Mapping[str, Any]:
    """The settings of a method with their default values. Loads its code."""
    return implementation(method).defaults


def expand(words: str) -> list[str]:
    """The names in a comma-separated list, each once; "all", "ablations" and "control" stand for several.

    Raises DetectorError for a name that `parse` doesn't know.
    """
    groups = {"all": [info.name for info in available()], "ablations": [*ABLATIONS], "control": [*CONTROLS]}
    typed = [word.strip() for word in re.split(r",(?![^\[]*\])", words)]  # a list may be a value
    names = list(dict.fromkeys(name for word in typed if word for name in groups.get(word, [word])))
    for name in names:
        parse(name)
    return names


def _value(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return text


def _spoken(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

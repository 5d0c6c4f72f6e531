"""Which backbones there are and where their weights lie.

Weights lie in `paths.weights_dir()/<name>/`: the file and `weights.json`, which is written last and holds the
file's sha256. This module imports no torch.
"""

import json
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inspector import paths
from inspector.errors import WeightsError
from inspector.features.vision_names import (
    WORKING_SIZE,
    architecture_of,
    is_vision_only,
    refuse_pickle,
)

EMBEDDED = "inspector-tiny"
RECORD = "weights.json"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
SAFE_FILE = "open_clip_model.safetensors"
SMALLEST, LARGEST = 32, 2048
"""Pixels at which a backbone may be asked to look at images."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """A backbone that can be had.

    `architecture`, `tag`: open_clip's names, or timm's for towers without text. `size`: bytes to download, about.
    `image_size`: pixels, square; the architecture's own unless another was asked for.
    `url`: where it is downloaded from ("" for the embedded one and for files that were added). `sha256`:
    expected digest or its beginning, "" where only the hub states it. `extras`: small files that the
    tokenizer needs, by name.
    """

    name: str
    architecture: str
    tag: str
    title: str
    licence: str
    image_size: int
    size: int
    url: str = ""
    sha256: str = ""
    extras: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its files lie, whether they are there or not."""
        return paths.resources() / "models" / EMBEDDED if self.embedded else paths.weights_dir() / self.name

    @property
    def embedded(self) -> bool:
        """Whether it comes with the program."""
        return self.name == EMBEDDED

    @property
    def vision_only(self) -> bool:
        """Whether it has no text tower."""
        return is_vision_only(self.architecture)

    @property
    def research_only(self) -> bool:
        """Whether the licence forbids using it in production."""
        return "research" in self.licence.lower()

    @property
    def record(self) -> dict[str, Any]:
        """What `weights.json` says; empty while the weights are not here."""
        record = _read_record(self.folder)
        return record if record and (self.folder / record["file"]).is_file() else {}

    @property
    def file(self) -> Path | None:
        """The weights file, None while it is not on this computer. The embedded one is always here."""
        if self.embedded:
            return self.folder
        record = self.record
        return self.folder / record["file"] if record else None

    @property
    def here(self) -> bool:
        """Whether its weights file is on this computer."""
        return self.file is not None

    def __str__(self) -> str:
        return f"{self.name}: {self.file or 'not here'}"


def _read_record(folder: Path) -> dict[str, Any]:
    """A record whose every value can be used as it is, else {}."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        names = [record[key] for key in ("architecture", "tag", "file", "sha256")]
        plain = all(isinstance(name, str) and name.isprintable() for name in names)
        size, image_size = int(record["size"]), int(record["image_size"])
        good = plain and 0 < size < 10**12 and 0 < image_size < 10**4 and len(record["sha256"]) == 64
        if not good or paths.inside(folder, record["file"], links=False) is None:
            return {}
        return {**record, "size": size, "image_size": image_size}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def _hub(repository: str, file: str = SAFE_FILE) -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{endpoint}/{repository}/resolve/main/{file}"


DINO = (
    ("vit_small_patch14_reg4_dinov2", "lvd142m", "DINOv2 with registers, small", 88_000_000),
    ("vit_base_patch14_reg4_dinov2", "lvd142m", "DINOv2 with registers, base", 346_000_000),
    ("vit_large_patch14_reg4_dinov2", "lvd142m", "DINOv2 with registers, large", 1_217_000_000),
    ("vit_small_patch16_dinov3", "lvd1689m", "DINOv3, small", 86_000_000),
    ("vit_base_patch16_dinov3", "lvd1689m", "DINOv3, base", 343_000_000),
    ("vit_large_patch16_dinov3", "lvd1689m", "DINOv3, large", 1_212_000_000),
)
"""Architecture and tag in timm, title, bytes (four a parameter)."""
DINOV3_LICENCE = (
    "DINOv3 License, Meta's own: accept it at ai.meta.com/resources/models-and-libraries/dinov3-license"
)


def _dino(architecture: str, tag: str, title: str, size: int) -> Weights:
    return Weights(
        architecture,
        architecture,
        tag,
        f"{title}: sees without words, for memory methods",
        DINOV3_LICENCE if "dinov3" in architecture else "Apache-2.0",
        WORKING_SIZE,
        size,
        _hub(f"timm/{architecture}.{tag}", "model.safetensors"),
    )


def entries() -> list[Weights]:
    """The embedded backbone, those that are offered, and those that were added; none needs the network."""
    offered = [
        Weights(EMBEDDED, EMBEDDED, "embedded", "Built in, quick on any computer", "Apache-2.0", 240, 0),
        Weights(
            "ViT-B-16-plus-240",
            "ViT-B-16-plus-240",
            "laion400m_e32",
            "The papers' choice for 240 pixels",
            "MIT",
            240,
            833_716_309,
            # The hub's copy under this tag is epoch 31; the release is epoch 32 and names its own checksum.
            "https://github.com/mlfoundations/open_clip/releases/download/v0.2-weights/"
            "vit_b_16_plus_240-laion400m_e32-699c4b84.pt",
            "699c4b84",
        ),
        Weights(
            "ViT-B-16-quickgelu",
            "ViT-B-16-quickgelu",
            "openai",
            "OpenAI's base model",
            "MIT",
            224,
            598_600_000,
            _hub("timm/vit_base_patch16_clip_224.openai"),
        ),
        Weights(
            "ViT-L-14-336-quickgelu",
            "ViT-L-14-336-quickgelu",
            "openai",
            "OpenAI's large model: most exact, wants a GPU",
            "MIT",
            336,
            1_711_000_000,
            _hub("timm/vit_large_patch14_clip_336.openai"),
        ),
        Weights(
            "ViT-B-16-SigLIP2",
            "ViT-B-16-SigLIP2",
            "webli",
            "SigLIP 2, several languages; its words need the package transformers",
            "Apache-2.0",
            224,
            1_500_000_000,
            _hub("timm/ViT-B-16-SigLIP2"),
            extras={name: _hub("timm/ViT-B-16-SigLIP2", name) for name in TOKENIZER_FILES},
        ),
        Weights(
            "MobileCLIP2-S0",
            "MobileCLIP2-S0",
            "dfndr2b",
            "Small and convolutional: memory methods only",
            "Apple AMLR (research only)",
            256,
            299_000_000,
            _hub("timm/MobileCLIP2-S0-OpenCLIP"),
        ),
        *(_dino(*one) for one in DINO),
    ]
    known = {entry.name for entry in offered}
    folder = paths.weights_dir()
    added = sorted(file.parent for file in folder.glob(f"*/{RECORD}")) if folder.is_dir() else []
    return offered + [entry for one in added if (entry := _added(one)) and entry.name not in known]


def _added(folder: Path) -> Weights | None:
    record = _read_record(folder)
    if not record:
        return None
    architecture, tag = record["architecture"], record["tag"]
    entry = Weights(folder.name, architecture, tag, "Added", "unknown", record["image_size"], record["size"])
    return entry if entry.here else None


def sized(name: str) -> tuple[str, int | None]:
    """The name and the size, in pixels, of weights or a file written NAME@SIZE; None where no size is written.

    Raises WeightsError for a size that no backbone takes.
    """
    found = re.fullmatch(r"(.+)@(\d{1,9})", name, re.ASCII)
    if found is None:
        return name, None
    size = int(found[2])
    if not SMALLEST <= size <= LARGEST:
        raise WeightsError(
            f"{found[1]} can't look at images of {size} pixels.",
            f"Choose a size from {SMALLEST} to {LARGEST}, such as {found[1]}@448.",
        )
    return found[1], size


def find(name: str) -> Weights:
    """By catalogue name, or "architecture:tag" for anything open_clip knows; with @SIZE behind it at another image size.
    Raises WeightsError."""
    name, size = sized(name)
    entry = _find(name)
    return entry if size is None else replace(entry, image_size=size)


def _find(name: str) -> Weights:
    for entry in entries():
        if name in (entry.name, entry.name.removesuffix("-quickgelu"), f"{entry.architecture}:{entry.tag}"):
            return entry
    architecture, colon, tag = name.partition(":")
    if colon:
        return _known_to_open_clip(architecture, tag)
    raise WeightsError(
        f"There are no weights called {name}.",
        "Choose one on the Weights page, or name any open_clip model as ARCHITECTURE:TAG.",
    )


def _known_to_open_clip(architecture: str, tag: str) -> Weights:
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    config = open_clip.get_model_config(architecture)
    if config is None and is_vision_only(architecture):
        raise WeightsError(f"timm's {architecture} has no weights {tag} here.", "Add a copied file of them.")
    if config is None:
        raise WeightsError(f"open_clip has no architecture {architecture}.", "Check the spelling.")
    check_activation(architecture, tag)
    source = get_pretrained_cfg(architecture, tag)
    if not source:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
        raise WeightsError(f"open_clip has no weights {tag} for {architecture}.", f"It has: {tags}.")
    url, sha256 = str(source.get("url", "")), ""
    if "mlfoundations" in url:
        sha256 = Path(urlsplit(url).path).stem.rpartition("-")[2]
    else:  # OpenAI's own files are program archives, the hub has the same as safetensors
        repository, _, file = str(source.get("hf_hub", "")).rpartition("/")
        url = _hub(repository, file or SAFE_FILE) if repository else url
    tokenizer = config["text_cfg"].get("hf_tokenizer_name", "")
    return Weights(
        f"{architecture}-{tag}",
        architecture,
        tag,
        "From open_clip",
        "see the publisher",
        image_size_of(architecture) or 224,
        0,
        url,
        sha256,
        {name: _hub(tokenizer, name) for name in TOKENIZER_FILES} if tokenizer else {},
    )


def state(name: str) -> str:
    """For people: "built in", "here", "damaged" (its record is) or
    "not here", the last with how much of it was downloaded so far."""
    entry = find(name)
    if entry.embedded:
        return "built in"
    if entry.here:
        return "here"
    if (entry.folder / RECORD).exists():
        return "damaged"
    part = max((file.stat().st_size for file in entry.folder.glob("*.part.*")), default=0)
    return f"not here, {part / 1e6:.0f} MB downloaded" if part else "not here"


def image_size_of(architecture: str) -> int | None:
    """Pixels at which an architecture looks at images, square; None where there is none of that name."""
    if is_vision_only(architecture):
        return WORKING_SIZE
    import open_clip

    config = open_clip.get_model_config(architecture)
    size = config and config["vision_cfg"].get("image_size", 224)
    return size if size is None or isinstance(size, int) else int(size[0])


def check_activation(architecture: str, tag: str, file_name: str = "") -> None:
    """Refuse weights trained with quick-GELU under an
    architecture without it, and the reverse. Raises WeightsError.

    open_clip only warns, or says nothing when the weights
    come from a file; the scores are then quietly wrong.
    """
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    base = architecture.removesuffix("-quickgelu")
    source = get_pretrained_cfg(architecture, tag) or get_pretrained_cfg(base, tag)
    by_name = not source and any(hint in f"{tag} {file_name}".lower() for hint in ("openai", "quickgelu"))
    if not source and not by_name:
        return
    wanted = bool(source.get("quick_gelu", False)) or by_name
    has = bool((open_clip.get_model_config(architecture) or {}).get("quick_gelu", False))
    if wanted != has:
        right = f"{base}-quickgelu" if wanted else base
        raise WeightsError(
            f"The weights {tag} of {base} were trained {'with' if wanted else 'without'} quick-GELU, and "
            f"{architecture} computes {'with' if has else 'without'} it, which would give wrong scores.",
            f"Name them {right}:{tag}.",
        )


def recognise(path: Path, sha256: str) -> Weights:
    """What a weights file is: by checksum, or by architecture and tag in its own or its folder's name.

    Raises WeightsError for one that is neither.
    """
    known_ones = [entry for entry in entries() if not entry.embedded]
    for entry in known_ones:
        known = entry.record.get("sha256", "") or entry.sha256
        if known and sha256.startswith(known):
            return entry
    label = plain(f"{path.parent.name} {path.name}")
    if "dinov" in label:
        refuse_pickle(path)
    for entry in known_ones:
        if plain(entry.architecture.removesuffix("-quickgelu")) in label and plain(entry.tag) in label:
            return entry
        if (
            entry.url
            and plain(urlsplit(entry.url).path.split("/")[2]) in label
            and "huggingface" in entry.url
        ):
            return entry
    if tower := architecture_of(path):
        entry = next(one for one in known_ones if one.architecture == tower and one.url)
        if tower == "vit_large_patch16_dinov3" and entry.tag not in label:  # the one of satellite images
            raise WeightsError(
                f"{path.name} may be either of two large DINOv3 models, which see colours differently.",
                f"If it is the one of web images, add {entry.tag} to its name; another is not offered.",
            )
        return entry
    raise WeightsError(
        f"Which model {path.name} belongs to can't be told.",
        "Name the file after one in the list, for instance ViT-B-16-openai.safetensors; any other is added on the "
        "command line: inspector weights add FILE --name ViT-B-32:laion2b_s34b_b79k",
    )


def plain(text: str) -> str:
    """Its letters and digits, in lower case."""
    return "".join(c for c in text.lower() if c.isalnum())

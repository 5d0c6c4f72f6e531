"""Which backbones there are, where their weights lie, and how they come here: downloaded on order, or copied.

Weights lie in `paths.weights_dir()/<name>/`: the file and `weights.json`, which is written last and holds the file's
sha256. Where a publisher gives no checksum, the first one seen is trusted and every later reading held against it.
This module imports no torch.
"""

import json
import os
import shutil
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from inspector import paths
from inspector.domain import CancelToken, Progress
from inspector.errors import WeightsError
from inspector.features.download import CHUNK, download, sha256_of

EMBEDDED = "inspector-tiny"
RECORD = "weights.json"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
SAFE_FILE = "open_clip_model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """A backbone that can be had.

    `architecture`, `tag`: open_clip's names. `size`: bytes to download, about. `image_size`: pixels, square.
    `url`: where `fetch` gets it ("" for the embedded one and for files that were added). `sha256`: expected digest or
    its beginning, "" where the publisher gives none. `extras`: small files that the tokenizer needs, by name.
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
        return paths.resources() / "models" / EMBEDDED if self.embedded else paths.weights_dir() / self.name

    @property
    def embedded(self) -> bool:
        return self.name == EMBEDDED

    @property
    def record(self) -> dict[str, Any]:
        """What `weights.json` says; empty while the weights are not here."""
        try:
            record = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
            file = self.folder / Path(record["file"]).name
            return record if len(record["sha256"]) == 64 and file.is_file() else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    @property
    def file(self) -> Path | None:
        """The weights file, None while it is not on this computer. The embedded one is always here."""
        if self.embedded:
            return self.folder
        record = self.record
        return self.folder / Path(record["file"]).name if record else None

    @property
    def here(self) -> bool:
        return self.file is not None

    def __str__(self) -> str:
        return f"{self.name}: {self.file or 'not here'}"


def _hub(repository: str, file: str = SAFE_FILE) -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{endpoint}/{repository}/resolve/main/{file}"


def catalogue() -> list[Weights]:
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
            "SigLIP 2, several languages",
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
    ]
    known = {entry.name for entry in offered}
    folder = paths.weights_dir()
    added = sorted(folder.glob(f"*/{RECORD}")) if folder.is_dir() else []
    return offered + [entry for file in added if (entry := _added(file)) and entry.name not in known]


def _added(record_file: Path) -> Weights | None:
    try:
        record = json.loads(record_file.read_text(encoding="utf-8"))
        name, architecture, tag = record_file.parent.name, str(record["architecture"]), str(record["tag"])
        entry = Weights(
            name, architecture, tag, "Added", "unknown", int(record["image_size"]), int(record["size"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entry if entry.here else None


def find(name: str) -> Weights:
    """By catalogue name, or "architecture:tag" for anything open_clip knows. Raises WeightsError."""
    for entry in catalogue():
        if name in (entry.name, f"{entry.architecture}:{entry.tag}"):
            return entry
    architecture, colon, tag = name.partition(":")
    if colon:
        return _known_to_open_clip(architecture, tag)
    raise WeightsError(
        f"There are no weights called {name}.",
        "See `inspector weights list`, or name any open_clip model as ARCHITECTURE:TAG.",
    )


def _known_to_open_clip(architecture: str, tag: str) -> Weights:
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    config = open_clip.get_model_config(architecture)
    if config is None:
        raise WeightsError(f"open_clip has no architecture {architecture}.", "Check the spelling.")
    check_activation(architecture, tag)
    source = get_pretrained_cfg(architecture, tag)
    if not source:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
        raise WeightsError(f"open_clip has no weights {tag} for {architecture}.", f"It has: {tags}.")
    size = config["vision_cfg"].get("image_size", 224)
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
        size if isinstance(size, int) else size[0],
        0,
        url,
        sha256,
        {name: _hub(tokenizer, name) for name in TOKENIZER_FILES} if tokenizer else {},
    )


def state(name: str) -> str:
    """For people: "built in", "here" or "not here", the last with how much of it was downloaded so far."""
    entry = find(name)
    if entry.embedded:
        return "built in"
    if entry.here:
        return "here"
    part = max((file.stat().st_size for file in entry.folder.glob("*.part")), default=0)
    return f"not here, {part / 1e6:.0f} MB downloaded" if part else "not here"


def check_activation(architecture: str, tag: str, file_name: str = "") -> None:
    """Refuse weights trained with quick-GELU under an architecture without it, and the reverse.

    open_clip only warns, or says nothing when the weights come from a file; the scores are then quietly wrong.
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


def fetch(name: str, progress: Progress | None = None, cancel: CancelToken | None = None) -> Weights:
    """Download on the user's order; goes on where an interrupted download stopped.

    `progress` gets the values "done" and "total" in bytes (total 0 while unknown) and "rate" in bytes a second.
    Raises WeightsError (offline, no space, wrong content, already being downloaded), Cancelled.
    """
    entry = find(name)
    progress, cancel = progress or (lambda *_: None), cancel or CancelToken()
    if entry.here:
        return entry
    if not entry.url:
        raise WeightsError(
            f"{entry.name} can't be downloaded.", "Add a copied file: inspector weights add FILE"
        )
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        raise WeightsError(
            "HF_HUB_OFFLINE is set, so nothing is downloaded.",
            "Unset it, or add a copied file: inspector weights add FILE",
        )
    entry.folder.mkdir(parents=True, exist_ok=True)
    target = entry.folder / Path(urlsplit(entry.url).path).name
    try:
        with FileLock(entry.folder / ".lock", timeout=0):
            for file, url in entry.extras.items():
                if not (entry.folder / file).exists():
                    download(url, entry.folder / file, sha256="", progress=lambda *_: None, cancel=cancel)
            sha256 = download(entry.url, target, sha256=entry.sha256, progress=progress, cancel=cancel)
            refuse_program(target)
            _write_record(entry, target, sha256, entry.url)
    except Timeout as error:
        raise WeightsError(
            f"{entry.name} is being downloaded already.", "Wait until that is done."
        ) from error
    return find(name)


def add(path: Path, name: str | None = None, cancel: CancelToken | None = None) -> Weights:
    """Take in a copied weights file, as good as a download.

    `name`: a catalogue name or "architecture:tag" (a tag of one's own is allowed for one's own training); without it
    the file must be known by its checksum or by its name. Raises WeightsError, Cancelled.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() not in SUFFIXES:
        raise WeightsError(f"{path.name} is not a weights file.", f"Weights end in {', '.join(SUFFIXES)}.")
    refuse_program(path)
    sha256 = sha256_of(path, cancel)
    entry = _named(name, path) if name else recognise(path, sha256)
    check_activation(entry.architecture, entry.tag, path.name)
    if entry.embedded:
        raise WeightsError(f"{EMBEDDED} is built in.", "Give the file another name.")
    if not sha256.startswith(entry.sha256):
        raise WeightsError(
            f"{path.name} is not the published file of {entry.name} (its sha256 begins with {sha256[:8]}, "
            f"not with {entry.sha256[:8]}).",
            f"Copy it again, or give it a tag of your own: --name {entry.architecture}:MY_TAG",
        )
    target = entry.folder / path.name
    _copy(path, target, cancel)
    for extra in TOKENIZER_FILES:
        if (path.parent / extra).is_file() and path.parent != entry.folder:
            shutil.copyfile(path.parent / extra, entry.folder / extra)
    _write_record(entry, target, sha256, str(path))
    return replace(entry, size=target.stat().st_size)


def recognise(path: Path, sha256: str) -> Weights:
    """What a weights file is: by checksum, or by architecture and tag in its own or its folder's name."""
    entries = [entry for entry in catalogue() if not entry.embedded]
    for entry in entries:
        known = entry.record.get("sha256", "") or entry.sha256
        if known and sha256.startswith(known):
            return entry
    label = _plain(f"{path.parent.name} {path.name}")
    for entry in entries:
        if _plain(entry.architecture.removesuffix("-quickgelu")) in label and _plain(entry.tag) in label:
            return entry
        if (
            entry.url
            and _plain(urlsplit(entry.url).path.split("/")[2]) in label
            and "huggingface" in entry.url
        ):
            return entry
    raise WeightsError(
        f"Which model {path.name} belongs to can't be told.",
        "Say it: inspector weights add FILE --name ARCHITECTURE:TAG, for instance ViT-B-32:laion2b_s34b_b79k.",
    )


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _named(name: str, path: Path) -> Weights:
    architecture, colon, tag = name.partition(":")
    try:
        return find(name)
    except WeightsError:
        import open_clip

        config = open_clip.get_model_config(architecture) if colon else None
        if config is None or open_clip.get_pretrained_cfg(architecture, tag):
            raise
        check_activation(architecture, tag, path.name)
    if not tag or _plain(tag) != tag.lower().replace("_", "").replace("-", ""):
        raise WeightsError(f"{tag!r} can't be a tag.", "Use letters, digits, - and _.") from None
    size = config["vision_cfg"].get("image_size", 224)
    title, licence = "Added", "unknown"
    return Weights(f"{architecture}-{tag}", architecture, tag, title, licence, size, path.stat().st_size)


def verify(name: str, cancel: CancelToken | None = None) -> Path:
    """Read the weights again and hold them against their sha256; returns where they lie.

    Raises WeightsError when they are missing or damaged, Cancelled.
    """
    entry = find(name)
    if entry.embedded:
        from inspector.features import inspector_tiny

        inspector_tiny.lite0_state()
        inspector_tiny.read_state(entry.folder)
        return entry.folder
    file = entry.file
    if file is None:
        raise WeightsError(
            f"{entry.name} is not on this computer.",
            f"Download it: inspector weights fetch {entry.name}; or add a copied file: inspector weights add FILE",
        )
    if sha256_of(file, cancel) != entry.record["sha256"]:
        raise WeightsError(
            f"The weights file {file.name} is damaged or was changed.",
            f"Delete the folder {entry.folder} and download or add it again.",
        )
    return file


def _copy(source: Path, target: Path, cancel: CancelToken | None) -> None:
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".copy")
    try:
        with source.open("rb") as reader, part.open("wb") as writer:
            while chunk := reader.read(CHUNK):
                if cancel is not None:
                    cancel.check()
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
        part.replace(target)
    except OSError as error:
        raise WeightsError(f"{source.name} can't be copied: {error.strerror}.", "Free some space.") from error
    finally:
        part.unlink(missing_ok=True)


def _write_record(entry: Weights, file: Path, sha256: str, source: str) -> None:
    record = {
        "architecture": entry.architecture,
        "tag": entry.tag,
        "image_size": entry.image_size,
        "file": file.name,
        "size": file.stat().st_size,
        "sha256": sha256,
        "trusted_on_first_use": not entry.sha256,
        "source": source,
    }
    paths.write_atomic(entry.folder / RECORD, json.dumps(record, indent=1).encode())


def refuse_program(path: Path) -> None:
    """TorchScript archives, OpenAI's original downloads among them, hold program code beside the weights."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any("/code/" in name or name.endswith("/constants.pkl") for name in archive.namelist()):
            raise WeightsError(
                f"{path.name} is a TorchScript program, not a plain weights file, so it is not loaded.",
                f"Take the same weights as {SAFE_FILE} from Hugging Face (the timm/…openai repositories).",
            )

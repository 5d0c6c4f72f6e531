"""The open_clip model that a weights file makes, and whether the file is what it is taken for."""

import zipfile
from pathlib import Path

import open_clip
import torch
from open_clip.factory import load_state_dict
from torch import nn

from inspector.errors import InspectorError, WeightsError
from inspector.features import inspector_tiny, vision_only
from inspector.features.image_towers import tower_of
from inspector.features.weights.catalogue import SAFE_FILE, Weights, image_size_of
from inspector.text import one_line


def build(entry: Weights, file: Path, image_size: int | None = None) -> tuple[nn.Module, str]:
    """The open_clip model with its weights, on the CPU in
    fp32, and the sha256 of the embedded ones (else "").

    Raises WeightsError when the file is damaged, empty, a program, or of another architecture, or the size doesn't suit it.
    """
    if entry.embedded:
        own = image_size_of(entry.architecture)
        if image_size not in (None, own):
            raise WeightsError(
                f"{entry.name} works at {own} pixels only, not at {image_size}.",
                "Leave the image size as it is, or choose another backbone.",
            )
        return inspector_tiny.create_pretrained()
    refuse_program(file)
    if image_size == image_size_of(entry.architecture):
        image_size = None
    model = _made(entry, file, image_size)
    if image_size is not None:
        _check_size(entry, model, image_size)
    return model, ""


def _made(entry: Weights, file: Path, image_size: int | None) -> nn.Module:
    if entry.vision_only:
        try:
            return vision_only.create(entry.architecture, file, image_size)
        except InspectorError:
            raise
        except Exception as error:
            raise _unfit(entry, file, one_line(str(error))[:200]) from error
    published = open_clip.get_pretrained_cfg(entry.architecture, entry.tag)
    try:
        model: nn.Module = open_clip.create_model(
            entry.architecture,
            pretrained=str(file),
            force_image_size=image_size,
            force_preprocess_cfg={key: published[key] for key in ("mean", "std") if key in published},
            weights_only=True,
        )
    except MemoryError:
        raise WeightsError(
            f"There is not enough memory for {entry.architecture}.",
            "Close other programs, or choose a smaller one.",
        ) from None
    except Exception as error:  # three libraries read the file, each with errors of its own
        raise _unfit(entry, file) from error
    return model.eval()


def _check_size(entry: Weights, model: nn.Module, size: int) -> None:
    """Raises WeightsError where patches don't fill images of that many pixels: those at the border would go unseen."""
    visual = model.visual
    assert isinstance(visual, nn.Module)
    step = tower_of(visual).step
    if size % step:
        raise WeightsError(
            f"{size} pixels are no multiple of the patch's {step} that {entry.architecture} looks at.",
            f"Choose {size // step * step} or {(size // step + 1) * step}.",
        )


def check(entry: Weights, file: Path) -> None:
    """Build the model and hold the file's tensors against it: names, shapes, finite values, patch tokens.

    Takes seconds and twice the file's size in memory. Raises WeightsError.
    """
    model, _ = build(entry, file)
    if entry.embedded:
        return
    wanted = model.state_dict()
    stored = {} if entry.vision_only else load_state_dict(str(file))  # those fitted strictly
    for name, tensor in stored.items():
        # open_clip resizes the positions of a model for images of another size without a word
        if name in wanted and tensor.numel() != wanted[name].numel():
            shapes = f"{name} is {list(tensor.shape)}, not {list(wanted[name].shape)}"
            raise _unfit(entry, file, shapes)
    for name, value in wanted.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise _unfit(entry, file, f"{name} holds values that are no numbers")
    visual = model.visual
    assert isinstance(visual, nn.Module)
    tower_of(visual)


def _unfit(entry: Weights, file: Path, why: str = "") -> WeightsError:
    return WeightsError(
        f"{file.name} is damaged or doesn't fit {entry.architecture}{f' ({why})' if why else ''}.",
        "Copy or download it again, or add it under the architecture it was made for.",
    )


def refuse_program(path: Path) -> None:
    """Raises WeightsError for a TorchScript archive, as
    OpenAI's original downloads are: it holds program code."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(f"{path.name} is a damaged archive.", "Copy or download it again.") from error
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        raise WeightsError(
            f"{path.name} is a TorchScript program, not a plain weights file, so it is not loaded.",
            f"Take the same weights as {SAFE_FILE} from Hugging Face (the timm/…openai repositories).",
        )

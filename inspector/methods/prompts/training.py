"""The one training loop of all learned methods: seeded, cancellable, resumable, blind to any test label."""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from inspector import paths
from inspector.domain import CancelToken, Progress
from inspector.errors import DetectorError

CHECKPOINT = "teaching.checkpoint"
"""sha256 of what follows, then safetensors: a changed number would be learned on without a word."""

Losses = dict[str, Tensor]
Step = Callable[[Sequence[int], torch.Generator], Losses]
"""Takes the batch's item numbers and a seeded CPU generator; returns the terms whose sum is minimised."""


def by_grid(step: Step, grids: Sequence[tuple[int, int]]) -> Step:
    """The step whose items, `grids` of patches of which differ, are taken in batches of one grid each. A term is the mean over
    the items of the batches that have it, as far as it is one over items."""

    def whole(chosen: Sequence[int], draw: torch.Generator) -> Losses:
        terms: Losses = {}
        for grid in dict.fromkeys(grids[item] for item in chosen):
            same = [item for item in chosen if grids[item] == grid]
            for name, term in step(same, draw).items():
                part = term * (len(same) / len(chosen))
                terms[name] = terms[name] + part if name in terms else part
        return terms

    return whole


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to learn.

    The rate falls along a cosine from `rate` to `final_rate`. Teaching stops early when the *training* loss has not
    fallen by more than `tolerance` (a fraction of it) for `patience` epochs; 0 never stops early.
    """

    epochs: int
    rate: float
    batch: int = 8
    optimizer: str = "adamw"
    weight_decay: float = 1e-4
    momentum: float = 0.9
    final_rate: float = 0.0
    patience: int = 0
    tolerance: float = 1e-3
    seed: int = 0

    def make(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """ "sgd", "adam", or AdamW for any other name."""
        if self.optimizer == "sgd":
            return torch.optim.SGD(
                parameters, lr=self.rate, momentum=self.momentum, weight_decay=self.weight_decay
            )
        if self.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=self.rate, weight_decay=self.weight_decay)
        return torch.optim.AdamW(parameters, lr=self.rate, weight_decay=self.weight_decay)

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of step number `step`, 0-based, of `steps`."""
        part = min(step / max(1, steps), 1.0)
        return self.final_rate + (self.rate - self.final_rate) * 0.5 * (1 + math.cos(math.pi * part))


def seed_of(*parts: int) -> int:
    """One seed out of several numbers, the same on every machine."""
    value = 0
    for part in parts:
        value = (value * 1_000_003 + part + 1) % (2**63 - 1)
    return value


def generator(*parts: int) -> torch.Generator:
    """A CPU generator seeded by `parts`."""
    return torch.Generator().manual_seed(seed_of(*parts))


@contextlib.contextmanager
def seeded(*parts: int) -> Iterator[None]:
    """Everything random inside (initial weights, dropout) follows from `parts`; the caller's random state stays."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(*parts))
        yield


@dataclass(frozen=True, slots=True)
class Kept:
    """Where finished epochs are kept (None: nowhere), and the `fingerprint` (of shots, backbone, settings) that a
    checkpoint must have to be continued from."""

    folder: Path | None = None
    fingerprint: str = ""


NOTHING_KEPT = Kept()


def train(
    learned: nn.Module,
    step: Step,
    items: int,
    schedule: Schedule,
    *,
    progress: Progress,
    cancel: CancelToken,
    kept: Kept = NOTHING_KEPT,
    span: tuple[float, float] = (0.0, 1.0),
) -> list[float]:
    """Minimise the sum of what `step` returns over all trainable parameters of `learned`; the loss of every epoch.

    Every epoch draws its order and its noise from a generator seeded by (seed, epoch), so one that was killed and
    continues from its checkpoint learns exactly what an undisturbed one learns. `span` is this loop's part of the
    whole progress. Raises Cancelled between batches, DetectorError when the loss is no longer a number.
    """
    parameters = [p for p in learned.parameters() if p.requires_grad]
    optimizer = schedule.make(parameters)
    batches = math.ceil(items / schedule.batch)
    key = json.dumps({"fingerprint": kept.fingerprint, **asdict(schedule)}, sort_keys=True)
    losses = _resume(kept.folder, key, learned, optimizer)
    started, first = time.monotonic(), len(losses)
    learned.train()
    for epoch in range(len(losses), schedule.epochs):
        if _settled(losses, schedule):
            break
        draw = generator(schedule.seed, epoch)
        order = torch.randperm(items, generator=draw).tolist()
        sums: dict[str, float] = {}
        for batch in range(batches):
            cancel.check()
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate_at(epoch * batches + batch, schedule.epochs * batches)
            chosen = order[batch * schedule.batch : (batch + 1) * schedule.batch]
            with seeded(schedule.seed, epoch, batch):
                terms = step(chosen, draw)
            loss = torch.stack([term.float() for term in terms.values()]).sum()
            if not torch.isfinite(loss):
                raise DetectorError(
                    "Teaching failed: the loss is no longer a number.",
                    "Teach again with a lower learning rate or in full precision.",
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            for name, value in {"loss": loss, **terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / batches
            done = (epoch + (batch + 1) / batches) / schedule.epochs
            if batch + 1 < batches:
                progress(span[0] + (span[1] - span[0]) * done, "", {})
        losses.append(sums["loss"])
        left = (time.monotonic() - started) / (epoch + 1 - first) * (schedule.epochs - epoch - 1)
        values = {
            **sums,
            "epoch": float(epoch + 1),
            "epochs": float(schedule.epochs),
            "seconds_left": left,
        }
        line = f"Epoch {epoch + 1} of {schedule.epochs}: loss {sums['loss']:.4f}"
        progress(span[0] + (span[1] - span[0]) * done, line, values)
        _keep(kept.folder, key, learned, optimizer, losses)
    learned.eval()
    return losses


def forget(checkpoints: Path | None) -> None:
    """Remove the checkpoint of a teach that is finished."""
    if checkpoints is not None and checkpoints.is_dir():
        (checkpoints / CHECKPOINT).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else's files may be in it
            checkpoints.rmdir()


def fingerprint(shots: Mapping[str, Sequence[Any]], backbone_key: str, settings: Mapping[str, Any]) -> str:
    """What a checkpoint belongs to: the shots' contents and how they were read, the backbone and the settings."""
    contents = {name: [(image.sha256, image.white) for image in images] for name, images in shots.items()}
    return json.dumps([contents, backbone_key, dict(settings)], sort_keys=True, default=str)


def _settled(losses: Sequence[float], schedule: Schedule) -> bool:
    if schedule.patience == 0 or len(losses) <= schedule.patience:
        return False
    before, now = min(losses[: -schedule.patience]), min(losses[-schedule.patience :])
    return before - now <= schedule.tolerance * abs(before)


def _keep(
    folder: Path | None,
    key: str,
    learned: nn.Module,
    optimizer: torch.optim.Optimizer,
    losses: Sequence[float],
) -> None:
    """One file holds tensors and JSON, so a checkpoint is whole or not there."""
    if folder is None:
        return
    tensors = {f"model.{name}": value for name, value in learned.state_dict().items()}
    scalars: dict[str, float] = {}
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            elif value is not None:
                scalars[f"{index}.{name}"] = value
    about = json.dumps({"key": key, "losses": list(losses), "scalars": scalars}).encode()
    tensors["about"] = torch.frombuffer(bytearray(about), dtype=torch.uint8)
    data = safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    )
    folder.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(folder / CHECKPOINT, hashlib.sha256(data).digest() + data)


def _resume(
    folder: Path | None, key: str, learned: nn.Module, optimizer: torch.optim.Optimizer
) -> list[float]:
    """The losses of the epochs that are already learned; a checkpoint of another teach, or a damaged one, counts as
    none."""
    if folder is None or not (folder / CHECKPOINT).exists():
        return []
    try:
        data = (folder / CHECKPOINT).read_bytes()
        digest, data = data[:32], data[32:]
        if hashlib.sha256(data).digest() != digest:
            return []
        tensors = safetensors.torch.load(data)
        kept = json.loads(tensors.pop("about").numpy().tobytes())
        if kept["key"] != key:
            return []
        slots: dict[int, dict[str, Any]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, slot = name.split(".", 2)
                slots.setdefault(int(index), {})[slot] = value
        for name, value in kept["scalars"].items():
            index, slot = name.split(".", 1)
            slots.setdefault(int(index), {})[slot] = value
        whole = optimizer.state_dict() | {"state": slots}
        learned.load_state_dict(
            {
                name.removeprefix("model."): value
                for name, value in tensors.items()
                if name.startswith("model.")
            }
        )
        optimizer.load_state_dict(whole)
        return [float(loss) for loss in kept["losses"]]
    except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError):
        return []

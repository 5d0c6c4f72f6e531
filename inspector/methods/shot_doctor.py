"""Which shots of a class say nothing new or hide defects, and which further good part would teach most.

Asked of the memory inside a method, by leaving shots out of it and putting parts into it. A score is the highest value of the
memory's map; no threshold, no method's own reading enters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from inspector.domain import CancelToken, Image
from inspector.features.backbone import Features, joined
from inspector.methods.memory_bank import MemoryBank
from inspector.methods.taught import Taught


@dataclass(frozen=True, slots=True)
class ShotFinding:
    """`score`: without itself; low where the others show all that it shows. `hides`: the share by which a marked defect's score grows
    at most without it, None where no defect is marked or there is no other shot."""

    score: float
    hides: float | None


@dataclass(frozen=True, slots=True)
class NextShot:
    """The good part of this number, as a shot, would lower the scores of the others by the share `gain` on the mean."""

    number: int
    gain: float


class ShotDoctor:
    """Of one class; `shots` are those that its memory knows, in its order. Raises Cancelled between two images."""

    def __init__(
        self, taught: Taught, class_name: str, shots: Sequence[Image], cancel: CancelToken | None = None
    ) -> None:
        self._taught, self._name, self._cancel = taught, class_name, cancel or CancelToken()
        self._shots = [self._seen(shot) for shot in shots]

    def findings(self, defects: Sequence[Image]) -> list[ShotFinding]:
        """Of every shot; `defects`: parts that somebody marked as defective."""
        bank, count = self._taught.memory, len(self._shots)
        if count < 2:
            return [ShotFinding(0.0, None)] * count
        marked = [self._seen(one) for one in defects]
        before = [self._score(bank, seen) for seen in marked]
        found = []
        for number, shot in enumerate(self._shots):
            rest = bank.without(self._name, number)
            grown = [
                self._score(rest, seen) / max(score, 1e-6) - 1
                for seen, score in zip(marked, before, strict=True)
            ]
            found.append(ShotFinding(self._score(rest, shot), max(grown) if grown else None))
        return found

    def next_shot(self, good: Sequence[Image]) -> NextShot | None:
        """Of good parts that are no shots, the one that would teach most; None below two."""
        if len(good) < 2:
            return None
        bank, seen = self._taught.memory, [self._seen(one) for one in good]
        before = [self._score(bank, one) for one in seen]
        gains = []
        for number, image in enumerate(good):
            pieces = self._taught.cut(self._name, image)
            known = [self._taught.shot_features(self._name, batch) for batch in self._taught.batches(pieces)]
            grown = bank.with_shots(self._name, joined(known), together=len(pieces) > 1)
            shares = [
                self._score(grown, one) / max(score, 1e-6)
                for place, (one, score) in enumerate(zip(seen, before, strict=True))
                if place != number
            ]
            gains.append(1 - sum(shares) / len(shares))
        best = max(range(len(good)), key=gains.__getitem__)
        return NextShot(best, gains[best])

    def _seen(self, image: Image) -> list[Features]:
        self._cancel.check()
        pieces = self._taught.cut(self._name, image)
        return [self._taught.features_of(batch) for batch in self._taught.batches(pieces)]

    def _score(self, bank: MemoryBank, seen: Sequence[Features]) -> float:
        self._cancel.check()
        with torch.inference_mode():
            counts = [len(next(iter(features.taps.values()))) for features in seen]
            maps = [bank.maps(one, [self._name] * count) for one, count in zip(seen, counts, strict=True)]
            return max(float(one.max()) for one in maps)

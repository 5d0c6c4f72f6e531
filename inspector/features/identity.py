"""Which backbone something was made on: written with detectors,
evaluations and cached features, and compared in one place."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class BackboneIdentity:
    """Everything that decides what features come out, and,
    in `versions`, the libraries at hand for the record.

    `tag` is the name of the training run, `weights_sha256`
    of the file (or of the tensors where there is no file).
    """

    architecture: str
    tag: str
    weights_sha256: str
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "area/cubic, square"
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Short hash; equal for two backbones exactly when a detector of one runs on the other."""
        parts = asdict(self)
        del parts["versions"], parts["tag"]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, `versions` and `key` included: what
        is stored with everything that the backbone made."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std), "key": self.key}

    def mismatch(self, stored: Mapping[str, Any]) -> str:
        """Why what was made on the backbone of a `stored` identity
        can't be used on this one, as a sentence; "" if it can."""
        if stored.get("key") == self.key:
            return ""
        if (stored.get("architecture"), stored.get("tag")) == (self.architecture, self.tag):
            return f"It was taught on another version of {self.architecture} than the one in use."
        return f"It was taught on the backbone {_name(stored)}, but {_name(self.as_json())} is in use."


def _name(identity: Mapping[str, Any]) -> str:
    parts = (identity.get("architecture"), identity.get("tag"), identity.get("key"))
    return " ".join(str(part) for part in parts if part)

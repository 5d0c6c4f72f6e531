"""Learned values read from a file, which may be damaged or
foreign: whatever is taken is checked, and nothing is left over."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from inspector.errors import DetectorError

TEACH_AGAIN = "Teach the detector again."
WIDEST = 8192
"""More numbers than any tower's token holds."""


def flag(value: object) -> bool:
    """A stored setting that is true or false. Raises DetectorError for anything else."""
    if not isinstance(value, bool):
        raise DetectorError("The detector's settings hold something else than yes or no.", TEACH_AGAIN)
    return value


class StoredTensors:
    """The tensors of a stored detector, by name. Every method
    takes what it needs, then `finish` asks for the rest."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._left = dict(tensors)

    def names(self, prefix: str = "") -> list[str]:
        """The names that weren't taken yet and start with `prefix`, sorted."""
        return sorted(name for name in self._left if name.startswith(prefix))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that wasn't taken yet. Raises DetectorError when it is missing."""
        if name not in self._left:
            raise DetectorError(f"The detector lacks its learned values “{name[:60]}”.", TEACH_AGAIN)
        return tuple(self._left[name].shape)

    def take(self, name: str, *shape: int | None, dtype: torch.dtype = torch.float32) -> Tensor:
        """The tensor of that name, shape and type; None in `shape` stands for any size of at least 1.

        Raises DetectorError when it is missing, of another
        shape or type, or holds a value that is not finite.
        """
        self.shape(name)
        value = self._left.pop(name)
        right = len(shape) == value.ndim and all(
            size > 0 if wanted is None else size == wanted
            for wanted, size in zip(shape, value.shape, strict=True)
        )
        if not right:
            wanted_shape = " × ".join("any" if size is None else str(size) for size in shape)
            found = " × ".join(map(str, value.shape))
            raise DetectorError(
                f"The detector's learned values “{name[:60]}” are {found or 'a single number'}, where {wanted_shape} "
                "belongs.",
                TEACH_AGAIN,
            )
        if value.dtype != dtype:
            raise DetectorError(
                f"The detector's learned values “{name[:60]}” are of the wrong type, {value.dtype}.",
                TEACH_AGAIN,
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise DetectorError(
                f"The detector's learned values “{name[:60]}” hold values that are not finite.", TEACH_AGAIN
            )
        return value

    def take_all(self, prefix: str) -> dict[str, Tensor]:
        """Every float32 tensor whose name starts with `prefix`, of any shape, by its whole name."""
        return {name: self.take(name, *self._left[name].shape) for name in self.names(prefix)}

    def fill(self, module: nn.Module, prefix: str) -> None:
        """Give a module the values below `prefix`, each of the
        shape that it has there, and set it to evaluation."""
        own = {
            name: self.take(f"{prefix}{name}", *value.shape) for name, value in module.state_dict().items()
        }
        module.load_state_dict(own)
        module.eval()

    def finish(self) -> None:
        """Raises DetectorError when there are values that nobody took: the file isn't what it says."""
        if self._left:
            name = min(self._left)
            raise DetectorError(
                f"The detector holds learned values “{name[:60]}” that don't belong to it.", TEACH_AGAIN
            )

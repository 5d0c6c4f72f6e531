"""What the settings of methods may be: names, kinds and ranges,
whether typed by a person or read from a file. No torch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

RANGES: Mapping[str, tuple[float, float]] = {
    "sigma": (0, 60),
    "neighbourhood": (1, 31),
    "epochs": (0, 100_000),
    "adaptation_epochs": (0, 100_000),
    "patience": (0, 100_000),
    "batch": (1, 4096),
    "rate": (0, 10),
    "final_rate": (0, 10),
    "weight_decay": (0, 1),
    "momentum": (0, 1),
    "seed": (0, 2**31 - 1),
    "variants": (1, 64),
    "tiles": (0, 16),
    "depth": (1, 64),
    "length": (1, 64),
    "deep": (1, 64),
    "contexts": (1, 64),
    "objects": (1, 64),
    "alps": (1, 64),
    "ahps": (1, 64),
    "abnormal": (1, 64),
    "bottlenecks": (1, 64),
    "routes": (1, 66),
    "levels": (1, 63),
    "prompts": (1, 64),
    "alpha": (0, 1000),
    "beta": (0, 1000),
    "balance": (0, 1000),
    "noise": (0, 100),
    "extra": (0, 100),
    "margin": (0, 100),
    "sparsity": (0, 1),
    "temperature": (1e-3, 1e3),
}
"""Smallest and largest value of every number, by the setting's name; for a list, of each of its entries."""
LONGEST_LIST = 16


def fits(value: Any, default: Any, choices: Sequence[Any] = ()) -> bool:
    """Whether a value is of the kind of the default (None stands for "no text"), or one of `choices`."""
    if any(value is one or (isinstance(value, str) and value == one) for one in choices):
        return True
    if float in choices:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if default is None:
        return not isinstance(value, str)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def checked(
    given: Mapping[str, Any], defaults: Mapping[str, Any], choices: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """All settings, `given` over `defaults`.

    `choices`: the values that some can take; `float` among them stands for any number. Raises ValueError,
    with half a sentence, for a setting that there isn't, of another kind, or out of its range.
    """
    for name, value in given.items():
        if name not in defaults:
            raise ValueError(f"there is no setting {name[:40]}")
        allowed = choices.get(name, ())
        if not fits(value, defaults[name], allowed):
            raise ValueError(f"{name} can't be {_short(value)}")
        words = [one for one in allowed if isinstance(one, str)]
        if isinstance(value, str) and words and value not in words:
            raise ValueError(f"{name} is one of {', '.join(words)}")
        _in_range(name, value)
    return {**defaults, **given}


def _in_range(name: str, value: Any) -> None:
    numbers = value if isinstance(value, list | tuple) else [value]
    if len(numbers) > LONGEST_LIST:
        raise ValueError(f"{name} has more than {LONGEST_LIST} entries")
    low, high = RANGES.get(name, (-math.inf, math.inf))
    for number in numbers:
        if isinstance(number, int | float) and not isinstance(number, bool) and not low <= number <= high:
            raise ValueError(f"{name} lies between {low:g} and {high:g}, and can't be {_short(number)}")


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "so large"
    return text if len(text) <= 40 else f"{text[:40]}…"

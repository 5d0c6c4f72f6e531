"""Which values become black and white in files of more than 8 bits, where a class has a range of its own.

A range is named by its end: the value that becomes 255. Files say what they hold in `Image.mode`.
"""

import re
from collections.abc import Iterable

FULL = 2**16 - 1
"""The whole range of 16 bits."""
ENDS = {10: 2**10 - 1, 12: 2**12 - 1, 14: 2**14 - 1}
"""Of the bits that cameras put into files of 16."""
LEAST = 2**8
"""Below it, files of 8 bits would do."""
_DEEP = re.compile(r"\b(?:9|1[0-6]) bit(?:, (\d+) used)?$")


def is_deep(mode: str) -> bool:
    """Whether a file holds more than 8 bits, so that a range makes a difference."""
    return _DEEP.search(mode) is not None


def narrower(modes: Iterable[str]) -> int | None:
    """The end of the range that all of these files keep to, if it is a lower one than theirs; files of 8 bits don't
    count."""
    used = [found[1] for mode in modes if (found := _DEEP.search(mode))]
    if not used or None in used:
        return None
    most = max(map(int, used))
    return next((end for bits, end in ENDS.items() if most <= bits), None)


def words(white: int | None) -> str:
    """A range for people: "0–4,095"."""
    return "as the files say" if white is None else f"0–{white:,}"


def offer(modes: Iterable[str]) -> str:
    """A question to whoever adds these files; "" when there is nothing to ask."""
    modes = list(modes)
    white = narrower(modes)
    if white is None:
        return ""
    full = round(white * 255 / FULL) + 1
    return (
        f"{white.bit_length()}-bit values in 16-bit files: at most {full} of 256 grey levels are left of them. "
        f"Use the range {words(white)}?"
    )

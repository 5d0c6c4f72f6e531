"""Text that others wrote, made fit to be shown: the one
rule for names and messages in a terminal or a sentence."""

import re


def printable(text: str, longest: int = 80) -> str:
    """`text` on one line of at most `longest` characters
    (0: any length), every character as a sign of its own.

    What a terminal or a list would obey instead of showing (NUL, escape, line ends, changes of writing
    direction) becomes ␣, bytes that are no UTF-8 become �.
    """
    text = "".join(c if c.isprintable() else "␣" for c in storable(text))
    tail = 25 * longest // 80
    return text if not longest or len(text) <= longest else f"{text[: longest - tail - 5]}…{text[-tail:]}"


def storable(text: str) -> str:
    """`text` with what is no valid UTF-8 (odd bytes of a file name) replaced by �."""
    return re.sub("[\ud800-\udfff]", "�", text)

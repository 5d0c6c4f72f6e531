"""Text that others wrote, made fit to be shown: the one
rule for names and messages in a terminal or a sentence."""

import re
import unicodedata

_JOINERS = "\u200c\u200d"


def hidden(character: str) -> bool:
    """Whether a character would be obeyed instead of shown: control characters, changes of writing direction, line ends, what is
    no Unicode. Spaces stay, as do the joiners, without which several scripts can't be read, and characters that are newer than
    Python's tables."""
    if character.isprintable() or character in _JOINERS:
        return False
    return unicodedata.category(character) not in ("Zs", "Cn") or ord(character) & 0xFFFE == 0xFFFE


def printable(text: str, longest: int = 80) -> str:
    """`text` on one line of at most `longest` characters
    (0: any length), every character as a sign of its own.

    What a terminal or a list would obey instead of showing (NUL, escape, line ends, changes of writing
    direction; see `hidden`) becomes ␣, bytes that are no UTF-8 become �.
    """
    text = "".join("␣" if hidden(c) else c for c in storable(text))
    tail = 25 * longest // 80
    return text if not longest or len(text) <= longest else f"{text[: longest - tail - 5]}…{text[-tail:]}"


def is_printable(text: str) -> bool:
    """Whether `printable` shows every character as it is."""
    return text.isprintable() or not any(map(hidden, text))


def one_line(text: str) -> str:
    """`text` of any length as `printable` shows it, but with a space for line ends and tabs, as in what libraries say."""
    return text if text.isprintable() else printable(re.sub(r"\s*[\t\n\v\f\r]\s*", " ", text).strip(), 0)


def reason(error: BaseException) -> str:
    """What an error that isn't one of ours says of itself in its first line; what it is called if it says nothing."""
    return one_line(str(error).strip().split("\n")[0]) or type(error).__name__


def storable(text: str) -> str:
    """`text` with what is no valid UTF-8 (odd bytes of a file name) replaced by �."""
    return re.sub("[\ud800-\udfff]", "�", text)

"""Names that people give: cleaned on entry, compared
without case and spaces, and moments as they read them."""

import unicodedata
from datetime import datetime

from inspector.errors import ProjectError
from inspector.text import hidden, storable


def class_key(name: str) -> str:
    """What makes two class names the same: neither case, spaces,
    what can't be seen nor the way letters are composed matter."""
    return unicodedata.normalize("NFC", "".join(cleaned(name).split()).casefold())


def checked(name: str, what: str) -> str:
    """A name as it is kept: spaces tidied, letters composed,
    invisible control characters gone. `what`: "class", …

    Raises `ProjectError` for one that is empty, longer than 100 characters, or "." or "..".
    """
    name = cleaned(name)
    if not name:
        raise ProjectError(f"A {what} needs a name.", "Type a name.")
    if len(name) > 100:
        raise ProjectError(f"A {what} name has at most 100 characters.", "Type a shorter name.")
    if not name.strip("."):
        raise ProjectError(f"A {what} can't be called “{name}”.", "Type a name with letters or digits.")
    return name


def cleaned(text: str) -> str:
    """One line without control, bidirectional and other invisible characters, composed, in UTF-8."""
    text = unicodedata.normalize("NFC", storable(text))
    return " ".join("".join(c for c in " ".join(text.split()) if not hidden(c)).split())


def file_name(text: str) -> str:
    """The name of a file as it is stored: its own, spaces and all, without invisible characters, in UTF-8."""
    one_line = "".join(" " if c in "\t\n\v\f\r" else c for c in storable(text))
    return "".join(c for c in one_line if not hidden(c)) or "unnamed"


def moment(when: datetime) -> str:
    """Local time as people read it: "26 Nov 14:42", with the year where it is another one."""
    local = when.astimezone()
    this_year = local.year == datetime.now().astimezone().year
    return f"{local:%d %b %H:%M}" if this_year else f"{local:%d %b %Y %H:%M}"

"""How times, rates and folders are written."""

import os
from pathlib import Path


def time_left(seconds: float) -> str:
    """ "3 s left", "4 min left", "1 h 20 min left"."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    minutes = round(seconds / 60)
    return f"{minutes} min left" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min left"


def rate_text(rate: float) -> str:
    """ "31/s", "2.4/s", "12/min"."""
    if rate >= 10:
        return f"{rate:.0f}/s"
    return f"{rate:.1f}/s" if rate >= 0.5 else f"{rate * 60:.0f}/min"


def share_text(share: float, form: str = ".0f") -> str:
    """A share of 1 as "5 %", with a space at which no line breaks; `form`: of the number."""
    return f"{share * 100:{form}}\u00a0%"


def folder_text(folder: Path) -> str:
    """As people write it: "~" for their home folder."""
    home = Path.home()
    return f"~{os.sep}{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def shots_said(count: int) -> str:
    """A sentence on so many results, "" for none."""
    if not count:
        return ""
    if count == 1:
        return "1 image that taught the detector is not counted."
    return f"{count:,} images that taught the detector are not counted."

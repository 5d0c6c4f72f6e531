"""How the Results page was left, for the next session."""

from PySide6.QtCore import QSettings

from inspector import paths


def kept(name: str) -> str:
    """What was kept under this name, "" for nothing."""
    return str(_store().value(f"results/{name}", ""))


def number(name: str, least: int, most: int, usual: int) -> int:
    """A whole number that was kept, `usual` where there is none in this range."""
    text = kept(name)
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else usual
    return value if least <= value <= most else usual


def keep(name: str, value: object) -> None:
    """Remember it under this name."""
    _store().setValue(f"results/{name}", str(value))


def _store() -> QSettings:
    return QSettings(str(paths.config_dir() / "window.ini"), QSettings.Format.IniFormat)

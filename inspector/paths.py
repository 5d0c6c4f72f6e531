"""Where Inspector keeps things: bundled resources, settings, caches, logs, downloaded weights."""

import os
import secrets
from pathlib import Path

import platformdirs

_APP = "Inspector"


def resources() -> Path:
    """Folder of bundled resources, in an installed wheel and in a source checkout alike."""
    package = Path(__file__).resolve().parent
    installed = package / "resources"
    return installed if installed.is_dir() else package.parent / "resources"


def _home() -> Path | None:
    """`INSPECTOR_HOME` keeps everything in one folder (portable installs, tests)."""
    value = os.environ.get("INSPECTOR_HOME")
    return Path(value) if value else None


def config_dir() -> Path:
    home = _home()
    return home / "config" if home else Path(platformdirs.user_config_dir(_APP, appauthor=False))


def cache_dir() -> Path:
    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir(_APP, appauthor=False))


def log_dir() -> Path:
    home = _home()
    return home / "log" if home else Path(platformdirs.user_log_dir(_APP, appauthor=False))


def weights_dir() -> Path:
    """Downloaded or added model weights, one subfolder per catalogue name."""
    home = _home()
    return home / "weights" if home else Path(platformdirs.user_data_dir(_APP, appauthor=False)) / "weights"


def documents_dir() -> Path:
    """Where new projects are offered first."""
    home = _home()
    return home / "projects" if home else Path(platformdirs.user_documents_dir()) / "Inspector projects"


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that a crash leaves either the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}")
    try:
        handle = _create(temporary)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _create(temporary)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)

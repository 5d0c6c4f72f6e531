"""Where Inspector keeps things: bundled resources, settings, caches, logs, downloaded weights."""

import os
import tempfile
from pathlib import Path

import platformdirs

_APP = "Inspector"
_UMASK = os.umask(0o022)
os.umask(_UMASK)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if os.name == "posix":
                os.fchmod(handle, 0o666 & ~_UMASK)  # mkstemp makes it private; colleagues share projects
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

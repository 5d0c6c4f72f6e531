"""What the user chose, kept as TOML in the config folder; unknown or damaged files fall back to defaults."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from inspector import paths


@dataclass(slots=True)
class Settings:
    """`theme`: "system", "dark" or "light". `device`: "auto", "cpu", "cuda", "mps". `weights`: catalogue name.
    `false_alarm_rate`: wanted share of good parts called NG, 0–1. `colour_map`: name shown in the viewer."""

    theme: str = "system"
    device: str = "auto"
    weights: str = "inspector-tiny"
    method: str = "anople"
    false_alarm_rate: float = 0.05
    colour_map: str = "inferno"
    overlay_opacity: float = 0.6
    reviewer: str = ""
    batch_size: int = 8
    recent_projects: tuple[str, ...] = ()

    def remember(self, project: str) -> None:
        self.recent_projects = tuple(dict.fromkeys((project, *self.recent_projects)))[:12]


def _accept(default: Any, value: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(str(item) for item in value) if isinstance(value, list) else default
    if isinstance(default, float):
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else default
    return value if type(value) is type(default) else default


def load() -> Settings:
    import tomllib

    try:
        stored = tomllib.loads((paths.config_dir() / "settings.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return Settings()
    defaults = Settings()
    return Settings(
        **{
            f.name: _accept(getattr(defaults, f.name), stored[f.name])
            for f in fields(Settings)
            if f.name in stored
        }
    )


def save(settings: Settings) -> None:
    import tomlkit

    values = {
        key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()
    }
    paths.write_atomic(paths.config_dir() / "settings.toml", tomlkit.dumps(values).encode())

"""What the user chose, kept as TOML in the config folder. A
`Settings` never holds a value out of its range."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

from inspector import paths
from inspector.errors import SettingsError
from inspector.text import printable, reason

RUNTIMES = ("auto", "torch", "onnx", "openvino")
RECENT = 12
"""How many projects are remembered."""
MAX_BYTES = 1_000_000
"""A settings file larger than this is none."""


@dataclass(slots=True)
class Settings:
    """`theme`: "system", "dark" or "light". `device`: "auto", "cpu", "cuda", "cuda:1" …, "mps". `runtime`: what computes
    scores, one of RUNTIMES. `weights`:
    catalogue name. `method`: catalogue name, "" before anybody chose one. `false_alarm_rate`: wanted share of
    good parts called NG, 0.001–0.5. `colour_map`: name shown in the viewer. `overlay_opacity`: 0–1.
    `batch_size`: 1–256 images.

    Setting a value out of its range raises `SettingsError`.
    """

    theme: str = "system"
    device: str = "auto"
    runtime: str = "auto"
    weights: str = "inspector-tiny"
    method: str = ""
    false_alarm_rate: float = 0.05
    colour_map: str = "inferno"
    overlay_opacity: float = 0.6
    reviewer: str = ""
    batch_size: int = 8
    recent_projects: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        rule = _RULES[name]
        if not rule.holds(value):
            shown = printable(value if isinstance(value, str) else _short(value))
            raise SettingsError(f"{name} can't be “{shown}”.", f"It is {rule.words}.")
        object.__setattr__(self, name, float(value) if rule.is_share else value)

    def remember(self, project: str) -> None:
        """Put a project first among the recent ones; a path that TOML can't hold is left out."""
        if _is_path(project):
            self.recent_projects = tuple(dict.fromkeys((project, *self.recent_projects)))[:RECENT]


@dataclass(frozen=True, slots=True)
class _Rule:
    words: str
    holds: Callable[[Any], bool]
    is_share: bool = False


def _one_of(pattern: str, words: str) -> _Rule:
    return _Rule(words, lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value)))


def _name(longest: int, least: int = 1) -> _Rule:
    def holds(value: Any) -> bool:
        return isinstance(value, str) and least <= len(value) <= longest and value.isprintable()

    return _Rule(
        f"a name of {'at most' if not least else f'{least} to'} {longest} characters on one line", holds
    )


def _is_number(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _share(least: float, most: float) -> _Rule:
    words = f"a number from {least:g} to {most:g}"
    return _Rule(words, lambda value: _is_number(value, int, float) and least <= value <= most, is_share=True)


def _count(least: int, most: int) -> _Rule:
    words = f"a whole number from {least} to {most}"
    return _Rule(words, lambda value: _is_number(value, int) and least <= value <= most)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 4096 and not re.search("[\0\ud800-\udfff]", value)


def _are_paths(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= RECENT and all(map(_is_path, value))


_RULES = {
    "theme": _one_of("system|dark|light", "system, dark or light"),
    "device": _one_of("auto|cpu|cuda(:[0-9]{1,2})?|mps", "auto, cpu, cuda, cuda:NUMBER or mps"),
    "runtime": _one_of("|".join(RUNTIMES), "auto, torch, onnx or openvino"),
    "weights": _name(200),
    "method": _name(200, least=0),
    "false_alarm_rate": _share(0.001, 0.5),
    "colour_map": _name(80),
    "overlay_opacity": _share(0, 1),
    "reviewer": _name(80, least=0),
    "batch_size": _count(1, 256),
    "recent_projects": _Rule(f"a list of at most {RECENT} paths", _are_paths),
}


def _short(value: Any) -> str:
    try:
        return repr(value)
    except (
        ValueError,
        RecursionError,
    ):  # an integer of more digits than Python prints, or a list in a list in a …
        return type(value).__name__


def load() -> Settings:
    """The stored settings; what is missing or out of its range has its default."""
    return read()[0]


def read() -> tuple[Settings, list[str]]:
    """The stored settings, and a sentence for each that could not be taken (its default stands in)."""
    import tomllib

    settings, problems = Settings(), list[str]()
    file = paths.config_dir() / "settings.toml"
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError("it is too large")
        stored = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        return settings, problems
    except UnicodeDecodeError:
        return settings, [f"The settings in {file} are not UTF-8 text, so the defaults are used."]
    except (OSError, ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else reason(error)
        said = getattr(error, "strerror", None) or said
        return settings, [f"The settings in {file} can't be read ({said}), so the defaults are used."]
    for name in (field.name for field in fields(Settings)):
        if name in stored:
            value = stored[name]
            try:
                setattr(settings, name, tuple(value) if isinstance(value, list) else value)
            except SettingsError as error:
                default = getattr(settings, name)
                instead = (
                    f"{default} is used" if isinstance(default, (int, float)) or default else "it is left out"
                )
                problems.append(f"In {file}, {error.message} {error.hint} Until it is corrected, {instead}.")
    return settings, problems


def save(settings: Settings) -> None:
    """Keep them for the next start. Raises `SettingsError` (no space, no permission)."""
    import tomlkit

    values = {
        key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()
    }
    try:
        paths.write_atomic(paths.config_dir() / "settings.toml", tomlkit.dumps(values).encode())
    except OSError as error:
        raise SettingsError(
            f"The settings can't be saved: {error.strerror or error}.",
            f"Free some space, make {paths.config_dir()} writable, or set INSPECTOR_HOME to a folder that is.",
        ) from error

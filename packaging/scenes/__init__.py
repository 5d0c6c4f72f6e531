"""What screenshots.py takes pictures of: a function of `Stage` for every page and state.

A scene is named `scene_…`; `after_…` undoes what the next one must not see. Add yours here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from stage import Stage

_ROOMS = [importlib.import_module(f"{__name__}.{room.name}") for room in pkgutil.iter_modules(__path__)]
_FOUND = {name: value for room in _ROOMS for name, value in vars(room).items()}
SCENES: dict[str, Callable[[Stage], None]] = {
    name.removeprefix("scene_"): value for name, value in _FOUND.items() if name.startswith("scene_")
}
AFTER: dict[str, Callable[[Stage], None]] = {
    name.removeprefix("after_"): value for name, value in _FOUND.items() if name.startswith("after_")
}

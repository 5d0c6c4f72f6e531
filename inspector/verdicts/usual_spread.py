"""By how much good parts of a product usually differ, for a method on a backbone; `packaging/usual_spread.py` measures it."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from inspector import paths
from inspector.verdicts.calibrate import USUAL_SPREAD

FILE = "usual_spread.json"
"""In `resources`: key of a backbone → method → standard deviation of the logarithm of good parts' contrast."""


def usual_spread(method: str, backbone: Mapping[str, Any]) -> float:
    """What was fitted for a method (by its name) on a backbone (its identity, as stored), else USUAL_SPREAD."""
    return float(_fitted().get(str(backbone.get("key")), {}).get(method, USUAL_SPREAD))


@cache
def _fitted() -> Mapping[str, Mapping[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((paths.resources() / FILE).read_text("utf-8"))["spreads"]
    return found

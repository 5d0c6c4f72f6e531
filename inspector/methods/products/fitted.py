"""What `packaging/product_distance.py` measured of whole pictures of several products, by backbone."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from inspector import paths

FILE = "product_distance.json"
"""In `resources`: key of a backbone → `scales`, by tap, what every number of a mean patch usually varies by over all products; and
what `verdicts.product.Usual` holds."""


def fitted(key: str) -> Mapping[str, Any] | None:
    """Of the backbone of this key; None where nothing was measured."""
    return _all().get(key)


@cache
def _all() -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((paths.resources() / FILE).read_text("utf-8"))
    return found

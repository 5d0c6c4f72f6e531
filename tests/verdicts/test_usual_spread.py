"""By how much good parts usually differ: what is stored for a method and a backbone, and how it is fitted."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from inspector.features import loading
from inspector.methods import catalogue
from inspector.verdicts.calibrate import USUAL_SPREAD, USUAL_WEIGHT
from inspector.verdicts.usual_spread import usual_spread

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "packaging" / "usual_spread.py"))


def test_the_embedded_backbone_has_a_spread_for_its_methods_and_others_have_the_usual_one() -> None:
    identity = loading.load().identity.as_json()
    found = {method: usual_spread(method, identity) for method in catalogue.METHODS}
    assert all(0.05 < spread < 1 for spread in found.values())
    assert len(set(found.values())) > 2
    assert usual_spread("patchcore", {"key": "another"}) == USUAL_SPREAD
    assert usual_spread("another", identity) == USUAL_SPREAD
    assert usual_spread("patchcore", {}) == USUAL_SPREAD


@pytest.mark.parametrize("spread", [0.1, 0.3, 0.6])
def test_the_fitted_scale_is_the_one_that_variances_were_drawn_with(spread: float) -> None:
    rng = np.random.default_rng(0)
    found = {}
    for product in range(300):
        true = spread**2 * USUAL_WEIGHT / rng.chisquare(USUAL_WEIGHT)
        found[str(product)] = (float(true * rng.chisquare(15) / 15), 15)
    assert SCRIPT["scale"](found) == pytest.approx(spread, rel=0.15)

"""By how much good parts of a product usually differ, per method: what thresholds from a few shots are pooled with.

    python packaging/usual_spread.py DATA [--methods patchcore,anople]

DATA: a folder that `inspector evaluate` reads, of several products. Every method is taught on `--shots` good training images
of all, `--draws` times, and scores the further ones; no test image is touched. Of each product that has at least LEAST of these,
the variance of the logarithm of their contrast, mean over the draws, is taken to be drawn from a scaled inverse chi-squared
distribution with `calibrate.USUAL_WEIGHT` degrees of freedom; its scale, of the greatest likelihood, becomes
`resources/usual_spread.json`. The weight isn't fitted: seven products leave anything between 2.5 and 11 open.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import f

from inspector import paths
from inspector.domain import CancelToken
from inspector.features import loading
from inspector.features.cached_backbone import CachedBackbone
from inspector.images import read
from inspector.jobs.engine import least_side
from inspector.jobs.evaluation import datasets
from inspector.methods import catalogue
from inspector.verdicts import usual_spread
from inspector.verdicts.calibrate import USUAL_WEIGHT, log_contrast, usual_value

LEAST = 8
"""Fewer good parts than that don't say how a product varies."""


def variances(data: Path, method: str, shots: Sequence[int], draws: int) -> dict[str, tuple[float, int]]:
    """Product → variance of the logarithm of contrasts, mean over the draws, and its degrees of freedom."""
    backbone, dataset = CachedBackbone(loading.load()), datasets.read(data)
    side, found = least_side(backbone), dict[str, list[tuple[float, int]]]()
    for count in shots:
        drawn = datasets.draw(dataset, tuple(range(draws)), count)
        for draw in range(draws):
            own = {name: by_draw[draw][:count] for name, by_draw in drawn.items()}
            images = {name: [read.read(one.path, side) for one in samples] for name, samples in own.items()}
            made = catalogue.make(method)
            made.fit(images, backbone, progress=lambda *_: None, cancel=CancelToken())
            held_out = made.held_out(images)
            for name, samples in dataset.train.items():
                rest = [read.read(one.path, side) for one in samples if one not in own[name]]
                if len(rest) < LEAST:
                    continue
                scores = [one.image_score for one in made.score(rest, [name] * len(rest))]
                contrast = log_contrast(scores, usual_value(held_out[name]))
                found.setdefault(name, []).append((float(contrast.var(ddof=1)), len(rest) - 1))
    return {
        name: (float(np.mean([one for one, _ in own])), min(n for _, n in own)) for name, own in found.items()
    }


def scale(found: dict[str, tuple[float, int]]) -> float:
    """The standard deviation that makes these variances likeliest."""
    square, freedom = (np.array(column) for column in zip(*found.values(), strict=True))

    def unlikely(log_scale: float) -> float:
        ratio = square / np.exp(2 * log_scale)
        return -float(np.sum(f.logpdf(ratio, freedom, USUAL_WEIGHT) - 2 * log_scale))

    return float(np.exp(minimize_scalar(unlikely, bounds=(-5, 2), method="bounded").x))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("data", type=Path)
    options.add_argument("--methods", default=",".join(catalogue.METHODS))
    options.add_argument("--shots", default="2,4")
    options.add_argument("--draws", type=int, default=2)
    given = options.parse_args()
    target = paths.resources() / usual_spread.FILE
    stored = json.loads(target.read_text("utf-8")) if target.exists() else {"spreads": {}}
    key = loading.load().identity.key
    for method in given.methods.split(","):
        found = variances(given.data, method, tuple(map(int, given.shots.split(","))), given.draws)
        stored["spreads"].setdefault(key, {})[method] = round(scale(found), 2)
        deviations = ", ".join(f"{name} {square**0.5:.2f}" for name, (square, _) in found.items())
        print(f"{method}: {stored['spreads'][key][method]} ({deviations})", flush=True)
        target.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()

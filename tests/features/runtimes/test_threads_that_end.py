"""Graphs are run in threads that come and go, as Qt's do: whatever a thread would own dies with it."""

import pytest
import torch
from torch import Tensor

from inspector.features.backbone import Backbone
from inspector.features.runtimes import choice
from inspector.features.runtimes.engines import Runtime
from inspector.features.runtimes.scoring import ScoringBackbone

core = pytest.importorskip("PySide6.QtCore")


def test_a_graph_outlives_the_threads_it_was_run_in(exact: Backbone, runtime: Runtime) -> None:
    scoring = ScoringBackbone(exact, runtime, "fp32")
    assert scoring.can(choice.early(scoring))
    found: list[Tensor] = []

    def run() -> None:
        pixels = torch.ones(1, 3, exact.image_size, exact.image_size)
        taps = scoring.forward(pixels, taps=exact.default_taps, joint=False).taps
        found.append(taps[exact.default_taps[0]])

    for _ in range(6):
        pool = core.QThreadPool()
        for _ in range(2):
            pool.start(core.QRunnable.create(run))
        pool.waitForDone()
        pool.deleteLater()
    assert len(found) == 12
    assert all(torch.equal(one, found[0]) for one in found)

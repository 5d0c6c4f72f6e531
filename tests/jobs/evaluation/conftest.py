"""An evaluation of drawn parts, run to its end."""

import pytest

from inspector.domain import CancelToken
from inspector.images.demo import parts as demo_parts
from inspector.jobs.evaluation import measure as measuring
from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.jobs.evaluation.run import evaluate


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    return demo_parts.write_demo(folder, shots=4, good=3, defective=3, kinds=("washer", "cloth"), size=120)


@pytest.fixture
def measure(engine, run, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "PASSES", 1)  # how fast it is, no test asks

    def go(data, methods=("patchcore",), shots=(2,), seeds=2, *, cancel=None, **options):
        plan = EvaluationPlan(
            data, tuple(methods), tuple(shots), tuple(range(seeds)), tmp_path / "out", **options
        )
        events = run(
            lambda emit: evaluate(plan, backbone=engine.backbone(), emit=emit, cancel=cancel or CancelToken())
        )
        return events, plan.output

    return go

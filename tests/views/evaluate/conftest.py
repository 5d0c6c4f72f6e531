"""The Evaluate page over a real evaluation of drawn parts."""

import contextlib
import shutil

import pytest
import stem_engine

from inspector.domain import CancelToken, JobEnded, JobStatus
from inspector.images.demo import parts as demo_parts
from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.jobs.evaluation.run import evaluate
from inspector.settings import Settings

with contextlib.suppress(
    ImportError
):  # without Qt, every module of this folder is skipped (../../conftest.py)
    from inspector.views.evaluate.page import EvaluatePage
    from inspector.views.look import theme
    from inspector.views.shared.context import WindowContext
    from inspector.views.shared.job_runner import JobRunner


@pytest.fixture(scope="session")
def engine():
    return stem_engine.make()


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    """Two products, drawn small, three good and three defective test images each."""
    folder = tmp_path_factory.mktemp("labelled") / "parts"
    return demo_parts.write_demo(folder, shots=3, good=3, defective=3, kinds=("washer", "cloth"), size=128)


@pytest.fixture(scope="session")
def measured(tmp_path_factory, parts, engine):
    """Two evaluations as the job writes them: (PatchCore at 1 shot, with parts confirmed good, PatchCore at 1 and 2 shots with two draws)."""
    root = tmp_path_factory.mktemp("measured")
    for name, shots, seeds in (("first", (1,), (0,)), ("second", (1, 2), (3, 4))):
        ended = []

        def emit(event, ended=ended):
            if isinstance(event, JobEnded):
                ended.append(event)

        more = {"false_alarm_rate": 0.2, "confirmed": (0, 500)} if name == "first" else {}
        plan = EvaluationPlan(parts, ("patchcore",), shots, seeds, root / name, **more)
        evaluate(plan, backbone=engine.backbone(), emit=emit, cancel=CancelToken())
        assert ended[0].status is JobStatus.DONE, ended[0].message
    return root


@pytest.fixture
def context(qapp, engine):
    theme.apply("dark")
    made = WindowContext(JobRunner(lambda: engine), Settings(theme="dark", method="patchcore"))
    yield made
    assert made.runner.close(20)
    made.deleteLater()


@pytest.fixture
def page(context, home, qtbot):
    made = EvaluatePage(context)
    qtbot.addWidget(made)
    made.resize(1280, 720)
    with qtbot.waitExposed(made):
        made.show()
    made.activated()
    return made


@pytest.fixture
def open_first(page, measured, tmp_path, qtbot):
    """The page with the first evaluation open, from a copy of its folder."""

    def work(name="first"):
        folder = shutil.copytree(measured / name, tmp_path / name)
        page.accept_paths([folder])
        qtbot.waitUntil(
            lambda: page.stack.currentWidget() is page.report and page.report.evaluation is not None
        )
        qtbot.waitUntil(lambda: page.report.evaluation.listed.folder == folder)
        return page.report

    return work

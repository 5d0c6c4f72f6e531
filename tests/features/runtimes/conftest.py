import shutil
from pathlib import Path

import pytest
import torch

from inspector.features import loading
from inspector.features.backbone import Backbone
from inspector.features.runtimes import choice, graphs
from inspector.features.runtimes.engines import RUNTIMES, Runtime
from inspector.features.runtimes.scoring import ScoringBackbone


def needed(name: str) -> Runtime:
    if not RUNTIMES[name].version:
        pytest.skip(f"{RUNTIMES[name].title} is not installed")
    return RUNTIMES[name]


@pytest.fixture(params=sorted(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each that is installed."""
    return needed(request.param)


@pytest.fixture(scope="session")
def exact() -> Backbone:
    """The embedded model in full precision."""
    return loading.load(device="cpu", dtype=torch.float32)


@pytest.fixture(scope="session")
def _early(exact: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSPECTOR_HOME", str(tmp_path_factory.mktemp("graphs")))
        assert ScoringBackbone(exact, needed("onnx"), "fp32").can(choice.early(exact))
        return graphs.folder()


@pytest.fixture
def early(_early: Path, home: Path) -> Path:
    """The graph of the layers that a memory reads, of a square image, in this test's cache."""
    shutil.copytree(_early, graphs.folder())
    (file,) = graphs.folder().iterdir()
    return file

"""An engine for tests: the real first stages of the embedded model, its later blocks untrained. Importable from the
processes that the crash test kills."""

import copy

import torch

from inspector.features import inspector_tiny, loading
from inspector.features.image_towers import speed_up
from inspector.jobs.engine import Engine


def make() -> Engine:
    torch.set_num_threads(1)
    model = inspector_tiny.create(pretrained=False)
    inspector_tiny.load_stem(model)
    speed_up(model)
    engine = Engine(device="cpu")
    engine.use(loading.from_model(model, "inspector-tiny", "stem only"), "inspector-tiny")
    return engine


def in_batches(engine: Engine, size: int) -> Engine:
    """The same engine, which scores so many images together."""
    made = copy.copy(engine)
    made.batch_size = size
    return made

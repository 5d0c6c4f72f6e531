"""The measurements that the README cites."""

import json
from pathlib import Path

import stem_engine

from inspector.jobs.bench import crash, throughput
from inspector.jobs.engine import Engine


def test_killing_an_inspecting_process_loses_no_finished_result() -> None:
    found = crash(5, seed=1, images=24, make_engine=stem_engine.make)
    assert found["problems"] == []
    assert found["lost"] == 0
    assert found["announced"] > 0
    assert found["aborted_jobs"] >= 1


def test_throughput_is_measured_beside_the_bare_backbone(engine: Engine, demo: Path) -> None:
    found = throughput(engine, images=8, batch_size=4, rounds=1, data=demo / "cloth")
    assert found["images"] == 8
    assert found["image_size"] == [160, 160]
    assert 0 < found["ratio"] < 5
    assert len(found["end_to_end_rounds"]) == 1
    assert json.loads(json.dumps(found)) == found

"""A process that is killed loses nothing it had announced (`inspector bench crash` does this fifty times)."""

import stem_engine

from inspector.jobs.bench import crash


def test_killing_an_inspecting_process_loses_no_finished_result() -> None:
    found = crash(5, seed=1, images=24, make_engine=stem_engine.make)
    assert found["problems"] == []
    assert found["lost"] == 0
    assert found["announced"] > 0
    assert found["aborted_jobs"] >= 1

from pathlib import Path

import stem_engine
from typer.testing import CliRunner

from inspector.bench.mutants.run import KINDS, mutants
from inspector.cli.main import app


def test_a_damaged_file_of_any_kind_is_said_to_be_or_changes_nothing_and_nothing_else_is_lost() -> None:
    found = mutants(15, seed=3, methods=("patchcore",), make_engine=stem_engine.make, workers=1, seconds=150)
    assert found["problems"] == []
    assert found["tried"] == 15 == found["right"] + found["said"]
    assert (found["raised"], found["wrong"], found["lost"], found["slow"]) == (0, 0, 0, 0)
    assert found["said"] > 15 / 4
    assert found["right"] > 0
    assert 100 < found["peak_mib"] < 2048
    assert len(KINDS) == 5  # of which each had its turn


def test_a_kind_that_there_is_not_is_refused_by_name(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["bench", "mutants", "--kinds", "maps,walls", "--json", str(tmp_path / "x.json")]
    )
    assert done.exit_code != 0
    assert "walls" in str(done.exception)
    assert not list(tmp_path.glob("*.json"))

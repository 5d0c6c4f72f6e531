import json
from pathlib import Path

import hostile_reader
from typer.testing import CliRunner

from inspector.bench.fuzz.run import SUBJECTS, fuzz, mutant
from inspector.cli.main import app


def test_damaged_images_and_masks_are_read_or_refused_soon_and_in_little_memory(tmp_path: Path) -> None:
    report = tmp_path / "fuzz.json"
    done = CliRunner().invoke(app, ["bench", "fuzz", "--mutants", "300", "--json", str(report)])
    assert done.exit_code == 0, done.output
    found = json.loads(report.read_text("utf-8"))
    assert found["problems"] == []
    assert (found["tried"], found["raised"], found["slow"], found["large"]) == (300, 0, 0, 0)
    assert found["read"] > 0
    assert found["refused"] > 0
    assert 20 < found["peak_mib"] < 2048


def test_every_image_that_is_damaged_is_whole_before_and_ever_the_same_after() -> None:
    subject = SUBJECTS["images"]
    assert len(subject.draw()) > 40
    assert mutant(subject, 1, 7) == mutant(subject, 1, 7)
    assert len({mutant(subject, 1, number)[1] for number in range(50)}) > 45


def test_what_no_reader_may_do_is_counted_and_the_others_go_on() -> None:
    fine = fuzz(6, subjects=hostile_reader.subject(hostile_reader.refuse))
    assert fine["problems"] == []
    assert fine["read"] + fine["refused"] == 6
    stumbled = fuzz(3, subjects=hostile_reader.subject(hostile_reader.stumble), workers=1)
    assert stumbled["raised"] == 3
    assert "IndexError: beyond the end" in stumbled["problems"][0]
    died = fuzz(2, subjects=hostile_reader.subject(hostile_reader.die), workers=1)
    assert died["raised"] == 2
    assert "the process died (3)" in died["problems"][0]
    hung = fuzz(2, subjects=hostile_reader.subject(hostile_reader.hang), seconds=0.1)
    assert hung["slow"] == 2

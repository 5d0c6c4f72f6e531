"""What an evaluation keeps counts only for the program that measured it."""

from pathlib import Path

import pytest

import inspector
from inspector.jobs.evaluation import parts

TOP = Path(inspector.__file__).parent


@pytest.mark.parametrize(
    ("method", "changed", "counts"),
    [
        ("patchcore", "jobs/evaluation/measure.py", True),
        ("patchcore", "methods/memory_bank.py", True),
        ("patchcore", "verdicts/metrics.py", True),
        ("patchcore", "methods/iipad.py", False),
        ("anople", "methods/anople/method.py", True),
        ("anople", "methods/prompts/losses.py", True),
        ("anople", "methods/winclip.py", False),
    ],
)
def test_a_change_in_the_code_that_a_method_measures_with_makes_another_program(
    monkeypatch, method, changed, counts
):
    before = parts.program.__wrapped__(method)
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda self: read(self) + (b"# new" if self == TOP / changed else b"")
    )
    assert (parts.program.__wrapped__(method) != before) == counts

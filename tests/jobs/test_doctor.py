"""The doctor ticks what is here and in order, and only that."""

from inspector import paths
from inspector.jobs.doctor import Check, examine


def _checks() -> dict[str, Check]:
    return {check.what: check for check in examine()}


def test_weights_that_are_not_here_are_neither_ticked_nor_a_fault() -> None:
    check = _checks()["weights ViT-B-16-quickgelu"]
    assert str(check) == "– weights ViT-B-16-quickgelu: not here"
    assert not check.needed


def test_weights_that_are_damaged_are_a_fault_with_a_next_step() -> None:
    folder = paths.weights_dir() / "ViT-B-16-quickgelu"
    folder.mkdir(parents=True)
    (folder / "weights.json").write_text("damaged")
    check = _checks()["weights ViT-B-16-quickgelu"]
    assert str(check).startswith("✗ ")
    assert "→ Delete the folder" in str(check)
    assert check.needed


def test_what_is_in_order_has_no_next_step() -> None:
    ticked = [check for check in examine() if check.ok]
    assert {"Python", "weights inspector-tiny", "device cpu"} <= {check.what for check in ticked}
    assert not [check for check in ticked if "→" in str(check)]

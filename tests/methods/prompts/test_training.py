"""One loop: the same seed learns the same, a killed teach continues, cancel stops between batches."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from inspector.domain import CancelToken
from inspector.errors import Cancelled, DetectorError
from inspector.methods.prompts import training


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, -1.0]))

    def step(self, chosen: Sequence[int], draw: torch.Generator) -> dict[str, Tensor]:
        x = torch.randn(len(chosen), 2, generator=draw) + torch.rand(len(chosen), 2)
        return {"fit": (x @ self.weight).square().mean(), "small": 0.01 * self.weight.square().sum()}


def silent(fraction: float, line: str, values: Mapping[str, float]) -> None:
    pass


def learn(
    line: Line, checkpoints: Path | None = None, cancel: CancelToken | None = None, **more: object
) -> list[float]:
    schedule = training.Schedule(**{"epochs": 6, "rate": 0.05, "batch": 2, **more})  # type: ignore[arg-type]
    return training.train(
        line,
        line.step,
        5,
        schedule,
        progress=silent,
        cancel=cancel or CancelToken(),
        kept=training.Kept(checkpoints, "x"),
    )


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_the_loss_falls_and_the_same_seed_learns_the_same(optimizer: str) -> None:
    one, two, other = Line(), Line(), Line()
    losses = learn(one, optimizer=optimizer)
    assert losses[-1] < losses[0]
    assert learn(two, optimizer=optimizer) == losses
    assert torch.equal(one.weight, two.weight)
    assert learn(other, optimizer=optimizer, seed=1) != losses


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_killed_teach_continues_to_the_very_same_result(tmp_path: Path, optimizer: str) -> None:
    undisturbed = Line()
    expected = learn(undisturbed, optimizer=optimizer)

    class Killed(Line):
        steps = 0

        def step(self, chosen: Sequence[int], draw: torch.Generator) -> dict[str, Tensor]:
            self.steps += 1
            if self.steps == 11:  # in the fourth epoch
                raise KeyboardInterrupt
            return super().step(chosen, draw)

    with pytest.raises(KeyboardInterrupt):
        learn(Killed(), tmp_path, optimizer=optimizer)
    continued = Line()
    assert learn(continued, tmp_path, optimizer=optimizer) == expected
    assert torch.equal(continued.weight, undisturbed.weight)


def test_a_checkpoint_of_another_teach_or_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    expected = learn(Line())
    learn(Line(), tmp_path, seed=7)
    assert learn(Line(), tmp_path) == expected
    file = tmp_path / training.CHECKPOINT
    whole = file.read_bytes()
    for at in (40, len(whole) // 2, len(whole) - 3):  # what is still a number, but another one
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
        assert learn(Line(), tmp_path) == expected
    for damaged in (b"", b"damaged", whole[:-1], whole + b"x"):
        file.write_bytes(damaged)
        assert learn(Line(), tmp_path) == expected
    training.forget(tmp_path)
    assert not (tmp_path / training.CHECKPOINT).exists()


def test_teaching_stops_early_when_its_own_loss_no_longer_falls() -> None:
    class Flat(Line):
        def step(self, chosen: Sequence[int], draw: torch.Generator) -> dict[str, Tensor]:
            return {"flat": 1.0 + 0 * self.weight.sum()}

    assert len(learn(Flat(), epochs=50, patience=3)) == 4
    assert len(learn(Flat(), epochs=12)) == 12


def test_cancel_stops_before_the_next_batch() -> None:
    cancel = CancelToken()

    class Stops(Line):
        steps = 0

        def step(self, chosen: Sequence[int], draw: torch.Generator) -> dict[str, Tensor]:
            self.steps += 1
            cancel.cancel()
            return super().step(chosen, draw)

    line = Stops()
    with pytest.raises(Cancelled):
        learn(line, cancel=cancel)
    assert line.steps == 1


def test_a_loss_that_is_no_number_ends_teaching_with_a_sentence() -> None:
    class Broken(Line):
        def step(self, chosen: Sequence[int], draw: torch.Generator) -> dict[str, Tensor]:
            return {"bad": self.weight.sum() * float("nan")}

    with pytest.raises(DetectorError, match="no longer a number"):
        learn(Broken())


def test_progress_carries_the_loss_and_never_goes_back() -> None:
    seen: list[tuple[float, str, Mapping[str, float]]] = []
    line = Line()
    training.train(
        line,
        line.step,
        5,
        training.Schedule(epochs=3, rate=0.1, batch=2),
        progress=lambda *event: seen.append(event),
        cancel=CancelToken(),
        span=(0.2, 0.9),
    )
    fractions = [fraction for fraction, _, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] > 0.2
    assert fractions[-1] == pytest.approx(0.9)
    lines = [(line, values) for _, line, values in seen if line]
    assert len(lines) == 3
    assert {"loss", "fit", "small", "seconds_left"} <= set(lines[-1][1])


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    learn(Line())
    assert torch.equal(before, torch.random.get_rng_state())

"""The loop learns, keeps to its budget, and stops before harm is done."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from regard.train.loop import Progress, TrainConfig, train


@dataclass(frozen=True)
class Pairs:
    inputs: Tensor
    wanted: Tensor

    @property
    def tokens(self) -> int:
        return len(self.inputs)


def pairs() -> Iterator[Pairs]:
    rng = torch.Generator().manual_seed(0)
    while True:
        inputs = torch.randn(16, 3, generator=rng)
        yield Pairs(inputs, inputs.sum(1, keepdim=True))


def learn(config: TrainConfig, batches: Iterator[Pairs] | None = None, **named: object):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    loss = lambda batch: (model(batch.inputs) - batch.wanted).square().mean()  # noqa: E731
    return model, train(model, loss, batches or pairs(), config, **named)


def test_it_learns() -> None:
    model, progress = learn(
        TrainConfig(steps=300, learning_rate=0.05, weight_decay=0.0, report_every=1e-9)
    )
    assert progress.loss < 0.01
    torch.testing.assert_close(model.weight, torch.ones(1, 3), rtol=0, atol=0.02)


def test_a_budget_of_steps_is_kept_and_repeatable() -> None:
    (one, progress), (other, _) = (learn(TrainConfig(steps=20)) for _ in range(2))
    assert progress.step == 20 and progress.spent == 1
    assert torch.equal(one.weight, other.weight)


def test_a_budget_of_seconds_is_kept() -> None:
    _, progress = learn(TrainConfig(seconds=0.2))
    assert progress.spent == 1 and progress.seconds >= 0.2 and progress.step > 1


def test_the_budget_that_is_spent_first_ends_the_run() -> None:
    assert learn(TrainConfig(steps=3, seconds=100.0))[1].step == 3


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    config = TrainConfig(steps=100, learning_rate=2.0, warmup=0.1)
    rates = [config.learning_rate_at(n / 100) for n in range(101)]
    assert rates[0] == 0 and rates[100] == pytest.approx(0)
    assert rates == sorted(rates[:11]) + sorted(rates[11:], reverse=True)
    assert max(rates) <= 2.0


def test_every_step_is_reported_once_in_means_and_totals() -> None:
    reports: list[Progress] = []
    learn(TrainConfig(steps=7, report_every=1e-9), report=reports.append)
    assert [report.step for report in reports] == list(range(1, 8))
    assert all(math.isfinite(report.loss) for report in reports)
    assert reports[-1].seconds_left == 0


def test_a_stop_ends_the_run_after_the_step_at_hand() -> None:
    answers = iter([False, False, True])
    _, progress = learn(TrainConfig(steps=50, report_every=1e-9), stop=lambda: next(answers))
    assert progress.step == 2


def test_a_stop_before_the_first_step_leaves_the_model_as_it_was() -> None:
    torch.manual_seed(0)
    untouched = nn.Linear(3, 1)
    model, progress = learn(TrainConfig(steps=50), stop=lambda: True)
    assert progress.step == 0 and torch.equal(model.weight, untouched.weight)


@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e30])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(poison: float) -> None:
    good = list(itertools.islice(pairs(), 3))
    bad = Pairs(good[0].inputs, torch.full((16, 1), poison))
    torch.manual_seed(0)
    wanted, _ = learn(TrainConfig(steps=10), iter([*good, *pairs_again()]), stop=after(3))
    model = nn.Linear(3, 1)
    torch.manual_seed(0)
    model.reset_parameters()
    loss = lambda batch: (model(batch.inputs) - batch.wanted).square().mean()  # noqa: E731
    with pytest.raises(FloatingPointError, match="step 3: the loss is .* below"):
        train(model, loss, iter([*good, bad]), TrainConfig(steps=10))
    assert torch.equal(model.weight, wanted.weight)


def pairs_again() -> list[Pairs]:
    return list(itertools.islice(pairs(), 10))


def after(steps: int):
    count = itertools.count()
    return lambda: next(count) >= steps


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "seconds or steps"),
        ({"steps": 0}, "steps must be positive and finite, got 0"),
        ({"seconds": -1.0}, "seconds must be positive and finite, got -1"),
        ({"seconds": math.inf}, "seconds must be positive and finite, got inf"),
        ({"steps": 1, "learning_rate": math.nan}, "learning_rate"),
        ({"steps": 1, "warmup": 1.0}, "warmup must be at least 0 and below 1, got 1"),
        ({"steps": 1, "clip": 0.0}, "clip"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(options: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TrainConfig(**options)

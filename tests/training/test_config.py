"""Budgets, schedules and bounds of a training."""

import math

import pytest

from regard.config import checked, fields_of
from regard.training.config import TrainConfig


def rates(config: TrainConfig, steps: int = 100) -> list[float]:
    """The learning rate of each update of a budget of steps."""
    return [config.learning_rate_at(step, (step - 1) / steps) for step in range(1, steps + 1)]


def test_the_cosine_rises_in_its_part_of_the_budget_and_falls_to_its_floor() -> None:
    config = TrainConfig(steps=100, learning_rate=2.0, warmup=0.1, floor=0.25)
    each = rates(config)
    assert each[0] == 0 and max(each) == each[10]
    assert each[:11] == sorted(each[:11]) and each[10:] == sorted(each[10:], reverse=True)
    assert config.learning_rate_at(101, 1.0) == pytest.approx(0.5)
    halfway = 0.25 + 0.75 * 0.5
    assert config.learning_rate_at(51, 0.5) == pytest.approx(2 * halfway)
    without = TrainConfig(steps=100, learning_rate=2.0, warmup=0.0)
    assert without.learning_rate_at(1, 0.0) == 2 and without.learning_rate_at(9, 1.0) < 1e-12


def test_a_warm_up_in_updates_counts_updates() -> None:
    config = TrainConfig(steps=10**6, learning_rate=1.0, warmup=10.0, schedule="constant")
    assert rates(config)[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert rates(config)[9:] == [1.0] * 91


def test_constant_stays() -> None:
    config = TrainConfig(steps=5, learning_rate=0.5, warmup=0.0, schedule="constant")
    assert rates(config) == [0.5] * 100 and config.learning_rate_at(7, 1.0) == 0.5


def test_inverse_sqrt_is_the_published_schedule() -> None:
    config = TrainConfig(steps=1, learning_rate=3.0, warmup=25.0, schedule="inverse_sqrt")
    for step in (1, 10, 25, 26, 100, 10_000):
        # d^-0.5 min(step^-0.5, step warmup^-1.5), scaled so that its top is the learning rate.
        published = min(step**-0.5, step * 25**-1.5) / 25**-0.5
        assert config.learning_rate_at(step, 0.0) == pytest.approx(3 * published)


def test_the_budget_that_is_spent_first_counts() -> None:
    config = TrainConfig(epochs=4.0, steps=100, seconds=10.0)
    assert config.spent(epochs=1.0, steps=50, seconds=3.0) == 0.5
    assert config.spent(epochs=1.0, steps=50, seconds=9.0) == 0.9
    assert config.spent(epochs=3.9, steps=0, seconds=0.0) == pytest.approx(0.975)
    assert config.spent(epochs=9.0, steps=0, seconds=0.0) == 1.0
    assert TrainConfig(steps=3).spent(epochs=99.0, steps=0, seconds=1e9) == 0


def test_entries_give_the_same_config() -> None:
    config = TrainConfig(steps=3, optimizer="muon", floor=0.5)
    assert config.to_entries()["steps"] == 3 and config.to_entries()["epochs"] is None
    assert TrainConfig.from_entries(config.to_entries()) == config


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "give a budget: epochs, steps or seconds"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"seconds": -1.0}, "seconds must be above 0, got -1"),
        ({"seconds": math.inf}, "seconds must be above 0 and finite, got inf"),
        ({"epochs": math.nan}, "epochs must be above 0, got nan"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0, got nan"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0"),
        ({"clip": 0.0}, "clip must be above 0, got 0"),
        ({"accumulate": 0}, "accumulate must be at least 1 and at most 65536, got 0"),
        ({"save_every_minutes": 0.0}, "save_every_minutes"),
        ({"floor": 1.0}, "floor must be at least 0 and below 1, got 1"),
        ({"beta2": -0.1}, "beta2 must be at least 0 and below 1, got -0.1"),
        ({"warmup": -1.0}, "warmup must be at least 0, got -1"),
        ({"warmup": math.nan}, "warmup must be at least 0, got nan"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0"),
        ({"evaluate_every": -1}, "evaluate_every must be at least 0"),
        ({"patience": -1}, "patience must be at least 0"),
        ({"average": -1}, "average must be at least 0"),
        ({"max_skips": -1}, "max_skips must be at least 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"schedule": "inverse_sqrt"}, "inverse_sqrt needs a warm-up of at least 1 update"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(options: dict[str, object], why: str) -> None:
    budget = {} if not options or set(options) & {"epochs", "seconds"} else {"steps": 1}
    with pytest.raises(ValueError, match=why):
        TrainConfig(**budget | options)


@pytest.mark.parametrize(
    ("name", "word", "words"),
    [
        ("optimizer", "adam", ("adamw", "muon", "sgd")),
        ("schedule", "linear", ("cosine", "inverse_sqrt", "constant")),
        ("precision", "fp16", ("fp32", "bf16")),
    ],
)
def test_a_word_that_is_not_known_is_refused_with_those_that_are(
    name: str, word: str, words: tuple[str, ...]
) -> None:
    for known in words:
        assert getattr(TrainConfig(**{"steps": 1, "warmup": 9.0, name: known}), name) == known
    # What a config does with each of its fields; the shape hook would refuse the word before it.
    with pytest.raises(ValueError, match=f"there is no {name} '{word}': ") as refused:
        checked(name, word, fields_of(TrainConfig)[name])
    assert any(known in str(refused.value) for known in words)

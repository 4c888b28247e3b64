"""One keyword among noise: whoever learns the label has learned where to look."""

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.hard import Spotter, Toy, estimate, expected, gradient, train
from regard.models.lstm import LSTM, LSTMConfig

SHORT, LONG = Toy(), Toy(keywords=16, noise=20, length=40)
estimators = pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])


@torch.no_grad()
def judged(model: Any, toy: Toy) -> tuple[float, float]:
    """How many labels are right, and in how many texts the keyword has the greatest weight."""
    source, label, place = toy.texts(1000, torch.Generator().manual_seed(99))
    right = (model.eval()(source).argmax(-1) == label).double().mean()
    with_one = place >= 0
    found = (model.look(source).argmax(-1) == place)[with_one].double().mean()
    return right.item(), found.item()


@estimators
def test_hard_attention_learns_to_take_the_keyword(estimator: str) -> None:
    torch.manual_seed(0)
    model = Spotter(SHORT, estimator)
    for _ in train(model, SHORT, 0, 250, 1e-2):
        pass
    right, found = judged(model, SHORT)
    assert right >= 0.95 and found >= 0.95


def recurrent(summary: str, estimator: str = "reinforce") -> LSTM:
    """A classifier whose state is too narrow to carry a keyword through a long text."""
    torch.manual_seed(0)
    sizes = LSTMConfig(
        vocab=LONG.keywords + LONG.noise,
        classes=LONG.keywords + 1,
        embed_dim=16,
        hidden_dim=8,
        align_dim=16,
        summary=summary,
        estimator=estimator,
    )
    return LSTM(sizes)


def test_attention_over_states_learns_to_look_at_the_keyword() -> None:
    model = recurrent("attention")
    for _ in train(model, LONG, 0, 300, 1e-2):
        pass
    right, found = judged(model, LONG)
    assert right >= 0.95 and found >= 0.95
    source, _, place = LONG.texts(200, torch.Generator().manual_seed(98))
    mass = model.look(source).gather(1, place.clamp(min=0)[:, None])[place >= 0]
    assert mass.mean() >= 0.95


@pytest.mark.slow
@estimators
def test_hard_attention_over_states_learns_to_take_the_keyword(estimator: str) -> None:
    model = recurrent("hard", estimator)
    for _ in train(model, LONG, 0, 1000, 1e-2):
        pass
    right, found = judged(model, LONG)
    assert right >= 0.95 and found >= 0.95


def estimates(model: Spotter, count: int, **options: float) -> tuple[Tensor, Tensor]:
    """The exact gradient of the mean loss over draws, and single-draw estimates of it."""
    source, label, _ = SHORT.texts(8, torch.Generator().manual_seed(5))
    exact = gradient(model, expected(model, source, label))
    return exact, torch.stack([estimate(model, source, label, **options) for _ in range(count)])


def test_reinforce_estimates_the_enumerated_gradient_and_a_baseline_calms_it() -> None:
    torch.manual_seed(0)
    model, count = Spotter(SHORT, "reinforce").double(), 400
    exact, calm = estimates(model, count, baseline=float(torch.tensor(5.0).log()))
    _, wild = estimates(model, count)
    assert calm.var(0).sum() < 0.1 * wild.var(0).sum()
    for found in (calm, wild):
        # Along its own direction and over all: a mean that is off anywhere is off somewhere here.
        along = found @ exact / exact.norm()
        error = (along.mean() - exact.norm()) / (along.std() / count**0.5)
        assert error.abs() < 4
        distance = (found.mean(0) - exact).square().sum() / (found.var(0).sum() / count)
        assert distance < 4


def test_straight_through_is_calmer_and_biased() -> None:
    torch.manual_seed(0)
    model, count = Spotter(SHORT, "gumbel").double(), 400
    exact, found = estimates(model, count, tau=2.0)
    assert found.var(0).sum() < 0.1 * estimates(model, count, baseline=1.6)[1].var(0).sum()
    distance = (found.mean(0) - exact).square().sum() / (found.var(0).sum() / count)
    assert distance > 10 and torch.cosine_similarity(found.mean(0), exact, dim=0) > 0.5

"""One keyword among noise: whoever learns the label has learned where to look."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.hard import Judged, Spotter, Toy, train
from regard.models.lstm import LSTMClassifier, LSTMConfig
from regard.models.pooling import AttentionPooling, HardPooling
from regard.sequences import Sequences

SHORT, LONG = Toy(), Toy(keywords=16, noise=20, length=40)
estimators = pytest.mark.parametrize("estimator", ["reinforce", "gumbel"])


@torch.no_grad()
def judged(model: Any, toy: Toy) -> tuple[float, float]:
    """How many labels are right, and in how many texts the keyword has the greatest weight."""
    source, label, place = toy.texts(1000, torch.Generator().manual_seed(99))
    right = (model.eval()(Sequences(source)).argmax(-1) == label).double().mean()
    with_one = place >= 0
    weights = model.attention_weights(Sequences(source))
    found = (weights.argmax(-1) == place)[with_one].double().mean()
    return right.item(), found.item()


@estimators
def test_hard_attention_learns_to_take_the_keyword(estimator: str) -> None:
    torch.manual_seed(0)
    model = Spotter(SHORT, estimator)
    for _ in train(model, SHORT, 0, 250, 1e-2):
        pass
    right, found = judged(model, SHORT)
    assert right >= 0.95 and found >= 0.95


def recurrent(pooling: AttentionPooling | HardPooling) -> LSTMClassifier:
    """A classifier whose state is too narrow to carry a keyword through a long text."""
    torch.manual_seed(0)
    config = LSTMConfig(
        vocab=LONG.keywords + LONG.noise,
        classes=LONG.keywords + 1,
        embed_dim=16,
        hidden_dim=8,
        pooling=pooling,
        dropout=0.0,
        word_dropout=0.0,
    )
    return LSTMClassifier(config)


def test_attention_over_states_learns_to_look_at_the_keyword() -> None:
    model = recurrent(AttentionPooling(attention_dim=16))
    for _ in train(model, LONG, 0, 250, 1e-2):
        pass
    right, found = judged(model, LONG)
    assert right >= 0.95 and found >= 0.95
    source, _, place = LONG.texts(200, torch.Generator().manual_seed(98))
    weights = model.attention_weights(Sequences(source))
    mass = weights.gather(1, place.clamp(min=0)[:, None])[place >= 0]
    assert mass.mean() >= 0.95


@pytest.mark.slow
def test_hard_attention_over_states_learns_to_take_the_keyword() -> None:
    model = recurrent(HardPooling(attention_dim=16, estimator="gumbel"))
    for _ in train(model, LONG, 0, 600, 1e-2):
        pass
    right, found = judged(model, LONG)
    assert right >= 0.95 and found >= 0.95


def judged_at_the_start() -> Judged:
    torch.manual_seed(0)
    source, label, _ = SHORT.texts(8, torch.Generator().manual_seed(5))
    return Judged(Spotter(SHORT, "reinforce").double(), source, label)


def test_the_exact_gradient_is_that_of_the_enumerated_mean_loss() -> None:
    torch.manual_seed(0)
    model = Spotter(SHORT, "reinforce").double()
    source, label, _ = SHORT.texts(8, torch.Generator().manual_seed(5))
    judged = Judged(model, source, label)
    mean = torch.zeros(()).double()
    for text, wanted in zip(source, label, strict=True):
        looks = model.pool.pool.weights(model.embedding(text[None]))[0, 0]
        for token, probability in zip(text, looks, strict=True):
            logits = model.output(model.embedding(token[None]))
            mean = mean + probability * cross_entropy(logits, wanted[None]).detach() / 8
    assert mean.item() == pytest.approx(judged.expected())
    found = torch.autograd.grad(mean, list(model.pool.parameters()))
    torch.testing.assert_close(torch.cat([g.flatten() for g in found]), judged.exact())


def distance(found: Tensor, exact: Tensor) -> Tensor:
    """How far the mean of estimates lies from the exact gradient, 1 on average without a bias."""
    return (found.mean(0) - exact).square().sum() / (found.var(0).sum() / len(found))


def test_reinforce_estimates_the_exact_gradient_and_a_baseline_calms_it() -> None:
    judged = judged_at_the_start()
    exact = judged.exact()
    calm, wild = judged.estimates(4000, baseline=judged.expected()), judged.estimates(4000)
    assert calm.var(0).sum() < 0.1 * wild.var(0).sum()
    for found in (calm, wild):
        along = found @ exact / exact.norm()
        error = (along.mean() - exact.norm()) / (along.std() / len(found) ** 0.5)
        assert error.abs() < 4 and distance(found, exact) < 4


def test_straight_through_is_calmer_and_biased() -> None:
    judged = judged_at_the_start()
    exact, found = judged.exact(), judged.estimates(4000, tau=2.0)
    calm = judged.estimates(4000, baseline=judged.expected())
    assert found.var(0).sum() < 0.1 * calm.var(0).sum()
    assert distance(found, exact) > 10
    assert torch.cosine_similarity(found.mean(0), exact, dim=0) > 0.5

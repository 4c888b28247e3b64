"""What an example costs beside its nats changes what is learned, and no loss that is reported."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.layers import Choice, Reinforce, Toll
from regard.models.transformer import TransformerClassifier, TransformerClassifierConfig
from regard.models.transformer.assembly import padding
from regard.tasks.classify import Classify, Labelled
from regard.tasks.explorer import explored, learning_from
from tests.tasks.small import SHAPE, labelling
from tests.tasks.stories import asking

STEPS = 5


def pondering(folder: Path, ponder: float, bias: float = -1.0) -> Classify:
    """The labelling task for a network that halts late at first."""
    task = labelling(folder, count=24)
    config = TransformerClassifierConfig(
        vocab=len(task.predictor.tokenizer), classes=2, layers=STEPS, sharing="adaptive", **SHAPE
    )
    torch.manual_seed(1)
    model = TransformerClassifier(config, ponder=ponder).double()
    with torch.no_grad():
        model.encoder.halt.weight.normal_(std=0.3)
        model.encoder.halt.bias.fill_(bias)
    task.predictor = replace(task.predictor, model=model)
    return task


def batch_of(task: Classify, count: int = 12) -> Any:
    return task.part(0).batch(np.arange(count))


def halting_by_the_book(model: Any, batch: Any) -> tuple[np.ndarray, np.ndarray]:
    """The chances to halt after each step `[steps batch k_len]`, and which tokens are real."""
    states: list[np.ndarray] = []
    keep = [
        block.register_forward_hook(lambda _, __, out: states.append(out.detach().numpy()))
        for block in model.encoder
    ]
    with torch.no_grad():
        model(batch.source, batch.lengths)
    for hook in keep:
        hook.remove()
    weight, bias = (p.detach().numpy() for p in model.encoder.halt.parameters())
    chances = 1 / (1 + np.exp(-(np.stack(states) @ weight[0] + bias[0])))
    return chances, np.arange(batch.source.shape[1]) < batch.lengths.numpy()[:, None]


def gradient(task: Classify, batch: Any) -> float:
    bias = task.predictor.model.encoder.halt.bias
    bias.grad = None
    task.loss(batch).backward()
    return float(bias.grad)


def test_a_text_pays_for_the_mean_of_its_tokens_steps(tmp_path: Path) -> None:
    free, paying = pondering(tmp_path / "free", 0.0), pondering(tmp_path / "paying", 0.3)
    batch = batch_of(free)
    chances, real = halting_by_the_book(free.predictor.model, batch)
    # Only the remainder R = 1 - h_1 - ... - h_(N-1) has a gradient; the bias moves each h by
    # h (1 - h), and no state.
    wanted = 0.0
    for row in range(len(real)):
        slopes, length = [], int(real[row].sum())
        for place in range(length):
            total, slope = 0.0, 0.0
            for h in chances[: STEPS - 1, row, place]:
                if total + h >= 0.99:
                    break
                total, slope = total + h, slope - h * (1 - h)
            slopes.append(slope)
        wanted += 0.3 * sum(slopes) / length
    assert wanted < -0.1
    found = gradient(paying, batch) - gradient(free, batch)
    assert found == pytest.approx(wanted, rel=1e-10)


def test_the_price_of_time_is_in_no_loss(tmp_path: Path) -> None:
    free, paying = pondering(tmp_path / "free", 0.0), pondering(tmp_path / "paying", 0.9)
    batch = batch_of(free)
    assert torch.equal(free.loss(batch), paying.loss(batch))
    logits, toll = explored(paying.predictor.model, batch.source, batch.lengths)
    assert isinstance(toll, Toll) and (toll.nats > 0.9).all()
    assert torch.equal(logits, paying.predictor.model(batch.source, batch.lengths))


def test_where_time_costs_something_texts_take_fewer_steps(tmp_path: Path) -> None:
    taken = {}
    for ponder in (0.0, 0.9):
        task = pondering(tmp_path / str(ponder), ponder, bias=-2.0)
        model, batch = task.predictor.model, batch_of(task)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        for _ in range(15):
            optimizer.zero_grad()
            (task.loss(batch) / batch.labels).backward()
            optimizer.step()
        with torch.no_grad():
            mask = padding(batch.source, batch.lengths)
            steps = model.encoder.ponder(model.source(batch.source), mask).steps
        taken[ponder] = float(steps[steps > 0].double().mean())
    assert taken[0.9] < 0.8 * taken[0.0]


def test_a_network_whose_layers_all_run_tells_nothing(tmp_path: Path) -> None:
    task = labelling(tmp_path)
    assert explored(task.predictor.model, batch_of(task).source)[1] is None
    assert explored(nn.Linear(2, 2), torch.zeros(1, 2))[1] is None


class Drawing(nn.Module):
    """Draws something of each text; `reinforce` is what learns from it."""

    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.inner = nn.Embedding(vocab, 3)
        self.output = nn.Linear(2, 2)
        self.reinforce = Reinforce(bonus=0.1)

    def explore(self, source: Tensor, lengths: Tensor | None) -> tuple[Tensor, Choice]:
        inner = self.inner(source[:, 0])
        return inner[:, :2], Choice(inner[:, 2], inner[:, 2].square())


def test_a_text_without_a_label_teaches_no_choice_and_moves_no_baseline(tmp_path: Path) -> None:
    task = labelling(tmp_path)
    model = Drawing(len(task.predictor.tokenizer)).double()
    task.predictor = replace(task.predictor, model=model)
    batch = batch_of(task, 6)
    source = torch.arange(6).unsqueeze(1)
    known = torch.tensor([True, False, True, True, False, True])
    some = Labelled(source, None, batch.label.masked_fill(~known, -1))
    task.loss(some).backward()
    grad, baseline = model.inner.weight.grad.clone(), model.reinforce.baseline.clone()
    assert not grad[:6][~known].any() and grad[:6][known][:, 2].all()
    model.zero_grad()
    model.reinforce.baseline.zero_()
    task.loss(Labelled(source[known], None, batch.label[known])).backward()
    torch.testing.assert_close(model.inner.weight.grad, grad)
    torch.testing.assert_close(model.reinforce.baseline, baseline)
    task.loss(replace(some, label=torch.full_like(some.label, -1))).backward()
    assert torch.equal(model.reinforce.baseline, baseline)


def test_a_question_without_an_answer_moves_no_baseline(tmp_path: Path) -> None:
    task = asking(tmp_path, attention="hard")
    model, batch = task.predictor.model.train(), task.part(0).batch(np.arange(4))
    task.loss(replace(batch, label=torch.full_like(batch.label, -1)))
    assert model.reinforce.baseline == 0
    task.loss(batch)
    assert model.reinforce.baseline > 0


def test_a_text_without_a_label_pays_nothing() -> None:
    cost = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = learning_from(None, torch.zeros(2), Toll(cost), torch.tensor([True, False]))
    loss.sum().backward()
    assert cost.grad.tolist() == [1.0, 0.0] and not loss.any()

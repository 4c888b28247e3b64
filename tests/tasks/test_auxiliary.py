"""What an example costs beside its label changes what is learned, and no loss that is reported."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.layers import PonderLoss, Reinforce, ReinforceLoss, Sampled
from regard.models.memory import MemoryConfig, MemoryNetwork
from regard.models.memory.config import HardReading
from regard.models.transformer import TransformerClassifier, TransformerClassifierConfig
from regard.models.transformer.config import Adaptive
from regard.sequences import Sequences
from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss
from regard.tasks.classify.loss import label_loss

STEPS, VOCAB, TEXTS = 5, 9, 12


def texts() -> tuple[Sequences, Tensor]:
    """Numbers of one to four tokens, and whether the first of them is small."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(4, VOCAB, rng.integers(1, 5)).tolist() for _ in range(TEXTS)]
    return Sequences.of(rows), torch.tensor([int(row[0] < 6) for row in rows])


def pondering(ponder_cost: float, bias: float = -1.0) -> Any:
    """A network that halts late at first."""
    config = TransformerClassifierConfig(
        vocab=VOCAB,
        classes=2,
        layers=STEPS,
        sharing=Adaptive(ponder_cost=ponder_cost),
        embed_dim=16,
        num_heads=2,
        ff_dim=32,
        dropout=0.0,
    )
    torch.manual_seed(1)
    model: Any = TransformerClassifier(config).double()
    with torch.no_grad():
        model.encoder.halt.weight.normal_(std=0.3)
        model.encoder.halt.bias.fill_(bias)
    return model


def halting_by_the_book(model: Any, source: Sequences) -> np.ndarray:
    """The chances to halt after each step, `[steps batch k_len]`."""
    states: list[np.ndarray] = []
    keep = [
        block.register_forward_hook(lambda _, __, out: states.append(out.detach().numpy()))
        for block in model.encoder
    ]
    with torch.no_grad():
        model(source)
    for hook in keep:
        hook.remove()
    weight, bias = (p.detach().numpy() for p in model.encoder.halt.parameters())
    return 1 / (1 + np.exp(-(np.stack(states) @ weight[0] + bias[0])))


def gradient(model: Any) -> float:
    source, label = texts()
    bias = model.encoder.halt.bias
    (grad,) = torch.autograd.grad(label_loss(model, (source,), label, 0.0), bias)
    return float(grad)


def test_a_text_pays_for_the_mean_of_its_tokens_steps() -> None:
    free, paying, (source, _) = pondering(0.0), pondering(0.3), texts()
    chances = halting_by_the_book(free, source)
    # Only the remainder R = 1 - h_1 - ... - h_(N-1) has a gradient; the bias moves each h by
    # h (1 - h), and no state.
    wanted = 0.0
    for row, length in enumerate(source.counts.tolist()):
        slopes = []
        for place in range(length):
            total, slope = 0.0, 0.0
            for h in chances[: STEPS - 1, row, place]:
                if total + h >= 0.99:
                    break
                total, slope = total + h, slope - h * (1 - h)
            slopes.append(slope)
        wanted += 0.3 * sum(slopes) / length
    assert wanted < -0.1
    assert gradient(paying) - gradient(free) == pytest.approx(wanted, rel=1e-10)


def test_the_price_of_time_is_in_no_loss() -> None:
    free, paying, (source, label) = pondering(0.0), pondering(0.9), texts()
    assert torch.equal(
        label_loss(free, (source,), label, 0.1), label_loss(paying, (source,), label, 0.1)
    )
    logits, aux = forward_sampled(paying, source)
    assert isinstance(aux, PonderLoss) and (aux.cost > 0.9).all()
    assert torch.equal(logits, paying(source))


def test_where_time_costs_something_texts_take_fewer_steps() -> None:
    taken, (source, label) = {}, texts()
    for cost in (0.0, 0.9):
        model = pondering(cost, bias=-2.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        for _ in range(15):
            optimizer.zero_grad()
            (label_loss(model, (source,), label, 0.0) / TEXTS).backward()
            optimizer.step()
        with torch.no_grad():
            steps = model.encoder.forward_act(model.source.read(source), source.mask).steps
        taken[cost] = float(steps[steps > 0].double().mean())
    assert taken[0.9] < 0.8 * taken[0.0]


def test_a_network_whose_layers_all_run_has_no_auxiliary_loss() -> None:
    config = TransformerClassifierConfig(vocab=VOCAB, classes=2, embed_dim=8, num_heads=2, ff_dim=8)
    assert forward_sampled(TransformerClassifier(config), texts()[0])[1] is None
    assert forward_sampled(nn.Linear(2, 2), torch.zeros(1, 2))[1] is None


class Drawing(nn.Module):
    """Draws something of each text; `reinforce` is what learns from it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Embedding(6, 3)
        self.reinforce = Reinforce(bonus=0.1)

    def forward_sampled(self, source: Tensor) -> tuple[Tensor, ReinforceLoss]:
        inner = self.inner(source)
        sampled = Sampled(inner[:, 2], inner[:, 2].square())
        return inner[:, :2], ReinforceLoss(self.reinforce, sampled)


def test_a_text_without_a_label_teaches_no_draw_and_moves_no_baseline() -> None:
    model, source, label = Drawing().double(), torch.arange(6), torch.tensor([0, 1, 0, 1, 1, 0])
    known = torch.tensor([True, False, True, True, False, True])
    label_loss(model, (source,), label.masked_fill(~known, -1), 0.0).backward()
    grad, baseline = model.inner.weight.grad.clone(), model.reinforce.baseline.clone()
    assert not grad[~known].any() and grad[known][:, 2].all()
    model.zero_grad()
    model.reinforce.baseline.zero_()
    label_loss(model, (source[known],), label[known], 0.0).backward()
    torch.testing.assert_close(model.inner.weight.grad, grad)
    torch.testing.assert_close(model.reinforce.baseline, baseline)
    label_loss(model, (source,), torch.full_like(label, -1), 0.0).backward()
    assert torch.equal(model.reinforce.baseline, baseline)


def test_a_question_without_an_answer_moves_no_baseline() -> None:
    model = MemoryNetwork(MemoryConfig(vocab=VOCAB, embed_dim=8, attention=HardReading()))
    story, question = Sequences.of([[4, 5, 3, 6, 3], [7, 3]]), Sequences.of([[4, 5], [7]])
    for label, moved in ((torch.tensor([-1, -1]), False), (torch.tensor([4, 5]), True)):
        label_loss(model.train(), (story, question), label, 0.0)
        assert bool(model.reinforce.baseline > 0) == moved


def test_a_text_without_a_label_pays_nothing() -> None:
    cost, known = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([True, False])
    loss = with_auxiliary_loss(torch.zeros(2), PonderLoss(cost), known)
    loss.sum().backward()
    assert cost.grad.tolist() == [1.0, 0.0] and not loss.any()

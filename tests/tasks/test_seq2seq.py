"""Pairs are padded and ended, padding costs nothing, and a loss teaches every layer there is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary
from regard.layers import Reinforce, ReinforceLoss, Sampled
from regard.models.transformer import Transformer, TransformerConfig
from regard.models.transformer.config import Adaptive
from regard.sequences import Sequences
from regard.tasks.fused_loss import has_plain_output
from regard.tasks.seq2seq import Seq2SeqBatch, seq2seq_loss, seq2seq_nll
from tests.generation.writers import WRITERS

TOKENS = Vocabulary.build("abc")
"""Seven of them, as many as the networks write."""


@pytest.fixture(params=["transformer", "rnnsearch", "luong"])
def model(request: pytest.FixtureRequest) -> Any:
    return WRITERS[request.param]()


def ragged(most: int, lengths: list[int], seed: int) -> Ragged:
    rng = np.random.default_rng(seed)
    return Ragged.of(rng.integers(4, most, length).tolist() for length in lengths)


def pairs(reading: list[int], writing: list[int]) -> tuple[Ragged, Ragged]:
    return ragged(30, reading, 0), ragged(7, writing, 1)


def batch_of(reading: list[int], writing: list[int]) -> Seq2SeqBatch:
    return Seq2SeqBatch.of(*pairs(reading, writing), TOKENS)


def by_hand(model: Any, batch: Seq2SeqBatch, smoothing: float = 0.0) -> Tensor:
    """What each pair costs, from the logits of each alone."""
    costs = []
    for row in range(len(batch.source)):
        read = Sequences(batch.source.ids[row : row + 1, : int(batch.source.counts[row])])
        length = int(batch.target.counts[row])
        logits = model(read, batch.written[row : row + 1, :length])[0]
        labels = batch.target.ids[row, :length]
        costs.append(cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing))
    return torch.stack(costs)


def test_targets_end_and_begin_one_place_earlier_where_they_are_read() -> None:
    batch = Seq2SeqBatch.of(Ragged.of([[5, 6], [7]]), Ragged.of([[4], [5, 6, 4]]), TOKENS)
    assert batch.source.ids.tolist() == [[5, 6], [7, 0]]
    assert batch.target.ids.tolist() == [[4, 3, 0, 0], [5, 6, 4, 3]]
    assert batch.written[:, 0].tolist() == [2, 2]
    assert batch.written[0, :2].tolist() == [2, 4] and batch.written[1].tolist() == [2, 5, 6, 4]
    assert batch.source.counts.tolist() == [2, 1] and batch.target.counts.tolist() == [2, 4]
    assert batch.where is not None and batch.where.sum(1).tolist() == [2, 4]


def test_targets_and_tokens_are_counted_with_and_without_padding() -> None:
    batch = Seq2SeqBatch.of(Ragged.of([[5, 6], [7]]), Ragged.of([[4], [5, 6, 4]]), TOKENS)
    assert (batch.num_targets, batch.num_tokens, batch.num_padded_tokens) == (6, 9, 12)
    moved = batch.to(torch.device("cpu"))
    assert moved.begin == TOKENS.begin and torch.equal(moved.target.ids, batch.target.ids)


def test_equal_lengths_need_no_mask() -> None:
    batch = Seq2SeqBatch.of(Ragged.of([[5, 6], [7, 8]]), Ragged.of([[4], [5]]), TOKENS)
    assert batch.source.lengths is None and batch.target.lengths is None and batch.where is None
    assert (batch.num_targets, batch.num_tokens, batch.num_padded_tokens) == (4, 8, 8)


def test_empty_targets_and_no_pair_at_all_are_batches_too() -> None:
    batch = Seq2SeqBatch.of(Ragged.of([[5], [6]]), Ragged.of([[], [4]]), TOKENS)
    assert batch.target.ids.tolist() == [[3, 0], [4, 3]] and batch.num_targets == 3
    none = Seq2SeqBatch.of(Ragged.of([]), Ragged.of([]), TOKENS)
    assert none.num_targets == 0 and none.source.ids.shape == (0, 0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("lengths", [([3, 6, 1, 4], [2, 1, 5, 0]), ([4, 4, 4], [3, 3, 3])])
def test_the_loss_is_the_cross_entropy_of_every_token_and_the_end(
    model: Any, smoothing: float, lengths: tuple[list[int], list[int]]
) -> None:
    batch = batch_of(*lengths)
    wanted = by_hand(model, batch, smoothing)
    torch.testing.assert_close(seq2seq_loss(model, batch, smoothing), wanted.sum())
    torch.testing.assert_close(seq2seq_nll(model, batch), by_hand(model, batch))


def test_padding_has_no_gradient(model: Any) -> None:
    batch = batch_of([3, 6], [2, 5])
    spoiled = batch.source.ids.clone()
    spoiled[0, 3:] = 17
    other = Seq2SeqBatch(Sequences(spoiled, batch.source.lengths), batch.target, batch.begin)
    torch.testing.assert_close(seq2seq_loss(model, batch), seq2seq_loss(model, other))
    targets = batch.target.ids.clone()
    targets[0, 3:] = 5
    other = Seq2SeqBatch(batch.source, Sequences(targets, batch.target.lengths), batch.begin)
    torch.testing.assert_close(seq2seq_loss(model, batch), seq2seq_loss(model, other))


class Bigrams(nn.Module):
    """A network of anybody's, which only gives logits."""

    def __init__(self) -> None:
        super().__init__()
        self.next = nn.Embedding(len(TOKENS), len(TOKENS), dtype=torch.float64)

    def forward(self, source: Sequences, target: Tensor) -> Tensor:
        return self.next(target)


def test_a_network_that_only_gives_logits_is_trained_by_them() -> None:
    model, batch = Bigrams(), batch_of([3, 1, 2], [2, 0, 4])
    for smoothing in (0.0, 0.2):
        wanted = by_hand(model, batch, smoothing).sum()
        torch.testing.assert_close(seq2seq_loss(model, batch, smoothing), wanted)
    torch.testing.assert_close(seq2seq_nll(model, batch), by_hand(model, batch))


class Adapter(nn.Linear):
    """A linear layer with something beside it, which its own weight does not tell."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__(inner.in_features, inner.out_features, dtype=torch.float64)
        self.load_state_dict(inner.state_dict(), strict=False)
        if inner.bias is None:
            nn.init.zeros_(self.bias)
        self.low_rank = nn.Linear(inner.in_features, inner.out_features, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.low_rank(x)


def hooked(layer: nn.Linear) -> nn.Linear:
    layer.register_forward_hook(lambda _, __, out: 2 * out)
    return layer


def parametrized(layer: nn.Linear) -> nn.Module:
    class Doubled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    return nn.utils.parametrize.register_parametrization(layer, "weight", Doubled())


@pytest.mark.parametrize("change", [Adapter, hooked, parametrized])
def test_whatever_stands_in_the_place_of_the_last_layer_is_called_and_learns(
    model: Any, change: Callable[[nn.Linear], nn.Module]
) -> None:
    assert has_plain_output(model)
    model.output = change(model.output)
    assert not has_plain_output(model)
    batch = batch_of([3, 6, 1], [2, 0, 5])
    wanted = by_hand(model, batch)
    torch.testing.assert_close(seq2seq_nll(model, batch), wanted)
    loss = seq2seq_loss(model, batch)
    torch.testing.assert_close(loss, wanted.sum())
    weights = list(model.output.parameters())
    wanted_grads = torch.autograd.grad(wanted.sum(), weights)
    for found, grad in zip(torch.autograd.grad(loss, weights), wanted_grads, strict=True):
        assert grad.any()
        torch.testing.assert_close(found, grad)


def pondering(cost: float) -> Any:
    """A Transformer whose encoder's tokens decide how often its block is used."""
    torch.manual_seed(0)
    config = TransformerConfig(
        source_vocab=30,
        target_vocab=7,
        layers=4,
        decoder_layers=1,
        embed_dim=8,
        num_heads=2,
        ff_dim=12,
        dropout=0.0,
        sharing=Adaptive(ponder_cost=cost),
    )
    model = Transformer(config).double()
    with torch.no_grad():
        model.encoder.halt.bias.fill_(-1.0)
    return model


@pytest.mark.parametrize("change", [lambda layer: layer, hooked])
def test_a_translation_pays_for_the_steps_of_its_reading_but_not_in_its_loss(
    change: Callable[[nn.Linear], nn.Module],
) -> None:
    batch = batch_of([3, 6, 1], [2, 0, 5])
    losses, grads = [], []
    for cost in (0.0, 0.5):
        model = pondering(cost)
        model.output = change(model.output)
        losses.append(seq2seq_loss(model, batch, 0.1))
        grads.append(torch.autograd.grad(losses[-1], model.encoder.halt.bias)[0])
    torch.testing.assert_close(losses[0], losses[1])
    found = pondering(0.0).encoder
    x = pondering(0.0).source.read(batch.source)
    aux = found.forward_act(x, batch.source.mask).ponder_loss(0.5)
    (wanted,) = torch.autograd.grad(aux(torch.zeros(3)).sum(), found.halt.bias)
    assert wanted.abs() > 1e-3
    torch.testing.assert_close(grads[1] - grads[0], wanted)


class Drawing(Bigrams):
    """Draws something of each source; `reinforce` learns from what it led to."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Embedding(30, 1, dtype=torch.float64)
        self.reinforce = Reinforce()

    def forward_sampled(self, source: Sequences, target: Tensor) -> tuple[Tensor, ReinforceLoss]:
        log_prob = self.inner(source.ids[:, 0])[:, 0]
        sampled = Sampled(log_prob, torch.zeros_like(log_prob))
        return self(source, target), ReinforceLoss(self.reinforce, sampled)


def test_a_draw_is_judged_by_what_its_own_sequence_costs() -> None:
    model, batch = Drawing().double(), batch_of([3, 1, 2], [2, 0, 4])
    costs = by_hand(model, batch)
    loss = seq2seq_loss(model, batch)
    torch.testing.assert_close(loss, costs.sum())
    loss.backward()
    for row, first in enumerate(batch.source.ids[:, 0].tolist()):
        torch.testing.assert_close(model.inner.weight.grad[first, 0], costs[row].detach())

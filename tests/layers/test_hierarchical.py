"""Levels of ragged groups: each group alone, whatever stands beside it, and padding is nothing."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.layers import AttentionPool, Hierarchical, Level, MeanPool, split_sentences
from regard.layers.hierarchical import SLACK, WASTE, of_similar_length
from regard.masks import Padding

WORDS = torch.tensor([3, 1, 0, 14, 2, 30, 5, 1])
SENTENCES = torch.tensor([2, 0, 5, 1])


class Running(nn.Module):
    """An encoder that knows of order and length: running means, and how many items there are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        steps = torch.arange(1, x.shape[1] + 1)[:, None]
        return torch.tanh((x @ self.weight).cumsum(1) / steps) + lengths[:, None, None] / 10


def pool(width: int, queries: int = 1) -> AttentionPool:
    key = nn.Sequential(nn.Linear(width, 3), nn.Tanh())
    return AttentionPool(width, queries=queries, key=key)


def documents(queries: int = 1) -> Hierarchical:
    words = Level(Running(4), pool(4, queries))
    return Hierarchical([words, Level(Running(4 * queries), pool(4 * queries))]).double()


def items() -> Tensor:
    return torch.randn(int(WORDS.sum()), 4, dtype=torch.float64)


def one_by_one(level: Level, values: Tensor, lengths: Tensor) -> Tensor:
    """Every group alone, without any padding."""
    found = []
    for group in values.split(lengths.tolist()):
        if not len(group):
            found.append(values.new_zeros(level.pool.embed_dim * len(level.pool.query)))
            continue
        encoded = level.encoder(group[None], torch.tensor([len(group)]))
        keys = torch.tanh(encoded[0] @ level.pool.key[0].weight.T + level.pool.key[0].bias)
        weights = (level.pool.query @ keys.T).softmax(-1)
        found.append((weights @ encoded[0]).flatten())
    return torch.stack(found)


@pytest.mark.parametrize("queries", [1, 2])
def test_a_hierarchy_is_its_groups_one_by_one_level_by_level(queries: int) -> None:
    model, values = documents(queries), items()
    words, whole = model
    wanted = one_by_one(whole, one_by_one(words, values, WORDS), SENTENCES)
    found = model(values, (WORDS, SENTENCES))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    assert not found[1].any(), "a document without a sentence is zeros"


def test_every_gradient_is_that_of_the_groups_one_by_one() -> None:
    model, values = documents(), items().requires_grad_()
    words, whole = model
    found = model(values, (WORDS, SENTENCES)).pow(3).sum()
    wanted = one_by_one(whole, one_by_one(words, values, WORDS), SENTENCES).pow(3).sum()
    inputs = [values, *model.parameters()]
    pairs = zip(
        torch.autograd.grad(found, inputs), torch.autograd.grad(wanted, inputs), strict=True
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def test_weights_are_those_of_each_item_and_sum_to_one_in_every_group() -> None:
    model, values = documents(queries=2), items()
    words, whole = model
    looks = model.weights(values, (WORDS, SENTENCES))
    assert [look.shape for look in looks] == [(56, 2), (8, 1)]
    for look, lengths in zip(looks, (WORDS, SENTENCES), strict=True):
        for group in look.split(lengths.tolist()):
            if len(group):
                torch.testing.assert_close(group.sum(0), torch.ones_like(group[0]))
    group = slice(4, 18)
    encoded = words.encoder(values[group][None], torch.tensor([14]))
    torch.testing.assert_close(looks[0][group], words.pool.weights(encoded)[0].T)
    assert whole.pool.query.shape == (1, 3)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_nothing_at_all_is_zeros(lengths: list[int]) -> None:
    level = documents().levels[0]
    found = level(torch.empty(0, 4, dtype=torch.float64), torch.tensor(lengths, dtype=torch.int64))
    assert torch.equal(found, torch.zeros(len(lengths), 4, dtype=torch.float64))


def test_three_levels_are_possible() -> None:
    levels = [Level(None, MeanPool()) for _ in range(3)]
    values = torch.tensor([[1.0], [3.0], [5.0], [7.0]])
    lengths = (torch.tensor([2, 1, 1]), torch.tensor([2, 1]), torch.tensor([2]))
    assert Hierarchical(levels)(values, lengths).tolist() == [[(3.5 + 7) / 2]]


def test_lengths_that_do_not_fit_are_named() -> None:
    model, values = documents(), items()
    with pytest.raises(ValueError, match=r"the lengths \[3, 1\] add up to 4, but there are 56"):
        model(values, (torch.tensor([3, 1]), SENTENCES))
    with pytest.raises(ValueError, match="2 levels need as many lengths, got 1"):
        model(values, (WORDS,))
    with pytest.raises(ValueError, match="at least one level"):
        Hierarchical([])


def test_groups_padded_together_are_of_similar_length_and_all_are_there() -> None:
    lengths = torch.randint(0, 120, (300,))
    buckets = of_similar_length(lengths)
    assert sorted(torch.cat(buckets).tolist()) == list(range(300))
    for bucket in buckets:
        sizes = lengths[bucket]
        assert sizes.max() - sizes.min() <= max(SLACK, WASTE * int(sizes.max()))
    assert len(buckets) < 16


def test_a_long_document_does_not_pad_short_sentences() -> None:
    cells = []

    class Counting(nn.Module):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            cells.append(x.shape[0] * x.shape[1])
            return x

    lengths = torch.tensor([4] * 200 + [150])
    Level(Counting(), MeanPool())(torch.randn(950, 4), lengths)
    assert sum(cells) == 950


def test_the_mean_does_not_see_padding() -> None:
    x, lengths = torch.randn(3, 4, 2, dtype=torch.float64), [4, 2, 0]
    found = MeanPool()(x, Padding(torch.tensor(lengths)))[:, 0]
    for row, length in enumerate(lengths):
        wanted = x[row, :length].mean(0) if length else torch.zeros(2, dtype=torch.float64)
        torch.testing.assert_close(found[row], wanted)


def by_hand(row: list[int], end: int = 3) -> list[list[int]]:
    """A document's sentences, one token after the other."""
    found: list[list[int]] = [[]]
    for token in row:
        if token == end:
            found.append([])
        else:
            found[-1].append(token)
    return [sentence for sentence in found if sentence]


def test_documents_are_cut_where_sentences_end() -> None:
    rng = np.random.default_rng(0)
    lengths = [9, 1, 0, 12, 7]
    rows = [rng.integers(3, 6, length).tolist() for length in lengths] + [[3, 3, 3], [4], [3, 5]]
    width = max(map(len, rows))
    tokens = torch.tensor([row + [7] * (width - len(row)) for row in rows])
    cut = split_sentences(tokens, torch.tensor([len(row) for row in rows]), end=3)
    wanted = [by_hand(row) for row in rows]
    assert cut.documents.tolist() == [len(document) for document in wanted]
    assert cut.lengths.tolist() == [len(s) for document in wanted for s in document]
    assert cut.of(tokens).tolist() == [w for document in wanted for s in document for w in s]
    values = torch.arange(1.0, len(cut.of(tokens)) + 1)
    assert torch.equal(cut.spread(values)[cut.words], values)
    assert not cut.spread(values)[~cut.words].any()


@pytest.mark.parametrize("shape", [(0, 0), (2, 0), (0, 3)])
def test_batches_without_a_token_can_be_cut(shape: tuple[int, int]) -> None:
    cut = split_sentences(torch.zeros(shape, dtype=torch.int64), end=3)
    assert cut.documents.tolist() == [0] * shape[0]
    assert not len(cut.lengths)

"""What every layer owes. One table of all layers; a new layer adds one row.

A row makes a layer and runs it on a padded batch. What it gives belongs to places of the batch
(`per_place`) or to its rows.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn

import regard.layers
from regard.layers import (
    GRU,
    Attend,
    AttentionPool,
    CrossAttention,
    DecoderBlock,
    Dropout,
    EncoderBlock,
    FeedForward,
    GatedFeedForward,
    Halting,
    HardPool,
    Heads,
    Hierarchical,
    Level,
    MeanPool,
    MultiHeadAttention,
    Pool,
    PostNorm,
    PreNorm,
    Reinforce,
    ReinforceLoss,
    SegmentEmbedding,
    SelfAttention,
    Stack,
    StackedLSTM,
    TokenEmbedding,
    UnprojectedAttention,
    Windowed,
    WordDropout,
    mean_heads,
    universal,
)
from regard.layers.padded_rnn import padded_rnn
from regard.masks import Causal, Padding
from regard.normalizers import sparsemax
from regard.positions import Learned, RoPE, Sinusoidal
from regard.score_mods import ALiBi
from regard.scores import Additive
from regard.sequences import Sequences
from tests.one_by_one import all_in_one

WIDTH, VOCAB = 6, 9
LENGTHS = torch.tensor([5, 1, 3, 4])


@dataclass(frozen=True)
class Row:
    """How a layer is made and run.

    Args:
        run: gives `[batch, len, width]`, or `[batch, ...]` unless `per_place`.
        garbage: what may stand in the padding.
        tokens: the layer reads numbers of tokens.
        teach: the losses of a batch's rows, where the sum of squares of what `run` gives is none.
    """

    make: Callable[[], Any]
    run: Callable[[Any, Tensor, Tensor], Tensor]
    per_place: bool = True
    garbage: float = torch.nan
    tokens: bool = False
    teach: Callable[[Any, Tensor, Tensor], Tensor] | None = None

    def made(self, seed: int = 0) -> Any:
        """The layer, no weight of which is as all others of its kind are at first."""
        torch.manual_seed(seed)
        layer = self.make().double().eval()
        with torch.no_grad():
            for weight in layer.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        return layer

    def batch(self, filling: float = 0.0) -> Tensor:
        """Rows of the lengths above, padded with something."""
        rng = torch.Generator().manual_seed(3)
        padding = torch.arange(5) >= LENGTHS[:, None]
        if self.tokens:
            tokens = torch.randint(2, VOCAB, (4, 5), generator=rng)
            return tokens.masked_fill(padding, 0 if filling == 0 else 1)
        x = torch.randn(4, 5, WIDTH, generator=rng, dtype=torch.float64)
        return x.masked_fill(padding[..., None], filling)

    def real(self, found: Tensor) -> Tensor:
        """What was made of places and rows that are there."""
        return found[torch.arange(5) < LENGTHS[:, None]] if self.per_place else found

    def loss(self, layer: Any, x: Tensor) -> Tensor:
        torch.manual_seed(5)
        if self.teach is not None:
            return self.teach(layer, x, LENGTHS).sum()
        return self.real(self.run(layer, x, LENGTHS)).square().sum()


def masked(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return layer(x, mask=Padding(lengths))


def by_place(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return layer(x)


def of_texts(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return layer(Sequences(x, lengths))


def of_memory(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """The first token looks at its row."""
    return layer(x[:, :1], x, mask=Padding(lengths)).flatten(1)


def decoded(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return layer(x[:, :1], x, memory_mask=Padding(lengths)).flatten(1)


def beside(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """The operator itself, with one head."""
    head = x.unsqueeze(1)
    return layer(head, head, head, Padding(lengths))[:, 0]


def around(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return layer(x, torch.tanh)


def asked(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return layer(x, Padding(lengths), x[:, 0, :3])


def in_groups(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """Rows are groups of items, one behind the other."""
    return layer(x[torch.arange(x.shape[1]) < lengths[:, None]], lengths)


def in_two_levels(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """The last item of a row is a group of its own, and what stands before it, if anything."""
    items = x[torch.arange(x.shape[1]) < lengths[:, None]]
    groups = [size for length in lengths.tolist() for size in (length - 1, 1) if size]
    groups_of = 1 + (lengths > 1).long()
    return layer(items, (torch.tensor(groups, dtype=torch.long), groups_of))


def lstm_states(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """Every state of the top layer, and each row's last memory in all."""
    outputs, state = layer(x.transpose(0, 1), lengths=lengths)
    last = rearrange(state.cell, "layers batch width -> batch 1 (layers width)")
    return torch.cat([outputs.transpose(0, 1), last.expand(-1, x.shape[1], -1)], -1)


def gru_states(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    steps = rearrange(x, "batch len width -> 1 len batch width")
    start = x.new_zeros(1, len(x), WIDTH)
    states = layer(*layer.project(steps), start)
    return rearrange(states, "1 len batch width -> batch len width")


def torchs_states(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    return padded_rnn(layer, x, lengths)


def spotted(layer: HardPool, x: Tensor, lengths: Tensor) -> Tensor:
    """What a drawn place costs, and what it teaches."""
    found, sampled = layer.forward_sampled(x, Padding(lengths))
    nll = found.square().sum((1, 2))
    return nll if sampled is None else nll + ReinforceLoss(Reinforce(), sampled)(nll)


def encoder(kind: type = PostNorm, attend: Attend | None = None) -> EncoderBlock:
    norm = nn.LayerNorm(WIDTH)
    return EncoderBlock(
        SelfAttention(WIDTH, 2, attend), FeedForward(WIDTH, 8), lambda: kind(copy.deepcopy(norm))
    )


def decoder() -> DecoderBlock:
    return DecoderBlock(
        SelfAttention(WIDTH, 2),
        CrossAttention(WIDTH, 2, bias=False),
        FeedForward(WIDTH, 8),
        lambda: PreNorm(nn.LayerNorm(WIDTH)),
    )


def pool(**options: Any) -> AttentionPool:
    key = nn.Sequential(nn.Linear(WIDTH, 4), nn.Tanh())
    return AttentionPool(WIDTH, key=key, **options)


def level(pool: Pool) -> Level:
    return Level(None, pool)


ROWS = {
    "Attend": Row(lambda: Attend(Additive(WIDTH, WIDTH, 3), ALiBi(1)), beside),
    "AttentionPool": Row(lambda: pool(queries=2), masked, False),
    "AttentionPool, asked": Row(lambda: pool(query_dim=3), asked, False),
    "CrossAttention": Row(lambda: CrossAttention(WIDTH, 2, bias=False), of_memory, False),
    "DecoderBlock": Row(decoder, decoded, False),
    "Dropout": Row(lambda: Dropout(0.5), by_place),
    "EncoderBlock": Row(encoder, masked),
    "EncoderBlock, pre": Row(lambda: encoder(PreNorm, Attend(mask=Causal())), masked),
    "FeedForward": Row(lambda: FeedForward(WIDTH, 8), by_place),
    "GRU": Row(lambda: GRU(WIDTH, WIDTH), gru_states, garbage=50.0),
    "GatedFeedForward": Row(lambda: GatedFeedForward(WIDTH, 8), by_place),
    "Halting": Row(lambda: Halting(universal(encoder(), 4), WIDTH), masked, garbage=50.0),
    "HardPool": Row(lambda: HardPool(pool(queries=2)), masked, False, teach=spotted),
    "HardPool, gumbel": Row(lambda: HardPool(pool(), "gumbel"), masked, False, teach=spotted),
    "Hierarchical": Row(
        lambda: Hierarchical([level(pool()), level(pool(queries=2))]), in_two_levels, False
    ),
    "Level": Row(lambda: level(pool(queries=2)), in_groups, False),
    "Level, mean": Row(lambda: level(MeanPool()), in_groups, False),
    "MeanPool": Row(MeanPool, masked, False),
    "MultiHeadAttention": Row(lambda: MultiHeadAttention(WIDTH, Heads(3, head_dim=4)), masked),
    "MultiHeadAttention, three widths": Row(
        lambda: MultiHeadAttention(WIDTH, 2, value_dim=WIDTH, bias=False),
        lambda layer, x, lengths: layer(x, x, x, Padding(lengths)),
    ),
    "PostNorm": Row(lambda: PostNorm(nn.LayerNorm(WIDTH)), around),
    "PreNorm": Row(lambda: PreNorm(nn.LayerNorm(WIDTH)), around),
    "SelfAttention": Row(lambda: SelfAttention(WIDTH, 2), masked),
    "SelfAttention, grouped and turned": Row(
        lambda: SelfAttention(WIDTH, Heads(4, 2, 2), Attend(mask=Causal()), positions=RoPE()),
        masked,
    ),
    "SelfAttention, averaged": Row(
        lambda: SelfAttention(WIDTH, 2, Attend(normalizer=sparsemax), join=mean_heads), masked
    ),
    "Stack": Row(lambda: Stack([encoder(), encoder(PreNorm)]), masked),
    "Stack, shared": Row(lambda: Stack.shared(encoder(), 2), masked),
    "StackedLSTM": Row(lambda: StackedLSTM(WIDTH, 4, num_layers=2), lstm_states, garbage=50.0),
    "SegmentEmbedding": Row(
        lambda: SegmentEmbedding(VOCAB, WIDTH, max_length=5), of_texts, tokens=True
    ),
    "TokenEmbedding": Row(
        lambda: TokenEmbedding(VOCAB, WIDTH, positions=Sinusoidal(), scale=2.0),
        by_place,
        tokens=True,
    ),
    "TokenEmbedding, learned": Row(
        lambda: TokenEmbedding(VOCAB, WIDTH, positions=Learned(5, WIDTH)), by_place, tokens=True
    ),
    "UnprojectedAttention": Row(lambda: UnprojectedAttention(2), masked),
    "Windowed": Row(lambda: Windowed(encoder(), 2), masked, garbage=50.0),
    "WordDropout": Row(lambda: WordDropout(0.5, unknown=1), by_place, tokens=True),
    "padded_rnn": Row(
        lambda: nn.LSTM(WIDTH, 4, 2, batch_first=True, bidirectional=True),
        torchs_states,
        garbage=50.0,
    ),
    "universal": Row(lambda: universal(encoder(), 3), masked),
}
NO_ROW = {
    *("AwaitsReward", "BaselineReinforceLoss", "CoverageLoss"),
    *("ACTIVATIONS", "ACTOutput", "ActivationName", "AuxLoss", "DecoderCache", "FixedKVCache"),
    *("Heads", "KVCache", "LSTMState", "Past", "PatchEmbedding", "PonderLoss", "Pool"),
    *("Reinforce", "ReinforceLoss", "Sampled", "SentenceSplit", "StaticKVCache", "WindowKVCache"),
    *("Int8Embedding", "Pairs", "RelativeAttention", "RelativeKeys", "by_columns", "int8"),
} | {
    "concat_heads", "linear_cross_entropy", "mean_heads", "orthogonality_penalty", "prepacked",
    "sample_keys", "split_sentences",
}  # fmt: skip
"""Values, protocols, functions of their own kind, and what reads images, numbers or distances."""

every = all_in_one("row", ROWS.values(), ids=ROWS)
CLOSE: dict[str, float] = {"rtol": 0, "atol": 1e-12}


def test_the_table_names_every_layer() -> None:
    rows = {name.split(",")[0] for name in ROWS} - {"padded_rnn"}
    assert rows == set(regard.layers.__all__) - NO_ROW
    assert set(regard.layers.__all__) >= NO_ROW


@every
def test_a_padded_batch_equals_its_rows_one_by_one(row: Row) -> None:
    layer, x = row.made(), row.batch()
    together = row.run(layer, x, LENGTHS)
    for number, length in enumerate(LENGTHS.tolist()):
        alone = row.run(layer, x[number : number + 1, :length], LENGTHS[number : number + 1])[0]
        found = together[number, :length] if row.per_place else together[number]
        torch.testing.assert_close(found, alone, **CLOSE)


@every
def test_the_order_of_a_batch_does_not_matter(row: Row) -> None:
    layer, x, order = row.made(), row.batch(), torch.tensor([2, 0, 3, 1])
    found = row.run(layer, x[order], LENGTHS[order])[order.argsort()]
    torch.testing.assert_close(row.real(found), row.real(row.run(layer, x, LENGTHS)), **CLOSE)


@every
def test_what_stands_in_the_padding_reaches_no_output_and_no_other_gradient(row: Row) -> None:
    layer, found = row.made(), []
    for filling in (0.0, row.garbage):
        x = row.batch(filling)
        if row.tokens:
            found.append([row.real(row.run(layer, x, LENGTHS))])
            continue
        (grad,) = torch.autograd.grad(row.loss(layer, x.requires_grad_()), x)
        found.append(
            [row.real(row.run(layer, x, LENGTHS)), grad[torch.arange(5) < LENGTHS[:, None]]]
        )
    for clean, dirty in zip(*found, strict=True):
        torch.testing.assert_close(dirty, clean, **CLOSE)


@every
def test_no_weight_learns_from_padding_and_each_learns_from_the_rest(row: Row) -> None:
    layer, found = row.made(), []
    weights = dict(layer.named_parameters())
    if not weights:
        return
    for filling in (0.0, 50.0):
        x = row.batch(filling)
        found.append(torch.autograd.grad(row.loss(layer, x), list(weights.values())))
    for name, clean, dirty in zip(weights, *found, strict=True):
        assert clean.isfinite().all() and clean.abs().max() > 1e-9, name
        torch.testing.assert_close(dirty, clean, rtol=1e-9, atol=1e-10, msg=name)


@every
def test_a_state_dict_is_the_whole_layer(row: Row) -> None:
    one, other, x = row.made(1), row.made(2), row.batch()
    wanted = row.run(one, x, LENGTHS)
    if list(one.parameters()):
        assert not torch.equal(row.run(other, x, LENGTHS), wanted)
    other.load_state_dict({name: t.clone() for name, t in one.state_dict().items()})
    assert torch.equal(row.run(other, x, LENGTHS), wanted)


@every
def test_a_deep_copy_goes_its_own_way_and_a_copy_does_not(row: Row) -> None:
    layer, x = row.made(), row.batch()
    wanted = row.run(layer, x, LENGTHS)
    deep, shallow = copy.deepcopy(layer), copy.copy(layer)
    assert torch.equal(row.run(deep, x, LENGTHS), wanted)
    assert repr(deep) == repr(layer)
    with torch.no_grad():
        for weight in deep.parameters():
            weight.add_(torch.rand_like(weight))
    assert torch.equal(row.run(layer, x, LENGTHS), wanted)
    assert torch.equal(row.run(shallow, x, LENGTHS), wanted)
    assert all(a is b for a, b in zip(shallow.parameters(), layer.parameters(), strict=True))


@every
def test_no_row_no_place_and_a_single_place_work(row: Row) -> None:
    layer, x = row.made(), row.batch()
    shape = row.run(layer, x, LENGTHS).shape
    assert row.run(layer, x[:0], LENGTHS[:0]).shape == (0, *shape[1:])
    single = row.run(layer, x[:, :1], torch.ones_like(LENGTHS))
    assert single.shape == (4, 1, *shape[2:]) if row.per_place else single.shape == shape
    assert single.isfinite().all()
    if row.per_place:
        none = row.run(layer, x[:, :0], torch.zeros_like(LENGTHS))
        assert none.shape == (4, 0, *shape[2:])


@every
def test_inputs_are_not_modified(row: Row) -> None:
    layer, x = row.made(), row.batch()
    before = x.clone()
    row.run(layer.train(), x, LENGTHS)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", ["AttentionPool", "HardPool", "MeanPool"])
def test_a_pool_is_its_weights_times_the_sequence(name: str) -> None:
    row = ROWS[name]
    layer, x, mask = row.made(), row.batch(), Padding(LENGTHS)
    assert isinstance(layer, Pool)
    torch.testing.assert_close(layer(x, mask), layer.weights(x, mask) @ x, **CLOSE)
    torch.testing.assert_close(layer(x), layer.weights(x) @ x, **CLOSE)
    empty = Padding(torch.tensor([5, 0, 3, 0]))
    assert not layer(x, empty)[[1, 3]].any() and not layer.weights(x, empty)[[1, 3]].any()

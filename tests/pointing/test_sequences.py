"""Networks that copy or reverse random symbols learn to look at the symbol they write."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.models.luong import Luong, LuongConfig
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig, Search
from regard.sequences import Sequences
from regard.tasks.seq2seq import Seq2SeqBatch, seq2seq_loss

BEGIN, END, FIRST = 2, 3, 4
VOCAB = FIRST + 30
SIZES: dict[str, Any] = {
    "source_vocab": VOCAB,
    "target_vocab": VOCAB,
    "embed_dim": 16,
    "dropout": 0.0,
}
LONG = {"steps": 400, "rows": 64, "rate": 1e-2}

LUONG = {
    "dot": "global(score=dot, input_feeding=False)",
    "general": "global(input_feeding=False)",
    "concat": "global(score=luong_concat, input_feeding=False)",
    "local_p": "local_p(window=2, input_feeding=False)",
}


def symbols(rows: int, reverse: bool, equally_long: bool) -> tuple[Seq2SeqBatch, Tensor]:
    """Random symbols, the same to be written, and where each output's symbol stands."""
    lengths = torch.full((rows,), 8) if equally_long else torch.randint(4, 9, (rows,))
    position, longest = torch.arange(8), int(lengths.max())
    hidden = position >= lengths.unsqueeze(1)
    source = torch.randint(FIRST, VOCAB, (rows, 8)).masked_fill(hidden, 0)
    last = lengths.unsqueeze(1) - 1
    place = ((last - position) if reverse else position.expand(rows, 8)).clamp_min(0)
    target = torch.zeros(rows, 9, dtype=torch.long)
    target[:, :8] = source.gather(1, place).masked_fill(hidden, 0)
    target[torch.arange(rows), lengths] = END
    read, written = Sequences(source[:, :longest], lengths), target[:, : longest + 1]
    return Seq2SeqBatch(read, Sequences(written, lengths + 1), BEGIN), place[:, :longest]


def share_that_points(
    model: Any,
    reverse: bool = False,
    equally_long: bool = False,
    steps: int = 200,
    rows: int = 32,
    rate: float = 2e-2,
) -> float:
    """Train the network and say how often it looks most at the symbol that it is to write."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(steps):
        batch, _ = symbols(rows, reverse, equally_long)
        optimizer.zero_grad()
        (seq2seq_loss(model, batch) / batch.num_targets).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        falling.step()
    model.eval()
    batch, place = symbols(300, reverse, equally_long)
    weights = model.attention_weights(batch.source, batch.written[:, :-1])
    return (weights.argmax(-1) == place)[batch.source.real].double().mean().item()


def luong(attention: str, width: int = 32) -> Luong:
    torch.manual_seed(0)
    sizes = {"hidden_dim": width, "layers": 1, "max_source_length": 8, "attention": attention}
    return Luong(LuongConfig.from_entries(SIZES | sizes))


def rnnsearch() -> RNNsearch:
    torch.manual_seed(0)
    attention = Search(attention_dim=32)
    return RNNsearch(RNNsearchConfig(**SIZES, hidden_dim=32, maxout_dim=32, attention=attention))


@pytest.mark.parametrize("form", ["general", pytest.param("local_p", marks=pytest.mark.slow)])
def test_luong_reverses_by_looking_at_each_symbol(form: str) -> None:
    assert share_that_points(luong(LUONG[form]), reverse=True) >= 0.95


@pytest.mark.slow
def test_a_location_score_copies_by_counting() -> None:
    model = luong("global(score=location, input_feeding=False)")
    assert share_that_points(model, equally_long=True) >= 0.95


@pytest.mark.slow
def test_a_window_around_the_output_copies() -> None:
    assert share_that_points(luong("local_m(window=2, input_feeding=False)")) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("form", ["dot", "concat"])
def test_luong_reverses_with_other_scores_too(form: str) -> None:
    assert share_that_points(luong(LUONG[form]), reverse=True, steps=400) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_rnnsearch_copies_and_reverses_by_looking_at_each_symbol(reverse: bool) -> None:
    assert share_that_points(rnnsearch(), reverse, **LONG) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("form", ["general", "concat", "local_p"])
def test_luong_copies_by_looking_at_each_symbol(form: str) -> None:
    assert share_that_points(luong(LUONG[form]), **LONG) >= 0.95


@pytest.mark.slow
def test_luong_with_plain_dots_copies_when_it_is_wide_and_has_time() -> None:
    """Nothing is projected: one state must be both what is said and what is looked for."""
    assert share_that_points(luong(LUONG["dot"], 64), **LONG | {"steps": 1000}) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_input_feeding_leaves_the_looking_right(reverse: bool) -> None:
    assert share_that_points(luong("global"), reverse, **LONG) >= 0.95


def test_a_network_that_has_not_learned_points_nowhere() -> None:
    assert share_that_points(luong(LUONG["general"]), steps=1) < 0.5

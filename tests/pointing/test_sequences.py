"""Networks that copy or reverse random symbols learn to look at the symbol they write."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.models.luong import Luong, LuongConfig
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig
from regard.tasks.pairs import Pairs, pair_loss

BEGIN, END, FIRST = 2, 3, 4
VOCAB = FIRST + 30
SIZES: dict[str, Any] = {"source_vocab": VOCAB, "target_vocab": VOCAB, "embed_dim": 16}
LONG = {"steps": 400, "rows": 64, "rate": 1e-2}

LUONG = {
    "dot": {"score": "dot"},
    "general": {"score": "general"},
    "concat": {"score": "concat"},
    "local_p": {"attention": "local_p", "window": 2},
}


def symbols(rows: int, reverse: bool, equally_long: bool) -> tuple[Pairs, Tensor]:
    """Random symbols, the same to be written, and where each output's symbol stands."""
    lengths = torch.full((rows,), 8) if equally_long else torch.randint(4, 9, (rows,))
    position, longest = torch.arange(8), int(lengths.max())
    hidden = position >= lengths.unsqueeze(1)
    source = torch.randint(FIRST, VOCAB, (rows, 8)).masked_fill(hidden, 0)
    last = lengths.unsqueeze(1) - 1
    place = ((last - position) if reverse else position.expand(rows, 8)).clamp_min(0)
    target = torch.zeros(rows, 10, dtype=torch.long)
    target[:, 0] = BEGIN
    target[:, 1:9] = source.gather(1, place).masked_fill(hidden, 0)
    target[torch.arange(rows), lengths + 1] = END
    source, target, place = source[:, :longest], target[:, : longest + 2], place[:, :longest]
    return Pairs(source, lengths, target, lengths + 1), place


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
        (pair_loss(model, batch) / batch.labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        falling.step()
    model.eval()
    batch, place = symbols(300, reverse, equally_long)
    with torch.no_grad():
        encoded = model.encode(batch.source, batch.lengths)
        weights = model.alignment(encoded, batch.target[:, :-2])
    real = torch.arange(place.shape[1]) < batch.lengths.unsqueeze(1)
    return (weights.argmax(-1) == place)[real].double().mean().item()


def luong(width: int = 32, **form: Any) -> Luong:
    torch.manual_seed(0)
    sizes = SIZES | {"hidden_dim": width, "layers": 1, "input_feeding": "off"}
    return Luong(LuongConfig(**sizes | form))


def rnnsearch() -> RNNsearch:
    torch.manual_seed(0)
    widths = ("hidden_dim", "state_dim", "align_dim", "maxout_dim")
    return RNNsearch(RNNsearchConfig(**SIZES, **dict.fromkeys(widths, 32)))


@pytest.mark.parametrize("form", ["general", pytest.param("local_p", marks=pytest.mark.slow)])
def test_luong_reverses_by_looking_at_each_symbol(form: str) -> None:
    assert share_that_points(luong(**LUONG[form]), reverse=True) >= 0.95


def test_a_location_score_copies_by_counting() -> None:
    model = luong(score="location", longest=8)
    assert share_that_points(model, equally_long=True) >= 0.95


@pytest.mark.slow
def test_a_window_around_the_output_copies() -> None:
    assert share_that_points(luong(attention="local_m", window=2)) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("form", ["dot", "concat"])
def test_luong_reverses_with_other_scores_too(form: str) -> None:
    assert share_that_points(luong(**LUONG[form]), reverse=True, steps=400) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_rnnsearch_copies_and_reverses_by_looking_at_each_symbol(reverse: bool) -> None:
    assert share_that_points(rnnsearch(), reverse, **LONG) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("form", ["general", "concat", "local_p"])
def test_luong_copies_by_looking_at_each_symbol(form: str) -> None:
    assert share_that_points(luong(**LUONG[form]), **LONG) >= 0.95


@pytest.mark.slow
def test_luong_with_plain_dots_copies_when_it_is_wide_and_has_time() -> None:
    """Nothing is projected: one state must be both what is said and what is looked for."""
    assert share_that_points(luong(64, score="dot"), **LONG | {"steps": 1000}) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_input_feeding_leaves_the_looking_right(reverse: bool) -> None:
    assert share_that_points(luong(input_feeding="on"), reverse, **LONG) >= 0.95


def test_a_network_that_has_not_learned_points_nowhere() -> None:
    assert share_that_points(luong(), steps=1) < 0.5

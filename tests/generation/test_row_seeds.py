"""Every row draws its own numbers, as often each token as it is probable."""

import pytest
import torch

from regard.generation import KeepMinP, KeepTopK, KeepTopP, RowSeeds, Temperature
from regard.generation.filters import filtered
from regard.generation.row_seeds import _token_at

DRAWS = 20_000


def chi_square(tokens: torch.Tensor, wanted: torch.Tensor) -> float:
    counts = tokens.bincount(minlength=len(wanted)).double()
    assert not counts[wanted == 0].any()
    expected = wanted[wanted > 0].double() * len(tokens)
    return float(((counts[wanted > 0] - expected) ** 2 / expected).sum())


@pytest.mark.parametrize(
    ("by_rows", "filters"),
    [
        *((True, each) for each in ((), Temperature(0.5), Temperature(2.0), KeepTopK(3))),
        *((True, each) for each in (KeepTopP(0.8), KeepMinP(0.2))),
        # One after another, each draw is a call: what is kept was asked above.
        *((False, each) for each in ((), KeepTopP(0.8))),
    ],
    ids=str,
)
def test_tokens_are_drawn_as_often_as_they_are_probable(by_rows: bool, filters: object) -> None:
    logits = torch.tensor([[2.0, 0.5, 1.0, -1.0, 0.0, -3.0, 1.5, 0.3]])
    weights = filtered(filters, logits, torch.zeros(1, 0, dtype=torch.long)).softmax(-1)  # type: ignore[arg-type]
    if by_rows:
        # As many rows as draws, each with a seed of its own: seeds are no more alike than numbers.
        draw = RowSeeds(tuple(range(DRAWS))).drawing()
        found = draw(weights.expand(DRAWS, -1), torch.arange(DRAWS))
    else:
        draw = RowSeeds((7,)).drawing()
        found = torch.cat([draw(weights, torch.tensor([0])) for _ in range(DRAWS)])
    # Of 7 degrees of freedom at most 24.3 in 999 cases of 1000.
    assert chi_square(found, weights[0]) < 24.3


def test_a_row_draws_the_same_whatever_the_others_do() -> None:
    weights = torch.rand(6, 50, generator=torch.Generator().manual_seed(0))
    seeds = (3, 1, 4, 1, 5, 9)
    together, some = RowSeeds(seeds).drawing(), RowSeeds(seeds).drawing()
    rows, few = torch.arange(6), torch.tensor([1, 4])
    for _ in range(10):
        assert torch.equal(together(weights, rows)[few], some(weights[few], few))
    alone = RowSeeds((1,)).drawing()
    again = RowSeeds(seeds).drawing()
    for _ in range(10):
        assert again(weights, rows)[1] == alone(weights[1:2], torch.tensor([0]))[0]


def test_a_token_without_weight_is_never_drawn() -> None:
    weights = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]]).expand(4, -1)
    share = torch.tensor([0.0, 0.3, 1 - 2**-53, 1.0], dtype=torch.float64)
    assert set(_token_at(weights, share).tolist()) == {1, 3}
    one = torch.tensor([[0.0, 1e-30, 0.0]]).expand(4, -1)
    assert _token_at(one, share).tolist() == [1] * 4

"""A filter makes other logits of logits, for each row by itself."""

from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor

from regard.generation import KeepMinP, KeepTopK, KeepTopP, RepetitionPenalty, Temperature
from regard.generation.filters import filtered

FILTERS: list[Any] = [
    Temperature(0.7),
    KeepTopK(3),
    KeepTopP(0.6),
    KeepMinP(0.2),
    RepetitionPenalty(1.3),
    (RepetitionPenalty(2.0), (Temperature(0.5), KeepTopP(0.9))),
]


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(5, 9, generator=torch.Generator().manual_seed(0)) * 2


@pytest.fixture
def written() -> Tensor:
    return torch.randint(0, 9, (5, 4), generator=torch.Generator().manual_seed(1))


def kept(logits: Tensor) -> list[set[int]]:
    return [set(row.isfinite().nonzero().flatten().tolist()) for row in logits]


@pytest.mark.parametrize("each", FILTERS, ids=repr)
def test_a_row_is_filtered_whatever_stands_beside_it(
    each: Any, logits: Tensor, written: Tensor
) -> None:
    before = logits.clone()
    together = filtered(each, logits, written)
    for row in range(5):
        alone = filtered(each, logits[row : row + 1], written[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)
    assert torch.equal(logits, before) and together.shape == logits.shape


@pytest.mark.parametrize("each", FILTERS, ids=repr)
def test_a_token_is_always_left(each: Any, written: Tensor) -> None:
    spread = torch.tensor([[0.0] * 9, [90.0] + [0.0] * 8, [-90.0] * 9, [1e4] * 9, [-1e4] * 9])
    weights = torch.softmax(filtered(each, spread, written), -1)
    assert weights.isfinite().all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(5))


def test_a_temperature_divides_in_float32(logits: Tensor, written: Tensor) -> None:
    half = logits.bfloat16()
    found = Temperature(0.7)(half, written)
    assert found.dtype == torch.float32 and torch.equal(found, half.float() / 0.7)


def test_the_best_are_kept_and_as_many_as_said(logits: Tensor, written: Tensor) -> None:
    for k in (1, 4, 9, 50):
        found = KeepTopK(k)(logits, written)
        best = [set(row.argsort(descending=True)[:k].tolist()) for row in logits]
        assert kept(found) == best
        assert torch.equal(found[found.isfinite()], logits[found.isfinite()])
    assert [len(each) for each in kept(KeepTopK(2)(torch.zeros(1, 5), written[:1]))] == [2]


def test_a_nucleus_is_the_smallest_set_that_is_probable_enough(
    logits: Tensor, written: Tensor
) -> None:
    for p in (0.1, 0.5, 0.9):
        found = kept(KeepTopP(p)(logits, written))
        for row, tokens in zip(logits.softmax(-1), found, strict=True):
            assert sum(row[token] for token in tokens) >= p
            smaller = combinations(range(9), len(tokens) - 1)
            assert max(float(row[list(each)].sum()) for each in smaller) < p


def test_the_probable_ones_are_kept_by_their_share_of_the_best(
    logits: Tensor, written: Tensor
) -> None:
    found = kept(KeepMinP(0.25)(logits, written))
    for row, tokens in zip(logits.softmax(-1), found, strict=True):
        assert tokens == {n for n in range(9) if row[n] >= 0.25 * row.max()}


def test_only_what_was_written_is_penalized_and_once(logits: Tensor, written: Tensor) -> None:
    found = RepetitionPenalty(1.5)(logits, written)
    for row in range(5):
        for token in range(9):
            before, after = float(logits[row, token]), float(found[row, token])
            again = token in written[row].tolist()
            wanted = before if not again else before / 1.5 if before > 0 else before * 1.5
            assert after == pytest.approx(wanted)


def test_a_share_that_excludes_nothing_changes_nothing(logits: Tensor, written: Tensor) -> None:
    long = torch.randn(3, 4999, generator=torch.Generator().manual_seed(2)) * 5
    for each in (KeepTopP(1.0), KeepMinP(0.0)):
        assert torch.equal(each(logits, written), logits)
        assert torch.equal(each(long, written[:3]), long)


def test_filters_one_after_the_other_are_one(logits: Tensor, written: Tensor) -> None:
    one, other = RepetitionPenalty(2.0), KeepTopK(3)
    wanted = other(one(logits, written), written)
    assert torch.equal(filtered((one, other), logits, written), wanted)
    assert torch.equal(filtered(((one,), (other,)), logits, written), wanted)
    assert filtered((), logits, written) is logits


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Temperature(0.0), "must be above 0, got 0.0; the most probable token is taken by"),
        (lambda: Temperature(-1.0), "temperature must be above 0, got -1"),
        (lambda: Temperature(float("nan")), "temperature must be above 0, got nan"),
        (lambda: KeepTopK(0), "k must be at least 1"),
        (lambda: KeepTopP(1.1), "p must be above 0 and at most 1, got 1.1"),
        (lambda: KeepTopP(0.0), "p must be above 0 and at most 1, got 0"),
        (lambda: KeepMinP(-0.1), "p must be at least 0 and at most 1, got -0.1"),
        (lambda: RepetitionPenalty(-1.0), "penalty must be above 0, got -1"),
    ],
)
def test_numbers_out_of_bounds_are_refused(make: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()

import pytest
import torch

from regard.masks import Dense, KeyCounts, Padding


def _at(batch: int, heads: int, q_len: int, k_len: int, q_offset: int = 0) -> list[torch.Tensor]:
    views = [[-1 if axis == here else 1 for axis in range(4)] for here in range(4)]
    lengths = (batch, heads, q_len, k_len)
    b, h, q, k = (torch.arange(n).view(v) for n, v in zip(lengths, views, strict=True))
    return [b, h, q + q_offset, k]


def test_one_count_for_each_sequence_is_padding() -> None:
    lengths = torch.tensor([0, 3, 7])
    at = _at(3, 1, 4, 7)
    assert torch.equal(KeyCounts(lengths[:, None])(*at), Padding(lengths)(*at))


def test_counts_are_the_rows_of_the_mask_they_spell() -> None:
    counts = torch.randint(-2, 9, (2, 3, 4))
    at = _at(2, 3, 4, 7)
    assert torch.equal(KeyCounts(counts)(*at), Dense(torch.arange(7) < counts[..., None])(*at))


def test_counts_growing_by_one_are_causal_whatever_the_position() -> None:
    for offset in (-1, 0, 3):
        mask = KeyCounts(torch.arange(1, 5)).aligned(offset)
        found = mask(*_at(1, 1, 4, 4, offset))[0, 0]
        assert torch.equal(found, torch.ones(4, 4, dtype=torch.bool).tril())


def test_counts_bound_to_positions_serve_a_growing_cache() -> None:
    counts = torch.tensor([[1, 0, 3, 2, 5], [0, 1, 1, 4, 4]])
    whole = KeyCounts(counts)(*_at(2, 1, 5, 5))
    mask = KeyCounts(counts, first_query=0)
    for step in range(5):
        query, key = torch.zeros(2, 1, 1, 4), torch.zeros(2, 1, step + 1, 4)
        mask.check(query, key)
        bound = mask.aligned(step)
        bound.check(query, key)
        found = bound(*_at(2, 1, 1, step + 1, step))
        assert torch.equal(found, whole[:, :, step : step + 1, : step + 1])


@pytest.mark.parametrize(
    "counts",
    [
        torch.ones(3),
        torch.ones(3, dtype=torch.bool),
        torch.tensor(3),
        torch.ones(1, 1, 1, 3).long(),
    ],
    ids=str,
)
def test_counts_that_are_no_integers_for_each_query_are_refused(counts: torch.Tensor) -> None:
    with pytest.raises(TypeError, match=r"KeyCounts needs counts to be .* got .*; give"):
        KeyCounts(counts)


def test_padding_names_it_where_lengths_have_two_dimensions() -> None:
    with pytest.raises(TypeError, match=r"got int64\[2, 3\]; .*KeyCounts\(counts\)"):
        Padding(torch.ones(2, 3, dtype=torch.int64))

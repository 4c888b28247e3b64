"""Sequences answer alike whether they are padded, stand end to end, or have no padding."""

from typing import Any

import pytest
import torch

from regard._attention import attention
from regard.sequences import Packed, Sequences

ROWS = [[7, 8, 9, 4], [], [5], [6, 6]]


def vectors(padded: Sequences) -> torch.Tensor:
    """Random vectors for each place, NaN where there is no token."""
    x = torch.randn(*padded.ids.shape, 3)
    return x.masked_fill(~padded.real[..., None], float("nan"))


def test_places_of_padding_are_no_tokens() -> None:
    padded = Sequences.of(ROWS, pad=1)
    assert padded.ids.tolist() == [[7, 8, 9, 4], [1] * 4, [5, 1, 1, 1], [6, 6, 1, 1]]
    assert padded.counts.tolist() == [4, 0, 1, 2]
    assert [row[real].tolist() for row, real in zip(padded.ids, padded.real, strict=True)] == ROWS
    assert (padded.num_tokens, padded.num_cells, len(padded)) == (7, 16, 4)


def test_the_mask_hides_what_is_no_token_and_is_left_out_where_nothing_is() -> None:
    padded = Sequences.of(ROWS)
    batch, key = torch.arange(4)[:, None], torch.arange(4)
    zero = torch.zeros((), dtype=torch.long)
    assert torch.equal(padded.mask(batch, zero, zero, key), padded.real)
    assert Sequences.of([[1, 2], [3, 4]]).mask is None
    assert Sequences(torch.zeros(2, 3, dtype=torch.long)).mask is None


def test_lengths_that_pad_nothing_say_what_none_does() -> None:
    ids = torch.tensor([[1, 2], [3, 4]])
    bare, said = Sequences(ids), Sequences(ids, torch.tensor([2, 2]))
    x = torch.randn(2, 2, 3)
    assert torch.equal(bare.counts, said.counts) and torch.equal(bare.real, said.real)
    assert bare.num_tokens == said.num_tokens == bare.num_cells == 4
    torch.testing.assert_close(bare.mean(x), said.mean(x))
    assert torch.equal(bare.last(x), said.last(x)) and torch.equal(bare.last(x), x[:, 1])
    assert torch.equal(bare.zero_padding(x), x) and torch.equal(said.zero_padding(x), x)


def test_packed_sequences_answer_as_padded_ones() -> None:
    padded = Sequences.of(ROWS)
    packed, x = Packed.of(padded), vectors(padded)
    y = x[padded.real][None]
    assert packed.ids.tolist() == [[7, 8, 9, 4, 5, 6, 6]] and len(packed) == len(padded)
    assert packed.positions.tolist() == [[0, 1, 2, 3, 0, 0, 1]]
    assert packed.num_tokens == packed.num_cells == padded.num_tokens
    torch.testing.assert_close(packed.mean(y), padded.mean(x))
    torch.testing.assert_close(packed.last(y), padded.last(x))
    assert torch.equal(packed.first(y), padded.first(x)) and not packed.first(y)[1].any()
    assert torch.equal(packed.zero_padding(y), y) and packed.real.all()


def test_a_packed_token_sees_its_own_sequence_only() -> None:
    packed = Packed.of(Sequences.of(ROWS))
    place, zero = torch.arange(7), torch.zeros((), dtype=torch.long)
    seen = packed.mask(zero, zero, place[:, None], place)
    owner = torch.tensor([0, 0, 0, 0, 2, 3, 3])
    assert torch.equal(seen.expand(7, 7), owner[:, None] == owner)


def test_nothing_of_the_padding_is_in_means_last_vectors_or_zeroed_ones() -> None:
    padded = Sequences.of(ROWS)
    x = vectors(padded)
    zeroed = padded.zero_padding(x)
    assert torch.equal(zeroed[padded.real], x[padded.real]) and not zeroed[~padded.real].any()
    for found in (padded.mean(x), padded.last(x)):
        assert found.isfinite().all() and not found[1].any()
    torch.testing.assert_close(padded.mean(x)[3], x[3, :2].mean(0))
    assert torch.equal(padded.last(x)[3], x[3, 1])


@pytest.mark.parametrize("lengths", [torch.tensor([4, 0, 1, 2]), None])
def test_some_rows_are_taken_with_their_lengths(lengths: torch.Tensor | None) -> None:
    rows = torch.tensor([2, 0])
    found = Sequences(Sequences.of(ROWS).ids, lengths).take(rows)
    assert found.ids[:, 0].tolist() == [5, 7]
    assert found.lengths is None if lengths is None else found.counts.tolist() == [1, 4]


def test_sequences_of_nothing_have_no_tokens() -> None:
    for padded in (Sequences.of([]), Sequences.of([[], []])):
        x = torch.zeros(*padded.ids.shape, 3)
        packed = Packed.of(padded)
        assert padded.num_tokens == packed.num_tokens == 0
        none = x[:1].reshape(1, 0, 3)
        for found in (padded.mean(x), padded.last(x), padded.first(x)):
            assert found.shape == (len(padded), 3) and not found.any()
        for found in (packed.mean(none), packed.last(none), packed.first(none)):
            assert found.shape == (len(padded), 3) and not found.any()


def test_attention_through_the_mask_is_the_same_padded_packed_and_alone() -> None:
    padded = Sequences.of(ROWS)
    packed, x = Packed.of(padded), torch.randn(4, 4, 3, dtype=torch.float64)
    y = x[padded.real][None]

    def attended(x: torch.Tensor, mask: Any) -> torch.Tensor:
        heads = x[:, None]
        return attention(heads, heads, heads, mask=mask)[:, 0]

    wanted = attended(x, padded.mask)[padded.real]
    torch.testing.assert_close(attended(y, packed.mask)[0], wanted, rtol=0, atol=1e-12)
    alone = [attended(x[n : n + 1, : len(row)], None)[0] for n, row in enumerate(ROWS)]
    torch.testing.assert_close(torch.cat(alone), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [Sequences, Packed])
def test_moving_takes_ids_and_lengths_along(kind: Any) -> None:
    padded = Sequences.of(ROWS)
    moved = (padded if kind is Sequences else Packed.of(padded)).to(torch.device("meta"))
    assert type(moved) is kind and len(moved) == len(padded)
    assert moved.ids.is_meta and moved.lengths.is_meta and moved.device.type == "meta"


def test_padding_may_stand_anywhere() -> None:
    ids = torch.tensor([[0, 4, 0, 5, 6], [7, 0, 0, 0, 8], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]])
    batch = Sequences.where(ids, ids != 0, ids % 2)
    assert batch.ids[:, :2].tolist() == [[4, 5], [7, 8], [1, 2], [0, 0]]
    assert batch.counts.tolist() == [3, 2, 5, 0]
    assert torch.equal(Sequences.back(batch.ids, ids != 0), ids)
    wide = batch.ids.unsqueeze(-1).expand(-1, -1, 3).float()
    assert torch.equal(Sequences.back(wide, ids != 0)[..., 1], ids.float())
    assert batch.segments is not None
    assert torch.equal(batch.zero_padding(batch.segments.unsqueeze(-1).float())[..., 0] % 2,
                       batch.ids.float() % 2)  # fmt: skip


def test_what_is_real_is_said_by_truth_values_of_the_same_shape() -> None:
    ids = torch.tensor([[0, 4]])
    with pytest.raises(TypeError, match="truth values, got torch.int64|type"):
        Sequences.where(ids, torch.ones_like(ids))
    with pytest.raises(ValueError, match=r"\[1, 2\], what is real \[1, 1\]"):
        Sequences.where(ids, torch.ones(1, 1, dtype=torch.bool))


def test_segments_go_with_their_tokens() -> None:
    batch = Sequences(torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([3, 2]),
                      torch.tensor([[0, 1, 1], [0, 1, 0]]))  # fmt: skip
    packed = Packed.of(batch)
    assert packed.segments is not None and packed.segments.tolist() == [[0, 1, 1, 0, 1]]
    assert [part.tolist() for part in packed.split(packed.ids)] == [[4, 5, 6], [7, 8]]
    taken = batch.take(torch.tensor([1]))
    assert taken.segments is not None and taken.segments.tolist() == [[0, 1, 0]]
    assert Packed.of(Sequences.of([[3], [4]])).segments is None

import pytest
import torch

from regard.masks import Dense


def _at(q_len: int, q_offset: int = 0, k_len: int = 4) -> tuple[torch.Tensor, ...]:
    zero = torch.zeros(1, 1, 1, 1, dtype=torch.int64)
    q, k = torch.arange(q_len).view(1, 1, -1, 1), torch.arange(k_len).view(1, 1, 1, -1)
    return zero, zero, q + q_offset, k


def test_unbound_rows_belong_to_the_calls_queries_wherever_these_stand() -> None:
    tensor = torch.rand(2, 4) < 0.5
    for offset in (-2, 0, 2, 100):
        assert torch.equal(Dense(tensor).aligned(offset)(*_at(2, offset))[0, 0], tensor)


def test_bound_rows_belong_to_absolute_positions() -> None:
    tensor = torch.rand(6, 4) < 0.5
    mask = Dense(tensor, first_query=10)
    assert torch.equal(mask(*_at(6, 10))[0, 0], tensor)
    assert torch.equal(mask.aligned(12)(*_at(4, 12))[0, 0], tensor[2:])


def test_a_query_before_the_first_row_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="position 10 but the first query stands at 8; "):
        Dense(torch.ones(6, 4, dtype=torch.bool), first_query=10).aligned(8)


def test_broadcast_axes_stay_broadcast() -> None:
    assert Dense(torch.ones(1, 1, 5, 4, dtype=torch.bool))(*_at(5)).shape == (1, 1, 5, 4)
    assert Dense(torch.ones(1, 4, dtype=torch.bool))(*_at(5)).shape == (1, 1, 1, 4)
    assert Dense(torch.ones(5, 1, dtype=torch.bool))(*_at(5)).shape == (1, 1, 5, 1)


@pytest.mark.parametrize("layout", ["transposed", "expanded", "strided", "flipped"])
def test_any_strides_mean_the_same(layout: str) -> None:
    base = torch.rand(8, 8) < 0.5
    tensor = {
        "transposed": base[:4, :4].T,
        "expanded": base[:1, :4].expand(4, 4),
        "strided": base[::2, 1::2],
        "flipped": base[:4, :4].flip(0),
    }[layout]
    contiguous = tensor.clone(memory_format=torch.contiguous_format)
    assert torch.equal(Dense(tensor)(*_at(4)), Dense(contiguous)(*_at(4)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.uint8])
def test_a_tensor_that_is_not_boolean_is_refused_with_the_ways_out(dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=r"boolean tensor, got .*mask.bool\(\).*Bias"):
        Dense(torch.ones(2, 4).to(dtype))


@pytest.mark.parametrize("shape", [(), (4,), (1, 1, 1, 2, 4)])
def test_other_numbers_of_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"2 to 4 dimensions, got {len(shape)}; "):
        Dense(torch.ones(shape, dtype=torch.bool))


def _pairs(batch: int, heads: int, q_len: int, k_len: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(batch, heads, q_len, 4), torch.zeros(batch, heads, k_len, 4)


@pytest.mark.parametrize("lead", [(), (1,), (3,), (2, 1), (2, 3)], ids=str)
def test_a_mask_of_the_whole_sequence_serves_every_step_of_a_growing_cache(
    lead: tuple[int, ...],
) -> None:
    tensor = torch.rand(*lead, 6, 6) < 0.5
    b, h = torch.arange(2).view(2, 1, 1, 1), torch.arange(3).view(1, 3, 1, 1)
    mask = Dense(tensor, first_query=0)
    whole = Dense(tensor)(b, h, *_at(6, k_len=6)[2:]).expand(2, 3, 6, 6)
    for k_len in range(1, 7):
        for q_len in range(1, k_len + 1):
            start = k_len - q_len
            mask.check(*_pairs(2, 3, q_len, k_len))
            bound = mask.aligned(start)
            bound.check(*_pairs(2, 3, q_len, k_len))
            found = bound(b, h, *_at(q_len, start, k_len)[2:]).expand(2, 3, q_len, k_len)
            assert torch.equal(found, whole[:, :, start:k_len, :k_len])


def test_too_few_keys_of_the_whole_sequence_are_refused_with_both_numbers() -> None:
    mask = Dense(torch.ones(6, 6, dtype=torch.bool), first_query=0)
    with pytest.raises(ValueError, match="Dense has k_len 6 but the call has k_len 7; "):
        mask.check(*_pairs(1, 1, 1, 7))


@pytest.mark.parametrize(("q_len", "k_len"), [(1, 8), (1, 5), (5, 8), (8, 5)])
def test_a_mask_of_the_whole_sequence_is_told_how_to_serve_a_part(q_len: int, k_len: int) -> None:
    with pytest.raises(ValueError, match="Dense has ._len 8 but the call has .*; .*first_query=0"):
        Dense(torch.ones(8, 8, dtype=torch.bool)).check(*_pairs(1, 1, q_len, k_len))


def test_the_last_row_is_not_broadcast_to_queries_that_have_none() -> None:
    bound = Dense(torch.ones(6, 7, dtype=torch.bool), first_query=0).aligned(5)
    bound.check(*_pairs(1, 1, 1, 7))
    with pytest.raises(ValueError, match="q_len 1 but the call has q_len 5; "):
        bound.check(*_pairs(1, 1, 5, 7))
    with pytest.raises(ValueError, match="q_len 0 but the call has q_len 1; "):
        bound.aligned(6).check(*_pairs(1, 1, 1, 7))


def test_a_row_for_all_stays_one_wherever_the_call_stands() -> None:
    shared = Dense(torch.rand(1, 7) < 0.5, first_query=0)
    shared.check(*_pairs(1, 1, 5, 6))
    bound = shared.aligned(3)
    bound.check(*_pairs(1, 1, 5, 6))
    assert torch.equal(bound(*_at(5, 3, 6))[0, 0], shared.tensor[:, :6])


def test_three_dimensions_that_may_be_heads_or_sequences_are_refused() -> None:
    mask = Dense(torch.ones(3, 5, 7, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"batch 3 .* 3 heads.*mask\[None\].*mask\[:, None\]"):
        mask.check(*_pairs(3, 3, 5, 7))
    for fine in (torch.ones(1, 3, 5, 7), torch.ones(3, 1, 5, 7), torch.ones(1, 5, 7)):
        Dense(fine.bool()).check(*_pairs(3, 3, 5, 7))
    Dense(torch.ones(1, 5, 7).bool()).check(*_pairs(1, 1, 5, 7))
    Dense(torch.ones(3, 5, 7).bool()).check(*_pairs(2, 3, 5, 7))


def test_three_dimensions_of_sequences_are_told_how_to_say_so() -> None:
    with pytest.raises(ValueError, match=r"heads 2 but the call has heads 3; .*mask\[:, None\]"):
        Dense(torch.ones(2, 5, 7, dtype=torch.bool)).check(*_pairs(2, 3, 5, 7))

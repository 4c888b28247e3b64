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

import pytest
import torch

from regard.score_mods import Bias


def _at(q_len: int, q_offset: int = 0, k_len: int = 4) -> tuple[torch.Tensor, ...]:
    zero = torch.zeros(1, 1, 1, 1, dtype=torch.int64)
    q, k = torch.arange(q_len).view(1, 1, -1, 1), torch.arange(k_len).view(1, 1, 1, -1)
    return zero, zero, q + q_offset, k


def test_unbound_rows_belong_to_the_calls_queries_wherever_these_stand() -> None:
    tensor = torch.randn(2, 4)
    for offset in (-2, 0, 2, 100):
        moved = Bias(tensor).aligned(offset)(torch.zeros(1, 1, 2, 4), *_at(2, offset))
        assert torch.equal(moved[0, 0], tensor)


def test_bound_rows_belong_to_absolute_positions() -> None:
    tensor, score = torch.randn(6, 4), torch.zeros(1, 1, 4, 4)
    mod = Bias(tensor, first_query=10)
    assert torch.equal(mod.aligned(12)(score, *_at(4, 12))[0, 0], tensor[2:])
    with pytest.raises(ValueError, match="position 10 but the first query stands at 8; "):
        mod.aligned(8)


@pytest.mark.parametrize("bound", [False, True])
def test_the_gradient_reaches_the_tensor_summed_over_what_it_was_broadcast_to(bound: bool) -> None:
    tensor = torch.zeros(3, 1, 4, requires_grad=True)
    score, upstream = torch.zeros(2, 3, 5, 4), torch.randn(2, 3, 5, 4)
    b, _, q, k = _at(5)
    mod = Bias(tensor).aligned(7) if bound else Bias(tensor)
    h = torch.arange(3).view(1, 3, 1, 1)
    mod(score, b, h, q + (7 if bound else 0), k).backward(upstream)
    torch.testing.assert_close(tensor.grad, upstream.sum((0, 2)).view(3, 1, 4))


@pytest.mark.parametrize("tensor", [torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 2).long()])
def test_masks_and_counts_are_no_biases(tensor: torch.Tensor) -> None:
    with pytest.raises(TypeError, match=r"floating tensor, got .*mask=Dense\(tensor\)"):
        Bias(tensor)


@pytest.mark.parametrize("shape", [(), (4,), (1, 1, 1, 2, 4)])
def test_other_numbers_of_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"2 to 4 dimensions, got {len(shape)}; "):
        Bias(torch.ones(shape))


def test_a_bias_of_the_whole_sequence_serves_every_step_of_a_growing_cache() -> None:
    tensor = torch.randn(3, 6, 6, requires_grad=True)
    h = torch.arange(3).view(1, 3, 1, 1)
    mod = Bias(tensor, first_query=0)
    for k_len in range(1, 7):
        query, key = torch.zeros(2, 3, 1, 4), torch.zeros(2, 3, k_len, 4)
        mod.check(query, key)
        bound = mod.aligned(k_len - 1)
        bound.check(query, key)
        b, _, q, k = _at(1, k_len - 1, k_len)
        step = bound(torch.zeros(2, 3, 1, k_len), b, h, q, k)
        assert torch.equal(step, tensor[:, k_len - 1 : k_len, :k_len].expand(2, -1, -1, -1))
        (gradient,) = torch.autograd.grad(step.sum(), tensor)
        wanted = torch.zeros(3, 6, 6)
        wanted[:, k_len - 1, :k_len] = 2
        assert torch.equal(gradient, wanted)


def test_three_dimensions_that_may_be_heads_or_sequences_are_refused() -> None:
    mod = Bias(torch.zeros(3, 5, 7))
    with pytest.raises(ValueError, match=r"batch 3 .* 3 heads.*bias\[None\].*bias\[:, None\]"):
        mod.check(torch.zeros(3, 3, 5, 4), torch.zeros(3, 3, 7, 4))
    with pytest.raises(ValueError, match=r"heads 3 but the call has heads 2; .*bias\[:, None\]"):
        mod.check(torch.zeros(3, 2, 5, 4), torch.zeros(3, 2, 7, 4))


def test_half_precision_is_rounded_once() -> None:
    score, tensor = torch.full((1, 1, 1, 4), 1.0).half(), torch.full((1, 4), 2.0**-11 + 2.0**-14)
    found = Bias(tensor)(score, *_at(1))
    assert torch.equal(found, (score.float() + tensor).half())

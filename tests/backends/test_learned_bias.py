"""A bias that learns is served by the fused kernel, and all gradients are the definition's."""

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _learned_bias
from regard.masks import Causal, Dense
from regard.score_mods import Bias

SHAPES = [(2, 3, 5, 6), (1, 3, 5, 6), (3, 1, 6), (5, 6), (2, 1, 1, 6)]
SOME = Dense(torch.tensor([[True] * 6, [False] * 6, *[[True, False] * 3] * 3]))


def inputs(shape: tuple[int, ...], kv_heads: int = 3) -> list[Tensor]:
    torch.manual_seed(0)
    sizes = [(2, 3, 5, 4), (2, kv_heads, 6, 4), (2, kv_heads, 6, 3), shape]
    return [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes]


def gradients(given: list[Tensor], backend: str, mask: object) -> list[Tensor]:
    query, key, value, bias = given
    output = regard.attention(
        query, key, value, score_mod=Bias(bias), mask=mask, backend=backend
    )  # fmt: skip
    return [output, *torch.autograd.grad(output.pow(3).sum(), given)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kv_heads", [1, 3])
@pytest.mark.parametrize("portion", [1, 500, 5000])
@pytest.mark.parametrize("mask", [None, Causal(), SOME])
def test_output_and_gradients_are_the_definitions(
    shape: tuple[int, ...],
    kv_heads: int,
    mask: object,
    portion: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_learned_bias, "HEADS_BYTES", portion)
    given = inputs(shape, kv_heads)
    wanted = gradients(given, "reference", mask)
    for found, true in zip(gradients(given, "sdpa", mask), wanted, strict=True):
        torch.testing.assert_close(found, true, rtol=0, atol=1e-12)


def test_second_derivatives_are_the_definitions() -> None:
    given = inputs((2, 3, 5, 6))

    def ask(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        return regard.attention(query, key, value, score_mod=Bias(bias), backend="sdpa")

    small = [each[:1, :1, :2, :2].detach().requires_grad_() for each in given]
    assert torch.autograd.gradgradcheck(ask, small)


def test_what_learns_has_the_same_output_as_what_does_not() -> None:
    query, key, value, bias = (each.detach() for each in inputs((2, 3, 5, 6)))
    still = regard.attention(query, key, value, score_mod=Bias(bias), backend="sdpa")
    learns = regard.attention(
        query, key, value, score_mod=Bias(bias.requires_grad_()), backend="sdpa"
    )
    assert torch.equal(still, learns.detach())


def test_a_written_out_bias_may_reach_beyond_the_call() -> None:
    query, key, value, _ = (each.detach() for each in inputs((5, 6)))
    bias = torch.randn(9, 11, dtype=torch.float64)
    found = regard.attention(
        query, key, value, score_mod=Bias(bias, first_query=0), q_offset=2, backend="sdpa"
    )
    wanted = regard.attention(query, key, value, score_mod=Bias(bias[2:7, :6]))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("portion", [1, 5000])
@pytest.mark.parametrize("mask", [None, SOME])
def test_dropped_weights_are_dropped_in_the_gradients_too(
    portion: int, mask: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are columns of one, so that the output shows which weights were kept."""
    monkeypatch.setattr(_learned_bias, "HEADS_BYTES", portion)
    query, key, value, bias = inputs((2, 3, 5, 6))
    eye = torch.eye(6, dtype=torch.float64).expand(2, 3, 6, 6)
    weights = regard.attention_weights(query, key, score_mod=Bias(bias), mask=mask)

    def dropped(value: Tensor) -> Tensor:
        torch.manual_seed(3)
        return regard.attention(
            query, key, value, score_mod=Bias(bias), mask=mask, dropout=0.25, backend="sdpa"
        )

    ratio = (dropped(eye) / weights).nan_to_num().detach()
    assert torch.equal(ratio > 0.5, (ratio - 4 / 3).abs() < 1e-9) and (ratio < 0.5).any()
    found = torch.autograd.grad(dropped(value).pow(3).sum(), (query, key, value, bias))
    true = torch.autograd.grad(((weights * ratio) @ value).pow(3).sum(), (query, key, value, bias))
    for mine, wanted in zip(found, true, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-12)


def test_a_second_derivative_of_dropped_weights_is_refused() -> None:
    query, key, value, bias = inputs((2, 3, 5, 6))
    output = regard.attention(query, key, value, score_mod=Bias(bias), dropout=0.25, backend="sdpa")
    with pytest.raises(RuntimeError, match="cannot drop the same weights again"):
        torch.autograd.grad(output.sum(), query, create_graph=True)

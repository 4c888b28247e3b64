"""What a loss says of weights that no kernel ever made: ∂L/∂output times the values."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard
from regard.errors import UsageError


def by_definition(query: Tensor, key: Tensor, value: Tensor, loss: Any) -> Tensor:
    """Autograd's gradient of weights that are there."""
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1).detach().requires_grad_()
    loss(weights @ value).backward()
    assert weights.grad is not None
    return weights.grad


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("ours", [True, False])
def test_the_gradient_of_a_fused_kernels_weights(kv_heads: int, ours: bool) -> None:
    query = torch.randn(2, 4, 5, 8, requires_grad=True)
    key, value = torch.randn(2, kv_heads, 7, 8), torch.randn(2, kv_heads, 7, 3)
    with regard.capture(gradients=True) as maps:
        if ours:
            output = regard.attention(query, key, value)
        else:
            output = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
        output.pow(3).sum().backward()
    wanted = by_definition(query.detach(), key, value, lambda output: output.pow(3).sum())
    torch.testing.assert_close(maps[0].gradient(), wanted, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(
        maps[0].gradient(heads=1, rows=[-1], item=1), wanted[1:, 1:2, 4:], atol=1e-5, rtol=0.0
    )


def test_the_gradient_behind_an_output_projection() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(3, 5, 8)
    with regard.capture(gradients=True) as maps:
        layer(x, x, x, need_weights=False)[0].pow(2).sum().backward()
    q, k, v = (
        (x @ w.T + b).unflatten(-1, (2, 4)).transpose(1, 2)
        for w, b in zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True)
    )

    def loss(heads: Tensor) -> Tensor:
        return layer.out_proj(heads.transpose(1, 2).flatten(2)).pow(2).sum()

    wanted = by_definition(*(each.detach() for each in (q, k, v)), loss)
    torch.testing.assert_close(maps[0].gradient(), wanted, atol=1e-5, rtol=0.0)


def test_what_was_not_asked_for_is_an_error() -> None:
    x = torch.randn(1, 1, 3, 4, requires_grad=True)
    with regard.capture() as maps:
        F.scaled_dot_product_attention(x, x, x)
    with pytest.raises(UsageError, match="gradients=True"):
        maps[0].gradient()
    with regard.capture(gradients=True) as maps:
        F.scaled_dot_product_attention(x, x, x)
    with pytest.raises(UsageError, match="backward"):
        maps[0].gradient()

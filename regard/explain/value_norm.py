"""Weights times the norm of their values: a weight on a vector near zero contributes nothing."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from regard.explain._layers import HEADS, read_layer
from regard.explain.explanation import Explanation


def value_norm(
    weights: Any,
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    output: Float[Tensor, "embed_dim joined_dim"] | None = None,
) -> Explanation:
    """The norm of each key's contribution to each query: `‖w_qk f(x_k)‖ = w_qk ‖v_k W^O‖`, by head.

    Args:
        weights: of one layer, `[batch, heads, q_len, k_len]`.
        value: its values, before they are summed; grouped heads as `repeat_interleave`.
        output: the weight of its output projection, as in `nn.Linear`, in which each head has its
            columns; without it the norm is that of the value.

    Returns:
        `[batch, head, query, key]`.

    Raises:
        ValueError, TypeError: not weights, or shapes that do not fit them.

    Example:
        >>> w = torch.tensor([[[[0.9, 0.1]]]])
        >>> value_norm(w, torch.tensor([[[[0.0, 0.1], [3.0, 4.0]]]])).values
        tensor([[[[0.0900, 0.5000]]]])

    References:
        Kobayashi, Kuribayashi, Yokoi & Inui. Attention is Not Only a Weight: Analyzing Transformers
        with Vector Norms. 2020. https://arxiv.org/abs/2004.10102
    """
    layer, brought = _read("value_norm", weights, value, output)
    return Explanation(layer * brought.norm(dim=-1)[:, :, None, :], HEADS)


def value_norm_of_heads(
    weights: Any,
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    output: Float[Tensor, "embed_dim joined_dim"] | None = None,
) -> Explanation:
    """The norm of each key's contribution through all heads: `‖Σ_h w_hqk v_hk W^O_h‖`.

    Heads that contribute opposite vectors cancel. Arguments, errors and source are those of
    `value_norm`; without `output`, heads are concatenated, so that their squares add up.

    Returns:
        `[batch, query, key]`.

    Example:
        >>> w, value = torch.ones(1, 2, 1, 1), torch.tensor([[[[1.0]], [[1.0]]]])
        >>> value_norm_of_heads(w, value, torch.tensor([[3.0, -3.0]])).values
        tensor([[[0.]]])
    """
    layer, brought = _read("value_norm_of_heads", weights, value, output)
    if output is None:
        squares = (layer * brought.norm(dim=-1)[:, :, None, :]).square().sum(1)
    else:
        # Products of all heads' vectors of a key, so that no vector of a pair is ever written.
        products = torch.einsum("bhke,bgke->bkhg", brought, brought)
        squares = torch.einsum("bhqk,bkhg,bgqk->bqk", layer, products, layer)
    return Explanation(squares.clamp(min=0).sqrt(), ("batch", "query", "key"))


def _read(owner: str, weights: Any, value: Tensor, output: Tensor | None) -> tuple[Tensor, Tensor]:
    """The weights, and what each head brings of each key, `[batch, heads, k_len, width]`."""
    layer = read_layer(owner, weights)
    batch, heads, _, k_len = layer.shape
    if value.ndim != 4 or (value.shape[0], value.shape[2]) != (batch, k_len):
        raise ValueError(
            f"{owner} needs value as [batch, kv_heads, k_len, value_dim] with a batch of {batch} "
            f"and {k_len} keys, as weights have, got {[*value.shape]}."
        )
    if not value.shape[1] or heads % value.shape[1]:
        raise ValueError(
            f"{owner}: {heads} heads of weights are no multiple of {value.shape[1]} of value."
        )
    values = value.to(layer).repeat_interleave(heads // value.shape[1], 1)
    if output is None:
        return layer, values
    width = values.shape[-1]
    if output.ndim != 2 or output.shape[1] != heads * width:
        raise ValueError(
            f"{owner} needs output as [embed_dim, {heads * width}], {heads} heads of {width}, as "
            f"the weight of an nn.Linear is held, got {[*output.shape]}."
        )
    by_head = output.to(layer).reshape(len(output), heads, width)
    return layer, torch.einsum("bhkd,ehd->bhke", values, by_head)

"""How the outputs of several heads become one vector."""

from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor


def concat_heads(
    heads: Float[Tensor, "batch heads q_len value_dim"],
) -> Float[Tensor, "batch q_len joined_dim"]:
    """Concatenate the heads, as is usual.

    >>> import torch
    >>> concat_heads(torch.randn(2, 4, 5, 8)).shape
    torch.Size([2, 5, 32])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """
    return rearrange(heads, "batch heads q_len width -> batch q_len (heads width)")


def mean_heads(
    heads: Float[Tensor, "batch heads q_len value_dim"],
) -> Float[Tensor, "batch q_len value_dim"]:
    """The average of the heads.

    >>> import torch
    >>> mean_heads(torch.randn(2, 4, 5, 8)).shape
    torch.Size([2, 5, 8])

    References:
        Veličković, Cucurull, Casanova, Romero, Liò & Bengio. Graph Attention Networks. 2018.
        https://arxiv.org/abs/1710.10903
    """
    return reduce(heads, "batch heads q_len width -> batch q_len width", "mean")

"""Where the normalization goes in a residual connection."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from regard.layers.dropout import Dropout

Sublayer = Callable[[Tensor], Tensor]


class PostNorm(nn.Module):
    """The sum is normalized, as published: `norm(x + dropout(layer(x)))`.

    Args:
        norm: such as `nn.LayerNorm(embed_dim)`.

    Example:
        >>> import torch
        >>> PostNorm(nn.LayerNorm(4))(torch.randn(2, 3, 4), torch.tanh).shape
        torch.Size([2, 3, 4])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(self, norm: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm, self.dropout = norm, Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch q_len embed_dim"], layer: Sublayer
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        return self.norm(x + self.dropout(layer(x)))

    def entering(self, x: Float[Tensor, "*batch embed_dim"]) -> Float[Tensor, "*batch embed_dim"]:
        """What the layer is given."""
        return x


class PreNorm(nn.Module):
    """The layer's input is normalized, and the sum is not: `x + dropout(layer(norm(x)))`.

    A stack of these needs a final normalization.

    Args:
        norm: such as `nn.LayerNorm(embed_dim)`.

    Example:
        >>> import torch
        >>> PreNorm(nn.LayerNorm(4))(torch.randn(2, 3, 4), torch.tanh).shape
        torch.Size([2, 3, 4])

    References:
        Xiong et al. On Layer Normalization in the Transformer Architecture. 2020.
        https://arxiv.org/abs/2002.04745
    """

    def __init__(self, norm: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm, self.dropout = norm, Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch q_len embed_dim"], layer: Sublayer
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        return x + self.dropout(layer(self.norm(x)))

    def entering(self, x: Float[Tensor, "*batch embed_dim"]) -> Float[Tensor, "*batch embed_dim"]:
        """What the layer is given."""
        return self.norm(x)

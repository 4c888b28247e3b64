"""The position-wise feed-forward layer, plain and gated."""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from regard._numbers import count
from regard._torch_private import is_hooked, is_traced
from regard.layers.activations import IN_PLACE
from regard.layers.dropout import Dropout
from regard.layers.dynamic_int8 import DynamicInt8Linear
from regard.layers.through import through

Activation = Callable[[Tensor], Tensor]


class FeedForward(nn.Module):
    """A hidden layer per token, `W_2 dropout(f(W_1 x + b_1)) + b_2`, with f = ReLU or another.

    Raises `ValueError` unless 0 <= dropout < 1 and the widths are at least 1.

    Example:
        >>> import torch
        >>> FeedForward(16, 64, activation=F.gelu)(torch.randn(2, 5, 16)).shape
        torch.Size([2, 5, 16])

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self,
        embed_dim: int,
        hidden_dim: int,
        activation: Activation = F.relu,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        owner, hint = "FeedForward", "it is a width"
        embed_dim = count(owner, "embed_dim", embed_dim, least=1, hint=hint)
        hidden_dim = count(owner, "hidden_dim", hidden_dim, least=1, hint=hint)
        self.hidden = _linear(embed_dim, hidden_dim, bias)
        self.output = _linear(hidden_dim, embed_dim, bias)
        self.activation, self.dropout = activation, Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch q_len embed_dim"]
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        hidden = through(self.hidden, x)
        if self._owns(hidden):
            hidden = IN_PLACE[self.activation](hidden)
        else:
            hidden = self.activation(hidden)
        return through(self.output, self.dropout(hidden))

    def _owns(self, hidden: Tensor) -> bool:
        """Whether the widest tensor of a Transformer may be written over: nobody else sees it."""
        return (
            not hidden.requires_grad
            and self.activation in IN_PLACE
            and type(self.hidden) in (nn.Linear, DynamicInt8Linear)
            and not is_hooked(self.hidden)
            and not is_traced()
        )


class GatedFeedForward(nn.Module):
    """A gated hidden layer, `W_2 dropout(f(W_g x) * W_1 x)`; SwiGLU with f = SiLU.

    Raises `ValueError` unless 0 <= dropout < 1 and the widths are at least 1.

    Example:
        >>> import torch
        >>> GatedFeedForward(16, 40)(torch.randn(2, 5, 16)).shape
        torch.Size([2, 5, 16])

    References:
        Shazeer. GLU Variants Improve Transformer. 2020. https://arxiv.org/abs/2002.05202
    """

    def __init__(
        self,
        embed_dim: int,
        hidden_dim: int,
        activation: Activation = F.silu,
        dropout: float = 0.0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        owner, hint = "GatedFeedForward", "it is a width"
        embed_dim = count(owner, "embed_dim", embed_dim, least=1, hint=hint)
        hidden_dim = count(owner, "hidden_dim", hidden_dim, least=1, hint=hint)
        self.gate = _linear(embed_dim, hidden_dim, bias)
        self.hidden = _linear(embed_dim, hidden_dim, bias)
        self.output = _linear(hidden_dim, embed_dim, bias)
        self.activation, self.dropout = activation, Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch q_len embed_dim"]
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        hidden = self.activation(through(self.gate, x)) * through(self.hidden, x)
        return through(self.output, self.dropout(hidden))


def _linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
    """A linear layer that starts as the published implementations start it."""
    layer = nn.Linear(inputs, outputs, bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer

"""8-bit embedding tables, and whole 8-bit networks, for decoding."""

from copy import deepcopy
from typing import TypeVar

from jaxtyping import Float, Int, Int8
from torch import Tensor, nn

from regard.layers.dynamic_int8 import DynamicInt8Linear, round_linear
from regard.layers.prepacked_linear import is_plain

Network = TypeVar("Network", bound=nn.Module)


class Int8Embedding(nn.Module):
    """Token embeddings in 8-bit integers, with a step for each: `s_i W_i`.

    Example:
        >>> import torch
        >>> table, tokens = nn.Embedding(9, 64), torch.tensor([[4, 8]])
        >>> output = nn.Linear(64, 9, bias=False)
        >>> output.weight = table.weight
        >>> rounded = DynamicInt8Linear.of(output)
        >>> found = Int8Embedding(rounded.weight, rounded.step)(tokens)
        >>> bool((found - table(tokens)).abs().max() < 0.02)
        True
    """

    weight: Tensor
    step: Tensor

    def __init__(
        self, weight: Int8[Tensor, "tokens width"], step: Float[Tensor, " tokens"]
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("step", step)

    @property
    def num_embeddings(self) -> int:
        """The vocabulary size."""
        return len(self.weight)

    @property
    def embedding_dim(self) -> int:
        """The width of a vector."""
        return self.weight.shape[1]

    def forward(self, tokens: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch width"]:
        return self.weight[tokens] * self.step[tokens].unsqueeze(-1)


def int8(model: Network) -> Network:
    """The network with all its linear layers in 8 bits (`DynamicInt8Linear`), for decoding.

    This takes a quarter of the memory and, token by token, of the time to read it. An output layer
    tied to the embedding remains one table with it. The original network is unchanged.

    >>> table, output = nn.Embedding(9, 8), nn.Linear(8, 9)
    >>> output.weight = table.weight
    >>> small = int8(nn.Sequential(table, output))
    >>> small[0].weight is small[1].weight, small[1].weight.dtype
    (True, torch.int8)
    """
    copied = deepcopy(model)
    modules = dict(copied.named_modules())
    tables = {id(each.weight): name for name, each in modules.items() if type(each) is nn.Embedding}
    for name, part in modules.items():
        if is_plain(part) and id(part.weight) in tables:
            rounded = DynamicInt8Linear.of(part)
            copied.set_submodule(name, rounded)
            embedding = Int8Embedding(rounded.weight, rounded.step)
            copied.set_submodule(tables[id(part.weight)], embedding)
    return round_linear(copied)

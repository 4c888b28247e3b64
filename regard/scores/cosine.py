"""The cosine of the angle between query and key."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from regard._numbers import number, scalar
from regard._pairwise import Number, Valued
from regard.scores._widths import require_equal_widths


@dataclass(frozen=True, eq=False, repr=False)
class Cosine(Valued):
    """Cosine similarity over a temperature, `score = (q · k) / (‖q‖ ‖k‖ temperature)`.

    A zero vector has no direction; its score is 0 and its gradient stays finite.

    Args:
        temperature: what the cosine is divided by, a number or a one-element tensor, which may be
            learned; small values make the weights sharp.

    Raises:
        ValueError: the temperature is not positive and finite or not one number, or query and key
            differ in width.
        TypeError: the temperature is not a number.

    Example:
        >>> import torch
        >>> key = torch.tensor([[[[5.0, 0.0], [0.0, 1.0]]]])
        >>> Cosine()(torch.tensor([[[[2.0, 0.0]]]]), key).tolist()
        [[[[1.0, 0.0]]]]

    References:
        Graves, Wayne & Danihelka. Neural Turing Machines. 2014. https://arxiv.org/abs/1410.5401
    """

    temperature: Number = 1.0

    def __post_init__(self) -> None:
        hint = "give what the cosine is divided by, such as 0.1"
        temperature = number("Cosine", "temperature", self.temperature, 0.0, hint)
        object.__setattr__(self, "temperature", temperature)

    def __call__(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch heads k_len head_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        cosine = unit(query) @ unit(key).mT
        return cosine / scalar(self.temperature, cosine)

    def check(self, query: Tensor, key: Tensor) -> None:
        require_equal_widths("Cosine", query, key)


def unit(vectors: Float[Tensor, "*batch head_dim"]) -> Float[Tensor, "*batch head_dim"]:
    """Vectors of length one; a zero vector stays zero, with a finite gradient."""
    if vectors.shape[-1] > 0:  # squares of very long or short vectors leave the range of floats
        largest = vectors.detach().abs().amax(-1, keepdim=True)
        vectors = vectors / largest.masked_fill(~(largest > 0), 1)
    squared = vectors.square().sum(-1, keepdim=True)
    return vectors * squared.masked_fill(~(squared > 0), 1).rsqrt()

"""What the weights of one item were computed from, to redo the arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Parts:
    """The tensors and numbers behind the weights of one item: H heads, G key heads, Q × K pairs.

        weights = normalizer(scale * query @ key.mT + bias, where allowed)

    Args:
        query: `[H, Q, D]`.
        key: `[G, K, D]`; each serves `H / G` adjacent heads.
        value: `[G, K, Dv]`; None if not kept.
        scale: factor on the products; 1 if the score is not a product.
        bias: added to the scores, broadcastable to `[H, Q, K]`.
        allowed: True = may attend, broadcastable likewise.
        score, normalizer: their names.
        parameters: tensors of the score by name (`v` of an additive one).
        numbers: parameters of score and normalizer, by name (`alpha`, `temperature`).
    """

    query: Tensor
    key: Tensor
    value: Tensor | None
    scale: float = 1.0
    bias: Tensor | None = None
    allowed: Tensor | None = None
    score: str = "scaled_dot"
    normalizer: str = "softmax"
    parameters: Mapping[str, Tensor] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)

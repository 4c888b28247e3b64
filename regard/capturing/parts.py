"""What the weights of one item were computed from, for whoever wants to do the arithmetic again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Parts:
    """The tensors and numbers behind the weights of one item: H heads, G key heads, Q × K pairs.

        weights = normalizer(scale * query @ key.mT + bias, where allowed)

    Args:
        query: `[H, Q, D]`.
        key: `[G, K, D]`; each serves `H / G` heads that stand next to each other.
        value: `[G, K, Dv]`; None where none was kept.
        scale: what the products are multiplied by; 1 where the score is no product.
        bias: added to the scores, broadcastable to `[H, Q, K]`.
        allowed: True = may attend, broadcastable likewise.
        score, normalizer: their names.
        parameters: tensors of the score by name (`v` of an additive one).
        numbers: what score and normalizer hold, by name (`alpha`, `temperature`).
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

"""The sizes of a Deep Interest Network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class DINConfig(Configuration):
    """What defines a Deep Interest Network.

    Args:
        items: how many items there are, padding and the unknown one included.
        values: how many numbers the items' side features have; 1 where there are none.
        embed_dim: width of one embedding, the authors' code 64.
        attention_dim: width of the attention's hidden layer, the paper's 36; the official variant
            has a second one of half the width, 80 and 40.
        hidden_dim, second_dim: widths of the layers behind pooling, the paper's 200 and 80.
        variant: "paper" weighs each item by its score alone (query, key, outer product, PReLU),
            "official" by a softmax (difference and product, sigmoid), with a layer on the pooled
            vector and a bias for each item, as the authors' code.
        pool: "attention", or "mean" for the same network without it.
        activation: of the layers behind pooling.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.

    >>> DINConfig(items=1000).attention_dim
    80
    """

    model_type: ClassVar[str] = "din"
    limits: ClassVar[dict[str, int]] = {"items": MOST_TOKENS, "values": MOST_TOKENS}

    items: int
    values: int = 1
    embed_dim: int = 64
    attention_dim: int = 80
    hidden_dim: int = 200
    second_dim: int = 80
    variant: Literal["paper", "official"] = "official"
    pool: Literal["attention", "mean"] = "attention"
    activation: Literal["dice", "prelu", "sigmoid"] = "dice"

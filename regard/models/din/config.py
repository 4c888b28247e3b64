"""The configuration of a Deep Interest Network."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.config import Config, Count, LargeCount, Natural
from regard.models.attention import Parts
from regard.models.pooling import Mean
from regard.parts import ScoreName


@dataclass(frozen=True, kw_only=True)
class ActivationUnit(Parts):
    """The sum of the history, each item weighted by its match with the candidate.

    Args:
        score: a perceptron on candidate and item. That of the authors' code is `mlp`, with layers
            of 80 and 40 units; the paper's is `mlp(hidden_dims=(36,), variant=paper)`.
        normalizer: the authors' code uses a softmax; the paper's weights are the scores
            themselves, `unnormalized`.
    """

    tag = "attention"

    score: ScoreName = "mlp"


@dataclass(frozen=True, kw_only=True)
class DINConfig(Config):
    """The configuration of a DIN; the defaults are for tens of thousands of interactions.

    `DINConfig.paper` is the paper's, without the additions of the authors' code.

    Args:
        items: number of items, including padding and the unknown one.
        values: number of distinct side-feature values; 1 if there are none.
        feature_columns: number of side features per item.
        embed_dim: width of one embedding.
        hidden_dim, second_dim: widths of the layers after the pooling.
        pooling: how the history becomes one vector: by `attention` with the candidate as the
            query, or the `mean`, for the same network without it.
        interest_layer: a linear layer on the pooled vector, as in the authors' code.
        item_bias: a learned bias per item, added to its logit, as in the authors' code.
        activation: of the layers after the pooling.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> DINConfig(items=1000).pooling.score
    'mlp'
    """

    tag = "din"
    from_data: ClassVar[tuple[str, ...]] = ("items", "values", "feature_columns")

    items: LargeCount
    values: LargeCount = 1
    feature_columns: Natural = 0
    embed_dim: Count = 16
    hidden_dim: Count = 64
    second_dim: Count = 32
    pooling: ActivationUnit | Mean = ActivationUnit()
    interest_layer: bool = True
    item_bias: bool = True
    activation: Literal["dice", "prelu", "sigmoid"] = "dice"

    @classmethod
    def paper(cls, items: int, values: int = 1, feature_columns: int = 0) -> "DINConfig":
        """The network of the paper, with the widths of its experiments.

        >>> DINConfig.paper(items=1000).pooling.normalizer
        'unnormalized'
        """
        unit = ActivationUnit(
            score="mlp(hidden_dims=(36,), variant=paper)", normalizer="unnormalized"
        )
        return cls(
            items=items,
            values=values,
            feature_columns=feature_columns,
            embed_dim=64,
            hidden_dim=200,
            second_dim=80,
            pooling=unit,
            interest_layer=False,
            item_bias=False,
        )

"""How a sequence of states becomes one vector: the options, and their layers."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from regard.config import Config, Count, Positive
from regard.layers import Attend, AttentionPool
from regard.models.attention import Attends, Parts, maker
from regard.parts import Dims, ScoreName


@dataclass(frozen=True, kw_only=True)
class Last(Config):
    """The last state: in each direction, the one that has read everything."""


@dataclass(frozen=True, kw_only=True)
class Mean(Config):
    """The mean of all states."""


@dataclass(frozen=True, kw_only=True)
class Max(Config):
    """The maximum of each unit."""


@dataclass(frozen=True, kw_only=True)
class AttentionPooling(Parts):
    """The sum weighted by attention between a learned query and `tanh(V h + c)`.

    Args:
        attention_dim: width of that hidden layer.
    """

    tag = "attention"

    score: ScoreName = "dot"
    attention_dim: Count = 50


@dataclass(frozen=True, kw_only=True)
class HardPooling(Parts):
    """The one state that attention selects: the most likely, or in training a sampled one.

    Args:
        attention_dim: as in `AttentionPooling`.
        estimator: the gradient estimator, see `regard.layers.HardPool`.
        temperature: of the straight-through gradient of `gumbel`.
    """

    tag = "hard"

    score: ScoreName = "dot"
    attention_dim: Count = 50
    estimator: Literal["reinforce", "gumbel"] = "reinforce"
    temperature: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class GuidedPooling(Parts):
    """The sum weighted by attention, with a sentence vector as the query.

    Args:
        hidden_dim: width of the LSTM that computes the sentence vector.
    """

    tag = "guided"

    score: ScoreName = "general"
    hidden_dim: Count = 64


def pool_dims(config: AttentionPooling | HardPooling) -> Dims:
    """The widths of a learned query and of the keys."""
    return Dims(config.attention_dim, config.attention_dim, config.attention_dim)


def attention_pool(
    config: AttentionPooling | HardPooling, width: int, attend: Attends = None
) -> AttentionPool:
    """Attention between a learned query and `tanh(V h + c)` over states of this width."""
    made: Attend = maker(config, pool_dims(config), attend)()
    key = nn.Sequential(nn.Linear(width, config.attention_dim), nn.Tanh())
    return AttentionPool(width, made, key=key)

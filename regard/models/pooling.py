"""How a sequence of states becomes one vector: the choices, and what they are made of."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from regard.config import Config, Count, Positive
from regard.layers import Attend, AttentionPool
from regard.models.attention import Attends, Parts, maker
from regard.parts import Dims, ScoreName


@dataclass(frozen=True, kw_only=True)
class Last(Config):
    """The last state, of each direction the one that has read everything."""


@dataclass(frozen=True, kw_only=True)
class Mean(Config):
    """The mean of all states."""


@dataclass(frozen=True, kw_only=True)
class Max(Config):
    """The greatest value of each unit."""


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
    """The one state that attention chooses: the likeliest, or while it learns a drawn one.

    Args:
        attention_dim: as in `AttentionPooling`.
        estimator: what teaches it, see `regard.layers.HardPool`.
        temperature: of the gradient that `gumbel` borrows.
    """

    tag = "hard"

    score: ScoreName = "dot"
    attention_dim: Count = 50
    estimator: Literal["reinforce", "gumbel"] = "reinforce"
    temperature: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class GuidedPooling(Parts):
    """The sum weighted by attention that a sentence vector asks for.

    Args:
        hidden_dim: width of the LSTM that makes the sentence vector.
    """

    tag = "guided"

    score: ScoreName = "general"
    hidden_dim: Count = 64


def pool_dims(config: AttentionPooling | HardPooling) -> Dims:
    """The widths of a learned query and of what it is compared with."""
    return Dims(config.attention_dim, config.attention_dim, config.attention_dim)


def attention_pool(
    config: AttentionPooling | HardPooling, width: int, attend: Attends = None
) -> AttentionPool:
    """Attention between a learned query and `tanh(V h + c)` over states of this width."""
    made: Attend = maker(config, pool_dims(config), attend)()
    key = nn.Sequential(nn.Linear(width, config.attention_dim), nn.Tanh())
    return AttentionPool(width, made, key=key)

"""One hop over the memory: keys are compared with the state, values are read."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from regard._typing import Normalizer
from regard.layers import Attend, Sampled, sample_keys
from regard.masks import Padding

Memories = Float[Tensor, "batch 1 sentences embed_dim"]


def read_all(
    attend: Attend,
    state: Float[Tensor, "batch embed_dim"],
    key: Memories,
    value: Memories,
    mask: Padding,
    normalizer: Normalizer | None = None,
) -> Float[Tensor, "batch embed_dim"]:
    """The sum of the values of all sentences, weighted by their match with the state.

    Args:
        normalizer: replaces the operator's own.
    """
    query = rearrange(state, "batch dim -> batch 1 1 dim")
    found = attend(query, key, value, mask, normalizer=normalizer)
    return rearrange(found, "batch 1 1 dim -> batch dim")


def read_drawn(
    attend: Attend,
    state: Float[Tensor, "batch embed_dim"],
    key: Memories,
    value: Memories,
    mask: Padding,
) -> tuple[Float[Tensor, "batch embed_dim"], Sampled]:
    """The value of one sampled sentence, and the sample to train the weights with."""
    weights, sampled = sample_keys(
        rearrange(hop_weights(attend, state, key, mask), "batch sentences -> batch 1 sentences")
    )
    found = weights @ rearrange(value, "batch 1 sentences dim -> batch sentences dim")
    return rearrange(found, "batch 1 dim -> batch dim"), sampled


def hop_weights(
    attend: Attend,
    state: Float[Tensor, "batch embed_dim"],
    key: Memories,
    mask: Padding,
    normalizer: Normalizer | None = None,
) -> Float[Tensor, "batch sentences"]:
    """The weight of each sentence without sampling."""
    query = rearrange(state, "batch dim -> batch 1 1 dim")
    weights = attend.weights(query, key, mask, normalizer=normalizer)
    return rearrange(weights, "batch 1 1 sentences -> batch sentences")

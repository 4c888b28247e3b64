"""One look at the memory: what in it is like the state, and what stands there."""

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
    """The sum of what stands in all sentences, weighted by how alike they are to the state.

    Args:
        normalizer: in the place of the operator's own.
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
    """What stands in one sentence, drawn by the weights, and what teaches them by it."""
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
    """How much each sentence counts when nothing is drawn."""
    query = rearrange(state, "batch dim -> batch 1 1 dim")
    weights = attend.weights(query, key, mask, normalizer=normalizer)
    return rearrange(weights, "batch 1 1 sentences -> batch sentences")

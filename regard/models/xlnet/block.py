"""A layer of XLNet: two streams that share their weights."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import Pairs, PostNorm, RelativeAttention, RelativeKeys
from regard.sequences import Packed


@dataclass(frozen=True, eq=False)
class Streams:
    """What every layer of a call receives.

    Args:
        distances: the embedded distances, in descending order from the number of keys.
        content: how the tokens relate to the keys.
        query: how the queries relate to them; None without queries.
        packed: how the tokens are packed; None if they are in rows.
    """

    distances: Float[Tensor, "directions distances embed_dim"]
    content: Pairs
    query: Pairs | None = None
    packed: Packed | None = None


class TwoStreamBlock(nn.Module):
    """Both streams attend to the content, then pass the same feed-forward layer.

        h <- norm(h + attend(h, [memory, h]));  h <- norm(h + W_2 gelu(W_1 h))
        g <- norm(g + attend(g, [memory, h]));  g <- norm(g + W_2 gelu(W_1 g))

    The content stream h of a token sees the token, the query stream g at its position does not.

    References:
        Yang et al. XLNet: Generalized Autoregressive Pretraining for Language Understanding. 2019.
        https://arxiv.org/abs/1906.08237
    """

    def __init__(
        self,
        attention: RelativeAttention,
        feed_forward: nn.Module,
        residual: Callable[[], PostNorm],
    ) -> None:
        super().__init__()
        self.attention, self.feed_forward = attention, feed_forward
        self.attention_residual, self.feed_forward_residual = residual(), residual()

    def keys(
        self, content: Float[Tensor, "batch len embed_dim"], memory: Tensor | None, told: Streams
    ) -> RelativeKeys:
        """The keys and values of both streams."""
        return self.attention.keys(content, told.distances, memory, told.packed)

    def through(
        self, x: Float[Tensor, "batch len embed_dim"], keys: RelativeKeys, pairs: Pairs
    ) -> Float[Tensor, "batch len embed_dim"]:
        """One of the streams."""
        x = self.attention_residual(x, lambda x: self.attention(x, keys, pairs))
        return self.feed_forward_residual(x, self.feed_forward)

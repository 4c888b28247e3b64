"""YouTube's candidate generator: a user's history as one vector, close to the next item's."""

from dataclasses import replace
from typing import ClassVar, NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import relu

from regard.layers import AttentionPool, MeanPool
from regard.models.attention import Attends, maker, named
from regard.models.item_embedding import ItemEmbedding
from regard.models.youtube_dnn.config import QueryPooling, YouTubeDNNConfig
from regard.parts import Dims
from regard.sequences import Sequences


class Retrieved(NamedTuple):
    """The top items of each user, best first, and their inner products."""

    items: Int[Tensor, "batch k"]
    scores: Float[Tensor, "batch k"]


class YouTubeDNN(nn.Module):
    """Pool the watched items, apply a tower, and retrieve the nearest items.

        u = relu(W_3 relu(W_2 relu(W_1 Σ_j a_j e_j)))        a_j = 1/n, or attention
        p(i) = softmax_i(u · o_i)

    It is trained with sampled softmax, with items numbered by descending frequency; retrieval is
    an exact search over all inner products. The paper's user features and example age are omitted.
    Without a history the pooled vector is zero, and every user gets the same ranking.

    Args:
        config: the configuration.
        attend: replaces the attention parts named in the configuration.

    >>> model = YouTubeDNN(YouTubeDNNConfig(items=9, embed_dim=4))
    >>> model.retrieve(Sequences.of([[4, 8, 5], [6]]), 2).items.shape
    torch.Size([2, 2])

    References:
        Covington, Adams & Sargin. Deep Neural Networks for YouTube Recommendations. 2016.
        https://doi.org/10.1145/2959100.2959190
    """

    config_type: ClassVar[type[YouTubeDNNConfig]] = YouTubeDNNConfig
    tables: ClassVar[tuple[str, ...]] = ("output",)
    """Linear layers of which only the rows are used."""

    def __init__(self, config: YouTubeDNNConfig, attend: Attends = None) -> None:
        super().__init__()
        self.embedding = ItemEmbedding(
            config.items, config.embed_dim, config.feature_columns, config.values
        )
        width, pooling = self.embedding.width, config.pooling
        self.pool: AttentionPool | MeanPool = MeanPool()
        if isinstance(pooling, QueryPooling):
            dims = Dims(width, width, width)
            self.pool = pool = AttentionPool(width, maker(pooling, dims, attend)())
            config = replace(config, pooling=named(pooling, dims, pool.attend))
        elif attend is not None:
            raise ValueError("pooling is mean, so nothing attends: leave attend out")
        self.config = config
        widths = [width, *config.tower]
        self.tower = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.output = nn.Linear(config.embed_dim, config.items, bias=False)

    @property
    def item_table(self) -> Float[Tensor, "items embed_dim"]:
        """The embeddings of watched items."""
        return self.embedding.item.weight

    @property
    def item_vectors(self) -> Float[Tensor, "items embed_dim"]:
        """The output embeddings of items."""
        return self.output.weight

    def set_item_features(self, features: Int[Tensor, "items columns"]) -> None:
        """Set the side features; raises `ValueError` for a table of another size."""
        self.embedding.set_features(features)

    def user(self, history: Sequences) -> Float[Tensor, "batch embed_dim"]:
        """A vector for each user."""
        x = self.pool(self.embedding(history.ids), history.mask)
        x = rearrange(x, "batch 1 width -> batch width")
        for layer in self.tower:
            x = relu(layer(x))
        return x

    def forward(
        self, history: Sequences, candidate: Int[Tensor, "batch n"]
    ) -> Float[Tensor, "batch n"]:
        """The inner product of each user and each of their candidates."""
        offered = self.item_vectors[candidate]
        return torch.einsum("bd,bnd->bn", self.user(history), offered)

    @torch.no_grad()
    def attention_weights(
        self, history: Sequences, candidate: Int[Tensor, "batch n"]
    ) -> Float[Tensor, "batch n k_len"]:
        """The weight of each item of the history, the same for all candidates."""
        weights = self.pool.weights(self.embedding(history.ids), history.mask)
        return repeat(weights, "batch 1 k_len -> batch n k_len", n=candidate.shape[1])

    def retrieve(self, history: Sequences, k: int) -> Retrieved:
        """The `k` items with the largest inner product for each user.

        Raises `ValueError` when there are fewer.
        """
        first = self.config.first_item
        count = self.config.items - first
        if not 1 <= k <= count:
            raise ValueError(f"k must be between 1 and the number of items, {count}, got {k}")
        scores = self.user(history) @ self.item_vectors[first:].mT
        best = scores.topk(k, dim=1)
        return Retrieved(best.indices + first, best.values)

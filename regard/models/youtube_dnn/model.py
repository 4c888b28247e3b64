"""YouTube's candidate generator: a user's past as one vector, near which the next item lies."""

from typing import ClassVar, NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import relu

from regard.layers import Attend, AttentionPool, MeanPool
from regard.masks import Padding
from regard.models.item_embedding import ItemEmbedding
from regard.models.youtube_dnn.config import YouTubeDNNConfig
from regard.models.youtube_dnn.sampled_softmax import log_uniform, sampled_nats
from regard.scores import ScaledDot

SPECIALS = 2
"""Padding and the unknown item, which are never recommended."""


class Retrieved(NamedTuple):
    """The best items of each user, best first, and their inner products."""

    items: Int[Tensor, "batch k"]
    scores: Float[Tensor, "batch k"]


class YouTubeDNN(nn.Module):
    """Pool what was watched, send it through a tower, and take the nearest items.

        u = relu(W_3 relu(W_2 relu(W_1 Σ_j a_j e_j)))        a_j = 1/n, or attention
        p(i) = softmax_i(u · o_i)

    Trained by sampled softmax (see `sampled_nats`), its items numbered from the most frequent on;
    asked, it finds the items of the greatest inner products, all of them compared. The paper's
    user features and the age of an example are not there. Without history the pooled vector is
    zero, and what is left is the tower's opinion on everybody.

    Args:
        config: the sizes.
        features: for each item the numbers of its side features, which its watch embedding has.

    >>> model = YouTubeDNN(YouTubeDNNConfig(items=9, embed_dim=4))
    >>> history, lengths = torch.tensor([[4, 8, 5], [6, 0, 0]]), torch.tensor([3, 1])
    >>> model.retrieve(history, lengths, 2).items.shape
    torch.Size([2, 2])

    References:
        Covington, Adams & Sargin. Deep Neural Networks for YouTube Recommendations. 2016.
        https://doi.org/10.1145/2959100.2959190
    """

    samples_itself: ClassVar[bool] = True
    """Whether training draws its own negatives, or has to be given some."""

    def __init__(
        self, config: YouTubeDNNConfig, features: Int[Tensor, "items columns"] | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.embedding = ItemEmbedding(config.items, config.embed_dim, features, config.values)
        attends = config.pool == "attention"
        width = self.embedding.width
        self.pool = AttentionPool(width, Attend(ScaledDot())) if attends else MeanPool()
        widths = [width, *config.tower]
        self.tower = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.output = nn.Linear(config.embed_dim, config.items, bias=False)

    def user(
        self, history: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch embed_dim"]:
        """A vector for each user."""
        x = self.pool(self.embedding(history), _padding(lengths))
        x = rearrange(x, "batch 1 width -> batch width")
        for layer in self.tower:
            x = relu(layer(x))
        return x

    def forward(
        self,
        history: Int[Tensor, "batch k_len"],
        lengths: Int[Tensor, " batch"] | None,
        candidate: Int[Tensor, "batch n"],
    ) -> Float[Tensor, "batch n"]:
        """The inner product of each user and each of the user's candidates."""
        offered = self.output.weight[candidate]
        return torch.einsum("bd,bnd->bn", self.user(history, lengths), offered)

    def look(
        self,
        history: Int[Tensor, "batch k_len"],
        lengths: Int[Tensor, " batch"] | None,
        candidate: Int[Tensor, "batch n"],
    ) -> Float[Tensor, "batch n k_len"]:
        """How much each item of the history counted, the same for all candidates."""
        weights = self.pool.weights(self.embedding(history), _padding(lengths))
        return repeat(weights, "batch 1 k_len -> batch n k_len", n=candidate.shape[1])

    def nats(
        self,
        history: Int[Tensor, "batch k_len"],
        lengths: Int[Tensor, " batch"] | None,
        candidate: Int[Tensor, "batch n"],
    ) -> Float[Tensor, " batch"]:
        """What the first candidate costs: sampled while training, otherwise exact."""
        user, target = self.user(history, lengths).float(), candidate[:, 0]
        table = self.output.weight.float()
        if not self.training:
            logits = user @ table[SPECIALS:].mT
            own = (user * table[target]).sum(-1)
            return torch.logsumexp(logits, 1) - own
        chances = log_uniform(self.config.items, SPECIALS).to(user.device)
        drawn = torch.multinomial(chances, self.config.samples, replacement=True)
        return sampled_nats(user, table, target, drawn, chances)

    @staticmethod
    def log_probability(logits: Float[Tensor, "batch items"]) -> Float[Tensor, "batch items"]:
        """How likely each of all items is the next, in nats."""
        return logits.log_softmax(-1)

    def retrieve(
        self,
        history: Int[Tensor, "batch k_len"],
        lengths: Int[Tensor, " batch"] | None,
        k: int,
    ) -> Retrieved:
        """The `k` items of the greatest inner product with each user.

        Raises `ValueError` when there are not so many.
        """
        count = self.config.items - SPECIALS
        if not 1 <= k <= count:
            raise ValueError(f"k must be between 1 and the number of items, {count}, got {k}")
        scores = self.user(history, lengths) @ self.output.weight[SPECIALS:].mT
        best = scores.topk(k, dim=1)
        return Retrieved(best.indices + SPECIALS, best.values)


def _padding(lengths: Tensor | None) -> Padding | None:
    return None if lengths is None else Padding(lengths)

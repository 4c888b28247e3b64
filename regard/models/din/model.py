"""DIN: which part of a user's history matters depends on the candidate."""

from dataclasses import replace
from typing import ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Attend, MeanPool
from regard.models.attention import Attends, maker, named
from regard.models.din.config import ActivationUnit, DINConfig
from regard.models.din.dice import Dice
from regard.models.item_embedding import ItemEmbedding
from regard.parts import Dims
from regard.sequences import Sequences


class DIN(nn.Module):
    """Weight the history by the candidate, sum it, and predict the probability of a click.

        v(c) = Σ_j a(e_c, e_j) e_j                    one attention call, c is the query
        logit(c) = w^T f(W_2 f(W_1 [v(c) ; e_c]))     f = Dice

    The paper's weights `a` are unnormalized scores, so that a strong interest adds up to more than
    a weak one; the authors' code uses a softmax. The two outputs of the paper's softmax are one
    logit here. The code's batch norms are omitted: they never update their statistics and are
    affine maps before a linear layer.

    Without history the pooled vector is zero.

    Args:
        config: the configuration.
        attend: replaces the attention parts named in the configuration.

    >>> model = DIN(DINConfig(items=9, embed_dim=4, hidden_dim=6, second_dim=3))
    >>> model(Sequences.of([[4, 8, 5], [6]]), torch.tensor([[2, 3], [7, 4]])).shape
    torch.Size([2, 2])

    References:
        Zhou et al. Deep Interest Network for Click-Through Rate Prediction. 2018.
        https://arxiv.org/abs/1706.06978
    """

    config_type: ClassVar[type[DINConfig]] = DINConfig

    def __init__(self, config: DINConfig, attend: Attends = None) -> None:
        super().__init__()
        self.embedding = ItemEmbedding(
            config.items, config.embed_dim, config.feature_columns, config.values
        )
        width = self.embedding.width
        self.attend: Attend | None = None
        if isinstance(config.pooling, ActivationUnit):
            dims = Dims(width, width, width)
            self.attend = made = maker(config.pooling, dims, attend)()
            config = replace(config, pooling=named(config.pooling, dims, made))
        elif attend is not None:
            raise ValueError("pooling is mean, so nothing attends: leave attend out")
        self.config = config
        self.mean = MeanPool()
        self.interest = nn.Linear(width, width) if config.interest_layer else nn.Identity()
        self.bias = nn.Embedding(config.items, 1) if config.item_bias else None
        if self.bias is not None:
            nn.init.zeros_(self.bias.weight)
        self.hidden = nn.Linear(2 * width, config.hidden_dim)
        self.first = _activation(config.activation, config.hidden_dim)
        self.second_hidden = nn.Linear(config.hidden_dim, config.second_dim)
        self.second = _activation(config.activation, config.second_dim)
        self.output = nn.Linear(config.second_dim, 1)

    @property
    def item_table(self) -> Float[Tensor, "items embed_dim"]:
        """The items' own vectors."""
        return self.embedding.item.weight

    def set_item_features(self, features: Int[Tensor, "items columns"]) -> None:
        """Set the side features; raises `ValueError` for a table of another size."""
        self.embedding.set_features(features)

    def forward(
        self, history: Sequences, candidate: Int[Tensor, "batch n"]
    ) -> Float[Tensor, "batch n"]:
        """The logit of a click on each candidate."""
        offered = self.embedding(candidate)
        pooled = self.interest(self.pooled(history, offered))
        x = self.first(self.hidden(torch.cat([pooled, offered], dim=-1)))
        logits = self.output(self.second(self.second_hidden(x)))
        if self.bias is not None:
            logits = logits + self.bias(candidate)
        return rearrange(logits, "batch n 1 -> batch n")

    def pooled(
        self, history: Sequences, offered: Float[Tensor, "batch n width"]
    ) -> Float[Tensor, "batch n width"]:
        """The pooled history for each candidate."""
        past = self.embedding(history.ids)
        if self.attend is None:
            mean = self.mean(past, history.mask)
            return repeat(mean, "batch 1 width -> batch n width", n=offered.shape[1])
        query, key = (rearrange(x, "batch len width -> batch 1 len width") for x in (offered, past))
        found = self.attend(query, key, key, history.mask)
        return rearrange(found, "batch 1 n width -> batch n width")

    @torch.no_grad()
    def attention_weights(
        self, history: Sequences, candidate: Int[Tensor, "batch n"]
    ) -> Float[Tensor, "batch n k_len"]:
        """How much each item of the history counted for each candidate; padding is exactly 0.

        The paper's weights do not sum to 1 and may be negative.
        """
        offered, past = self.embedding(candidate), self.embedding(history.ids)
        if self.attend is None:
            weights = self.mean.weights(past, history.mask)
            return repeat(weights, "batch 1 k_len -> batch n k_len", n=offered.shape[1])
        query, key = (rearrange(x, "batch len width -> batch 1 len width") for x in (offered, past))
        found = self.attend.weights(query, key, history.mask)
        return rearrange(found, "batch 1 n k_len -> batch n k_len")


def _activation(name: str, width: int) -> nn.Module:
    if name == "dice":
        return Dice(width)
    return nn.PReLU(init=0.25) if name == "prelu" else nn.Sigmoid()

"""DIN: what of a user's past matters depends on what is offered."""

from typing import ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from regard.layers import Attend, MeanPool
from regard.masks import Padding
from regard.models.din.config import DINConfig
from regard.models.din.dice import Dice
from regard.models.item_embedding import ItemEmbedding
from regard.normalizers import softmax
from regard.normalizers.unnormalized import unnormalized
from regard.scores import MLP


class DIN(nn.Module):
    """Weigh the history by the candidate, add it up, and say how likely a click is.

        v(c) = Σ_j a(e_c, e_j) e_j                    one attention call, the candidate asks
        logit(c) = w^T f(W_2 f(W_1 [v(c) ; e_c]))     f = Dice

    The paper's weights `a` are scores and not normalized, so that a strong interest adds up to more
    than a weak one; the authors' code has a softmax. The two outputs of the paper's softmax are one
    logit here. The official variant leaves out the code's batch normalisations, which never learn
    their statistics and are affine maps in front of a linear layer.

    Without history the pooled vector is zero.

    Args:
        config: the sizes.
        features: for each item the numbers of its side features (its category ...).

    >>> model = DIN(DINConfig(items=9, embed_dim=4, attention_dim=8, hidden_dim=6, second_dim=3))
    >>> history, lengths = torch.tensor([[4, 8, 5], [6, 0, 0]]), torch.tensor([3, 1])
    >>> model(history, lengths, torch.tensor([[2, 3], [7, 4]])).shape
    torch.Size([2, 2])

    References:
        Zhou et al. Deep Interest Network for Click-Through Rate Prediction. 2018.
        https://arxiv.org/abs/1706.06978
    """

    samples_itself: ClassVar[bool] = False
    """Whether training draws its own negatives, or has to be given some."""

    def __init__(
        self, config: DINConfig, features: Int[Tensor, "items columns"] | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.embedding = ItemEmbedding(config.items, config.embed_dim, features, config.values)
        width, official = self.embedding.width, config.variant == "official"
        self.attend = _attend(config, width) if config.pool == "attention" else None
        self.mean = MeanPool()
        self.interest = nn.Linear(width, width) if official else nn.Identity()
        self.bias = nn.Embedding(config.items, 1) if official else None
        if self.bias is not None:
            nn.init.zeros_(self.bias.weight)
        self.hidden = nn.Linear(2 * width, config.hidden_dim)
        self.first = _activation(config.activation, config.hidden_dim)
        self.second_hidden = nn.Linear(config.hidden_dim, config.second_dim)
        self.second = _activation(config.activation, config.second_dim)
        self.output = nn.Linear(config.second_dim, 1)

    def forward(
        self,
        history: Int[Tensor, "batch k_len"],
        lengths: Int[Tensor, " batch"] | None,
        candidate: Int[Tensor, "batch n"],
    ) -> Float[Tensor, "batch n"]:
        """The logit of a click on each candidate."""
        offered = self.embedding(candidate)
        pooled = self.interest(self.pooled(self.embedding(history), lengths, offered))
        x = self.first(self.hidden(torch.cat([pooled, offered], dim=-1)))
        logits = self.output(self.second(self.second_hidden(x)))
        if self.bias is not None:
            logits = logits + self.bias(candidate)
        return rearrange(logits, "batch n 1 -> batch n")

    def pooled(
        self,
        past: Float[Tensor, "batch k_len width"],
        lengths: Int[Tensor, " batch"] | None,
        offered: Float[Tensor, "batch n width"],
    ) -> Float[Tensor, "batch n width"]:
        """What of the past belongs to each candidate."""
        if self.attend is None:
            mean = self.mean(past, _padding(lengths))
            return repeat(mean, "batch 1 width -> batch n width", n=offered.shape[1])
        query, key = (rearrange(x, "batch len width -> batch 1 len width") for x in (offered, past))
        found = self.attend(query, key, key, _padding(lengths))
        return rearrange(found, "batch 1 n width -> batch n width")

    def look(
        self,
        history: Int[Tensor, "batch k_len"],
        lengths: Int[Tensor, " batch"] | None,
        candidate: Int[Tensor, "batch n"],
    ) -> Float[Tensor, "batch n k_len"]:
        """How much each item of the history counted for each candidate; padding is exactly 0.

        The paper's weights do not sum to 1 and may be negative.
        """
        offered, past = self.embedding(candidate), self.embedding(history)
        if self.attend is None:
            weights = self.mean.weights(past, _padding(lengths))
            return repeat(weights, "batch 1 k_len -> batch n k_len", n=offered.shape[1])
        query, key = (rearrange(x, "batch len width -> batch 1 len width") for x in (offered, past))
        found = self.attend.weights(query, key, _padding(lengths))
        return rearrange(found, "batch 1 n k_len -> batch n k_len")

    def nats(
        self,
        history: Int[Tensor, "batch k_len"],
        lengths: Int[Tensor, " batch"] | None,
        candidate: Int[Tensor, "batch n"],
    ) -> Float[Tensor, " batch"]:
        """The cost of calling the first candidate clicked and the others not, summed over them."""
        logits = self(history, lengths, candidate).float()
        sign = torch.ones_like(logits)
        sign[:, 1:] = -1.0
        return -logsigmoid(sign * logits).sum(1)

    @staticmethod
    def log_probability(logits: Float[Tensor, "batch items"]) -> Float[Tensor, "batch items"]:
        """How likely a click on each item is, in nats."""
        return logsigmoid(logits)


def _attend(config: DINConfig, width: int) -> Attend:
    """The activation unit: a perceptron as score."""
    if config.variant == "paper":
        score = MLP(width, width, (config.attention_dim,), "paper")
        return Attend(score, normalizer=unnormalized)
    score = MLP(width, width, (config.attention_dim, max(1, config.attention_dim // 2)))
    return Attend(score, normalizer=softmax)


def _activation(name: str, width: int) -> nn.Module:
    if name == "dice":
        return Dice(width)
    return nn.PReLU(init=0.25) if name == "prelu" else nn.Sigmoid()


def _padding(lengths: Tensor | None) -> Padding | None:
    return None if lengths is None else Padding(lengths)

"""Hard attention in training: one key sampled for each query."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from regard.normalizers import Sample


@dataclass(frozen=True, eq=False)
class Sampled:
    """The samples of hard attention for each row of a batch.

    `log_prob` is the log-probability of the samples and `entropy` that of their distributions, both
    in nats, summed over the samples of a row, with gradients to the scores.
    """

    log_prob: Float[Tensor, " batch"]
    entropy: Float[Tensor, " batch"]

    def __add__(self, other: "Sampled") -> "Sampled":
        """Two draws one after the other."""
        return Sampled(self.log_prob + other.log_prob, self.entropy + other.entropy)


def sample_keys(
    probabilities: Float[Tensor, "batch queries k_len"],
) -> tuple[Float[Tensor, "batch queries k_len"], Sampled]:
    """Sample one key for each query: one-hot weights, and the `Sampled` to train them with.

    The probabilities are soft attention weights, such as `AttentionPool.weights`; those of a
    normalizer that does not sum to 1 are divided by their sum. A query without a permitted key
    samples nothing: its weights, log-probability and entropy are 0.

    >>> weights, sampled = sample_keys(torch.tensor([[[0.5, 0.5, 0.0]], [[0.0, 0.0, 0.0]]]))
    >>> weights.sum(-1), sampled.log_prob
    (tensor([[1.],
            [0.]]), tensor([-0.6931,  0.0000]))
    """
    whole = probabilities.sum(-1, keepdim=True)
    probabilities = probabilities / whole.clamp_min(torch.finfo(whole.dtype).tiny)
    logs = closed_log(probabilities)
    weights = Sample()(logs)
    finite = logs.masked_fill(probabilities == 0, 0.0)
    log_prob = (weights * finite).sum((1, 2))
    return weights, Sampled(log_prob, -(probabilities * finite).sum((1, 2)))


def closed_log(probabilities: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The logarithm, -inf without a gradient where the probability is 0.

    >>> closed_log(torch.tensor([1.0, 0.0]))
    tensor([0., -inf])
    """
    closed = probabilities == 0
    return probabilities.masked_fill(closed, 1.0).log().masked_fill(closed, -torch.inf)

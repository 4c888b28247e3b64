"""Hard attention pooling: attend to one position, learned by sampling."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers.attend import OptionalMask
from regard.layers.attention_pool import AttentionPool
from regard.layers.part_module import own
from regard.layers.sampling import Sampled, closed_log, sample_keys
from regard.normalizers import GumbelSoftmax, hard

ESTIMATORS = ("reinforce", "gumbel")


class HardPool(nn.Module):
    """An `AttentionPool` in which each query attends to one position, the most likely.

        output_i = x_j      j = argmax_j w_ij

    The arg max has no gradient, so training uses `forward_sampled`, which draws j with the
    probabilities w_i. The estimator defines the gradient: `reinforce` returns the `Sampled`, which
    `Reinforce` weights by the loss it led to; `gumbel` samples with Gumbel noise and uses the
    gradient of `softmax((log w + noise) / tau)` (straight-through).

    Args:
        pool: its weights are the probabilities.
        estimator: the gradient estimator.
        tau: temperature of the straight-through gradient: the smaller, the less bias and the more
            variance. A parameter is learned.

    Raises:
        ValueError: the estimator is unknown, or tau is not positive.

    Example:
        >>> import torch
        >>> x = torch.eye(4).unsqueeze(0)
        >>> HardPool(AttentionPool(4))(x).sort().values
        tensor([[[0., 0., 0., 1.]]])
        >>> _, sampled = HardPool(AttentionPool(4)).forward_sampled(x)
        >>> sampled.log_prob.shape
        torch.Size([1])

    References:
        Kelvin Xu, Jimmy Ba, Ryan Kiros, et al. Show, Attend and Tell: Neural Image Caption
        Generation with Visual Attention. 2015. https://arxiv.org/abs/1502.03044
        Eric Jang, Shixiang Gu, Ben Poole. Categorical Reparameterization with Gumbel-Softmax.
        2016. https://arxiv.org/abs/1611.01144
    """

    def __init__(
        self, pool: AttentionPool, estimator: str = "reinforce", tau: float | Tensor = 1.0
    ) -> None:
        super().__init__()
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator must be one of {ESTIMATORS}, got {estimator!r}")
        self.pool, self.estimator = pool, estimator
        self.gumbel = own(GumbelSoftmax(tau, hard=True))

    def forward(
        self,
        x: Float[Tensor, "batch k_len embed_dim"],
        mask: OptionalMask = None,
        query: Float[Tensor, "batch query_dim"] | None = None,
    ) -> Float[Tensor, "batch queries embed_dim"]:
        """The vectors at the most likely positions, without sampling."""
        probabilities = self.pool.weights(x, mask, query)
        return _at(hard(closed_log(probabilities)), x, probabilities)

    def weights(
        self,
        x: Float[Tensor, "batch k_len embed_dim"],
        mask: OptionalMask = None,
        query: Float[Tensor, "batch query_dim"] | None = None,
    ) -> Float[Tensor, "batch queries k_len"]:
        """One at the most likely positions; zeros in a row without a permitted one."""
        return hard(closed_log(self.pool.weights(x, mask, query)))

    def forward_sampled(
        self,
        x: Float[Tensor, "batch k_len embed_dim"],
        mask: OptionalMask = None,
        query: Float[Tensor, "batch query_dim"] | None = None,
    ) -> tuple[Float[Tensor, "batch queries embed_dim"], Sampled | None]:
        """The vectors at the sampled positions, and the sample for `Reinforce`."""
        probabilities = self.pool.weights(x, mask, query)
        if self.estimator == "gumbel":
            return _at(self.gumbel(closed_log(probabilities)), x, probabilities), None
        weights, sampled = sample_keys(probabilities)
        return _at(weights, x, probabilities), sampled

    def extra_repr(self) -> str:
        return f"estimator={self.estimator!r}, tau={self.gumbel.tau}"


def _at(weights: Tensor, x: Tensor, probabilities: Tensor) -> Tensor:
    """The vectors at these positions; others are not read, since 0 x NaN is NaN."""
    closed = rearrange((probabilities == 0).all(1), "batch k_len -> batch k_len 1")
    return weights @ x.masked_fill(closed, 0.0)

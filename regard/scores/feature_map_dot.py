"""The dot product of feature maps: linear attention."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from regard.scores._widths import require_equal_widths


def elu_plus_one(x: Float[Tensor, "*batch head_dim"]) -> Float[Tensor, "*batch head_dim"]:
    """`elu(x) + 1`, the positive feature map of Katharopoulos et al.

    Example:
        >>> import torch
        >>> elu_plus_one(torch.tensor([0.0, 2.0])).tolist()
        [1.0, 3.0]

    References:
        Katharopoulos, Vyas, Pappas & Fleuret. Transformers are RNNs: Fast Autoregressive
        Transformers with Linear Attention. 2020. https://arxiv.org/abs/2006.16236
    """
    return F.elu(x) + 1


@dataclass(frozen=True)
class FeatureMapDot:
    """The dot product of feature maps, `score = φ(q) · φ(k)`.

    With the normalizer `divide_by_sum` this is linear attention, and the planner multiplies in the
    cheaper order: `φ(Q) (φ(K)ᵀ V)` needs no q × k matrix.

    Args:
        feature_map: φ, applied to the last axis; make it non-negative for non-negative weights.

    Raises:
        ValueError: query and key differ in width.

    Example:
        >>> import torch
        >>> FeatureMapDot()(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2)).item()
        4.0

    References:
        Katharopoulos, Vyas, Pappas & Fleuret. Transformers are RNNs: Fast Autoregressive
        Transformers with Linear Attention. 2020. https://arxiv.org/abs/2006.16236
    """

    feature_map: Callable[[Tensor], Tensor] = elu_plus_one

    def __call__(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch heads k_len head_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        return self.feature_map(query) @ self.feature_map(key).mT

    def check(self, query: Tensor, key: Tensor) -> None:
        require_equal_widths("FeatureMapDot", query, key)

"""The operator with its parts chosen: what a layer calls on its heads."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard._typing import MaskMod, Normalizer, Score, ScoreMod
from regard.masks import And, Dense
from regard.normalizers import softmax
from regard.scores import ScaledDot


class Attend(nn.Module):
    """`regard.attention` with score, score_mod, mask, normalizer, dropout and backend filled in.

    Parts with weights are registered, so the layer that holds this one trains and saves them. A
    stack copies it for each of its layers.

    Args:
        mask: applies to every call, joined with the call's own mask by `&`.
        dropout: probability of dropping a weight, while training.
        backend: None lets the planner choose.

    Raises:
        ValueError: dropout is not at least 0 and at most 1.

    Example:
        >>> import torch
        >>> from regard.masks import Causal, Padding
        >>> x = torch.randn(2, 4, 7, 16)
        >>> Attend(mask=Causal())(x, x, x, mask=Padding(torch.tensor([7, 3]))).shape
        torch.Size([2, 4, 7, 16])
    """

    def __init__(
        self,
        score: Score = ScaledDot(),
        score_mod: ScoreMod | None = None,
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        normalizer: Normalizer = softmax,
        dropout: float = 0.0,
        backend: str | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"dropout must lie between 0 and 1, got {dropout}")
        self.score = score
        self.score_mod = score_mod
        self.mask = mask
        self.normalizer = normalizer
        self.dropout = dropout
        self.backend = backend

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch kv_heads k_len key_dim"],
        value: Float[Tensor, "batch kv_heads k_len value_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads q_len value_dim"]:
        return attention(
            query,
            key,
            value,
            score=self.score,
            score_mod=self.score_mod,
            mask=both(self.mask, mask),
            normalizer=self.normalizer,
            dropout=self.dropout if self.training else 0.0,
            backend=self.backend,
        )

    def weights(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch kv_heads k_len key_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        rows: Chosen = None,
        heads: Chosen = None,
    ) -> Float[Tensor, "batch some_heads some_rows k_len"]:
        """The exact weights of the same call, before dropout: all of them or some."""
        return attention_weights(
            query,
            key,
            score=self.score,
            score_mod=self.score_mod,
            mask=both(self.mask, mask),
            normalizer=self.normalizer,
            rows=rows,
            heads=heads,
        )

    def extra_repr(self) -> str:
        named = {
            "score": self.score,
            "score_mod": self.score_mod,
            "mask": self.mask,
            "normalizer": getattr(self.normalizer, "__name__", self.normalizer),
            "dropout": self.dropout,
            "backend": self.backend,
        }
        shown = {k: v for k, v in named.items() if v is not None and not isinstance(v, nn.Module)}
        return ", ".join(f"{name}={part}" for name, part in shown.items())


def both(
    one: MaskMod | Bool[Tensor, "..."] | None, other: MaskMod | Bool[Tensor, "..."] | None
) -> MaskMod | Bool[Tensor, "..."] | None:
    """What both masks permit; None permits everything."""
    if one is None or other is None:
        return other if one is None else one
    return And(_part(one), _part(other))


def _part(mask: MaskMod | Bool[Tensor, "..."]) -> MaskMod:
    return Dense(mask) if isinstance(mask, Tensor) else mask

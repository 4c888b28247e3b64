"""The operator with its parts chosen: what a layer calls for its heads."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard._typing import MaskMod, Normalizer, Score, ScoreMod
from regard.layers.part_module import own, unwrapped
from regard.masks import And, Dense
from regard.normalizers import softmax
from regard.scores import ScaledDot

OptionalMask = MaskMod | Bool[Tensor, "..."] | None


class Attend(nn.Module):
    """`regard.attention` with score, score_mod, mask, normalizer, dropout and backend filled in.

    The tensors of its parts belong to this module, so the layer that holds it trains, moves and
    saves them: a module's weights, and a part's fields as `PartModule` registers them. A stack
    copies it for each of its layers.

    Args:
        mask: applies to every call, joined with the call's own mask by `&`.
        dropout: probability of dropping a weight, while training.
        backend: None lets the planner choose.

    Raises:
        ValueError: dropout is not at least 0 and at most 1.

    Example:
        >>> import torch
        >>> from regard.masks import Causal, Padding
        >>> from regard.score_mods import Bias
        >>> x = torch.randn(2, 4, 7, 16)
        >>> Attend(mask=Causal())(x, x, x, mask=Padding(torch.tensor([7, 3]))).shape
        torch.Size([2, 4, 7, 16])
        >>> list(Attend(score_mod=Bias(nn.Parameter(torch.zeros(7, 7)))).state_dict())
        ['score_mod.tensor']
    """

    def __init__(
        self,
        score: Score = ScaledDot(),
        score_mod: ScoreMod | None = None,
        mask: OptionalMask = None,
        normalizer: Normalizer = softmax,
        dropout: float = 0.0,
        backend: str | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"dropout must lie between 0 and 1, got {dropout}")
        self.score: Any = own(score)
        self.score_mod: Any = own(score_mod)
        self.mask: Any = own(Dense(mask) if isinstance(mask, Tensor) else mask)
        self.normalizer: Any = own(normalizer)
        self.dropout = dropout
        self.backend = backend

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch kv_heads k_len key_dim"],
        value: Float[Tensor, "batch kv_heads k_len value_dim"],
        mask: OptionalMask = None,
        *,
        score_mod: ScoreMod | None = None,
        normalizer: Normalizer | None = None,
        q_offset: int | Tensor | None = None,
    ) -> Float[Tensor, "batch heads q_len value_dim"]:
        """The outputs; `q_offset` is as in `regard.attention`.

        For this call only, `mask` is joined with the module's own, and `score_mod` and
        `normalizer` replace the module's.
        """
        return attention(
            query,
            key,
            value,
            score=unwrapped(self.score),
            score_mod=unwrapped(self.score_mod if score_mod is None else score_mod),
            mask=both(self.mask, mask),
            normalizer=unwrapped(self.normalizer if normalizer is None else normalizer),
            dropout=self.dropout if self.training else 0.0,
            q_offset=q_offset,
            backend=self.backend,
        )

    def weights(
        self,
        query: Float[Tensor, "batch heads q_len head_dim"],
        key: Float[Tensor, "batch kv_heads k_len key_dim"],
        mask: OptionalMask = None,
        rows: Chosen = None,
        heads: Chosen = None,
        *,
        score_mod: ScoreMod | None = None,
        normalizer: Normalizer | None = None,
        q_offset: int | Tensor | None = None,
    ) -> Float[Tensor, "batch some_heads some_rows k_len"]:
        """The exact weights of the same call, before dropout: all or some."""
        return attention_weights(
            query,
            key,
            score=unwrapped(self.score),
            score_mod=unwrapped(self.score_mod if score_mod is None else score_mod),
            mask=both(self.mask, mask),
            normalizer=unwrapped(self.normalizer if normalizer is None else normalizer),
            q_offset=q_offset,
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


def both(one: OptionalMask, other: OptionalMask) -> OptionalMask:
    """What both masks permit; None permits everything."""
    if one is None or other is None:
        return unwrapped(other if one is None else one)
    return And(_part(one), _part(other))


def _part(mask: Any) -> Any:
    return Dense(mask) if isinstance(mask, Tensor) else unwrapped(mask)

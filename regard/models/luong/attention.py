"""Luong's attention: four scores, everywhere or near a place."""

from functools import reduce
from operator import and_
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._typing import Normalizer, Score
from regard.layers.part_module import own, unwrapped
from regard.masks import Dense, Mask, Padding, SlidingWindow
from regard.models.luong.config import LuongConfig
from regard.normalizers import LocalGaussian, softmax
from regard.scores import Additive, Bilinear, Dot, Location


class LuongAttention(nn.Module):
    """What a decoder's state h finds among the encoder's states: all of them, or a window.

        score = h . s        h^T W s        v^T tanh(W [h; s])        w_s . h
                dot          general        concat                    location

        global     softmax over all keys
        local_m    softmax over the keys within `window` of t, the place of the output
        local_p    the same around p = S sigmoid(v_p^T tanh(W_p h)), and then each weight times
                   exp(-(s - p)^2 / (2 sigma^2)), sigma = window / 2, not renormalized

    S is the row's own number of keys; places count from 0. `variant="official"` is the authors'
    code: `concat` leaves s as it is, p reaches the last key and no further, (S - 1) sigmoid(...),
    and the window is around p rounded down. A local window holds no key for an output further than
    `window` beyond the end of the source: it finds a context of zeros. The location score is of
    the key's place in the whole source, also under a window.

    Args:
        config: the sizes and which of the forms.
        normalizer: scores to weights; local_p has its own.

    Raises:
        ValueError: a normalizer is given for local_p.

    References:
        Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
        2015. https://arxiv.org/abs/1508.04025
    """

    def __init__(self, config: LuongConfig, normalizer: Normalizer = softmax) -> None:
        super().__init__()
        if config.attention == "local_p" and normalizer is not softmax:
            raise ValueError(
                "attention 'local_p' normalizes with a Gaussian around the place it predicts: "
                "leave normalizer as it is, or use 'global' or 'local_m'"
            )
        width = config.hidden_dim
        self.config, self.normalizer = config, own(normalizer)
        self.score = _score(config)
        # The part of W [h; s] that only knows s is computed once for each sentence.
        projected = config.score == "concat" and config.variant == "paper"
        self.key = nn.Linear(width, width, bias=False) if projected else nn.Identity()
        if config.attention == "local_p":
            self.place_hidden = nn.Linear(width, width, bias=False)
            self.place = nn.Linear(width, 1, bias=False)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len hidden_dim"],
        keys: Float[Tensor, "batch 1 k_len hidden_dim"],
        values: Float[Tensor, "batch 1 k_len hidden_dim"],
        lengths: Int[Tensor, " batch"] | None,
        position: int,
    ) -> Float[Tensor, "batch heads q_len hidden_dim"]:
        """The contexts of outputs that stand from `position` on; `keys` come from `self.key`."""
        return attention(query, keys, values, **self.parts(query, keys, lengths, position))

    def weights(
        self,
        query: Float[Tensor, "batch heads q_len hidden_dim"],
        keys: Float[Tensor, "batch 1 k_len hidden_dim"],
        lengths: Int[Tensor, " batch"] | None,
        position: int,
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        """The exact weights of the same call."""
        return attention_weights(query, keys, **self.parts(query, keys, lengths, position))

    def parts(
        self, query: Tensor, keys: Tensor, lengths: Tensor | None, position: int
    ) -> dict[str, Any]:
        """The arguments of the operator that say where to look."""
        masks: list[Mask] = [] if lengths is None else [Padding(lengths)]
        normalizer, reach = unwrapped(self.normalizer), self.config.window
        if self.config.attention == "local_m":
            masks.append(SlidingWindow(reach, reach))
        if self.config.attention == "local_p":
            center, window = self.predicted(query, keys, lengths), None
            if self.config.variant == "paper":
                window = float(reach)
            else:
                place = torch.arange(keys.shape[2], device=query.device, dtype=center.dtype)
                distance = place - center.detach().floor().unsqueeze(-1)
                masks.append(Dense(distance.abs() <= reach))
            normalizer = LocalGaussian(center, reach / 2, window)
        return {
            "score": self.score,
            "mask": reduce(and_, masks) if masks else None,
            "normalizer": normalizer,
            "q_offset": position,
        }

    def predicted(
        self,
        query: Float[Tensor, "batch heads q_len hidden_dim"],
        keys: Float[Tensor, "batch 1 k_len hidden_dim"],
        lengths: Int[Tensor, " batch"] | None,
    ) -> Float[Tensor, "batch heads q_len"]:
        """The place p that each state predicts."""
        share = torch.sigmoid(self.place(torch.tanh(self.place_hidden(query))).squeeze(-1))
        share = share.to(torch.promote_types(share.dtype, torch.float32))
        last = 0 if self.config.variant == "paper" else 1
        if lengths is None:
            return share * (keys.shape[2] - last)
        return share * (lengths - last).reshape(-1, 1, 1)


def _score(config: LuongConfig) -> Score:
    width = config.hidden_dim
    if config.score == "dot":
        return Dot()
    if config.score == "general":
        return Bilinear(width, width)
    if config.score == "concat":
        return Additive(query_dim=width, hidden_dim=width)
    return Location(width, config.longest or 1)

"""Luong's attention: any score, global or local."""

from dataclasses import replace

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers.part_module import unwrapped
from regard.masks import Dense, Mask, Padding
from regard.models.attention import Attends, maker, named
from regard.models.luong.config import Global, LocalM, LocalP
from regard.normalizers import LocalGaussian
from regard.parts import Dims, spell

Queries = Float[Tensor, "batch 1 q_len hidden_dim"]
Keys = Float[Tensor, "batch 1 k_len hidden_dim"]


class LuongAttention(nn.Module):
    """Attention of a decoder state h over the encoder's states: all of them, or a window.

        score = h . s        h^T W s        v^T tanh(W [h; s])        w_s . h
                dot          general        luong_concat              location

        global     softmax over all keys
        local_m    softmax over the keys within `window` of t, the place of the output
        local_p    the same around p = S sigmoid(v_p^T tanh(W_p h)), and then each weight times
                   exp(-(s - p)^2 / (2 sigma^2)), sigma = window / 2, not renormalized

    S is the row's own number of keys; positions count from 0. `variant="official"` is the authors'
    code: p reaches at most the last key, (S - 1) sigmoid(...), and the window is around p rounded
    down. Their concat does not project s: here that is the score `additive`. A local window
    contains no key for an output more than `window` beyond the end of the source: its context is
    zero. The location score uses the key's position in the whole source, even under a window.

    The half of `luong_concat` that depends only on s is computed once per sentence, by `key`.

    Args:
        width: of states and keys.
        where: which of the forms, and its parts by name.
        num_keys: the largest number of keys, for the location score.
        attend: replaces the parts named in `where`.

    Raises `ValueError` when a normalizer is given for local_p, which has its own.
    """

    def __init__(
        self,
        width: int,
        where: Global | LocalM | LocalP,
        num_keys: int | None = None,
        attend: Attends = None,
    ) -> None:
        super().__init__()
        dims = Dims(width, width, width, num_keys=num_keys, projected=True)
        projected = attend is None and where.score == "luong_concat"
        parts = replace(where, score="additive") if projected else where
        self.attend = maker(parts, dims, attend)()
        self.key = nn.Linear(width, width, bias=False) if projected else nn.Identity()
        self.where = where
        if attend is not None:
            self.where = named(where, dims, self.attend)
            if self.where.score == "luong_concat":
                # One that projects the keys itself, which its widths tell from the one above.
                self.where = replace(self.where, score=spell("score", unwrapped(self.attend.score)))
        if isinstance(where, LocalP):
            self.place_hidden = nn.Linear(width, width, bias=False)
            self.place = nn.Linear(width, 1, bias=False)

    def forward(
        self,
        query: Queries,
        keys: Keys,
        values: Keys,
        mask: Padding | None,
        counts: Int[Tensor, " batch"],
        position: Int[Tensor, " q_len"],
    ) -> Queries:
        """The contexts of outputs at these positions.

        Args:
            keys: the result of `self.key` on the values.
            mask: the padding mask.
            counts: number of keys per sentence.
        """
        near, normalizer = self._near(query, keys, mask, counts, position)
        return self.attend(query, keys, values, near, normalizer=normalizer)

    def weights(
        self,
        query: Queries,
        keys: Keys,
        mask: Padding | None,
        counts: Int[Tensor, " batch"],
        position: Int[Tensor, " q_len"],
    ) -> Float[Tensor, "batch 1 q_len k_len"]:
        """The exact weights of the same call."""
        near, normalizer = self._near(query, keys, mask, counts, position)
        return self.attend.weights(query, keys, near, normalizer=normalizer)

    def predicted(
        self, query: Queries, counts: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch 1 q_len"]:
        """The position p that each state predicts."""
        share = torch.sigmoid(self.place(torch.tanh(self.place_hidden(query))).squeeze(-1))
        share = share.to(torch.promote_types(share.dtype, torch.float32))
        last = 1 if isinstance(self.where, LocalP) and self.where.variant == "official" else 0
        return share * rearrange(counts - last, "batch -> batch 1 1")

    def _near(
        self, query: Tensor, keys: Tensor, mask: Mask | None, counts: Tensor, position: Tensor
    ) -> tuple[Mask | None, LocalGaussian | None]:
        """Which keys may be seen, and what makes weights of scores if the operator does not."""
        where, place = self.where, torch.arange(keys.shape[2], device=keys.device)
        if isinstance(where, LocalM):
            distance = place - rearrange(position, "q_len -> q_len 1")
            return _both(mask, Dense(distance.abs() <= where.window)), None
        if isinstance(where, Global):
            return mask, None
        center = self.predicted(query, counts)
        if where.variant == "paper":
            return mask, LocalGaussian(center, where.window / 2, float(where.window))
        first = rearrange(center.detach().floor(), "batch 1 q_len -> batch 1 q_len 1")
        window = Dense((place - first).abs() <= where.window)
        return _both(mask, window), LocalGaussian(center, where.window / 2)


def _both(mask: Mask | None, window: Dense) -> Mask:
    return window if mask is None else mask & window

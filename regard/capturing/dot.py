"""A scaled dot product as other libraries call it, with weights recomputed on request."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from regard.capturing.parts import Parts
from regard.capturing.source import Index, Shape, all_of, one_item, picked

Mod = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Dot:
    """`softmax(scale * query @ key.mT + bias, where allowed)`, as a fused kernel computes it.

    A query that may see no key has zero weights, as in the kernels.

    Args:
        query: `[B, H, Q, D]`.
        key: `[B, G, K, D]`, each for `H / G` adjacent heads.
        value: `[B, G, K, Dv]`, or None.
        bias: added to the scaled scores, broadcastable to the pairs; -inf masks.
        allowed: True = may attend, likewise.
        is_causal: query i sees the keys up to i, counted from the first of both.
        score_mod, mask_mod: FlexAttention's functions of one pair.
        first: the index of the first query, if rows were selected before.
    """

    query: Tensor
    key: Tensor
    value: Tensor | None
    scale: float
    bias: Tensor | None = None
    allowed: Tensor | None = None
    is_causal: bool = False
    score_mod: Mod | None = None
    mask_mod: MaskMod | None = None

    @property
    def is_cheap(self) -> bool:
        return self.score_mod is None

    @property
    def shape(self) -> Shape:
        batch, heads, q_len, _ = self.query.shape
        return max(batch, self.key.shape[0]), heads, q_len, self.key.shape[2]

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        return self.at(heads, rows, item)

    def at(self, heads: Index, rows: Index, item: int | None, at: Tensor | None = None) -> Tensor:
        """The weights; `at` gives the queries' rows in the call, if not all."""
        batch, every_head, q_len, k_len = self.shape
        exact = torch.promote_types(self.query.dtype, torch.float32)
        query = picked(picked(one_item(self.query, item), 1, heads), 2, rows).to(exact)
        key, device = one_item(self.key, item), self.query.device
        groups = every_head // key.shape[1] if key.shape[1] else 1
        if heads is not None or groups > 1:
            key = key.index_select(1, all_of(every_head, device, heads) // groups)
        scores = (query * self.scale) @ key.to(exact).mT
        bias, allowed = (
            None
            if pairs is None
            else picked(picked(one_item(pairs, item), 1, heads), 2, rows).to(device)
            for pairs in (self.bias, self.allowed)
        )
        if bias is not None:
            scores = scores + bias
        if self.score_mod is not None or self.mask_mod is not None:
            b = all_of(batch, device, None if item is None else torch.tensor([item]))
            scores = self._modified(scores, b, all_of(every_head, device, heads), rows)
        if self.is_causal:
            q = all_of(q_len, device, rows) if at is None else picked(at, 0, rows)
            hidden = torch.arange(k_len, device=device) > q[:, None]
            scores = scores.masked_fill(hidden, -torch.inf)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        if bias is None and allowed is None and self.mask_mod is None and self.score_mod is None:
            return scores.softmax(-1)  # every query sees a key
        return softmax_or_zeros(scores)

    def _modified(self, scores: Tensor, b: Tensor, h: Tensor, rows: Index) -> Tensor:
        _, _, q_len, k_len = self.shape
        q = all_of(q_len, scores.device, rows)
        k = torch.arange(k_len, device=scores.device)
        if self.score_mod is not None:
            scores = of_each_pair(self.score_mod, scores, b, h, q, k)
        if self.mask_mod is not None:
            scores = scores.masked_fill(~of_each_pair(self.mask_mod, None, b, h, q, k), -torch.inf)
        return scores

    def parts(self, item: int) -> Parts | None:
        if self.score_mod is not None:
            return None
        allowed = None if self.allowed is None else one_item(self.allowed, item)[0]
        _, _, q_len, k_len = self.shape
        device = self.query.device
        if self.mask_mod is not None:
            _, heads, _, _ = self.shape
            index = [torch.arange(n, device=device) for n in (heads, q_len, k_len)]
            b = torch.tensor([item], device=device)
            seen = of_each_pair(self.mask_mod, None, b, *index)[0]
            allowed = seen if allowed is None else allowed & seen
        if self.is_causal:
            before = torch.ones(q_len, k_len, dtype=torch.bool, device=device).tril()[None]
            allowed = before if allowed is None else allowed & before
        return Parts(
            one_item(self.query, item)[0],
            one_item(self.key, item)[0],
            None if self.value is None else one_item(self.value, item)[0],
            self.scale,
            None if self.bias is None else one_item(self.bias, item)[0],
            allowed,
        )


def softmax_or_zeros(scores: Tensor) -> Tensor:
    """Softmax over the last axis; zeros where everything is masked."""
    weights = scores.softmax(-1)
    hidden = (scores == -torch.inf).all(-1, keepdim=True)
    return weights.masked_fill(hidden, 0.0)


def of_each_pair(
    function: Callable[..., Tensor],
    scores: Tensor | None,
    b: Tensor,
    h: Tensor,
    q: Tensor,
    k: Tensor,
) -> Tensor:
    """A function of one pair evaluated for all pairs, `[B, H, Q, K]`."""
    own = 0 if scores is not None else None
    for indices in (
        (None, None, None, 0),
        (None, None, 0, None),
        (None, 0, None, None),
        (0, None, None, None),
    ):
        axes = indices if own is None else (own, *indices)
        function = torch.vmap(function, in_dims=axes, out_dims=0)
    answer = function(b, h, q, k) if scores is None else function(scores, b, h, q, k)
    return answer.expand(len(b), len(h), len(q), len(k))

"""The search that the entmax family shares: which few keys of a row get weight.

With gaps to the row's best score, `gap_j = scores_j - max_i scores_i <= 0`, and `s = alpha - 1`,

    weights_j = max(0, u^s + s gap_j)^(1/s)

where the largest weight `u` is the only unknown. It is found by Newton's method without a gradient;
the mechanism then computes the weights on the support by ordinary arithmetic, so that autograd
gives derivatives of every order.

A key further than `u^s / s` below the best gets no weight. Since `u <= 1`, few keys matter, and on
the CPU they are listed (`Few`) before or after the search: what is left to do on the whole matrix
is one maximum, one comparison and one write.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._torch_private import can_look_at
from regard.normalizers._closed import at_least_float32, in_dtype_of, without_keys

FEW = 0.02  # share of the pairs up to which the search is faster on a list than on the matrix
SOME = 0.3  # the same for the weights and their gradient, which take more operations
SEARCHED = 1 << 17  # scores searched at a time by each thread, so that temporaries stay in cache
STRIDE = 16  # the best of so many keys stand for them in a first, coarse search
STEPS = {torch.float32: 32, torch.float64: 45}  # enough for any row: see `newton`


class ScoreRows:
    """Every pair: `gaps` is `[*rows, k_len]`, a number per row is `[*rows, 1]`."""

    def __init__(self, gaps: Tensor) -> None:
        self.gaps = gaps

    def total(self, entries: Tensor) -> Tensor:
        """Sum over each row."""
        return entries.sum(dim=-1, keepdim=True)

    def spread(self, per_row: Tensor) -> Tensor:
        """Each row's number, for its entries."""
        return per_row

    def outside(self, depth: Tensor) -> Tensor:
        """Entries `depth` or more below the best; with a NaN in the row, what is closed."""
        bound = (-depth).nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        return self.gaps <= self.spread(bound)

    def dense(self, weights: Tensor) -> Tensor:
        """The entries' weights as a matrix."""
        return weights


class Few(ScoreRows):
    """The listed pairs only: `gaps` is `[pairs]`, a number per row is still `[*rows, 1]`."""

    def __init__(self, scores: Tensor, top: Tensor, pairs: Tensor) -> None:
        self.shape, self.lead, self.pairs = scores.shape, top.shape, pairs
        self.row = pairs.div(scores.shape[-1], rounding_mode="floor")
        super().__init__(scores.reshape(-1).index_select(0, pairs) - self.spread(top))

    def total(self, entries: Tensor) -> Tensor:
        sums = entries.new_zeros(self.lead.numel()).index_add(0, self.row, entries)
        return sums.reshape(self.lead)

    def spread(self, per_row: Tensor) -> Tensor:
        return per_row.expand(self.lead).reshape(-1).index_select(0, self.row)

    def dense(self, weights: Tensor) -> Tensor:
        matrix = weights.new_zeros(self.shape.numel())
        return matrix.index_put_((self.pairs,), weights).reshape(self.shape)


RowSearch = Callable[[ScoreRows, Tensor, Tensor], Tensor]
Weigh = Callable[[ScoreRows, Tensor, Tensor], Tensor]


def sparse_weights(
    scores: Float[Tensor, "*rows k_len"],
    where: Bool[Tensor, "..."] | None,
    s: float | Float[Tensor, "..."],
    search: RowSearch,
    weigh: Weigh,
) -> Float[Tensor, "*rows k_len"]:
    """The weights `weigh(rows, u, s)`, where `u = search(rows, s, upper)` starts from a bound.

    Both see gaps of 0 for the best key of a row, -inf where there can be no weight and nothing else
    in a row without a permitted key; `s = alpha - 1` broadcasts to `[*rows, 1]`.
    """
    if without_keys(scores):
        return scores * 1.0
    given, scores = scores, at_least_float32(scores)
    s = _scalar(s, scores)
    filled, fixed = scores.detach(), s.detach()
    if where is not None:
        filled = torch.where(where, filled, -torch.inf)
    top = filled.amax(dim=-1, keepdim=True)
    with torch.no_grad():
        pairs = within(filled, top - 1.0 / fixed, FEW)
        if pairs is None:
            top = top.masked_fill(top == -torch.inf, 0.0)
            u = _search(filled, top, fixed, search)
            pairs = within(filled, top - u**fixed / fixed, SOME)
        else:
            u = search(Few(filled, top, pairs), fixed, torch.ones_like(top))
    if pairs is None:
        rows = ScoreRows(torch.where(filled == -torch.inf, -torch.inf, scores - top))
    else:
        rows = Few(scores, top, pairs)
    return in_dtype_of(given, rows.dense(weigh(rows, u, s)))


def _scalar(s: float | Tensor, scores: Tensor) -> Tensor:
    if isinstance(s, Tensor):
        return s.to(scores.dtype)
    return torch.full((), s, dtype=scores.dtype, device=scores.device)


def within(filled: Tensor, bound: Tensor, share: float) -> Tensor | None:
    """Flat indices of the scores above their row's bound, if few and if they may be looked at."""
    if not can_look_at(filled):
        return None
    # With a NaN in the row everything permitted is above the bound, so that the NaN shows.
    bound = bound.nan_to_num(nan=-torch.inf, neginf=-torch.inf)
    # The subtraction may have rounded up; what is listed in excess gets weight 0 later.
    bound = torch.nextafter(bound, torch.full_like(bound, -torch.inf))
    above = torch.le(filled, bound).logical_not_().reshape(-1)
    if above.count_nonzero() > share * above.numel():
        return None
    return above.nonzero().squeeze(1)


def _search(filled: Tensor, top: Tensor, s: Tensor, search: RowSearch) -> Tensor:
    """RowSearch the whole matrix, on the CPU a few rows at a time."""
    if not can_look_at(filled):
        return search(ScoreRows(filled - top), s, torch.ones_like(top))
    size = max(1, SEARCHED * torch.get_num_threads() // filled.shape[-1])
    parts = (part.reshape(-1, part.shape[-1]) for part in (filled, top, s.expand(top.shape)))
    found = []
    for scores, best, each in zip(*(part.split(size) for part in parts), strict=True):
        gaps, upper = scores - best, torch.ones_like(best)
        if gaps.shape[-1] >= 16 * STRIDE:
            # The best of every 16 keys: their weights alone reach a sum of 1 at a higher u.
            best_few = gaps[:, : gaps.shape[-1] // STRIDE * STRIDE].unflatten(-1, (STRIDE, -1))
            upper = search(ScoreRows(best_few.amax(dim=1)), each, upper).clamp_max(1.0)
        found.append(search(ScoreRows(gaps), each, upper))
    return torch.cat(found).reshape(top.shape)


def newton(u: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    """Largest weights, by steps down from an upper bound until they stay.

    The sum of the weights is convex in u, so that no step overshoots and each divides (sum - 1)
    times the slope by four or more: log2(k_len) + half the dtype's bits are always enough.
    Usually it takes four to eight; code that may not look does them all.
    """
    tolerance, may_look = 1.0 - 32.0 * torch.finfo(u.dtype).eps, can_look_at(u)
    for _ in range(STEPS[u.dtype]):
        last, u = u, step(u)
        if may_look and not bool((u < last * tolerance).any()):
            break
    return u

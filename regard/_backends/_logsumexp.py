"""A softmax's output and the logarithm of what it divides by, some queries at a time."""

import torch
from torch import Tensor

from regard._backends import _sanitize, chunked
from regard._backends._call import Call, label
from regard._backends._spans import Piece
from regard._backends._structure import is_softmax, temperature


def run(call: Call) -> tuple[Tensor, Tensor]:
    """Output `[B, H, Q, V]` in the query's dtype and logsumexp `[B, H, Q]` in the exact one."""
    if not is_softmax(call.normalizer):
        raise ValueError(
            f"attention in pieces needs normalizer=softmax or a Softmax(temperature), got "
            f"{label(call.normalizer)}: only a softmax is a sum over keys."
        )
    both = exact(call)
    return both[..., :-1].to(call.query.dtype), both[..., -1]


def exact(call: Call) -> Tensor:
    """`[B, H, Q, V + 1]` in the exact dtype: the output, and the logsumexp in a last column."""
    return _sanitize.guard(call, lambda call: chunked.in_chunks(call, _with_logsumexp))


def _with_logsumexp(call: Call, query: Tensor, key: Tensor, value: Tensor, chunk: Piece) -> Tensor:
    """`[B, H, chunk, V + 1]`: the output of these queries, their logsumexp in a last column."""
    scores, where = chunked.scored(call, query, key, chunk)
    scores = scores / temperature(call.normalizer)
    if where is not None:
        scores = scores.masked_fill(~where, -torch.inf)
    sums = total(scores, -1).unsqueeze(-1)
    weights = (scores - sums.masked_fill(sums == -torch.inf, 0.0)).exp()
    return torch.cat([weights @ value, sums], -1)


def total(scores: Tensor, dim: int) -> Tensor:
    """`log Σ exp` over a dimension; -inf, without a gradient, where all scores are -inf."""
    if scores.shape[dim] == 0:
        return scores.sum(dim) - torch.inf
    empty = (scores == -torch.inf).all(dim, keepdim=True)
    sums = torch.logsumexp(scores.masked_fill(empty, 0.0), dim, keepdim=True)
    return sums.masked_fill(empty, -torch.inf).squeeze(dim)

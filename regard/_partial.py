"""Attention in pieces: partial results over some of the keys, and how they are merged."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard._backends import _logsumexp, _tap
from regard._backends._bind import bind, without_autocast
from regard._pairwise import Offset
from regard._torch_private import quiet_trace
from regard._typing import MaskMod, Normalizer, Score, ScoreMod
from regard.normalizers import softmax
from regard.scores import ScaledDot


class Partial(NamedTuple):
    """Softmax attention over some of the keys: their own output and their total weight.

    `logsumexp` is the log of the softmax's denominator, -inf where a query may see none of these
    keys.

    Example:
        >>> import torch, regard
        >>> nothing = regard.Partial(torch.zeros(1, 1, 2, 4), torch.full((1, 1, 2), -torch.inf))
        >>> x = torch.randn(1, 1, 2, 4)
        >>> torch.equal(regard.merge([nothing, regard.attention_partial(x, x, x)]).output,
        ...             regard.attention_partial(x, x, x).output)
        True
    """

    output: Float[Tensor, "batch heads q_len value_dim"]
    logsumexp: Float[Tensor, "batch heads q_len"]


def attention_partial(
    query: Float[Tensor, "batch heads q_len head_dim"],
    key: Float[Tensor, "batch kv_heads k_len key_dim"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    *,
    score: Score = ScaledDot(),
    score_mod: ScoreMod | None = None,
    mask: MaskMod | Bool[Tensor, "..."] | None = None,
    normalizer: Normalizer = softmax,
    q_offset: Offset | None = None,
) -> Partial:
    """`attention`, and the log of the denominator of each query's softmax.

        logsumexp = log Σ_j exp(score_mod(score(query, key_j)) / temperature)    over permitted keys

    With it, partial results over disjoint sets of keys merge exactly (`merge`): for keys that are
    on several devices or arrive in chunks, and for keys that only some queries share. A query
    without a permitted key has output 0 and logsumexp -inf. Both have exact gradients.

    Args:
        normalizer: `softmax` or `Softmax(temperature)`; no other decomposes into sums over keys.

    Returns:
        The output in the query's dtype, the logsumexp in float32 (float64 for float64 input).

    Raises:
        ValueError, TypeError: as `attention`, and for a normalizer that is not a softmax.

    Example:
        >>> import torch, regard
        >>> x = torch.randn(1, 2, 6, 4)
        >>> parts = [
        ...     regard.attention_partial(x, x[:, :, :2], x[:, :, :2], q_offset=0),
        ...     regard.attention_partial(x, x[:, :, 2:], x[:, :, 2:], q_offset=-2),
        ... ]
        >>> torch.allclose(regard.merge(parts).output, regard.attention(x, x, x), atol=1e-6)
        True

    References:
        Dao, Fu, Ermon, Rudra & Ré. FlashAttention: Fast and Memory-Efficient Exact Attention with
        IO-Awareness. 2022. https://arxiv.org/abs/2205.14135
    """
    parts = (score, score_mod, mask, normalizer, 0.0, q_offset)
    if _tap.listener is not None:
        seen: Partial = _tap.listener(_attend_partly, query, key, value, parts, None)
        return seen
    return _attend_partly(query, key, value, parts, None)


def _attend_partly(
    query: Tensor, key: Tensor, value: Tensor, parts: tuple[Any, ...], backend: None
) -> Partial:
    with quiet_trace():
        call = bind(query, key, value, *parts)
        with without_autocast(query.device.type):
            return Partial(*_logsumexp.run(call))


def merge(parts: Iterable[Partial]) -> Partial:
    """Merge the partial results of disjoint sets of keys into that of all of them.

        logsumexp = log Σ_n exp(logsumexp_n)
        output = Σ_n exp(logsumexp_n - logsumexp) output_n

    The order does not matter, and parts may be merged in any grouping. An attention sink of score
    s is a part with output 0 and logsumexp s.

    Raises:
        ValueError: no part, or parts of different shapes.
        TypeError: something that is not a `Partial`.

    Example:
        >>> import torch, regard
        >>> x = torch.randn(1, 1, 2, 4)
        >>> whole = regard.attention_partial(x, x, x)
        >>> sink = regard.Partial(torch.zeros_like(x), torch.zeros(1, 1, 2))
        >>> from regard.normalizers import softmax_one
        >>> wanted = regard.attention(x, x, x, normalizer=softmax_one)
        >>> torch.allclose(regard.merge([whole, sink]).output, wanted, atol=1e-6)
        True
    """
    parts = list(parts)
    if not parts:
        raise ValueError("merge needs at least one part, got 0: give the results of partial calls.")
    for part in parts:
        if not isinstance(part, Partial):
            raise TypeError(
                f"merge needs Partial(output, logsumexp), not {type(part).__name__}: give what "
                "attention_partial returned."
            )
    first = parts[0]
    for part in parts:
        if (
            part.output.shape != first.output.shape
            or part.logsumexp.shape != first.output.shape[:3]
        ):
            raise ValueError(
                f"merge needs parts of one shape, got output {list(part.output.shape)} with "
                f"logsumexp {list(part.logsumexp.shape)} beside output {list(first.output.shape)}: "
                "every part answers the same queries."
            )
    sums = torch.stack([part.logsumexp for part in parts])
    outputs = torch.stack([part.output for part in parts])
    weights = softmax(sums.movedim(0, -1)).movedim(-1, 0)  # zeros where no part has a key
    output = (weights.unsqueeze(-1) * outputs.to(sums.dtype)).sum(0)
    return Partial(output.to(outputs.dtype), _logsumexp.total(sums, 0))

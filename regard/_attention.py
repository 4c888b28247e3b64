"""The operator: one function for every attention mechanism of the query–key–value form."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from regard._backends import _explain, _memo, _plan, _sanitize, _tap, _weights
from regard._backends._bind import bind, bind_again, without_autocast
from regard._backends._explain import Plan
from regard._backends._weights import Chosen
from regard._pairwise import Offset
from regard._torch_private import quiet_trace
from regard._typing import MaskMod, Normalizer, Score, ScoreMod, Share
from regard.normalizers import softmax
from regard.scores import ScaledDot

Parts = tuple[Any, ...]


def attention(
    query: Float[Tensor, "batch heads q_len head_dim"],
    key: Float[Tensor, "batch kv_heads k_len key_dim"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    *,
    score: Score = ScaledDot(),
    score_mod: ScoreMod | None = None,
    mask: MaskMod | Bool[Tensor, "..."] | None = None,
    normalizer: Normalizer = softmax,
    dropout: Share = 0.0,
    q_offset: Offset | None = None,
    backend: str | None = None,
) -> Float[Tensor, "batch heads q_len value_dim"]:
    """Attend: `output = dropout(normalizer(score_mod(score(query, key)), mask)) @ value`.

    Three steps, each a part you choose: score every pair, normalize the scores of each query to
    weights, sum the values with these weights. The planner picks the fastest kernel that computes
    the same; `regard.plan` says which and why, `regard.attention_weights` returns the weights.

    Args:
        query: the queries; `heads` is a multiple of `kv_heads` (grouped as `repeat_interleave`).
        key: the keys. Their width may differ from the queries' where the score allows it.
        value: the values, which are summed.
        score: the similarity of query and key.
        score_mod: changes a score, given its batch, head and absolute positions.
        mask: True = may attend. A mask part, several joined by `& | ~`, or a boolean tensor that
            broadcasts to `[batch, heads, q_len, k_len]`. A forbidden pair has weight exactly 0, and
            a query without a permitted key outputs zeros.
        normalizer: turns scores into weights.
        dropout: probability of dropping a weight. It applies whenever it is above 0.
        q_offset: number of keys before the first query, for masks and score mods; the default
            aligns the last query with the last key, as cached decoding needs. An integer tensor
            [batch] has one for each sequence.
        backend: None lets the planner choose; a named backend is used or raises.

    Returns:
        The output, in the query's dtype; sums are kept in at least float32. Under autocast, inputs
        are first cast as `scaled_dot_product_attention` casts them.

    Raises:
        ValueError, TypeError: shapes, dtypes, devices or parts that do not fit together.
        UnsupportedByBackend: the named backend cannot serve this call; it lists the reasons.

    Example:
        >>> import torch, regard
        >>> from regard.masks import Causal, SlidingWindow
        >>> x = torch.randn(1, 8, 256, 64)
        >>> regard.attention(x, x, x, mask=Causal() & SlidingWindow(32)).shape
        torch.Size([1, 8, 256, 64])

    References:
        Bahdanau, Cho & Bengio. Neural Machine Translation by Jointly Learning to Align and
        Translate. 2015. https://arxiv.org/abs/1409.0473
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """
    parts = (score, score_mod, mask, normalizer, dropout, q_offset)
    if _tap.listener is not None:
        seen: Tensor = _tap.listener(_attend, query, key, value, parts, backend)
        return seen
    return _attend(query, key, value, parts, backend)


def _attend(query: Tensor, key: Tensor, value: Tensor, parts: Parts, backend: str | None) -> Tensor:
    """Served as an earlier call of its form was, or else checked and planned first."""
    form = _memo.form_of(query, key, value, *parts) if backend is None else None
    known = None if form is None else _memo.recall(form)
    if known is not None:
        mask = parts[2]
        if (
            known.kernel is not None
            and (output := known.kernel(query, key, value, mask)) is not None
        ):
            return output
        call = bind_again(query, key, value, *parts)
        return _sanitize.run(call, _memo.backend_of(known, call), None)
    with quiet_trace():
        call = bind(query, key, value, *parts)
        name = _memo.choose(form, call) if backend is None else _plan.backend_named(backend, call)
        with without_autocast(query.device.type):
            return _sanitize.run(call, name, backend)


def attention_weights(
    query: Float[Tensor, "batch heads q_len head_dim"],
    key: Float[Tensor, "batch kv_heads k_len key_dim"],
    *,
    score: Score = ScaledDot(),
    score_mod: ScoreMod | None = None,
    mask: MaskMod | Bool[Tensor, "..."] | None = None,
    normalizer: Normalizer = softmax,
    q_offset: Offset | None = None,
    rows: Chosen = None,
    heads: Chosen = None,
) -> Float[Tensor, "batch some_heads some_rows k_len"]:
    """The exact weights of `attention` with the same arguments, before dropout: all or some.

    Only the requested weights are computed: eight rows of a long input cost eight rows.

    Args:
        rows: which queries, as an index, a slice or a sequence of indices; None is all of them.
        heads: which query heads, likewise. Both axes stay, also for a single index.

    Raises:
        ValueError, TypeError: as `attention`; IndexError for a row or head that does not exist.

    Example:
        >>> import torch, regard
        >>> x = torch.randn(1, 8, 256, 64)
        >>> weights = regard.attention_weights(x, x, rows=[0, -1], heads=3)
        >>> weights.shape
        torch.Size([1, 1, 2, 256])
    """
    with quiet_trace():
        call = bind(query, key, key, score, score_mod, mask, normalizer, 0.0, q_offset)
        with without_autocast(query.device.type):
            return _weights.run(call, heads, rows)


def plan(
    query: Float[Tensor, "batch heads q_len head_dim"],
    key: Float[Tensor, "batch kv_heads k_len key_dim"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    *,
    score: Score = ScaledDot(),
    score_mod: ScoreMod | None = None,
    mask: MaskMod | Bool[Tensor, "..."] | None = None,
    normalizer: Normalizer = softmax,
    dropout: Share = 0.0,
    q_offset: Offset | None = None,
    backend: str | None = None,
) -> Plan:
    """How `attention` would evaluate the same call; printed, it reads like a database's EXPLAIN.

    It computes nothing: backend, rewriting, the reasons against every other backend, predicted
    seconds, operations, bytes moved and peak bytes follow from the shapes and the parts.

    Raises:
        ValueError, TypeError, UnsupportedByBackend: as `attention`.

    Example:
        >>> import torch, regard
        >>> x = torch.randn(1, 8, 16, 64)
        >>> regard.plan(x, x, x).backend
        'sdpa'
    """
    call = bind(query, key, value, score, score_mod, mask, normalizer, dropout, q_offset)
    return _explain.explain(call, backend)

"""Linear attention: `φ(Q) (φ(K)ᵀ V)` instead of `(φ(Q) φ(K)ᵀ) V`, with no q × k matrix.

With normalizer `divide_by_sum` the weights are `φ(q)·φ(k) / Σ φ(q)·φ(k)`, so keys and values may be
summed before any query is seen; under a causal mask the sums are running sums, taken block by
block. Weights that are the scores themselves, or these over the number of keys, may be negative:
there a plain dot product is as good as one of feature maps.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from regard._backends._call import Call, label, repeat_heads, shown
from regard._backends._cost import Cost, io_bytes, output_bytes
from regard._backends._rates import Rates
from regard._backends._structure import conjuncts
from regard._torch_private import is_static, plain_length, surely
from regard.masks import Causal, Padding
from regard.normalizers import divide_by_count, divide_by_sum, unnormalized
from regard.scores import Dot, FeatureMapDot, ScaledDot

BLOCK = 64  # queries that meet their own block's keys pair by pair under a causal mask


masks_first = False
uses_dot_form = False
first_derivative_only = False
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """Another score, another normalizer, or anything that needs single pairs."""
    if not _is_signed(call) and call.normalizer is not divide_by_sum:
        yield f"the normalizer is {label(call.normalizer)}, not divide_by_sum"
    dots = (FeatureMapDot, Dot, ScaledDot) if _is_signed(call) else (FeatureMapDot,)
    if type(call.score) not in dots:
        yield f"the score is {label(call.score)}, not a FeatureMapDot"
    if call.score_mod is not None:
        yield "a score_mod needs every single score"
    if call.dropout > 0:
        yield "dropout needs every single weight"
    for part in conjuncts(call.mask):
        if type(part) not in (Causal, Padding):
            yield f"mask {label(part)} is neither Causal nor Padding"
    if call.normalizer is divide_by_count and _is_causal(call):
        yield "under a causal mask every query has a number of keys of its own to divide by"
    if _is_causal(call) and not _ends_together(call):
        yield (
            f"a causal mask wants the last query at the last key, but q_offset is "
            f"{shown(call.q_offset)} with {shown(call.q_len)} queries and {shown(call.k_len)} keys"
        )


def reservations(call: Call) -> Iterator[str]:
    return iter(())


def seconds(call: Call, rates: Rates) -> float:
    """What the sums take, for a feature map as wide as the query; without blocks, or with."""
    lead, q_len, k_len = call.lead, call.q_len, call.k_len
    width, both = call.query.shape[-1], call.query.shape[-1] + call.value.shape[-1]
    steps, numbers = 19 + 8 * (call.mask is not None), 4 * (q_len + k_len) * both
    if not _is_causal(call):
        pairs = min(q_len * k_len, width * (q_len + k_len) // 2)
        return rates.seconds(steps, matmul=2 * lead * pairs * both, numbers=lead * numbers)
    blocks = -(-q_len // BLOCK)
    near, state = blocks * BLOCK * BLOCK, width * call.value.shape[-1]
    return rates.seconds(
        steps + 18,
        matmul=2 * lead * (near * both + state * (blocks * BLOCK + k_len)),
        numbers=lead * (numbers + near + 3 * blocks * state),
    )


def cost(call: Call) -> Cost:
    lead = call.lead
    width, value_dim = _feature_dim(call), call.value.shape[-1] + 1
    near = min(BLOCK, call.k_len) if _is_causal(call) else 0
    flops = 2 * lead * width * value_dim * (call.k_len + call.q_len)
    flops += 2 * lead * call.q_len * near * (width + value_dim)
    blocks = -(-call.k_len // BLOCK) if _is_causal(call) else 1
    state = lead * blocks * width * value_dim * call.exact.itemsize
    return Cost(flops, io_bytes(call) + 2 * state, output_bytes(call) + state)


def _is_signed(call: Call) -> bool:
    """Whether the weights are the scores, but for a number."""
    return call.normalizer is unnormalized or call.normalizer is divide_by_count


def _mapped(call: Call, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """The vectors whose dot product the score is."""
    if isinstance(call.score, FeatureMapDot):
        return call.score.feature_map(query), call.score.feature_map(key)
    if isinstance(call.score, ScaledDot):
        query = query * call.score.factor(query.shape[-1])
    return query, key


def _feature_dim(call: Call) -> int:
    nothing = call.query[:0, :0, :0]
    return _mapped(call, nothing, nothing)[0].shape[-1]


def _ends_together(call: Call) -> bool:
    """Whether the last query stands at the last key, whatever the lengths of a recorded graph."""
    if not call.offset_is_shared:
        return False
    return surely(call.q_offset >= 0) and surely(call.q_offset + call.q_len == call.k_len)


def _is_causal(call: Call) -> bool:
    return any(type(part) is Causal for part in conjuncts(call.mask))


def run(call: Call) -> Tensor:
    query, key = _mapped(call, call.query.to(call.exact), call.key.to(call.exact))
    key = repeat_heads(key, call.groups)
    value = repeat_heads(call.value.to(call.exact), call.groups)
    count: Tensor | int = max(1, plain_length(call.k_len))
    for part in conjuncts(call.mask):
        if type(part) is Padding:
            keep_B1K1 = part(*call.indices).mT
            key, value = key.where(keep_B1K1, 0), value.where(keep_B1K1, 0)
            count = keep_B1K1.sum(2, keepdim=True).clamp(min=1)
    if _is_signed(call):
        total = _summed(call, query, key, value)
        return (total if call.normalizer is unnormalized else total / count).to(call.query.dtype)
    # A last column of ones carries the sum of the weights along with the weighted sum.
    total = _summed(call, query, key, F.pad(value, (0, 1), value=1.0))
    output, weight = total[..., :-1], total[..., -1:]
    empty = weight == 0
    return (output / weight.masked_fill(empty, 1.0)).masked_fill(empty, 0.0).to(call.query.dtype)


def _summed(call: Call, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """`Σ (q · k) v` over the keys that a query may see, in the cheapest order."""
    if _is_causal(call) and torch.compiler.is_exporting() and not is_static(call.q_len):
        pairs = query @ key.mT  # blocks would bind the graph to their number
        return pairs.masked_fill(~Causal()(*call.indices), 0.0) @ value
    if _is_causal(call) and not surely(call.q_len == 0):
        return _running(query, key, value, call.shared_offset)
    if surely(call.q_len * call.k_len < query.shape[-1] * (call.q_len + call.k_len) // 2):
        return (query @ key.mT) @ value
    return query @ (key.mT @ value)


def _running(query: Tensor, key: Tensor, value: Tensor, offset: int) -> Tensor:
    """For each query, the sum over its past: whole blocks as states, its own block pair by pair."""
    q_len = query.shape[-2]
    past = key[:, :, :offset].mT @ value[:, :, :offset]
    extra = -q_len % BLOCK
    query, key, value = (
        F.pad(tensor, (0, 0, 0, extra)).unflatten(2, (-1, BLOCK))
        for tensor in (query, key[:, :, offset:], value[:, :, offset:])
    )
    within = torch.tril(query @ key.mT) @ value
    states = key.mT @ value
    before = past.unsqueeze(2) + states.cumsum(2) - states
    return (within + query @ before).flatten(2, 3)[:, :, :q_len]

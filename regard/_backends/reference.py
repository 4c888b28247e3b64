"""The readable definition: score, normalize, weighted sum, with the whole q × k matrix in sight.

Everything faster is compared with this file, and no faster file may import it.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from regard._backends._call import Call, repeat_heads
from regard._backends._cost import Cost, dense_cost, dense_seconds
from regard._backends._rates import Rates

masks_first = True
uses_dot_form = False
first_derivative_only = False
takes_tensor_lengths = True


def refusals(call: Call) -> Iterator[str]:
    """It serves everything."""
    return iter(())


def reservations(call: Call) -> Iterator[str]:
    """What is long does not fit into memory."""
    yield "it holds all pairs at once"


def seconds(call: Call, rates: Rates) -> float:
    pairs = call.q_len * call.k_len
    return dense_seconds(call, rates, pairs, pairs)


def cost(call: Call) -> Cost:
    pairs = call.q_len * call.k_len
    return dense_cost(call, pairs, pairs)


def run(call: Call) -> Tensor:
    """`dropout(weights) @ value`."""
    weights = torch.dropout(weigh(call), call.dropout, train=call.dropout > 0)
    value = repeat_heads(call.value, call.groups).to(weights.dtype)
    return (weights @ value).to(call.query.dtype)


def weigh(call: Call, indices: tuple[Tensor, Tensor, Tensor, Tensor] | None = None) -> Tensor:
    """The weights `[B, H, Q, K]`, before dropout, in at least float32.

    `indices` says which `b h q k` the call's tensors are, where they are a selection.
    """
    query = call.query.to(call.exact)
    key = repeat_heads(call.key, call.groups).to(call.exact)
    b, h, q, k = indices or call.indices

    scores = call.scored(query, key)
    scores = call.modified(scores, b, h, q, k)
    where = None if call.mask is None else call.permitted(b, h, q, k)
    return call.normalized(call.normalizer, scores, where)

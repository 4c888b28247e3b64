"""What lies under a mask must not come out: NaN, infinity, and numbers whose products overflow.

Kernels multiply forbidden values by a weight of zero, and 0 · NaN is NaN. So when a masked call
holds such numbers, which one reduction per tensor tells, it is served in a way that keeps them in:

- a key that no query may see, and a query that may see no key, are set to zero;
- any other non-finite vector is set to zero too, and the queries it really reaches become NaN;
- finite numbers that overflow go to a backend that masks scores before it uses them.

Inside a compiled graph or a `torch.func` transform nothing can be asked of the numbers; there,
padding is set to zero always.
"""

import math

import torch
from torch import Tensor

from regard._backends._call import Call, is_traced, repeat_heads
from regard._backends._plan import BACKENDS
from regard._backends._structure import conjuncts
from regard.errors import UnsupportedByBackend
from regard.masks import Padding

EXPLICIT = ("chunked", "reference")


def run(call: Call, backend: str, asked: str | None) -> Tensor:
    """Serve the call by `backend`, shielded where the mask hides something wild."""
    if call.mask is None:
        return BACKENDS[backend].run(call)
    if is_traced():
        return BACKENDS[backend].run(without_padding(call))
    if is_tame(call):
        return BACKENDS[backend].run(call)
    tamed, reached = shield(call)
    if backend not in EXPLICIT and not is_tame(tamed):
        if asked is not None:
            raise UnsupportedByBackend(asked, {asked: [_OVERFLOW]})
        backend = "chunked"
    return BACKENDS[backend].run(tamed).masked_fill(reached.unsqueeze(-1), torch.nan)


_OVERFLOW = (
    "query, key or value hold numbers whose products overflow and which some query may not see; "
    "backend='chunked' keeps them apart"
)


def is_tame(call: Call) -> bool:
    """Whether the squares of all numbers can be summed: then no product of two overflows."""
    if call.query.is_meta:
        return True  # shapes hold no numbers
    exact = call.exact
    with torch.no_grad():
        total = torch.linalg.vector_norm(call.query, dtype=exact)
        total = total + torch.linalg.vector_norm(call.key, dtype=exact)
        total = total + torch.linalg.vector_norm(call.value, dtype=exact)
    return math.isfinite(total.item())


def shield(call: Call) -> tuple[Call, Tensor]:
    """The call without what its mask hides, and `[B, H, Q]` of the queries non-finites do reach."""
    bad_query, bad_key, bad_value = (
        ~tensor.detach().isfinite().all(-1) for tensor in (call.query, call.key, call.value)
    )
    bad_BHK = repeat_heads(bad_key | bad_value, call.groups)
    reached, sees_any, seen = [], [], torch.zeros_like(bad_BHK)
    for start in range(0, max(call.q_len, 1), 256):
        stop = min(start + 256, call.q_len)
        permitted = call.permitted(*call.indices_of(start, stop))
        permitted = permitted.expand(*bad_BHK.shape[:2], stop - start, call.k_len)
        reached.append((permitted & bad_BHK.unsqueeze(-2)).any(-1))
        sees_any.append(permitted.any(-1))
        seen |= permitted.any(-2)
    alive = torch.cat(sees_any, -1)
    unseen = ~seen.unflatten(1, (-1, call.groups)).any(2)
    tamed = call.where(
        query=_without(call.query, bad_query | ~alive),
        key=_without(call.key, bad_key | unseen),
        value=_without(call.value, bad_value | unseen),
    )
    return tamed, torch.cat(reached, -1) | (bad_query & alive)


def without_padding(call: Call) -> Call:
    """The call with zeros for the keys and values that a `Padding` mask hides from every query."""
    for part in conjuncts(call.mask):
        if type(part) is Padding:
            padding = ~part(*call.indices).mT
            key, value = (x.masked_fill(padding, 0) for x in (call.key, call.value))
            call = call.where(key=key, value=value)
    return call


def _without(tensor: Tensor, vectors: Tensor) -> Tensor:
    return tensor.masked_fill(vectors.unsqueeze(-1), 0)

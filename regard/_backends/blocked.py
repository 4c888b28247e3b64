"""Softmax and sigmoid on a CPU, by loops of our own over blocks of queries and keys.

Every dot-product score, capped and given biases by distance, tensors of biases and products of
queries and distances in any order (`_added.py`), and every mask that permits each query one run of
keys: blocks of keys that no query of a block sees are not met. `_kernels/blocked.py` has the loops.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from regard._backends import _added, _dot, _loops
from regard._backends._blocked_grad import Between, attend, attend_recorded, counted
from regard._backends._call import Call, Kernel, label
from regard._backends._cost import Cost, fused_cost, score_work
from regard._backends._intervals import clipped, ends_of, interval_of
from regard._backends._rates import Rates, has_faster_tiles, kernel_dtype, rates_of
from regard._backends._rewriting import AS_THEY_ARE, LEAVES_OUT_QUERY, dot_form
from regard._backends._structure import conjuncts, follows_from_numbers, leaves, temperature
from regard._torch_private import is_exporting, is_static, is_traced, likely
from regard.masks import Document, Padding, Prefix
from regard.normalizers import sigmoid
from regard.score_mods import RelativeDot, SoftCap

masks_first = False
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False

PANEL = 32
"""Queries that are computed together: fewer take as long."""

WEIGHT = 40
"""Operations of a product that take as long as a weight."""

SQUASHED, CAPPED, NEAR, PAIRED, DROPPED = 6, 40, 15, 100, 30
"""The same that a sigmoid takes more than softmax, a cap, a bias by distance and one by pairs, and
a dropout."""

LEAST = 1 << 25
"""Operations of all pairs below which no call is worth compiling loops for."""

LOOKING = 40
"""Steps that take as long as finding where the documents of a sequence lie."""

LONG = 1 << 14
"""Queries from which on what they see is not kept: finding it takes no time beside the call."""


def refusals(call: Call) -> Iterator[str]:
    """Another score, normalizer or score_mod, float64, gaps between keys, or no CPU."""
    yield from _dot.others(call, also=sigmoid)
    yield from _loops.refusals(call)
    if call.score_mod is not None and (reason := _added.why_not(call)) is not None:
        yield reason
    if type(call.score) in LEAVES_OUT_QUERY and _sees_query_term(call):
        yield (
            f"the rewriting of {label(call.score)} leaves out a term of the query alone, which "
            f"only a softmax of scores that have no cap does not see"
        )
    for part in conjuncts(call.mask):
        if not interval_of(part, call, is_traced()).is_run:
            yield f"it serves masks that permit each query one run of keys, not {label(part)}" + (
                ", whose numbers a graph does not know" if is_traced() else ""
            )


def _sees_query_term(call: Call) -> bool:
    """Whether weights change with what is added to all scores of a query."""
    return call.normalizer is sigmoid or _added.caps(call.score_mod)


def reservations(call: Call) -> Iterator[str]:
    """So little work that compiling the loops would take longer than all that they save."""
    width = call.query.shape[-1] + call.value.shape[-1]
    pairs = call.lead * _whole(call.q_len) * call.k_len
    if 2 * width * likely(pairs) < LEAST:
        yield "so small a call is not worth compiling loops for"
    if rates_of(call) is None:  # else `seconds` tells
        if not has_faster_tiles(kernel_dtype(call)):
            yield "its loops were not measured to be faster on this kind of processor"
        if is_exporting():
            yield "an exported program would need its loops wherever it runs: name it to have that"


def seconds(call: Call, rates: Rates) -> float:
    steps, numbers = score_work(call)
    steps += 6 + 2 * len(conjuncts(call.mask))
    steps += LOOKING * sum(len(m.ids) if m.ids.ndim == 2 else 1 for m in _documents(call))
    if call.query.dtype != torch.float32:
        numbers += 2 * call.query.numel() + call.key.numel() + call.value.numel()
    pairs, width = _pairs(call), call.query.shape[-1] + call.value.shape[-1]
    turned = call.lead * _whole(call.q_len) * width
    weight, steps = WEIGHT + _on_weights(call), steps + 12 * len(_added.mods_of(call.score_mod))
    return rates.seconds(steps, tiles=pairs * (2 * width + weight), turned=turned, numbers=numbers)


def _on_weights(call: Call) -> int:
    """Operations of a product that take as long as what is done to a score."""
    found = SQUASHED if call.normalizer is sigmoid else 0
    for mod in _added.mods_of(call.score_mod):
        if type(mod) is SoftCap:
            found += CAPPED
        elif type(mod) is RelativeDot:
            found += PAIRED + 2 * mod.keys.shape[3]
        else:
            found += NEAR if _added.is_by_distance(mod) else PAIRED
    if call.dropout > 0:
        found += DROPPED
    return found


def _documents(call: Call) -> list[Document]:
    return [mask for mask in leaves(call.mask) if type(mask) is Document]


def _pairs(call: Call) -> int:
    """Scores that are computed: a panel meets all keys that any of its queries sees."""
    low, high = clipped(interval_of(call.mask, call), call)
    heads, panels = call.query.shape[1], -(-call.q_len // PANEL)
    alike = call.query.shape[0] // len(low) if len(low) else 0
    if low.shape[1] == 1:
        return heads * alike * panels * PANEL * int(np.maximum(high - low, 0).sum())
    sees, edges = low < high, np.arange(0, call.q_len, PANEL)
    if not len(edges):
        return 0
    first = np.minimum.reduceat(np.where(sees, low, call.k_len), edges, 1)
    last = np.maximum.reduceat(np.where(sees, high, 0), edges, 1)
    return heads * alike * PANEL * int(np.maximum(last - first, 0).sum())


def _whole(q_len: int) -> int:
    return -(-q_len // PANEL) * PANEL


def cost(call: Call) -> Cost:
    return fused_cost(call, _pairs(call) // max(1, call.lead))


def keeps_apart(call: Call) -> bool:
    """Whether no score of a forbidden pair is ever computed: all queries see the same keys.

    A gradient through what the score does to vectors first looks at all of them.
    """
    if type(call.score) not in AS_THEY_ARE and call.needs_grad:
        return False
    return all(type(part) in (Padding, Prefix) for part in conjuncts(call.mask))


def depends_on_numbers(call: Call) -> bool:
    """Whether tensors of the same shapes may hold a mask that is not served."""
    paddings = (leaf for leaf in leaves(call.mask) if type(leaf) is Padding)
    return bool(_documents(call)) or any(padding.lengths is None for padding in paddings)


def run(call: Call) -> Tensor:
    form = dot_form(call)
    query, key, scale = form.query, form.key, form.scale / temperature(call.normalizer)
    if isinstance(scale, Tensor) or not is_static(scale) or scale <= 0:
        query, scale = query.to(torch.float32) * scale, 1.0  # the loops want a number above zero
    query, key, value = (x.to(torch.float32) for x in (query, key, call.value))
    links, between = _added.links_of(call), Between(scale, call.normalizer is sigmoid)
    if is_traced():
        ends = ends_of(call, recorded=True)
        output = attend_recorded(query, key, value, links, ends, between, call.dropout)
    else:
        spans, dropout = counted(ends_of(call), query), call.dropout
        output = attend(query, key, value, links, between=between, spans=spans, dropout=dropout)
    return output if output.dtype == call.query.dtype else output.to(call.query.dtype)


def prepared(call: Call) -> Kernel | None:
    """The loops alone, where they need nothing but tensors of the same shapes."""
    from_numbers = call.mask is None or follows_from_numbers(call.mask) and call.q_len < LONG
    if type(call.score) not in AS_THEY_ARE or call.query.dtype != torch.float32:
        return None
    scale = dot_form(call).scale / temperature(call.normalizer)
    if isinstance(scale, Tensor) or scale <= 0 or isinstance(call.q_offset, Tensor):
        return None
    if not from_numbers or not _added.holds_numbers_alone(call.score_mod):
        return None
    spans = counted(ends_of(call), call.query)
    links, between = _added.links_of(call), Between(scale, call.normalizer is sigmoid)
    dropout = call.dropout

    def run(query: Tensor, key: Tensor, value: Tensor, _: object) -> Tensor:
        return attend(query, key, value, links, between=between, spans=spans, dropout=dropout)

    return run

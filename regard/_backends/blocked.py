"""Plain softmax on a CPU, by loops of our own over blocks of queries and keys.

Every dot-product score, causal or padded or both; padding and what lies behind a triangle is not
computed. `_kernels/blocked.py` has the loops.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from regard._backends import _dot
from regard._backends._blocked_grad import attend, attend_recorded
from regard._backends._call import Call, Kernel, label
from regard._backends._cost import Cost, fused_cost, score_work
from regard._backends._rates import Rates, rates_of
from regard._backends._rewriting import AS_THEY_ARE, dot_form
from regard._backends._structure import conjuncts, temperature
from regard._kernels.installed import has_loops
from regard._torch_private import is_jit_traced, is_static, is_traced, is_transformed
from regard.masks import Causal, Padding

masks_first = False
uses_dot_form = True
first_derivative_only = False
takes_tensor_lengths = False

PANEL = 32
"""Queries that are computed together: fewer take as long."""

WEIGHT, TURNED = 40, 50
"""Operations of a product that take as long as a weight, and as a number of a query turned."""

LEAST = 1 << 25
"""Operations below which no call is worth compiling loops for."""

_PLAIN = (Tensor, torch.nn.Parameter)


def refusals(call: Call) -> Iterator[str]:
    """Not a dot product under softmax in float32 or half, causal or padded at most, on a CPU."""
    yield from _dot.refusals(call)
    if call.score_mod is not None:
        yield f"it adds no bias, such as score_mod {label(call.score_mod)}"
    for part in conjuncts(call.mask):
        if not (type(part) is Causal or (type(part) is Padding and part.lengths is not None)):
            yield f"it knows Causal() and Padding(lengths) joined by &, not {label(part)}"
    if call.dropout > 0:
        yield "it drops no weights"
    if call.query.dtype == torch.float64:
        yield "it computes in float32, which would round float64"
    if call.query.device.type != "cpu":
        yield f"its loops are for a CPU, not for {call.query.device.type}"
    elif not is_traced() and type(call.query) not in _PLAIN:
        yield f"its loops read plain tensors in memory, not {type(call.query).__name__}"
    if is_jit_traced():
        yield "torch.jit.trace cannot record its loops"
    elif is_transformed() and next(_dot.refusals(call), None) is None:
        yield _dot.NO_TRANSFORM
    if not has_loops():
        yield 'its loops are compiled by Numba, which is not installed: pip install "regard[cpu]"'


def reservations(call: Call) -> Iterator[str]:
    """So little work that compiling the loops would take longer than all that they save."""
    width = call.query.shape[-1] + call.value.shape[-1]
    if rates_of(call) is not None and 2 * width * _pairs(call) < LEAST:
        yield "so small a call is not worth compiling loops for"


def seconds(call: Call, rates: Rates) -> float:
    steps, numbers = score_work(call)
    steps += 6 + 2 * len(conjuncts(call.mask))
    if call.query.dtype != torch.float32:
        numbers += 2 * call.query.numel() + call.key.numel() + call.value.numel()
    pairs, width = _pairs(call), call.query.shape[-1] + call.value.shape[-1]
    turned = call.query.shape[:2].numel() * _whole(call.q_len) * width
    return rates.seconds(
        steps, tiles=pairs * (2 * width + WEIGHT) + turned * TURNED, numbers=numbers
    )


def _pairs(call: Call) -> int:
    """Scores that are computed, those of filled-up panels and of blocks on a diagonal included."""
    keys = call.k_len
    causal = any(type(part) is Causal for part in conjuncts(call.mask))
    if causal and not isinstance(call.q_offset, Tensor):
        middle = call.q_offset + (call.q_len + PANEL) // 2
        keys = max(0, min(keys, middle + PANEL)) if call.q_len > 1 else min(keys, middle)
    return call.query.shape[:2].numel() * _whole(call.q_len) * keys


def _whole(q_len: int) -> int:
    return -(-q_len // PANEL) * PANEL


def cost(call: Call) -> Cost:
    return fused_cost(call, call.q_len * call.k_len)


def keeps_apart(call: Call) -> bool:
    """Whether no score of a forbidden pair is ever computed: padding is never read."""
    return not any(type(part) is Causal for part in conjuncts(call.mask))


def run(call: Call) -> Tensor:
    form = dot_form(call)
    query, key, scale = form.query, form.key, form.scale / temperature(call.normalizer)
    if isinstance(scale, Tensor) or not is_static(scale) or scale <= 0:
        query, scale = query.to(torch.float32) * scale, 1.0  # the loops want a number above zero
    query, key, value = (x.to(torch.float32) for x in (query, key, call.value))
    if is_traced():
        output = attend_recorded(query, key, value, scale, _recorded_spans(call))
    else:
        output = attend(query, key, value, scale, _spans(call))
    return output if output.dtype == call.query.dtype else output.to(call.query.dtype)


def prepared(call: Call) -> Kernel | None:
    """The loops alone, where they need nothing but tensors of the same shapes."""
    causal = call.mask is None or type(call.mask) is Causal
    if type(call.score) not in AS_THEY_ARE or call.query.dtype != torch.float32 or not causal:
        return None
    scale = dot_form(call).scale / temperature(call.normalizer)
    if isinstance(scale, Tensor) or scale <= 0 or isinstance(call.q_offset, Tensor):
        return None
    return partial(attend, scale=scale, spans=_spans(call))


def _spans(call: Call) -> tuple[int, ...]:
    """For each sequence how many keys lie before its first query, and how many it has."""
    batch, k_len = call.query.shape[0], call.k_len
    offsets, lengths = [k_len] * batch, [k_len] * batch  # then every query sees every key
    for part in conjuncts(call.mask):
        if isinstance(part, Padding):
            assert part.lengths is not None
            lengths = [min(*both) for both in zip(lengths, part.lengths.tolist(), strict=True)]
        elif isinstance(call.q_offset, Tensor):
            offsets = call.q_offset.expand(batch).tolist()
        else:
            offsets = [call.q_offset] * batch
    return tuple(one for pair in zip(offsets, lengths, strict=True) for one in pair)


def _recorded_spans(call: Call) -> Tensor:
    """The same as a tensor `[B, 2]`, in which no length is looked at."""
    batch, k_len = call.query.shape[0], call.k_len
    every = torch.full((batch,), k_len)
    offsets, lengths = every, every
    for part in conjuncts(call.mask):
        if isinstance(part, Padding):
            assert part.lengths is not None
            lengths = torch.minimum(lengths, part.lengths.long())
        elif isinstance(call.q_offset, Tensor):
            offsets = call.q_offset.long().expand(batch)
        else:
            offsets = torch.full((batch,), call.q_offset)
    return torch.stack([offsets, lengths], 1)

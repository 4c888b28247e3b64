"""Calls like an earlier one: checked and planned once, then as good as the kernel itself.

Checking and planning a call takes several times as long as a small kernel. Both follow from the
form of a call: shapes, dtypes and devices of its tensors, and its parts, where a tensor that a part
holds counts by its form as well. So calls of one form share the result. Parts with weights and
callables from elsewhere have no form; they are checked every time, and share which backend is the
fastest with calls of their kind, as long as it serves them.
"""

from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regard._backends import _plan, _sanitize
from regard._backends._call import Call, Kernel
from regard._backends._rates import rates_of
from regard._backends._structure import leaves, reach
from regard._torch_private import is_ordinary

Form = tuple[Any, ...]

_PLAIN = (Tensor, torch.nn.Parameter)
_NUMBERS = (bool, int, float)  # which may be equal where only one of them is right
_MANY = 1024  # lengths vary; past so many forms all are forgotten


class Known(NamedTuple):
    """What is known of calls of one form."""

    backend: str
    kernel: Kernel | None
    asks: bool
    """Whether numbers of the mask decide if it serves the call, so that it is asked each time."""


_KNOWN: dict[Form, Known] = {}
_FASTEST: dict[tuple[Any, ...], str] = {}


class _Formless(Exception):
    """A part of which nothing can be said without looking at it."""


def form_of(query: Tensor, key: Tensor, value: Tensor, *parts: Any) -> Form | None:
    """What checks and plans depend on; None where that is more, or the call cannot be right."""
    if not is_ordinary():
        return None
    try:
        form = (
            query.shape, key.shape, value.shape, query.dtype, key.dtype, value.dtype,
            query.device, key.device, value.device, type(query), type(key), type(value),
            *[None if part is None else _form(part) for part in parts],
        )  # fmt: skip
        hash(form)
    except (AttributeError, TypeError, _Formless):
        return None
    return form


def _form(held: Any) -> Any:
    kind = held.__class__
    if kind in _NUMBERS:
        return kind, held
    if held is None or kind is str:
        return held
    if kind is FunctionType and _is_our_function(held):
        return held
    if kind in _PLAIN:
        return held.shape, held.dtype, held.device, held.requires_grad
    if kind is tuple:
        return tuple([_form(one) for one in held])
    if hasattr(kind, "__dataclass_fields__") and kind.__module__.startswith("regard."):
        return kind, *[_form(one) for one in held.__dict__.values()]
    raise _Formless


def recall(form: Form) -> Known | None:
    return _KNOWN.get(form)


def forget() -> None:
    """Plan every call anew."""
    _KNOWN.clear()
    _FASTEST.clear()


def remember(form: Form, call: Call, backend: str) -> None:
    """Keep what became of this call for calls of its form."""
    if any(type(tensor) not in _PLAIN for tensor in (call.query, call.key, call.value)):
        return
    kernel: Kernel | None = None
    prepare = getattr(_plan.BACKENDS[backend], "prepared", None)
    prepared = None if prepare is None else prepare(call)
    if prepared is not None and call.mask is None:
        kernel = prepared
    elif prepared is not None and call.query.device.type == "cpu":  # elsewhere looking would wait
        kernel = _sanitize.guarded(prepared, call)
    asks = getattr(_plan.BACKENDS[backend], "depends_on_numbers", None)
    _keep(_KNOWN, form, Known(backend, kernel, asks is not None and asks(call)))


def backend_of(known: Known, call: Call) -> str:
    """The known backend, where it still serves the call."""
    if known.asks and not _plan.is_candidate(_plan.BACKENDS[known.backend], call):
        return _plan.choose(call)
    return known.backend


def choose(form: Form | None, call: Call) -> str:
    """The planner's choice for a call that is not known, kept for calls of its form or kind."""
    if form is not None:
        backend = _plan.choose(call)
        remember(form, call, backend)
        return backend
    if rates_of(call) is None:
        return _plan.choose(call)
    kind = _kind(call)
    known = _FASTEST.get(kind)
    if known is not None and _plan.is_candidate(_plan.BACKENDS[known], call):
        return known
    backend = _plan.choose(call)
    _keep(_FASTEST, kind, backend)
    return backend


def _kind(call: Call) -> tuple[Any, ...]:
    """What the time of a call depends on, so far as its parts tell without being asked."""
    query, key, value = call.query, call.key, call.value
    offset = None if isinstance(call.q_offset, Tensor) else call.q_offset
    return (
        query.shape, key.shape, value.shape, query.dtype, query.device, call.dropout > 0, offset,
        *[_what(part) for part in (call.score, call.score_mod, call.normalizer)],
        reach(call.mask), *[_what(leaf) for leaf in leaves(call.mask)],
    )  # fmt: skip


def _what(part: object) -> object:
    """The function a part is, if it is one of ours, or of what class it is."""
    return part if part.__class__ is FunctionType and _is_our_function(part) else part.__class__


def _is_our_function(function: Any) -> bool:
    """Others are not kept, because that would keep alive what they close over."""
    return (function.__module__ or "").startswith("regard.")


def _keep(kept: dict[Any, Any], key: tuple[Any, ...], value: Any) -> None:
    """Keep a value, and forget all others where they have become too many."""
    if len(kept) >= _MANY:
        kept.clear()
    kept[key] = value

"""Calls like an earlier one: checked and planned once, then as good as the kernel itself.

Checking and planning a call takes several times as long as a small kernel. Both follow from the
form of a call: shapes, dtypes and devices of its tensors, and its parts, where a tensor that a part
holds counts by its form as well. So calls of one form share the result. Parts with weights and
callables from elsewhere have no form; they are looked at every time.
"""

from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regard._backends import _sanitize, sdpa
from regard._backends._call import Call
from regard._torch_private import is_ordinary

Form = tuple[Any, ...]

_PLAIN = (Tensor, torch.nn.Parameter)
_NUMBERS = (bool, int, float)  # which may be equal where only one of them is right
_MANY = 1024  # lengths vary; past so many forms all are forgotten


class Known(NamedTuple):
    """What is known of calls of one form."""

    backend: str
    kernel: _sanitize.Kernel | None
    """All that is left to do, where no part holds tensors; None from it asks for more care."""


_KNOWN: dict[Form, Known] = {}


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
    if kind is FunctionType and held.__module__.startswith("regard."):
        return held  # keeping another would keep alive what it closes over
    if kind in _PLAIN:
        return held.shape, held.dtype, held.device, held.requires_grad
    if kind is tuple:
        return tuple([_form(one) for one in held])
    if hasattr(kind, "__dataclass_fields__") and kind.__module__.startswith("regard."):
        return kind, *[_form(one) for one in held.__dict__.values()]
    raise _Formless


def recall(form: Form) -> Known | None:
    return _KNOWN.get(form)


def remember(form: Form, call: Call, backend: str) -> None:
    """Keep what became of this call for calls of its form."""
    if any(type(tensor) not in _PLAIN for tensor in (call.query, call.key, call.value)):
        return
    kernel: _sanitize.Kernel | None = None
    prepared = sdpa.prepared(call) if backend == "sdpa" else None
    if prepared is not None and call.mask is None:
        kernel = prepared
    elif prepared is not None and call.query.device.type == "cpu":  # elsewhere looking would wait
        kernel = _sanitize.guarded(prepared)
    if len(_KNOWN) >= _MANY:
        _KNOWN.clear()
    _KNOWN[form] = Known(backend, kernel)

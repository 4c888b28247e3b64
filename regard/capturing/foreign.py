"""Normalizers from elsewhere: functions with a gradient of their own, as of the package `entmax`.

PyTorch's modes do not see `autograd.Function.apply`. While a capture is on it is asked whether a
function of scores and an axis gives as many numbers as there were scores.
"""

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from regard.capturing.normalized import made_of
from regard.capturing.provenance import Scores
from regard.capturing.undisturbed import local, unseen

AXES = ("dim", "axis")
COMPETES = re.compile("max", re.IGNORECASE)
"""Normalizers by their names; functions of another name are asked for scores of two tensors."""


def applied(apply: Callable[..., Any]) -> Any:
    """`autograd.Function.apply`, of which the watch of a thread learns what became of scores."""

    def heard(cls: Any, *args: Any, **kwargs: Any) -> Any:
        watch = local.watch
        if watch is None or local.away or not args:
            return apply(cls, *args, **kwargs)
        node = watch.known.of(args[0])
        axis = _axis(cls, args, kwargs) if isinstance(node, Scores) else None
        if axis is None or not (node.of_two or COMPETES.search(cls.__name__)):
            return apply(cls, *args, **kwargs)
        with unseen():
            out = apply(cls, *args, **kwargs)
        if isinstance(out, Tensor) and out.shape == args[0].shape and axis not in node.features:
            watch.known.note(out, made_of(args[0], node, _name(cls, args, kwargs), axis))
        return out

    return classmethod(heard)


@cache
def _signature(cls: type[torch.autograd.Function]) -> inspect.Signature | None:
    try:
        signature = inspect.signature(cls.forward)
    except (TypeError, ValueError):
        return None
    names = list(signature.parameters.values())
    # Where the context is set up elsewhere, `forward` has none.
    own = cls.setup_context is not torch.autograd.Function.setup_context
    return signature.replace(parameters=names if own else names[1:])


def _given(cls: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    signature = _signature(cls)
    if signature is None:
        return {}
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)


def _axis(cls: Any, args: Any, kwargs: Any) -> int | None:
    given = _given(cls, args, kwargs)
    found = next((given[name] for name in AXES if name in given), None)
    ndim = args[0].ndim
    known = isinstance(found, int) and not isinstance(found, bool) and -ndim <= found < ndim
    return found % ndim if known and found is not None else None


def _name(cls: Any, args: Any, kwargs: Any) -> str:
    """As our own normalizers are spelled, where one of them is meant."""
    name = cls.__name__.removesuffix("Function").removesuffix("Bisect").lower()
    if name == "entmax15":
        return "entmax(1.5)"
    if name == "entmax":
        alpha = _given(cls, args, kwargs).get("alpha")
        return f"entmax({float(alpha):g})" if isinstance(alpha, (int, float)) else "entmax"
    return name

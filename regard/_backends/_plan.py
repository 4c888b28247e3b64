"""Which backend serves a call: of those that can, the one that would take the least time.

A backend is a module of this folder, a row of `BACKENDS`, and what `Backend` says; nothing else
knows its name. Where no rates were measured (`_rates.py`), on a GPU or in a compiled graph, the
first one is taken: the table has them in the order of preference.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

from regard._backends import (
    additive,
    banded,
    blocked,
    chunked,
    flex,
    linear,
    packed,
    reference,
    sdpa,
    sparse,
    triton,
)
from regard._backends._call import Call
from regard._backends._cost import Cost
from regard._backends._rates import Rates, rates_of
from regard._torch_private import is_jit_traced
from regard.errors import UnsupportedByBackend


@runtime_checkable
class Backend(Protocol):
    """A way to evaluate a call: what it guarantees, what it can, and how long it would take.

    It may also have `prepared(call)`: a function of query, key, value and the mask that is all
    there is to do for every call of this form, or None. So a small call costs little more than its
    kernel. And it may have `keeps_apart(call)`: whether it never meets a forbidden pair, so that
    nothing the mask hides can come out: then its output is looked at, and the keys, of which an
    infinite one may not show there. `has_finite_vectors(call)` is how it looks at these instead.
    `depends_on_numbers(call)` tells whether it may refuse a call of the same form whose mask holds
    other numbers. `rewriting(call)` is the sentence that a plan has of how it computes the score,
    where that is not by a dot product.
    """

    masks_first: bool
    """Whether forbidden scores are left out before anything is computed with them.

    Others multiply what is hidden by a weight of zero: numbers that overflow there are kept away
    from them.
    """
    uses_dot_form: bool
    """Whether scores that are a dot product in disguise are rewritten (`_rewriting.py`)."""
    first_derivative_only: bool
    """Whether a gradient that is itself recorded is refused, by name."""
    takes_tensor_lengths: bool
    """Whether it never asks a length, so that `torch.jit.trace` can record it with a mask."""

    def refusals(self, call: Call) -> Iterator[str]:
        """Every reason why it cannot serve this call; none if it can."""
        ...

    def reservations(self, call: Call) -> Iterator[str]:
        """Every reason why it should serve this call only where it is asked for by name."""
        ...

    def seconds(self, call: Call, rates: Rates) -> float:
        """How long `run` would take, the backward pass not counted."""
        ...

    def cost(self, call: Call) -> Cost:
        """What serving the call would cost otherwise."""
        ...

    def run(self, call: Call) -> Tensor:
        """The output `[B, H, Q, V]`."""
        ...


BACKENDS: dict[str, Backend] = {
    "linear": linear,
    "blocked": blocked,
    "banded": banded,
    "packed": packed,
    "flex": flex,
    "sdpa": sdpa,
    "additive": additive,
    "triton": triton,
    "sparse": sparse,
    "chunked": chunked,
    "reference": reference,
}


def backend_named(name: str, call: Call) -> str:
    """The name itself, if it is one and serves the call; it raises otherwise."""
    if name not in BACKENDS:
        raise ValueError(
            f"backend {name!r} is unknown: choose one of {', '.join(BACKENDS)}, or None."
        )
    reasons = list(BACKENDS[name].refusals(call))
    if reasons:
        raise UnsupportedByBackend(name, {name: reasons})
    return name


def choose(call: Call, backends: Mapping[str, Backend] = BACKENDS) -> str:
    """The candidate that takes the least time; the first of equals, and where time is unknown."""
    rates, able = rates_of(call), candidates(call, backends)
    if rates is None:
        return next(able)
    names = list(able)
    if len(names) == 1:
        return names[0]
    seconds = [backends[name].seconds(call, rates) for name in names]
    return names[seconds.index(min(seconds))]


def candidates(call: Call, backends: Mapping[str, Backend] = BACKENDS) -> Iterator[str]:
    """Backends that serve the call without a reservation; if there is none, those that serve it."""
    if is_jit_traced() and not (call.mask is None and call.score_mod is None):
        backends = {name: one for name, one in backends.items() if one.takes_tensor_lengths}
    found = False
    for name, backend in backends.items():
        if is_candidate(backend, call):
            found = True
            yield name
    if not found:
        yield from (n for n, one in backends.items() if next(one.refusals(call), None) is None)


def is_candidate(backend: Backend, call: Call) -> bool:
    """Whether a backend serves the call without a reservation."""
    return (
        next(backend.reservations(call), None) is None
        and next(backend.refusals(call), None) is None
    )

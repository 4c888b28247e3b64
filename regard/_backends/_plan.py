"""Which backend serves a call, and why: EXPLAIN for attention.

Backends are asked in the order below, the most special first. The first that can serve and is worth
it does; one that is named must serve or raise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from regard._backends import _rewriting, banded, chunked, flex, linear, reference, sdpa
from regard._backends._call import Call, label
from regard._backends._cost import Cost
from regard._torch_private import is_jit_traced
from regard.errors import UnsupportedByBackend


@runtime_checkable
class Backend(Protocol):
    """A way to evaluate a call. These modules are backends."""

    masks_first: bool
    """Whether forbidden scores are left out before anything is computed with them."""
    uses_dot_form: bool
    """Whether scores that are a dot product in disguise are rewritten."""

    def refusals(self, call: Call) -> Iterator[str]:
        """Every reason why it cannot serve this call; none if it can."""
        ...

    def cost(self, call: Call) -> Cost:
        """What serving it would cost."""
        ...

    def run(self, call: Call) -> Tensor:
        """The output `[B, H, Q, V]`."""
        ...


# A seat is kept for `additive` kernels in front of `chunked`, which serves those scores till then.
BACKENDS: dict[str, Backend] = {
    "linear": linear,
    "banded": banded,
    "flex": flex,
    "sdpa": sdpa,
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


def choose(call: Call) -> str:
    """The first backend that can serve the call and is worth it."""
    if is_jit_traced() and not (call.mask is None and call.score_mod is None):
        return "reference"  # lengths are tensors there: only the definition asks none of them
    for name, backend in BACKENDS.items():
        if _is_worthwhile(backend, call) and next(backend.refusals(call), None) is None:
            return name
    raise AssertionError("chunked serves every call")


def _is_worthwhile(backend: Backend, call: Call) -> bool:
    ask = getattr(backend, "is_worthwhile", None)
    return ask is None or ask(call)


@dataclass(frozen=True, eq=False)
class Plan:
    """How a call would be evaluated. Print it.

    `refused` has, for every other backend, the reasons against it.
    """

    call: Call
    backend: str
    rewriting: str
    refused: dict[str, list[str]]
    costs: dict[str, Cost]

    @property
    def flops(self) -> int:
        """Arithmetic operations of the forward pass."""
        return self.costs[self.backend].flops

    @property
    def bytes(self) -> int:
        """Bytes read and written by the forward pass, caches aside."""
        return self.costs[self.backend].bytes

    @property
    def peak_bytes(self) -> int:
        """Bytes held at the peak of the forward pass beyond query, key and value."""
        return self.costs[self.backend].peak_bytes

    def __str__(self) -> str:
        call, cost = self.call, self.costs[self.backend]
        shapes = (
            f"{name} {list(tensor.shape)}"
            for name, tensor in (("query", call.query), ("key", call.key), ("value", call.value))
        )
        lines = [
            f"Attention  {'  '.join(shapes)}  {str(call.query.dtype)[6:]} on {call.query.device}",
            f"  score {call.score}  score_mod {call.score_mod}  mask {call.mask}",
            f"  normalizer {label(call.normalizer)}  dropout {call.dropout:g}"
            f"  q_offset {call.q_offset}",
            f"-> {self.backend}  {_si(cost.flops)}FLOP  {_si(cost.bytes)}B moved  "
            f"{_si(cost.peak_bytes)}B peak",
        ]
        if self.rewriting:
            lines.append(f"   rewritten: {self.rewriting}")
        lines += [f"   not {name}: {'; '.join(reasons)}" for name, reasons in self.refused.items()]
        return "\n".join(lines)


def explain(call: Call, backend: str | None) -> Plan:
    """The plan of a call, with the reasons against every backend that was not taken."""
    chosen = choose(call) if backend is None else backend_named(backend, call)
    refused, costs = {}, {}
    for name, candidate in BACKENDS.items():
        reasons = list(candidate.refusals(call))
        if not reasons:
            costs[name] = candidate.cost(call)
        if name == chosen:
            continue
        if not reasons:
            reasons = [_why_not(name, candidate, call, chosen, backend)]
        refused[name] = reasons
    rewriting = _rewriting.why(call) if BACKENDS[chosen].uses_dot_form else ""
    return Plan(call, chosen, rewriting, refused, costs)


def _why_not(name: str, backend: Backend, call: Call, chosen: str, asked: str | None) -> str:
    """Why a backend that could serve was passed over."""
    if asked is not None:
        return f"it could serve, but backend={asked!r} was asked for"
    if not _is_worthwhile(backend, call):
        return "it could serve, but would not gain enough here to pay for itself"
    peak, best = backend.cost(call).peak_bytes, BACKENDS[chosen].cost(call).peak_bytes
    return f"it could serve, but {chosen} comes first (peak {_si(best)}B against {_si(peak)}B)"


def _si(number: int | float) -> str:
    """A number with a unit prefix: 1536 is `1.54 k`."""
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.3g} {prefix}"
        number /= 1000
    return f"{number:.3g} P"

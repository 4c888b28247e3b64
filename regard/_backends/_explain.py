"""What the planner chose for a call, and why: EXPLAIN for attention."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from regard._backends import _rewriting
from regard._backends._call import Call, label
from regard._backends._cost import Cost
from regard._backends._plan import BACKENDS, backend_named, choose
from regard._backends._rates import rates_of


@dataclass(frozen=True, eq=False)
class Plan:
    """How a call would be evaluated. Print it.

    `refused` has, for every other backend, the reasons against it; `costs` and `seconds` are those
    of every backend that could serve. `seconds` is a prediction for one forward pass, and empty
    where no rates were measured.
    """

    call: Call
    backend: str
    rewriting: str
    refused: dict[str, list[str]]
    costs: dict[str, Cost]
    seconds: dict[str, float]

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
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        call, cost = self.call, self.costs[self.backend]
        shapes = (
            f"{name} {list(tensor.shape)}"
            for name, tensor in (("query", call.query), ("key", call.key), ("value", call.value))
        )
        yield f"Attention  {'  '.join(shapes)}  {str(call.query.dtype)[6:]} on {call.query.device}"
        yield f"  score {call.score}  score_mod {call.score_mod}  mask {call.mask}"
        yield (
            f"  normalizer {label(call.normalizer)}  dropout {call.dropout:g}"
            f"  q_offset {call.q_offset}"
        )
        measured = f"{_duration(self.seconds[self.backend])} predicted  " if self.seconds else ""
        yield (
            f"-> {self.backend}  {measured}{_si(cost.flops)}FLOP  {_si(cost.bytes)}B moved  "
            f"{_si(cost.peak_bytes)}B peak"
        )
        if not self.seconds:
            yield f"   no measured rates for {call.query.device.type}; chosen by order"
        if self.rewriting:
            yield f"   rewritten: {self.rewriting}"
        if BACKENDS[self.backend].first_derivative_only:
            yield "   its gradient has no further derivative"
        for name, reasons in self.refused.items():
            yield f"   not {name}: {'; '.join(reasons)}"


def explain(call: Call, asked: str | None) -> Plan:
    """The plan of a call, with the reasons against every backend that was not taken."""
    chosen = choose(call) if asked is None else backend_named(asked, call)
    rates = rates_of(call)
    refused, costs, seconds = {}, {}, {}
    for name, backend in BACKENDS.items():
        refused[name] = list(backend.refusals(call))
        if not refused[name]:
            costs[name] = backend.cost(call)
            if rates is not None and math.isfinite(took := backend.seconds(call, rates)):
                seconds[name] = took
    del refused[chosen]
    for name, reasons in refused.items():
        if not reasons:
            reasons.append(_why_not(name, call, asked, costs[name], seconds))
    own = getattr(BACKENDS[chosen], "rewriting", None)
    dots = _rewriting.why(call) if BACKENDS[chosen].uses_dot_form else ""
    rewriting = dots if own is None else own(call)
    return Plan(call, chosen, rewriting, refused, costs, seconds)


def _why_not(
    name: str, call: Call, asked: str | None, cost: Cost, seconds: dict[str, float]
) -> str:
    """Why a backend that could serve was passed over."""
    known = f"{_duration(seconds[name])} predicted, " if name in seconds else ""
    would = f"it could serve ({known}{_si(cost.peak_bytes)}B peak)"
    if asked is not None:
        return f"{would}, but backend={asked!r} was asked for"
    reserved = "; ".join(BACKENDS[name].reservations(call))
    if not reserved and seconds and not known:
        reserved = "how fast it is on such a processor was not measured: regard bench --tune does"
    return f"{would}, but {reserved}" if reserved else would


def _duration(seconds: float) -> str:
    """Seconds with a unit prefix: 0.00123 is `1.23 ms`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _si(number: int | float) -> str:
    """A number with a unit prefix: 1536 is `1.54 k`."""
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.3g} {prefix}"
        number /= 1000
    return f"{number:.3g} P"

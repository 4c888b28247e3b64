"""Scores that add a query to a key, on a CPU: every other part, and the memory of the scores.

Written out they hold a vector for each pair. Here loops compiled by Numba take a pair's vector and
its sum in one go, forward and backward; the rest is that of every call, some queries at a time.
"""

from collections.abc import Iterator

from torch import Tensor

from regard._backends import _loops, _pair_scores
from regard._backends._call import Call, label
from regard._backends._cost import Cost
from regard._backends._finite import are_finite
from regard._backends._held import tensors_of
from regard._backends._rates import Rates
from regard._kernels import kept
from regard._torch_private import is_exporting

masks_first = True
uses_dot_form = False
first_derivative_only = False
takes_tensor_lengths = False


def refusals(call: Call) -> Iterator[str]:
    """Another score, another device, float64, no Numba, or a recording that holds no loops."""
    if type(call.score) not in _pair_scores.RULES:
        yield f"{label(call.score)} is not a sum over what a query and a key add up to"
    yield from _loops.refusals(call, *tensors_of(call.score))
    if is_exporting():
        yield "it is recorded for other programs, which do not have its loops"


def reservations(call: Call) -> Iterator[str]:
    return iter(())


def seconds(call: Call, rates: Rates) -> float:
    return _pair_scores.seconds(call, rates)


def cost(call: Call) -> Cost:
    return _pair_scores.cost(call)


def run(call: Call) -> Tensor:
    """`dropout(weights) @ value`, some queries at a time."""
    return _pair_scores.run(call)


def keeps_apart(call: Call) -> bool:
    """A step looks at no forbidden pair; a gradient to a projection looks at all vectors."""
    return _pair_scores.is_step(call) and not call.needs_grad


def has_finite_vectors(call: Call) -> bool:
    """Whether those are finite that a step looks at: keys are looked at once, as long as they stay.

    Of what is infinite nothing comes out, since the tanh of it is a number.
    """
    return are_finite(call.query) and kept.of(call.key, are_finite)


def rewriting(call: Call) -> str:
    """The identity by which its loops compute the score."""
    return _pair_scores.RULES[type(call.score)].why

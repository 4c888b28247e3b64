"""A loop over steps that passes the state from each to the next."""

from collections.abc import Callable

import torch
from torch import Tensor

from regard._torch_private import is_open, scan

Tensors = tuple[Tensor, ...]
Step = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]
"""A state and one step's inputs → the next state, and the step's output."""


def over_steps(step: Step, state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
    """The state after all steps, and the output of each, along a new first axis.

    In an exported program with a dynamic number of steps this is one node; elsewhere, a loop.
    There must be at least one step.

    Args:
        step: called with the state and the inputs of one step; must return a new state.
        state: before the first step.
        inputs: with all steps along the first axis.

    >>> def add(state, inputs):
    ...     total = state[0] + inputs[0]
    ...     return (total,), (total,)
    >>> over_steps(add, (torch.zeros(()),), (torch.tensor([1.0, 2.0, 4.0]),))
    ((tensor(7.),), (tensor([1., 3., 7.]),))
    """
    if is_open(inputs[0].shape[0]):
        return scan(step, state, inputs)
    found = []
    for each in zip(*(x.unbind(0) for x in inputs), strict=True):
        state, given = step(state, each)
        found.append(given)
    return state, tuple(torch.stack(some) for some in zip(*found, strict=True))

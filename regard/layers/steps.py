"""One step after the other, each with the state that the one before left."""

from collections.abc import Callable

import torch
from torch import Tensor

from regard._torch_private import is_open, scan

Tensors = tuple[Tensor, ...]
Step = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]
"""A state and one step's inputs → the state after it, and what the step gives."""


def over_steps(step: Step, state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
    """The state after all steps, and what each gave, along a new first axis.

    In an exported program whose number of steps is open this is one node; everywhere else a loop.
    There must be a step.

    Args:
        step: is given the state and the inputs of one step; the state it returns is new.
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

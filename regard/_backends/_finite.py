"""Whether all numbers of tensors on a CPU are finite: one reduction for each tells."""

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm


def are_finite(*tensors: Tensor) -> bool:
    """Whether the squares of all numbers can be summed: then no product of two overflows.

    >>> are_finite(torch.ones(3)), are_finite(torch.tensor([1.0, torch.inf]))
    (True, False)
    """
    for tensor in tensors:
        given = tensor.dtype
        exact = torch.promote_types(given, torch.float32)
        if tensor.requires_grad:
            tensor = tensor.detach()
        if not math.isfinite(vector_norm(tensor, dtype=None if exact == given else exact).item()):
            return False
    return True

"""Kernels written for a single dtype, under autocast, which would mix two."""

from typing import Any

from torch import Tensor

from regard._backends._bind import autocast_is_on


def without_mixed_precision(weight: Tensor, *tensors: Tensor | None) -> tuple[Any, ...]:
    """The tensors, cast to the dtype of the weight under autocast; unchanged otherwise.

    >>> import torch
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     without_mixed_precision(torch.ones(1), torch.ones(1, dtype=torch.bfloat16))
    (tensor([1.]),)
    """
    if not autocast_is_on(weight.device.type):
        return tensors
    return tuple(None if each is None else each.to(weight.dtype) for each in tensors)

"""Whether there are Triton kernels here, and for which tensors."""

import os
from importlib.util import find_spec

import torch
from torch import Tensor

NO_TRITON = "Triton is not installed: pip install triton, which there is for Linux"

# Known from the beginning: a graph that is recorded cannot ask.
HAS_TRITON = find_spec("triton") is not None
IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether kernels run in Triton's interpreter, on any device: slow, for tests."""


def why_not(tensor: Tensor) -> str | None:
    """Why kernels cannot run on the tensor's device; None if they can."""
    if not HAS_TRITON:
        return NO_TRITON
    if tensor.is_cuda and torch.version.hip is None:
        return None
    if tensor.device.type == "cpu" and IS_INTERPRETED:
        return None
    device = "ROCm" if tensor.is_cuda else tensor.device.type
    return f"its kernels are for CUDA devices, not for {device}"

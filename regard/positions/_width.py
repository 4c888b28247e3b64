"""How wide vectors are, as a number also where sizes are recorded."""

from torch import Tensor

from regard._torch_private import is_jit_traced


def width_of(x: Tensor) -> int:
    """The size of the last axis; under `jit.trace`, where a size is a tensor, it is counted."""
    return len(x.unbind(-1)) if is_jit_traced() else x.shape[-1]

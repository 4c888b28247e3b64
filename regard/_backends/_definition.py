"""Gradients through the definition, where those of a kernel do not serve.

A kernel's backward pass takes one gradient, and what it gives cannot be differentiated again.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from regard._torch_private import is_several


def is_asked(upstream: Tensor) -> bool:
    """Whether this gradient is itself recorded, or is several at once (`is_grads_batched`)."""
    return torch.is_grad_enabled() or is_several(upstream)


@torch.enable_grad()
def gradients(
    definition: Callable[[], Tensor], inputs: Sequence[Tensor | None], upstream: Tensor
) -> tuple[Tensor | None, ...]:
    """The gradients of the inputs that want one, recorded on the way."""
    asked = [x for x in inputs if x is not None and x.requires_grad]
    found = iter(
        torch.autograd.grad(definition(), asked, upstream, create_graph=True, allow_unused=True)
    )
    return tuple(next(found) if x is not None and x.requires_grad else None for x in inputs)

"""A kernel's two passes as an operation of recorded graphs: opaque, with shapes and gradients.

An eager call goes to its kernel directly, which takes less time. Whoever records or inspects calls
(`torch.compile`, `FakeTensorMode`, every dispatch mode) sees `regard::NAME`, and for its gradients
`regard::NAME_backward`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def operation(
    name: str,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    shapes: Callable[..., Any],
    *,
    gradients: Sequence[int],
    kept: Sequence[int] = (),
    shapes_of_gradients: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Register `forward(*inputs)` with PyTorch, and what to call in its place.

    Args:
        backward: of the gradient of the first output, all inputs, and the outputs that are kept:
            the gradients to some inputs.
        shapes: of the same inputs, empty tensors in the place of the outputs.
        gradients: which inputs `backward` gives gradients to, in its order.
        kept: the outputs that it is given.
        shapes_of_gradients: of the same as `backward`, if its results are not contiguous and as
            large as these inputs.
    """
    there = torch.library.custom_op(f"regard::{name}", forward, mutates_args=())
    back = torch.library.custom_op(f"regard::{name}_backward", backward, mutates_args=())

    def alike(upstream: Tensor, *given: Any) -> tuple[Tensor, ...]:
        return tuple(given[place].new_empty(given[place].shape) for place in gradients)

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        outputs = (output,) if isinstance(output, Tensor) else output
        given = (*inputs, *(outputs[place] for place in kept))
        ctx.save_for_backward(*(x if isinstance(x, Tensor) else None for x in given))
        ctx.plain = [None if isinstance(x, Tensor) else x for x in given]
        ctx.count = len(inputs)

    def differentiate(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        pairs = zip(ctx.saved_tensors, ctx.plain, strict=True)
        given = [plain if tensor is None else tensor for tensor, plain in pairs]
        found: list[Tensor | None] = [None] * ctx.count
        for place, gradient in zip(gradients, back(upstream, *given), strict=True):
            if ctx.needs_input_grad[place]:
                found[place] = gradient
        return tuple(found)

    there.register_fake(shapes)
    back.register_fake(shapes_of_gradients or alike)
    there.register_autograd(differentiate, setup_context=keep)
    return there

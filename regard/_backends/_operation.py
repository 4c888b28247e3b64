"""A kernel's two passes as an operation of recorded graphs: opaque, with shapes and gradients.

An eager call goes to its kernel directly, which takes less time. Whoever records or inspects calls
(`torch.compile`, `FakeTensorMode`, every dispatch mode) sees `regard::NAME`, and for its gradients
`regard::NAME_backward`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten


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
        gradients: which inputs `backward` gives gradients to, in its order, a list of them to a
            list of tensors.
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
        flat, ctx.spec = tree_flatten(given)
        ctx.save_for_backward(*(x if isinstance(x, Tensor) else None for x in flat))
        ctx.plain = [None if isinstance(x, Tensor) else x for x in flat]
        ctx.nothing = [[None] * len(x) if _holds_tensors(x) else None for x in inputs]

    def differentiate(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Any, ...]:
        pairs = zip(ctx.saved_tensors, ctx.plain, strict=True)
        flat = [plain if tensor is None else tensor for tensor, plain in pairs]
        found = list(ctx.nothing)
        back_to = back(upstream, *tree_unflatten(flat, ctx.spec))
        for place, gradient in zip(gradients, back_to, strict=True):
            found[place] = _asked(gradient, ctx.needs_input_grad[place])
        return tuple(found)

    there.register_fake(shapes)
    back.register_fake(shapes_of_gradients or alike)
    there.register_autograd(differentiate, setup_context=keep)
    return there


def _holds_tensors(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(x, Tensor) for x in given)


def _asked(gradient: Any, wanted: Any) -> Any:
    """A gradient where one is wanted, or each of a list."""
    if isinstance(wanted, list):
        return [_asked(x, one) for x, one in zip(gradient, wanted, strict=True)]
    return gradient if wanted else None

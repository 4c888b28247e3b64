"""Where values are used: in PyTorch's kernel, or in a product with the output of a softmax."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

PRODUCTS = {"matmul", "bmm", "__matmul__"}
TURNS = {"transpose", "permute", "swapaxes", "swapdims", "movedim", "t", "__get__"}
"""Functions after which the last axis may be a different one."""


class ValuesInUse(TorchFunctionMode):
    """Changes the values of attention, whatever computes it, while `is_on()`.

    `change(value, axis)` is called with the values as they are used, and with the axis of the keys.
    Hand-written attention is recognized by its softmax, which is followed through casts, dropout
    and views until it is multiplied with something: `softmax(...) @ value`, by `matmul`, `bmm` or
    `einsum`.
    """

    def __init__(self, is_on: Callable[[], bool], change: Callable[[Tensor, int], Tensor]) -> None:
        self.is_on, self.change = is_on, change
        self.weights: list[Tensor] = []

    def forget(self, *_: Any) -> None:
        """Release the tracked weights."""
        self.weights.clear()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if not self.is_on():
            return func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
            value = self.change(given.pop("value"), -2)
            return func(given.pop("query"), given.pop("key"), value, *args[3:], **given)
        name = getattr(func, "__name__", "")
        if name in PRODUCTS and len(args) > 1 and self._are_weights(args[0]):
            return func(args[0], self.change(args[1], -2), *args[2:], **kwargs)
        if name == "einsum":
            args = self._of_einsum(*args)
        output = func(*args, **kwargs)
        if isinstance(output, Tensor) and self._gives_weights(name, args, output):
            self.weights.append(output)
        return output

    def _are_weights(self, given: Any) -> bool:
        return any(given is each for each in self.weights)

    def _gives_weights(self, name: str, args: Any, output: Tensor) -> bool:
        if name == "softmax":
            return output.ndim > 2
        if name in TURNS or not args or not self._are_weights(args[0]):
            return False
        return output.numel() == args[0].numel() and output.shape[-1] == args[0].shape[-1]

    def _of_einsum(self, equation: Any, *operands: Any) -> Any:
        given = [*operands[0]] if len(operands) == 1 and not isinstance(operands[0], Tensor) else [
            *operands
        ]  # fmt: skip
        if isinstance(equation, str) and len(given) == 2:
            inputs, _, output = equation.replace(" ", "").partition("->")
            words = inputs.split(",")
            for one, other in ((0, 1), (1, 0)):
                key = words[one][-1:]
                if self._are_weights(given[one]) and key in words[other] and key not in output:
                    axis = words[other].index(key) - len(words[other])
                    given[other] = self.change(given[other], axis)
                    break
        return equation, *given

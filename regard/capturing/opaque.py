"""Unknown kernels: attention is linear in its values, so chosen values reveal the weights."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function

from regard.capturing.parts import Parts
from regard.capturing.source import Index, Seen, Shape
from regard.capturing.undisturbed import local, unseen
from regard.errors import UsageError

Layout = Literal["bhld", "blhd"]
"""Batch, heads, length and width, in the order of a kernel's tensors."""


@dataclass(frozen=True)
class Opaque:
    """A user-defined attention kernel, for `regard.capture(ops=[...])`.

        weights[:, j] = op(query, key, values with a one at key j, and zeros elsewhere)

    The operator is called again with blocks of the identity instead of the values, once per
    `value_dim` keys. This is exact up to the operator's own rounding, and is checked against its
    original output.

    Args:
        op: of `torch.ops`, an `autograd.Function`, or a function that is called by its name in a
            module (calls through other references, such as an attribute, are not seen).
        value: the argument that holds the values, by name or position; by default the third tensor.
        layout: of query, key, value and output: "bhld", or "blhd" with the length before the heads.

    Example:
        >>> import torch, regard
        >>> def kernel(q, k, v):
        ...     return (q @ k.mT).sigmoid() @ v
        >>> from regard.capturing import Opaque
        >>> Opaque(kernel, value="v").layout
        'bhld'
    """

    op: Callable[..., Any]
    value: str | int | None = None
    layout: Layout = "bhld"

    def __post_init__(self) -> None:
        if not callable(self.op):
            raise TypeError(
                f"ops must be operators or functions, not {type(self.op).__name__}: give "
                "ops=[torch.ops.my.attention]."
            )
        if self.layout not in ("bhld", "blhd"):
            raise ValueError(f"layout must be 'bhld' or 'blhd', not {self.layout!r}.")

    @property
    def name(self) -> str:
        return getattr(self.op, "__name__", None) or str(self.op)

    def seen(self, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> Seen:
        """The call in repeatable form; raises `UsageError` if it cannot be attention."""
        first = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(first, Tensor) or first.ndim != 4:
            raise UsageError(
                f"{self.name} gave {_described(first)} where attention gives a tensor "
                "[batch, heads, q_len, value_dim]: it cannot be captured with ops=."
            )
        at = self._place(args, kwargs)
        value = kwargs[at] if isinstance(at, str) else args[at]
        if not isinstance(value, Tensor) or value.ndim != 4 or value.shape[-1] != first.shape[-1]:
            raise UsageError(
                f"{self.name} gave {_described(first)} for values {_described(value)}: attention "
                "gives one sum of values for each query; name the values' argument, "
                "Opaque(op, value='v')."
            )
        source = Through(
            self,
            tuple(args),
            tuple(kwargs.values()),
            tuple(kwargs),
            at,
            first,
            isinstance(output, Tensor),
        )
        turned = (
            (lambda grad: grad.transpose(1, 2)) if self.layout == "blhd" else (lambda grad: grad)
        )
        return Seen(
            source, {"score": self.name, "normalizer": self.name}, "read through values",
            output=first, of_output=turned,
        )  # fmt: skip

    def _place(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int | str:
        if isinstance(self.value, str) and self.value not in kwargs:
            names = _arguments(self.op)
            if self.value in names and names.index(self.value) < len(args):
                return names.index(self.value)
            raise UsageError(f"{self.name} was called without an argument {self.value!r}.")
        if self.value is not None:
            return self.value
        places: list[int | str] = [n for n, each in enumerate(args) if isinstance(each, Tensor)]
        places += [name for name, each in kwargs.items() if isinstance(each, Tensor)]
        if len(places) < 3:
            raise UsageError(
                f"{self.name} was called with {len(places)} tensors, and its values should be the "
                "third: name their argument, Opaque(op, value='v')."
            )
        return places[2]


@dataclass(frozen=True, eq=False)
class Through:
    """A call of an opaque kernel, to be repeated with other values."""

    opaque: Opaque
    args: tuple[Any, ...]
    named: tuple[Any, ...]
    names: tuple[str, ...]
    at: int | str
    output: Tensor
    is_single: bool

    is_cheap = False

    @property
    def value(self) -> Tensor:
        value = self._given
        return value if self.opaque.layout == "bhld" else value.transpose(1, 2)

    @property
    def _given(self) -> Tensor:
        found = (
            self.args[self.at]
            if isinstance(self.at, int)
            else self.named[self.names.index(self.at)]
        )
        assert isinstance(found, Tensor)
        return found

    @property
    def shape(self) -> Shape:
        output = self._arranged(self.output)
        return output.shape[0], output.shape[1], output.shape[2], self.value.shape[2]

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        _, _, _, k_len = self.shape
        width = self.value.shape[-1]
        blocks = []
        for start in range(0, k_len, width):
            ones = torch.zeros_like(self.value)
            some = torch.arange(start, min(start + width, k_len), device=ones.device)
            ones[:, :, some, some - start] = 1
            blocks.append(self._arranged(self._again(ones))[..., : len(some)])
        weights = torch.cat(blocks, -1) if blocks else self._arranged(self.output)[..., :0]
        self._check(weights)
        if item is not None:
            weights = weights[item : item + 1]
        for axis, index in ((1, heads), (2, rows)):
            if index is not None:
                weights = weights.index_select(axis, index.to(weights.device))
        return weights

    def parts(self, item: int) -> Parts | None:
        return None

    def _arranged(self, tensor: Tensor) -> Tensor:
        return tensor if self.opaque.layout == "bhld" else tensor.transpose(1, 2)

    def _again(self, value: Tensor) -> Tensor:
        given = value if self.opaque.layout == "bhld" else value.transpose(1, 2).contiguous()
        args, named = list(self.args), dict(zip(self.names, self.named, strict=True))
        if isinstance(self.at, int):
            args[self.at] = given
        else:
            named[self.at] = given
        op = self.opaque.op
        run: Any = op.apply if isinstance(op, type) and issubclass(op, Function) else op
        output: Any = run(*args, **named)
        found: Tensor = output if self.is_single else output[0]
        return found

    def _check(self, weights: Tensor) -> None:
        """Raise `UsageError` unless these weights give what the kernel gave."""
        exact = torch.promote_types(weights.dtype, torch.float32)
        value = self.value.to(exact)
        groups = weights.shape[1] // value.shape[1]
        value = value.repeat_interleave(groups, 1) if groups > 1 else value
        found, output = weights.to(exact) @ value, self._arranged(self.output).to(exact)
        eps = torch.finfo(self.output.dtype).eps
        most = max(1.0, float(value.abs().max()) if value.numel() else 1.0)
        off = float((found - output).abs().max()) if found.numel() else 0.0
        if not off <= 64 * eps * most * max(1, self.shape[3]) ** 0.5:
            raise UsageError(
                f"{self.opaque.name} is not linear in its values: weights read through them give "
                f"outputs that differ by {off:.2g} from its own. Is value= the argument of the "
                "values, and is its dropout off?"
            )


def opaque(op: Any) -> Opaque:
    """The entries of `ops=`, each as an `Opaque`."""
    return op if isinstance(op, Opaque) else Opaque(op)


@contextmanager
def listened_to(ops: Sequence[Opaque]) -> Iterator[None]:
    """Functions that no mode sees are replaced, wherever they are known, by one that tells."""
    undo: list[Callable[[], None]] = []
    try:
        for one in ops:
            if isinstance(one.op, type) and issubclass(one.op, Function):
                kind, given = one.op, vars(one.op).get("apply")
                setattr(kind, "apply", staticmethod(telling(one, kind.apply)))  # noqa: B010
                undo.append(partial(_restored, kind, "apply", given))
            elif not torch_ops(one.op):
                heard = telling(one, one.op)
                for module in list(sys.modules.values()):
                    for name, value in list(getattr(module, "__dict__", {}).items()):
                        if value is one.op:
                            setattr(module, name, heard)
                            undo.append(partial(setattr, module, name, value))
        yield
    finally:
        for each in reversed(undo):
            each()


def _restored(kind: type, name: str, given: Any) -> None:
    if given is None:
        delattr(kind, name)
    else:
        setattr(kind, name, given)


def telling(one: Opaque, run: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which tells this thread's watch of each call."""

    def heard(*args: Any, **kwargs: Any) -> Any:
        watch = local.watch
        if watch is None or local.away:
            return run(*args, **kwargs)
        with unseen():
            output = run(*args, **kwargs)
            watch.tell(one.seen(args, kwargs, output))
        return output

    return heard


def torch_ops(op: Any) -> list[Any]:
    """Under which names calls of an operator come to a mode; none for a function of Python."""
    op = getattr(op, "_opoverload", op)  # what `torch.library.custom_op` gives
    if isinstance(op, torch._ops.OpOverload):
        return [op, op.overloadpacket]
    if isinstance(op, torch._ops.OpOverloadPacket):
        return [op, *(getattr(op, name) for name in op.overloads())]
    return []


def _arguments(op: Any) -> list[str]:
    for each in torch_ops(op):
        if isinstance(each, torch._ops.OpOverload):
            return [argument.name for argument in each._schema.arguments]
    if isinstance(op, type) and issubclass(op, Function):
        return _arguments(op.forward)[1:]
    code = getattr(op, "__code__", None)
    return [] if code is None else list(code.co_varnames[: code.co_argcount])


def _described(value: Any) -> str:
    return f"a tensor {[*value.shape]}" if isinstance(value, Tensor) else type(value).__name__

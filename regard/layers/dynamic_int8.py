"""Linear layers in int8: weights quantized once, inputs dynamically per token."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8
from torch import Tensor, nn

from regard._kernels.few_rows import FEW
from regard._kernels.few_rows import int8_product as int8_product_of_few
from regard._kernels.rounding import bytes_of_rows
from regard._torch_private import (
    has_packed_int8,
    int8_product,
    is_traced,
    pack_int8,
    packed_int8_product,
)
from regard.layers._kernel_order import InOrder, in_order
from regard.layers.prepacked_linear import is_plain

Network = TypeVar("Network", bound=nn.Module)

MOST = 127
"""Quantization steps from 0 to the largest magnitude of a row."""

ROUNDED = 1 << 17
"""Elements quantized at a time, so that they stay in a core's cache between steps."""

MULTIPLIED = 512
"""Tokens multiplied at a time: enough for the kernel, few enough for the next step's cache."""


class DynamicInt8Linear(nn.Module):
    """A linear layer in 8-bit integers, for many tokens at once.

        y_io = s_i t_o sum_j round(x_ij / s_i) round(W_oj / t_o) + b_o

    with a step t for each row of W, computed once, and a step s for each token, computed on the
    fly: the largest magnitude divided by 127. Sums are exact, so the result for a token does not
    depend on the rest of the batch. It is for inference only: it has no gradient.

    On a CPU with int8 instructions (VNNI) and PyTorch's kernel for them, the weights are stored
    twice, once in the kernel's order. Elsewhere, and where a graph is recorded, the same numbers
    come from a float32 product, which saves no time.

    Raises `ValueError` for weights that are not finite, `RuntimeError` where a gradient would be
    recorded.

    Example:
        >>> layer, x = nn.Linear(64, 8), torch.randn(2, 5, 64)
        >>> bool((DynamicInt8Linear.of(layer)(x) - layer(x)).abs().max() < 0.05)
        True

    References:
        Dettmers, Lewis, Belkada & Zettlemoyer. LLM.int8(): 8-bit Matrix Multiplication for
        Transformers at Scale. 2022. https://arxiv.org/abs/2208.07339
    """

    weight: Tensor
    step: Tensor
    bias: Tensor | None

    def __init__(
        self,
        weight: Int8[Tensor, "outputs inputs"],
        step: Float[Tensor, " outputs"],
        bias: Float[Tensor, " outputs"] | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("step", step)
        self.register_buffer("bias", bias)
        self._packed: InOrder | None = None

    @classmethod
    def of(cls, layer: nn.Linear) -> "DynamicInt8Linear":
        """The layer with quantized weights; it shares no memory with the original."""
        weight = layer.weight.detach().float()
        if not bool(weight.isfinite().all()):
            raise ValueError("weights that are not finite cannot be rounded to 8 bits")
        step = _steps(weight)
        bias = None if layer.bias is None else layer.bias.detach().float().clone()
        return cls((weight / step).round_().to(torch.int8), step.flatten(), bias)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        if torch.is_grad_enabled() and x.requires_grad:
            raise RuntimeError(
                "a layer in 8 bits has no gradient: train the network before it is rounded, or "
                "call it under torch.no_grad()"
            )
        few = int8_product_of_few(x, self.weight, self.step, self.bias)
        if few is not None:
            return few
        rows = x.reshape(-1, x.shape[-1]).float()
        is_fast = not is_traced() and x.device.type == "cpu" and has_packed_int8()
        if is_fast:
            found = self._one_by_one(rows) if 0 < len(rows) <= FEW else self._in_bytes(rows)
        else:
            found = self._written_out(rows)
        return found.to(x.dtype).reshape(*x.shape[:-1], len(self.weight))

    def _written_out(self, rows: Tensor) -> Tensor:
        steps = _steps(rows)
        found = F.linear((rows / steps).round(), self.weight.float()) * self.step * steps
        return found if self.bias is None else found + self.bias

    def _one_by_one(self, rows: Tensor) -> Tensor:
        """For so few tokens the weights are read as they stand, once."""
        if not rows.shape[1] or not len(self.weight):
            return self._in_bytes(rows)
        steps = rows.abs().amax(1, keepdim=True).div_(MOST).clamp_(min=1e-30)
        whole = (rows * steps.reciprocal()).round_().to(torch.int8)
        product = int8_product(whole, self.weight) * self.step
        return (
            product.mul_(steps) if self.bias is None else torch.addcmul(self.bias, product, steps)
        )

    def _in_bytes(self, rows: Tensor) -> Tensor:
        if 0 in rows.shape:
            return self._written_out(rows)
        packed, output = self._in_order(), rows.new_empty(len(rows), len(self.weight))
        whole, steps = _as_bytes(rows)
        bias = rows.new_zeros(()) if self.bias is None else self.bias
        zero = torch.zeros(len(self.weight), dtype=torch.int8)
        cut = (x.split(MULTIPLIED) for x in (whole, steps, output))
        for near, step, out in zip(*cut, strict=True):
            product = packed_int8_product(near, packed, self.step, zero)
            torch.addcmul(bias, product, step, out=out)
        return output

    def _in_order(self) -> Tensor:
        """The weights in the kernel's order, made once for these weights."""
        self._packed = in_order(self._packed, self.weight, pack_int8)
        return self._packed[2]

    def __getstate__(self) -> dict[str, Any]:
        """Without the kernel's order, which can be neither copied nor written."""
        return {**self.__dict__, "_packed": None}

    def extra_repr(self) -> str:
        outputs, inputs = self.weight.shape
        return f"in_features={inputs}, out_features={outputs}, bias={self.bias is not None}"


def round_linear(model: Network, keep: Iterable[str] = ()) -> Network:
    """Replace every linear layer of a network with a `DynamicInt8Linear`, in place.

    Layers that share their weights with another module, such as an output tied to the embedding,
    are left alone; so are subclasses of `nn.Linear`, and the `tables` of a module, names of layers
    whose weights are read directly. All remaining parameters are frozen. A quantized network has
    no published format: save the original instead (`copy.deepcopy` keeps it).

    Args:
        keep: names of modules to leave alone, with everything inside them, such as `"output"`.

    Returns:
        The same network, for inference.

    Raises `ValueError` for a name in `keep` that no module has.

    >>> from regard.layers import FeedForward
    >>> type(round_linear(FeedForward(16, 64)).hidden).__name__
    'DynamicInt8Linear'
    """
    modules, keep = dict(model.named_modules()), tuple(keep)
    if missing := [name for name in keep if name not in modules]:
        raise ValueError(f"{type(model).__name__} has no module {missing[0]!r} to keep as it is")
    kept = {id(part) for name in keep for part in modules[name].modules()}
    uses = Counter(id(weight) for part in modules.values() for weight in part._parameters.values())
    made: dict[int, nn.Module] = {}
    for parent in modules.values():
        tables = getattr(parent, "tables", ())
        for name, part in parent._modules.items():
            if name in tables:
                continue
            if is_plain(part) and id(part) not in kept and uses[id(part.weight)] == 1:
                setattr(parent, name, made.setdefault(id(part), DynamicInt8Linear.of(part)))
    return model.eval().requires_grad_(False)


def _steps(rows: Tensor) -> Tensor:
    """What each row counts in: its greatest number over 127; little where all are zero."""
    least, greatest = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    return torch.maximum(greatest, least.neg_()).div_(MOST).clamp_(min=1e-30)


def _as_bytes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """How many steps each number is, above 128 (it has no bit for a sign), and what a step is."""
    if (at_once := bytes_of_rows(rows)) is not None:
        return at_once
    steps, whole = _steps(rows), torch.empty(rows.shape, dtype=torch.int8)
    many = max(1, ROUNDED // rows.shape[1])
    room = rows.new_empty(min(many, len(rows)), rows.shape[1])
    per_step = steps.reciprocal()
    for near, per, out in zip(*(x.split(many) for x in (rows, per_step, whole)), strict=True):
        found = torch.mul(near, per, out=room[: len(near)])
        out.copy_(found.round_())
    return whole.view(torch.uint8).bitwise_xor_(128), steps

"""Zeroing one token's value, for every way in which a module obtains its values."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.explain._named_modules import module_named
from regard.explain._values_in_use import ValuesInUse
from regard.layers import Attend


class Zeroing:
    """While active, the value of the token `key` is zero wherever `module` uses values.

    As a context manager it registers hooks. `lengths` are those of the values seen while no key
    was set.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.active, self.depth = False, 0
        self.key: int | None = None
        self.lengths: list[int] = []
        self.handles: list[Any] = []

    @property
    def is_inside(self) -> bool:
        """Whether the values seen now belong to the module."""
        return self.active and self.depth > 0

    def length(self, block: str) -> int:
        """The number of keys; raises unless values were seen exactly once."""
        if not self.lengths:
            raise ValueError(
                f"value_zeroing saw no values in {block!r}: it calls no kernel of PyTorch's, and "
                "multiplies nothing by a softmax; name the linear module that makes the values: "
                "value=..."
            )
        if len(self.lengths) > 1:
            raise ValueError(
                f"value_zeroing: {block!r} attends {len(self.lengths)} times; name the module that "
                "is meant: attention=... or value=..."
            )
        return self.lengths[0]

    def zeroed(self, value: Tensor, axis: int) -> Tensor:
        """The values with zeros for the token along `axis`."""
        if self.key is None:
            self.lengths.append(value.shape[axis])
            return value
        return value.index_fill(axis, torch.tensor([self.key], device=value.device), 0.0)

    def __enter__(self) -> "Zeroing":
        def enter(*_: Any) -> None:
            self.depth += 1

        def leave(*_: Any) -> None:
            self.depth -= 1

        self.handles.append(self.module.register_forward_pre_hook(enter))
        self.hang()
        self.handles.append(self.module.register_forward_hook(leave, always_call=True))
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()

    def hang(self) -> None:
        """Register hooks on the modules; `handles` collects objects with a `remove`."""
        raise NotImplementedError


class OfProjection(Zeroing):
    """The module's output is the values, `[batch, k_len, width]`."""

    def hang(self) -> None:
        def zero(_: nn.Module, args: Any, output: Any) -> Any:
            if not self.is_inside:
                return None
            if not isinstance(output, Tensor) or output.ndim != 3:
                shape = [*output.shape] if isinstance(output, Tensor) else type(output).__name__
                raise ValueError(
                    f"value_zeroing needs value to give [batch, k_len, width], got {shape}."
                )
            return self.zeroed(output, 1)

        self.handles.append(self.module.register_forward_hook(zero))


class OfAttend(Zeroing):
    """The arguments of our operator while the module runs, whatever its parts."""

    def __init__(self, module: nn.Module, attend: Attend) -> None:
        super().__init__(module)
        self.attend = attend

    def hang(self) -> None:
        def zero(_: nn.Module, args: Any, kwargs: Any) -> Any:
            if not self.is_inside:
                return None
            given = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
            value = self.zeroed(given.pop("value"), -2)
            return (given.pop("query"), given.pop("key"), value, *args[3:]), given

        self.handles.append(self.attend.register_forward_pre_hook(zero, with_kwargs=True))


class OfMultihead(Zeroing):
    """PyTorch's own module, which does not call its projections as modules.

    The token's contribution is subtracted from its output, which is linear in the values:
    `output - Σ_h w_hqk v_hk W^O_h`.
    """

    module: nn.MultiheadAttention

    def hang(self) -> None:
        def subtract(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            if not self.is_inside:
                return None
            given = dict(zip(_MULTIHEAD, args, strict=False)) | kwargs
            axis = 1 if module.batch_first and given["value"].ndim == 3 else 0
            if self.key is None:
                self.lengths.append(given["value"].shape[axis])
                return None
            return output[0] - self._brought(given, axis), *output[1:]

        self.handles.append(self.module.register_forward_hook(subtract, with_kwargs=True))

    def _brought(self, given: dict[str, Any], axis: int) -> Tensor:
        module, key = self.module, self.key
        assert key is not None
        asked = given | {"need_weights": True, "average_attn_weights": False}
        weights = module.forward(**asked)[1]
        assert weights is not None
        token = given["value"].select(axis, key)
        if module.in_proj_weight is None:
            matrix: Any = module.v_proj_weight
        else:
            matrix = module.in_proj_weight[-module.embed_dim :]
        bias = None if module.in_proj_bias is None else module.in_proj_bias[-module.embed_dim :]
        value = F.linear(token, matrix, bias).unflatten(-1, (module.num_heads, -1))
        heads = torch.einsum("...hq,...hd->...qhd", weights[..., key], value)
        brought = F.linear(heads.flatten(-2), module.out_proj.weight)
        return brought if module.batch_first or brought.ndim == 2 else brought.transpose(0, 1)


class OfFunctions(Zeroing):
    """The arguments of `scaled_dot_product_attention`, or of a product with a softmax."""

    def hang(self) -> None:
        self.mode = ValuesInUse(lambda: self.is_inside, self.zeroed)
        self.mode.__enter__()
        self.handles.append(self.module.register_forward_hook(self.mode.forget, always_call=True))

    def __exit__(self, *error: object) -> None:
        self.mode.__exit__(*error)
        super().__exit__(*error)


_MULTIHEAD = (
    "query", "key", "value", "key_padding_mask", "need_weights", "attn_mask",
    "average_attn_weights", "is_causal",
)  # fmt: skip


def zeroing_in(model: nn.Module, block: str, attention: str | None, value: str | None) -> Zeroing:
    """How to zero the values in this block: by name, in a known module, or at functions."""
    owner = "value_zeroing"
    if value is not None:
        return OfProjection(module_named(owner, model, value))
    name = block if attention is None else attention
    module = module_named(owner, model, name)
    known = [each for each in module.modules() if isinstance(each, nn.MultiheadAttention | Attend)]
    if len(known) > 1:
        raise ValueError(
            f"value_zeroing: {name!r} holds {len(known)} modules that attend; name the one that "
            "is meant: attention=..."
        )
    if not known:
        return OfFunctions(module)
    return OfAttend(module, known[0]) if isinstance(known[0], Attend) else OfMultihead(known[0])

"""One token's value made zero, in every way that a module has its values."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from regard.explain._named_modules import module_named


class Zeroing:
    """While it is active, the value of the token `key` is zero wherever `module` makes values.

    As a context it hangs on the modules. `lengths` are those of the values that it saw.
    """

    hint = "name the linear module that makes the values: value=..."

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.active, self.key = False, None  # type: bool, int | None
        self.lengths: list[int] = []
        self.handles: list[Any] = []

    def length(self, block: str) -> int:
        """How many keys there are; it raises unless values were seen exactly once."""
        if not self.lengths:
            raise ValueError(f"value_zeroing saw no values in {block!r}; {self.hint}.")
        if len(self.lengths) > 1:
            raise ValueError(
                f"value_zeroing: {block!r} attends {len(self.lengths)} times; name the module that "
                "is meant: attention=... or value=..."
            )
        return self.lengths[0]

    def zeroed(self, value: Tensor, axis: int) -> Tensor:
        """The values with zeros for the token, which stands along `axis`."""
        if self.key is None:
            self.lengths.append(value.shape[axis])
            return value
        return value.index_fill(axis, torch.tensor([self.key], device=value.device), 0.0)

    def __enter__(self) -> "Zeroing":
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()


class _OfProjection(Zeroing):
    """What the module gives are the values, `[batch, k_len, width]`."""

    def __enter__(self) -> "_OfProjection":
        def zero(_: nn.Module, args: Any, output: Any) -> Any:
            if not self.active:
                return None
            if not isinstance(output, Tensor) or output.ndim != 3:
                shape = [*output.shape] if isinstance(output, Tensor) else type(output).__name__
                raise ValueError(
                    f"value_zeroing needs value to give [batch, k_len, width], got {shape}."
                )
            return self.zeroed(output, 1)

        self.handles.append(self.module.register_forward_hook(zero))
        return self


class _OfMultihead(Zeroing):
    """PyTorch's own module, which calls no projection.

    What the token brings is taken from its output, which is linear in the values:
    `output - Σ_h w_hqk v_hk W^O_h`.
    """

    module: nn.MultiheadAttention

    def __enter__(self) -> "_OfMultihead":
        def subtract(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
            if not self.active:
                return None
            given = dict(zip(_MULTIHEAD, args, strict=False)) | kwargs
            axis = 1 if module.batch_first and given["value"].ndim == 3 else 0
            if self.key is None:
                self.lengths.append(given["value"].shape[axis])
                return None
            return output[0] - self._brought(given, axis), *output[1:]

        self.handles.append(self.module.register_forward_hook(subtract, with_kwargs=True))
        return self

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


class _OfKernel(Zeroing):
    """What `scaled_dot_product_attention` is called with while the module runs."""

    hint = (
        "it does not call scaled_dot_product_attention; name the linear module that makes the "
        "values: value=..."
    )

    def __enter__(self) -> "_OfKernel":
        self.depth = 0

        def enter(*_: Any) -> None:
            self.depth += 1

        def leave(*_: Any) -> None:
            self.depth -= 1

        self.handles.append(self.module.register_forward_pre_hook(enter))
        self.handles.append(self.module.register_forward_hook(leave, always_call=True))
        self.mode = _ChangedValues(self)
        self.mode.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.mode.__exit__(*error)
        super().__exit__()


class _ChangedValues(TorchFunctionMode):
    def __init__(self, zeroing: _OfKernel) -> None:
        self.zeroing = zeroing

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        ours = self.zeroing
        if func is F.scaled_dot_product_attention and ours.active and ours.depth:
            given = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
            given["value"] = ours.zeroed(given["value"], -2)
            return func(
                given.pop("query"), given.pop("key"), given.pop("value"), *args[3:], **given
            )
        return func(*args, **kwargs)


_MULTIHEAD = (
    "query", "key", "value", "key_padding_mask", "need_weights", "attn_mask",
    "average_attn_weights", "is_causal",
)  # fmt: skip


def zeroing_in(model: nn.Module, block: str, attention: str | None, value: str | None) -> Zeroing:
    """What zeroes the values in this block: by name, in PyTorch's module, or at the kernel."""
    owner = "value_zeroing"
    if value is not None:
        return _OfProjection(module_named(owner, model, value))
    name = block if attention is None else attention
    module = module_named(owner, model, name)
    inside = [each for each in module.modules() if isinstance(each, nn.MultiheadAttention)]
    if len(inside) > 1:
        raise ValueError(
            f"value_zeroing: {name!r} holds {len(inside)} modules that attend; name the one that "
            "is meant: attention=..."
        )
    return _OfMultihead(inside[0]) if inside else _OfKernel(module)

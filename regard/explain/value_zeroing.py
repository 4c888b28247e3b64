"""Value zeroing: how much a state changes when one token brings nothing."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from regard.explain._layers import positions_in
from regard.explain._named_modules import first_tensor, module_named, require_eval
from regard.explain.ablation import turned
from regard.explain.explanation import Explanation


def value_zeroing(
    model: nn.Module,
    run: Callable[[], Any],
    block: str,
    *,
    attention: str | None = None,
    value: str | None = None,
    keys: Iterable[int] | None = None,
    state: Callable[[Any], Tensor] = first_tensor,
) -> Explanation:
    """How far each token's state behind a block turns when a token's value vector is zero in it.

        c_qk = 1 - cos(x_q, x_q without v_k)

    Weights, queries and keys stay as they are; all else of the block, its residual and what follows
    the attention, takes part, which weights alone do not show. While `run` runs, the block is
    called once more for each key, with what it was called with; all heads' values are zeroed.

    Args:
        run: calls the network, on whatever it is to be called: `lambda: model(x)`. Of several calls
            of the block the first counts. A cache that it is given is copied for each call.
        block: the name in `named_modules()` of what gives the states, such as a layer.
        attention: the name of the module in it that attends, where several do.
        value: the name of the linear module that makes the values alone, `[batch, k_len, width]`.
            Without it the values are those of `scaled_dot_product_attention` or of
            `nn.MultiheadAttention`; attention that is written out or another kernel's needs it.
        keys: which; all if None.
        state: the states of what the block returns, `[batch, q_len, width]`.

    Returns:
        `[batch, query, key]`. The paper divides each row by its sum.

    Raises:
        ValueError, TypeError, IndexError: no such module (with the nearest names) or key, a network
            in training mode, no value that could be found, or more than one.
        RuntimeError: the block was not called, or gives something else when it is called again.

    Example:
        >>> layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
        >>> x = torch.randn(1, 5, 8)
        >>> value_zeroing(layer, lambda: layer(x), "")
        Explanation(batch=1, query=5, key=5)

    References:
        Mohebbi, Zuidema, Chrupała & Alishahi. Quantifying Context Mixing in Transformers. 2023.
        https://arxiv.org/abs/2301.12971
    """
    require_eval("value_zeroing", model)
    module = module_named("value_zeroing", model, block)
    zeroing = _zeroing(model, block, attention, value)
    chosen = None if keys is None else list(keys)
    found: list[Tensor] = []
    given: list[Any] = []

    def note(_: nn.Module, args: Any, kwargs: Any) -> None:
        if not given:
            given.append(_copied((args, kwargs)))

    def once_more() -> Tensor:
        args, kwargs = _copied(given[0])
        return state(module(*args, **kwargs))

    def again(_: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if found or zeroing.active:
            return
        before = state(output)
        _require_states(before)
        zeroing.active = True
        try:
            repeated = once_more()
            if not torch.allclose(repeated, before, rtol=1e-3, atol=1e-4, equal_nan=True):
                raise RuntimeError(
                    f"value_zeroing: {block!r} gives something else when it is called again with "
                    "the same; it must not remember what it was called with."
                )
            length = zeroing.length(block)
            places = range(length) if chosen is None else positions_in(
                "value_zeroing", "keys", chosen, length
            )  # fmt: skip
            columns = []
            for place in places:
                zeroing.key = place
                columns.append(turned(before, once_more()))
            found.append(torch.stack(columns, -1))
        finally:
            zeroing.active, zeroing.key = False, None

    handles = (
        module.register_forward_pre_hook(note, with_kwargs=True),
        module.register_forward_hook(again, with_kwargs=True),
    )
    try:
        with torch.no_grad(), zeroing:
            run()
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise RuntimeError(
            f"value_zeroing: {block!r} was not called; let run call the model, and not a compiled "
            "copy of it."
        )
    return Explanation(found[0], ("batch", "query", "key"))


class _Zeroing:
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

    def __enter__(self) -> "_Zeroing":
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()


class _OfProjection(_Zeroing):
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


class _OfMultihead(_Zeroing):
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


class _OfKernel(_Zeroing):
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


def _zeroing(model: nn.Module, block: str, attention: str | None, value: str | None) -> _Zeroing:
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


def _copied(given: Any) -> Any:
    """What a block was given, with copies of what it may change, such as a cache."""
    if given is None or isinstance(given, (Tensor, nn.Module, int, float, str)) or callable(given):
        return given
    if type(given) in (tuple, list):
        return type(given)(_copied(each) for each in given)
    if type(given) is dict:
        return {name: _copied(each) for name, each in given.items()}
    return copy.deepcopy(given)


def _require_states(states: Tensor) -> None:
    if states.ndim != 3:
        raise ValueError(
            f"value_zeroing needs states as [batch, q_len, width], got {[*states.shape]}; say how "
            "they are had of what the block returns: state=..."
        )

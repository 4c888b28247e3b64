"""Value zeroing: how much a hidden state changes when one token contributes nothing."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from regard.explain._layers import positions_in
from regard.explain._named_modules import first_tensor, module_named, require_eval
from regard.explain._zeroed_values import zeroing_in
from regard.explain.explanation import Explanation
from regard.explain.head_effects import turned


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
    """How far each token's state after a block turns when a token's value vector is zeroed in it.

        c_qk = 1 - cos(x_q, x_q without v_k)

    Weights, queries and keys are unchanged; the rest of the block, its residual and what follows
    the attention, is included, unlike in the weights alone. While `run` runs, the block is called
    once more for each key, with the same arguments; all heads' values are zeroed.

    Args:
        run: calls the network on its input: `lambda: model(x)`. Of several calls of the block, the
            first counts. A cache passed to it is copied for each call.
        block: the name in `named_modules()` of the module that outputs the states, such as a layer.
        attention: the name of the attention module in it, if there are several.
        value: the name of the linear module that computes only the values,
            `[batch, k_len, width]`. Without it the values are those passed to our operator,
            `nn.MultiheadAttention` or `scaled_dot_product_attention`, or multiplied with a softmax.
        keys: indices; all if None.
        state: maps the block's output to the states, `[batch, q_len, width]`.

    Returns:
        `[batch, query, key]`. The paper divides each row by its sum.

    Raises:
        ValueError, TypeError, IndexError: no such module (with the nearest names) or key, a network
            in training mode, no value found, or more than one.
        RuntimeError: the block was not called, or returns something else when called again.

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
    zeroing = zeroing_in(model, block, attention, value)
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

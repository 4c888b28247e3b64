"""`F.scaled_dot_product_attention`, whatever kernel it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from regard._torch_private import autocast_dtype
from regard.capturing.dot import Dot
from regard.capturing.source import Seen, in_four
from regard.capturing.store import unexpanded

NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")


def seen(args: Sequence[Any], kwargs: Mapping[str, Any], output: Tensor) -> Seen:
    """The call as a `Dot`."""
    given = {**dict(zip(NAMES, args, strict=False)), **kwargs}
    query, key, value = (cast(given[name]) for name in NAMES[:3])
    if query.is_nested or key.is_nested:
        query, key, value, lengths = padded(query, key, value)
        return _seen(query, key, value, given, output, lengths)
    return _seen(query, key, value, given, output, None)


def _seen(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    given: Mapping[str, Any],
    output: Tensor,
    lengths: Tensor | None,
) -> Seen:
    mask, is_causal = given.get("attn_mask"), bool(given.get("is_causal", False))
    scale, lead = given.get("scale"), query.shape[:-2]
    bias = allowed = None
    if mask is not None:
        spread = unexpanded(mask_in_four(mask, lead))
        bias, allowed = (None, spread) if mask.dtype == torch.bool else (spread, None)
    if lengths is not None:
        allowed = lengths
    if query.ndim > 4:
        key, value = (x.expand(*lead[:-1], *x.shape[-3:]) for x in (key, value))
    query, key, value = (in_four(x) for x in (query, key, value))
    factor = (query.shape[-1] or 1) ** -0.5 if scale is None else float(scale)
    mechanism = {"score": "scaled_dot", "normalizer": "softmax"}
    if is_causal:
        mechanism["mask"] = "causal"
    elif allowed is not None:
        mechanism["mask"] = "dense" if lengths is None else "padding"
    if bias is not None:
        mechanism["score_mod"] = "bias"
    return Seen(
        Dot(query, key, value, factor, bias, allowed, is_causal),
        mechanism,
        "recomputed from query and key",
        output=output,
        of_output=in_four,
    )


def unpacked(packed: Seen, heads: int) -> Seen:
    """A call of one query whose heads were given as rows of the key heads, as heads again."""
    source = packed.source
    assert isinstance(source, Dot)
    batch = source.query.shape[0]

    def of_heads(rows: Tensor) -> Tensor:
        return rows.reshape(batch, heads, 1, -1)

    pairs = [
        each
        if each is None or each.shape[2] == 1
        else of_heads(each.expand(batch, *each.shape[1:]))
        for each in (source.bias, source.allowed)
    ]
    source = replace(source, query=of_heads(source.query), bias=pairs[0], allowed=pairs[1])
    return replace(packed, source=source, of_output=of_heads)


def mask_in_four(mask: Tensor, lead: Sequence[int]) -> Tensor:
    """A mask that is aligned from the right with `[*lead, Q, K]`, as in_four has these."""
    while mask.ndim < 2 + min(len(lead), 2):
        mask = mask[None]
    if len(lead) > 2:
        mask = mask.expand(*lead[:-1], *mask.shape[-3:])
    return in_four(mask)


def cast(tensor: Tensor) -> Tensor:
    """As autocast gives the tensor to a kernel."""
    dtype = autocast_dtype(tensor.device.type)
    if dtype is None or tensor.dtype == torch.float64 or not tensor.is_floating_point():
        return tensor
    return tensor.to(dtype)


def padded(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Nested `[B, H, ragged, D]` with zeros behind each sequence, and which pairs are real."""
    rows, keys = of_lengths(query), of_lengths(key)
    full = [torch.nested.to_padded_tensor(x, 0.0) for x in (query, key, value)]
    real_rows = torch.arange(full[0].shape[2], device=rows.device) < rows[:, None]
    real_keys = torch.arange(full[1].shape[2], device=keys.device) < keys[:, None]
    return full[0], full[1], full[2], (real_rows[:, :, None] & real_keys[:, None])[:, None]


def of_lengths(nested: Tensor) -> Tensor:
    """How long each sequence of a nested `[B, H, ragged, D]` is."""
    return torch.tensor([each.shape[-2] for each in nested.unbind()], device=nested.device)

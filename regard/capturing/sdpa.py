"""`F.scaled_dot_product_attention`, whatever kernel it takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from regard._torch_private import autocast_dtype
from regard.capturing.dot import Dot
from regard.capturing.source import Seen, in_four

NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")


def seen(args: Sequence[Any], kwargs: Mapping[str, Any], output: Tensor) -> Seen | None:
    """The call as a `Dot`; None where its tensors hold no numbers that can be asked later."""
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
    scale = given.get("scale")
    bias = allowed = None
    pairs = (*torch.broadcast_shapes(query.shape[:-2], key.shape[:-2]), 0, 0)[:-2]
    if mask is not None:
        spread = mask_in_four(mask, pairs)
        bias, allowed = (None, spread) if mask.dtype == torch.bool else (spread, None)
    if lengths is not None:
        allowed = lengths
    if query.ndim != 4:
        query, key, value = (
            in_four(x.expand(*_lead(x, pairs), *x.shape[-2:])) for x in (query, key, value)
        )
    source = Dot(
        query, key, value,
        query.shape[-1] ** -0.5 if scale is None and query.shape[-1] else float(scale or 0.0),
        bias, allowed, is_causal,
    )  # fmt: skip
    mechanism = {"score": "scaled_dot", "normalizer": "softmax"}
    if is_causal:
        mechanism["mask"] = "causal"
    elif allowed is not None:
        mechanism["mask"] = "dense" if lengths is None else "padding"
    if bias is not None:
        mechanism["score_mod"] = "bias"
    return Seen(
        source, mechanism, "recomputed from query and key", output=output, of_output=in_four
    )


def _lead(x: Tensor, pairs: Sequence[int]) -> Sequence[int]:
    """What stands in front of length and width; grouped heads stay as many as they are."""
    if x.ndim < 3:
        return tuple(pairs)
    return (*pairs[: len(pairs) - 1], x.shape[-3]) if pairs else x.shape[:-2]


def mask_in_four(mask: Tensor, pairs: Sequence[int]) -> Tensor:
    """A mask whose axes in front are those of the heads, or fewer, as four axes."""
    if mask.ndim == 1:
        mask = mask[None]
    lead = mask.shape[:-2]
    if len(pairs) == 2 or len(lead) <= 2 and len(pairs) < 2:
        missing = 2 - len(lead)
        if len(pairs) == 1 and len(lead) == 1:  # a batch without heads
            return mask[:, None]
        return mask[(None,) * missing] if missing > 0 else mask
    if len(pairs) < 2:
        return in_four(mask)
    # more than one axis of batch: they are one in what is kept
    full = mask.expand(*pairs[:-1], mask.shape[-3] if mask.ndim > 2 else 1, *mask.shape[-2:])
    return in_four(full)


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

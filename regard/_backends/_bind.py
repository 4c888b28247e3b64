"""The one place where a call is checked: what passes here, backends may rely on.

Every error says both numbers and the fix; nothing here looks at the numbers inside a tensor.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from regard._backends._call import Call
from regard._backends._held import tensors_of
from regard._numbers import count
from regard._pairwise import (
    Offset,
    aligned_part,
    check_batch,
    check_device,
    check_part,
    describe,
    is_integer,
)
from regard._torch_private import is_jit_traced
from regard._typing import MaskMod, Normalizer, Score, ScoreMod, Share
from regard.masks import Dense, Mask

Part = TypeVar("Part")
Given = ParamSpec("Given")
Found = TypeVar("Found")
FARTHEST = 1 << 48  # positions further away would overflow where they are added
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def bind(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score: Score,
    score_mod: ScoreMod | None,
    mask: MaskMod | Tensor | None,
    normalizer: Normalizer,
    dropout: Share,
    q_offset: Offset | None,
) -> Call:
    """The checked call: parts aligned with the first query, a bare boolean tensor made a mask."""
    tensors = {"query": query, "key": key, "value": value}
    for name, tensor in tensors.items():
        _check_tensor(name, tensor)
    if autocast_is_on(query.device.type):
        query, key, value = (_autocast(tensor) for tensor in (query, key, value))
    _check_together(query, key, value)
    q_offset = key.shape[2] - query.shape[2] if q_offset is None else _offset(q_offset, query)
    if type(dropout) is not float or dropout != 0.0:
        dropout = _probability(dropout)
    if isinstance(mask, Tensor):
        mask = Dense(mask)
    score = _fitted("score", score, query, key, q_offset)
    normalizer = _fitted("normalizer", normalizer, query, key, q_offset)
    if mask is not None:
        mask = _fitted("mask", mask, query, key, q_offset)
    if score_mod is not None:
        score_mod = _fitted("score_mod", score_mod, query, key, q_offset)
    return Call(query, key, value, score, score_mod, mask, normalizer, dropout, q_offset)


def bind_again(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score: Score,
    score_mod: ScoreMod | None,
    mask: MaskMod | Tensor | None,
    normalizer: Normalizer,
    dropout: float,
    q_offset: Offset | None,
) -> Call:
    """The call of one that has the form of an earlier call, and so would pass every check again."""
    q_offset = key.shape[2] - query.shape[2] if q_offset is None else q_offset
    pattern = Dense(mask) if isinstance(mask, Tensor) else mask
    score_mod, pattern = aligned_part(score_mod, q_offset), aligned_part(pattern, q_offset)
    return Call(query, key, value, score, score_mod, pattern, normalizer, dropout, q_offset)


def _offset(q_offset: object, query: Tensor) -> Offset:
    """One number of keys before the first query, or one for each sequence of the batch."""
    if isinstance(q_offset, Tensor) and q_offset.ndim == 0 and is_jit_traced():
        return q_offset  # a length, which is a tensor there
    if isinstance(q_offset, Tensor):
        if not is_integer(q_offset) or q_offset.ndim != 1:
            raise TypeError(
                f"q_offset must be an int or an integer tensor [batch], got {describe(q_offset)}: "
                "give the number of keys before the first query, one for each sequence."
            )
        check_device("q_offset", q_offset, query)
        check_batch("q_offset", q_offset.shape[0], query)
        return q_offset.long()
    hint = "it is the number of keys before the first query"
    offset = count("attention", "q_offset", q_offset, -FARTHEST, hint)
    if offset > FARTHEST:
        raise ValueError(f"attention needs q_offset <= {FARTHEST}, got {offset}; {hint}.")
    return offset


def _probability(dropout: object) -> float:
    if isinstance(dropout, (bool, Tensor)) or not isinstance(dropout, (int, float, np.number)):
        raise TypeError(
            f"dropout must be a number between 0 and 1, not {type(dropout).__name__}: "
            "give the probability itself."
        )
    if not 0.0 <= dropout <= 1.0:
        raise ValueError(f"dropout must lie between 0 and 1, got {dropout}.")
    return float(dropout)


def _check_tensor(name: str, tensor: object) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor, not {type(tensor).__name__}: "
            f"use torch.as_tensor({name})."
        )
    if tensor.is_nested:
        raise TypeError(
            f"{name} is a nested tensor, whose sequences differ in length: pack its values into "
            "one row with mask=Document(ids), or pad it, torch.nested.to_padded_tensor(x, 0.0), "
            "with mask=Padding(lengths)."
        )
    if tensor.ndim != 4:
        width = "value_dim" if name == "value" else "head_dim"
        length = "q_len" if name == "query" else "k_len"
        raise ValueError(
            f"{name} must have 4 dimensions [batch, heads, {length}, {width}], got {tensor.ndim} "
            f"with shape {list(tensor.shape)}: add the missing ones, as in {name}[None, None]."
        )
    if tensor.dtype not in FLOATING:
        raise TypeError(
            f"{name} must be float16, bfloat16, float32 or float64, not {tensor.dtype}: "
            f"use {name}.float()."
        )


def _check_together(query: Tensor, key: Tensor, value: Tensor) -> None:
    dtype, device = query.dtype, query.device
    (batch, heads, _, _), (key_batch, kv_heads, k_len, _) = query.shape, key.shape
    value_batch, value_heads, value_len, _ = value.shape
    for name, tensor, other in (("key", key, key_batch), ("value", value, value_batch)):
        if tensor.dtype != dtype:
            raise TypeError(
                f"query is {dtype} but {name} is {tensor.dtype}: use {name}.to(query.dtype)."
            )
        if tensor.device != device:
            raise ValueError(
                f"query is on {device} but {name} is on {tensor.device}: "
                f"use {name}.to(query.device)."
            )
        if other != batch:
            raise ValueError(
                f"query has batch {batch} but {name} has batch {other}: "
                f"use {name}.expand({batch}, -1, -1, -1) if one is meant for all."
            )
    if k_len != value_len:
        raise ValueError(
            f"key has k_len {k_len} but value has k_len {value_len}: every key needs one value."
        )
    if kv_heads != value_heads:
        raise ValueError(
            f"key has {kv_heads} heads but value has {value_heads}: give them the same."
        )
    if heads != kv_heads and (kv_heads == 0 or heads % kv_heads):
        raise ValueError(
            f"query has {heads} heads, no multiple of the {kv_heads} heads of key and value: "
            "with grouped queries each key/value head serves the same number of query heads."
        )


def _fitted(role: str, part: Part, query: Tensor, key: Tensor, q_offset: Offset) -> Part:
    """The part, its rows aligned with the call's first query and its shapes checked."""
    part = getattr(part, "part", part) if getattr(type(part), "holds_part", False) else part
    if isinstance(part, type):
        raise TypeError(
            f"{role} is the class {part.__name__}: pass an instance, {part.__name__}(...)."
        )
    if not callable(part):
        raise TypeError(f"{role} must be callable, not {type(part).__name__}: {_hint(role, part)}")
    if role == "score_mod" and isinstance(part, Mask):
        raise TypeError(f"score_mod is the mask {part}: pass it as mask=, it changes no score.")
    if role == "mask" and hasattr(part, "additive"):
        raise TypeError(f"mask is the score_mod {part}: pass it as score_mod=, it hides no pair.")
    check_part(part, query, key)
    unbound, part = part, aligned_part(part, q_offset)
    if part is not unbound:
        check_part(part, query, key)  # some of its rows belong to earlier queries
    for tensor in () if torch.compiler.is_compiling() else tensors_of(part):
        if tensor.device != query.device:
            raise ValueError(
                f"{role} {type(part).__name__} holds a tensor on {tensor.device} but query is on "
                f"{query.device}: move one of them."
            )
    return part


def _hint(role: str, part: object) -> str:
    """What to do with something that is no part."""
    if isinstance(part, str):
        return f"pass {part!r} as an object, not by name."
    if role == "mask":
        return "give a mask such as Causal(), or booleans, torch.as_tensor(mask, dtype=torch.bool)."
    if isinstance(part, Tensor):
        return "wrap a bias tensor as Bias(tensor)."
    return f"leave it out or give one of regard.{role}s."


def autocast_is_on(device: str) -> bool:
    """Whether autocast rules on this kind of device; on meta tensors it never does."""
    return device != "meta" and torch.is_autocast_enabled(device)


def without_autocast(device: str) -> AbstractContextManager[None]:
    """Where dtypes are what they are: `bind` has cast the inputs already."""
    return torch.autocast(device, enabled=False) if autocast_is_on(device) else nullcontext()


def ignoring_autocast(backward: Callable[Given, Found]) -> Callable[Given, Found]:
    """A function's backward pass with dtypes that are what they are, in a region of autocast too.

    PyTorch calls it where `backward()` was called, which may be inside of such a region, even if
    the forward pass was not.
    """

    @wraps(backward)
    def called(*given: Given.args, **named: Given.kwargs) -> Found:
        devices = [x.device.type for x in given if isinstance(x, Tensor)]
        with without_autocast(devices[0]) if devices else nullcontext():
            return backward(*given, **named)

    return called


def _autocast(tensor: Tensor) -> Tensor:
    """What SDPA does under autocast: everything but float64 takes the lower precision."""
    if tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))

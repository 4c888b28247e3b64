"""Query, key and what else scores are made of, as a page carries them, to compute with there."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from regard.view.as_scored import as_scored
from regard.view.blocks import Blocks
from regard.view.captured import CapturedMap, Parts
from regard.view.small_numbers import as_read, balance, rounded, stored
from regard.view.stored_maps import exact
from regard.view.structure import opened, split, stored_bias, stored_mask, stored_spans
from regard.view.tiers import LONGEST_FULL

DOTS = frozenset({"dot", "scaled_dot"})
KNOWN = DOTS | {
    "additive",
    "concat_linear",
    "concat_relu",
    "concat_tanh_sum",
    "cosine",
    "feature_map_dot",
    "gatv2",
    "general",
    "inverse_distance",
    "location",
    "luong_concat",
    "squared_distance",
}
"""Scores that a page computes (web/src/parts.ts); of others it shows weights alone."""
ROWS_MEASURED = 16


def weighs_by_dots(parts: Parts) -> bool:
    """Whether all weights follow from query and key by a softmax of dot products."""
    return parts.score in DOTS and parts.normalizer == "softmax" and "soft_cap" not in parts.numbers


def stored_parts(
    each: CapturedMap, item: int, blocks: Blocks, bits: int = 16, values: bool = True
) -> dict[str, Any] | None:
    """The parts of a map; None where there are none or mask and bias are too large.

    Args:
        bits: of a number of query and key: 16, or 8 where only dot products are made of them.
        values: carry the values too, and not their lengths alone.
    """
    parts = each.parts(item=item)
    if parts is None:
        return None
    keys = each.shape[3]
    bias, allowed = split(
        _numbers(_of_pairs(parts.bias, keys)), _truths(_of_pairs(parts.allowed, keys))
    )
    spans = _spans(parts)
    if parts.score not in KNOWN:
        return None
    scored = as_scored(parts)
    query, key = _known(scored.query), _known(scored.key)
    factors = balance(query, key) if bits == 8 else np.ones_like(key[:, :1])
    spread = np.repeat(factors, query.shape[0] // max(1, key.shape[0]), axis=0)
    said: dict[str, Any] = {
        "score": parts.score,
        "scale": float(parts.scale),
        "normalizer": parts.normalizer,
        "numbers": dict(scored.numbers),
        "bits": bits,
        "mask": stored_mask(allowed, blocks) if spans is None else stored_spans(spans, blocks),
        "bias": stored_bias(bias, blocks),
        "parameters": {
            name: blocks.add_half(_known(tensor)) for name, tensor in scored.parameters.items()
        },
    }
    if said["mask"] is None or said["bias"] is None:
        return None
    if bits == 8:
        said["query"] = stored(query * spread, spread, blocks)
        said["key"] = stored(key / factors, np.float32(1) / factors, blocks)
    else:
        said["query"], said["key"] = blocks.add_half(query), blocks.add_half(key)
    value = _numbers(parts.value)
    if value is not None:
        said["value_norms"] = blocks.add_half(np.linalg.norm(value, axis=-1))
        if values and max(each.shape[2:]) <= LONGEST_FULL:
            said["value"] = blocks.add_half(value)
    said["error"] = None
    if weighs_by_dots(parts) and query.shape[1]:
        seen = (_seen(query * spread, bits), _seen(key / factors, bits))
        said["error"] = _error(each, item, parts, seen, (bias, allowed, spans))
    return said


def _error(
    each: CapturedMap,
    item: int,
    parts: Parts,
    seen: tuple[NDArray[np.float32], NDArray[np.float32]],
    pairs: tuple[NDArray[np.float32] | None, NDArray[np.bool_] | None, NDArray[np.int32] | None],
) -> float:
    """How far the weights of some rows, computed as a page does, are from the exact ones."""
    length = each.shape[2]
    rows = sorted({n * length // ROWS_MEASURED for n in range(ROWS_MEASURED)})
    query, key = seen
    bias, allowed, spans = pairs
    key = key.repeat(query.shape[0] // max(1, key.shape[0]), axis=0)
    scores = query[:, rows] @ key.swapaxes(1, 2) * float(parts.scale)
    if bias is not None:
        scores += _rows(bias, rows)
    if allowed is not None:
        scores = np.where(_rows(allowed, rows), scores, -np.inf)
    if spans is not None:
        scores = np.where(opened(_rows(spans, rows), scores.shape[-1]), scores, -np.inf)
    weights = torch.from_numpy(scores / parts.numbers.get("temperature", 1.0)).softmax(-1)
    known = exact(each, item, rows=rows)
    return float(np.abs(weights.nan_to_num(0.0).numpy() - known).max(initial=0.0))


def _seen(vectors: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Vectors as they are when they are read again."""
    return (
        as_read(*rounded(vectors)) if bits == 8 else vectors.astype(np.float16).astype(np.float32)
    )


def _rows(array: NDArray[Any], rows: list[int]) -> NDArray[Any]:
    return array if array.shape[1] == 1 else array[:, rows]


def _known(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array


def _numbers(tensor: torch.Tensor | None) -> NDArray[np.float32] | None:
    return None if tensor is None else _known(tensor)


def _of_pairs(tensor: torch.Tensor | None, keys: int) -> torch.Tensor | None:
    """What belongs to pairs, `[heads or 1, rows or 1, keys]`, from anything that broadcasts so."""
    if tensor is None:
        return None
    tensor = tensor.reshape((1,) * (3 - tensor.ndim) + tuple(tensor.shape))
    return tensor.expand(*tensor.shape[:2], keys)


def _spans(parts: Parts) -> NDArray[np.int32] | None:
    spans = getattr(parts, "spans", None)
    return None if spans is None else spans.detach().cpu().numpy().astype("<i4")


def _truths(tensor: torch.Tensor | None) -> NDArray[np.bool_] | None:
    return None if tensor is None else tensor.detach().cpu().numpy()

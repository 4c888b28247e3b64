"""Query, key and what else scores are made of, as a page carries them, to compute with there."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from regard.view.blocks import Blocks
from regard.view.captured import CapturedMap, Parts
from regard.view.stored_maps import exact
from regard.view.structure import split, stored_bias, stored_mask
from regard.view.tiers import LONGEST_FULL

DOTS = frozenset({"dot", "scaled_dot"})
"""Scores of which a page knows rows from query and key alone."""


def stored_parts(each: CapturedMap, item: int, blocks: Blocks) -> dict[str, Any] | None:
    """The parts of a map, in half precision; None where there are none or they are too large."""
    parts = each.parts(item=item)
    if parts is None:
        return None
    bias, allowed = split(_numbers(parts.bias), _truths(parts.allowed))
    said: dict[str, Any] = {
        "score": parts.score,
        "scale": float(parts.scale),
        "normalizer": parts.normalizer,
        "numbers": {name: float(number) for name, number in parts.numbers.items()},
        "mask": stored_mask(allowed, blocks),
        "bias": stored_bias(bias, blocks),
        "query": blocks.add_half(_known(parts.query)),
        "key": blocks.add_half(_known(parts.key)),
        "parameters": {
            name: blocks.add_half(_known(tensor)) for name, tensor in parts.parameters.items()
        },
    }
    if said["mask"] is None or said["bias"] is None:
        return None
    value = _numbers(parts.value)
    if value is not None:
        said["value_norms"] = blocks.add_half(np.linalg.norm(value, axis=-1))
        if max(each.shape[2:]) <= LONGEST_FULL:
            said["value"] = blocks.add_half(value)
    said["error"] = _error(each, item, parts, bias, allowed)
    return said


def _error(
    each: CapturedMap,
    item: int,
    parts: Parts,
    bias: NDArray[np.float32] | None,
    allowed: NDArray[np.bool_] | None,
) -> float | None:
    """How far the weights of eight rows, computed as a page does, are from the exact ones.

    None for what is not measured: other scores than dot products, other normalizers than softmax.
    """
    rows = sorted({n * each.shape[2] // 8 for n in range(8)}) if each.shape[2] else []
    plain = parts.score in DOTS and parts.normalizer == "softmax"
    if not plain or "soft_cap" in parts.numbers or not rows:
        return None
    query = _half(parts.query[:, rows])
    key = _half(parts.key).repeat(query.shape[0] // parts.key.shape[0], axis=0)
    scores = query @ key.swapaxes(1, 2) * float(parts.scale)
    if bias is not None:
        scores += _rows(bias, rows)
    if allowed is not None:
        scores = np.where(_rows(allowed, rows), scores, -np.inf)
    weights = torch.from_numpy(scores / parts.numbers.get("temperature", 1.0)).softmax(-1)
    known = exact(each, item, rows=rows)
    return float(np.abs(weights.nan_to_num(0.0).numpy() - known).max(initial=0.0))


def _rows(array: NDArray[Any], rows: list[int]) -> NDArray[Any]:
    return array if array.shape[1] == 1 else array[:, rows]


def _half(tensor: torch.Tensor) -> NDArray[np.float32]:
    return _known(tensor).astype(np.float16).astype(np.float32)


def _known(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array


def _numbers(tensor: torch.Tensor | None) -> NDArray[np.float32] | None:
    return None if tensor is None else _known(tensor)


def _truths(tensor: torch.Tensor | None) -> NDArray[np.bool_] | None:
    return None if tensor is None else tensor.detach().cpu().numpy()

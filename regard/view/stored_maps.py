"""The weights of a captured map as a page carries them: whole, or an overview with details."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.view.blocks import Blocks
from regard.view.captured import CapturedMap
from regard.view.codes import Codes, encode
from regard.view.pooled import SIDE, THUMB, edges, largest, pool, pool_most

PAIRS_AT_ONCE = 8_000_000


def whole(each: CapturedMap, item: int, blocks: Blocks, levels: int) -> dict[str, Any]:
    """All weights of a map as codes, and the small picture that is seen before they are read."""
    weights = exact(each, item)
    codes = encode(weights, levels)
    thumb = coded(pool_most(weights, THUMB), blocks) if max(each.shape[2:]) > THUMB else None
    return {"kind": "full", **described(codes, blocks), "error": codes.error, "thumb": thumb}


def picture_alone(each: CapturedMap, item: int, blocks: Blocks) -> dict[str, Any]:
    """The small picture of a map whose weights the page computes."""
    return {"kind": "computed", "thumb": coded(pool_most(exact(each, item), THUMB), blocks)}


def coded(array: NDArray[np.float32], blocks: Blocks) -> dict[str, Any]:
    """An array `[heads, rows, columns]` as codes, with its shape."""
    return {**described(encode(array), blocks), "shape": list(array.shape)}


def described(codes: Codes, blocks: Blocks) -> dict[str, Any]:
    """Codes in a block, and what is needed to read them."""
    return {
        "block": blocks.add(codes.codes),
        "peaks": list(codes.peaks),
        "levels": codes.levels,
        "signed": codes.signed,
    }


def in_part(
    each: CapturedMap, item: int, blocks: Blocks, kept: int, most_rows: int
) -> dict[str, Any]:
    """The overview of a large map, and of each row its largest weights with the mass of the rest.

    Args:
        kept: how many weights of a row; 0 for the overview alone.
        most_rows: how many rows are looked at, evenly spread.
    """
    _, heads, rows, columns = each.shape
    step = max(1, -(-rows // most_rows))
    looked_at = np.arange(0, rows, step)
    starts = edges(len(looked_at), SIDE)
    side = len(edges(columns, SIDE))
    most = np.zeros((heads, len(starts), side), np.float32)
    mean = np.zeros_like(most)
    kept = min(kept, columns)
    found = np.zeros((heads, len(looked_at), kept), np.int64)
    values = np.zeros((heads, len(looked_at), kept), np.float32)
    sums = np.zeros((heads, len(looked_at)), np.float32)
    for head in range(heads):
        for first, last in _portions(starts, len(looked_at), columns):
            begin = int(starts[first])
            end = int(starts[last]) if last < len(starts) else len(looked_at)
            part = exact(each, item, head, looked_at[begin:end].tolist())
            overview = pool(part, starts[first:last] - begin)
            most[head, first:last], mean[head, first:last] = overview.most[0], overview.mean[0]
            sums[head, begin:end] = part[0].sum(-1)
            if kept:
                found[head, begin:end], values[head, begin:end] = largest(part[0], kept)
    stored: dict[str, Any] = {"kind": "part", "step": step, "overview": {}}
    for name, picture in (("most", most), ("mean", mean)):
        stored["overview"][name] = coded(picture, blocks)
    stored["sums"] = blocks.add_half(sums)
    if kept:
        codes = encode(values)
        covered = float(np.abs(values).sum() / max(1e-30, float(np.abs(sums).sum())))
        stored["top"] = {
            "count": kept,
            "keys": blocks.add(found.astype("<u4" if columns > 65536 else "<u2")),
            "wide": columns > 65536,
            **described(codes, blocks),
            "error": codes.error,
            "covered": min(1.0, covered),
        }
    return stored


def exact(
    each: CapturedMap, item: int, head: int | None = None, rows: list[int] | None = None
) -> NDArray[np.float32]:
    """Weights of one item, `[heads, rows, keys]`."""
    heads = None if head is None else [head]
    weights = each.weights(heads=heads, rows=rows, item=item)
    array: NDArray[np.float32] = weights.detach().float().cpu().numpy()[0]
    return array


def sampled(each: CapturedMap, item: int, rows: int = 16) -> NDArray[np.float32]:
    """Some rows of a map, evenly spread."""
    q_len = each.shape[2]
    chosen = sorted({number * q_len // rows for number in range(rows)}) if q_len else []
    return exact(each, item, rows=chosen)


def _portions(starts: NDArray[np.int64], rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Ranges of tiles whose rows together have at most so many pairs."""
    high = max(1, rows // max(1, len(starts)))
    at_once = max(1, PAIRS_AT_ONCE // max(1, high * columns))
    for first in range(0, len(starts), at_once):
        yield first, min(len(starts), first + at_once)

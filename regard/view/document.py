"""Captured maps as one document: metadata, and their arrays in blocks.

A page holds one document, two beside each other, or one for each epoch of a training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from regard.view.axes import axes_of
from regard.view.blocks import Blocks
from regard.view.captured import CapturedMap
from regard.view.codes import LEVELS, bits_of, encode
from regard.view.patches import Patches
from regard.view.stored_maps import coded, in_part, picture_alone, sampled, whole
from regard.view.stored_parts import stored_parts, weighs_by_dots
from regard.view.tiers import (
    LONGEST_FULL,
    MOST_ROWS_KEPT,
    MOST_ROWS_SEEN,
    Size,
    Storage,
    Tier,
    tiers,
)


@dataclass(frozen=True)
class About:
    """What a page says about the origin of its weights.

    Args:
        title: the title; the tokens themselves if empty.
        model: the name of the network.
        checkpoint: which weights, such as a digest of the file.
        answer: the network's answer.
        wanted: the right answer.
        epoch, step: of training, for a film.
    """

    title: str = ""
    model: str = ""
    checkpoint: str = ""
    answer: str = ""
    wanted: str = ""
    epoch: float | None = None
    step: int | None = None


@dataclass(frozen=True)
class Findings:
    """Other findings about the maps, shown next to them.

    Args:
        tags: tags of heads, by layer and head: `{(3, 5): ("previous token",)}`.
        effects: how much the result changes without each head, `[layers, heads]`.
        effect: a short description of `effects`.
        matrices: more matrices by name, `[q, k]` on the axes of the first map, such as attention
            times gradient.
    """

    tags: Mapping[tuple[int, int], Sequence[str]] = field(default_factory=dict)
    effects: Tensor | None = None
    effect: str = "change of the result without this head"
    matrices: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A document as a page reads it: `head` is JSON, and its numbers of blocks are those here."""

    head: dict[str, Any]
    blocks: Blocks


def document(
    maps: Sequence[CapturedMap],
    tokens: Sequence[str],
    queries: Sequence[str] | None = None,
    *,
    item: int = 0,
    image: Patches | None = None,
    about: About = About(),
    findings: Findings = Findings(),
    storage: Storage = Storage(),
) -> Document:
    """The document of some maps of one item of a batch.

    Raises `ValueError` for tokens that are not those of the maps, for a layer that is not there,
    and for a picture of other patches.
    """
    axes = axes_of(maps, tokens, queries)
    seen = [_seen(each, item) for each in maps]
    plan = tiers([size for size, _ in seen], storage)
    blocks = Blocks()
    layers = [
        {
            "name": each.name,
            "call": each.call,
            "kind": each.kind,
            "heads": each.shape[1],
            "q": q,
            "k": k,
            "mechanism": {role: str(part) for role, part in each.mechanism.items()},
            "provenance": each.provenance,
            "dtype": dtype,
            "unknown": getattr(each, "unknown_step", ""),
            **_store(each, item, tier, blocks),
        }
        for each, (q, k), tier, (_, dtype) in zip(maps, axes.of_map, plan, seen, strict=True)
    ]
    picture = None
    if image is not None:
        name = image.axis if image.axis in axes.lists else "tokens"
        picture = {"axis": name, **image.data(len(axes.lists[name]))}
    head = {
        "about": {name: value for name, value in vars(about).items() if value not in ("", None)},
        "axes": axes.data(),
        "layers": layers,
        "image": picture,
        "tags": [[*place, list(words)] for place, words in findings.tags.items()],
        "effects": _effects(findings, maps),
        "matrices": _matrices(findings, axes.of_map, axes.lists, blocks),
    }
    return Document(head, blocks)


def _store(each: CapturedMap, item: int, tier: Tier, blocks: Blocks) -> dict[str, Any]:
    """The weights of a map and its parts, in the form that was chosen for it."""
    if tier.weights == "coded":
        weights = whole(each, item, blocks, tier.levels)
    elif tier.weights == "computed" and max(each.shape[2:]) <= LONGEST_FULL:
        weights = picture_alone(each, item, blocks)
    else:
        most_rows = MOST_ROWS_KEPT if tier.kept else MOST_ROWS_SEEN
        weights = in_part(each, item, blocks, tier.kept, most_rows)
    parts = stored_parts(each, item, blocks, tier.bits, tier.values) if tier.bits else None
    return {"weights": weights, "parts": parts}


def _seen(each: CapturedMap, item: int) -> tuple[Size, str]:
    """What a map would take, by a sample of its rows, and the dtype of its query; "" if unknown."""
    _, heads, rows, columns = each.shape
    parts = each.parts(item=item)
    value = None if parts is None else parts.value
    longest = max(rows, columns)
    dtype = "" if parts is None else str(parts.query.dtype).removeprefix("torch.")
    size = Size(
        pairs=heads * rows * columns,
        longest=longest,
        heads=heads,
        bits=bits_of(sampled(each, item)) if longest <= LONGEST_FULL else (8.0,) * len(LEVELS),
        vectors=0 if parts is None else parts.query.numel() + parts.key.numel(),
        values=0 if value is None else value.numel(),
        by_dots=parts is not None and weighs_by_dots(parts),
    )
    return size, each.mechanism.get("dtype", dtype)


def _effects(findings: Findings, maps: Sequence[CapturedMap]) -> dict[str, Any] | None:
    """The effect of each head, with what it is of."""
    if findings.effects is None:
        return None
    rows = findings.effects.detach().float().cpu().numpy()
    heads = max(each.shape[1] for each in maps)
    if rows.shape != (len(maps), heads):
        raise ValueError(
            f"effects have shape {list(rows.shape)}, but there are {len(maps)} maps of {heads} "
            "heads: give [layers, heads], NaN where a layer has fewer heads"
        )
    known = [[round(float(v), 6) if np.isfinite(v) else None for v in row] for row in rows]
    return {"name": findings.effect, "values": known}


def _matrices(
    findings: Findings,
    of_map: Sequence[tuple[str, str]],
    lists: Mapping[str, Sequence[str]],
    blocks: Blocks,
) -> list[dict[str, Any]]:
    """The further matrices, on the axes on which they fit."""
    stored = []
    for name, matrix in findings.matrices.items():
        fits = [(q, k) for q, k in of_map if matrix.shape == (len(lists[q]), len(lists[k]))]
        if not fits:
            sizes = ", ".join(
                dict.fromkeys(f"{len(lists[q])} x {len(lists[k])}" for q, k in of_map)
            )
            raise ValueError(
                f"the matrix {name!r} has shape {list(matrix.shape)}, but the maps have {sizes}"
            )
        array = matrix.detach().float().cpu().numpy()[None]
        error = encode(array).error
        stored.append(
            {"name": str(name), "q": fits[0][0], "k": fits[0][1], "error": error}
            | coded(array, blocks)
        )
    return stored

"""Captured maps as one document: what is said of them, and their arrays in blocks.

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
from regard.view.codes import FINEST, best_levels, encode
from regard.view.patches import Patches
from regard.view.stored_maps import MOST_KEPT, in_part, sampled, whole
from regard.view.stored_parts import stored_parts
from regard.view.tiers import Storage, Tiers, tiers

PAGE_ITSELF = 150_000
"""Characters of a page without its blocks."""


@dataclass(frozen=True)
class About:
    """What a page says of where its weights come from.

    Args:
        title: what is looked at; the tokens themselves if empty.
        model: the network, as it shall be called.
        checkpoint: which weights, such as a digest of the file.
        answer: what the network answered.
        epoch: of the training, for a film.
    """

    title: str = ""
    model: str = ""
    checkpoint: str = ""
    answer: str = ""
    epoch: float | None = None


@dataclass(frozen=True)
class Findings:
    """What was found out about the maps elsewhere, shown beside them.

    Args:
        tags: words for heads, by layer and head: `{(3, 5): ("previous token",)}`.
        effects: how much the result changes without each head, `[layers, heads]`.
        effect: what `effects` are, in a few words.
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
    plan = tiers([(heads, q, k) for _, heads, q, k in (each.shape for each in maps)], storage)
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
        }
        for each, (q, k) in zip(maps, axes.of_map, strict=True)
    ]
    _store_weights(layers, maps, item, plan, blocks)
    _store_parts(layers, maps, item, plan, blocks)
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


def _store_weights(
    layers: list[dict[str, Any]],
    maps: Sequence[CapturedMap],
    item: int,
    plan: Tiers,
    blocks: Blocks,
) -> None:
    """Put the weights of every layer into blocks, as much of them as there is room for."""
    levels = _levels([maps[n] for n in plan.full], item, plan.max_bytes)
    for number in plan.full:
        layers[number]["weights"] = whole(maps[number], item, blocks, levels)
    rest = [number for number in plan.order if number not in plan.full]
    long = not plan.full
    for number in rest:
        kept = 0 if long and _has_parts(maps[number], item) else MOST_KEPT
        before = len(blocks)
        stored = in_part(maps[number], item, blocks, kept)
        if blocks.size > plan.max_bytes - PAGE_ITSELF and kept:
            blocks.take_back(before)
            stored = in_part(maps[number], item, blocks, 0)
        layers[number]["weights"] = stored


def _store_parts(
    layers: list[dict[str, Any]],
    maps: Sequence[CapturedMap],
    item: int,
    plan: Tiers,
    blocks: Blocks,
) -> None:
    """Put query and key of as many layers into blocks as there is room for, in their order."""
    for number in plan.order:
        before = len(blocks)
        parts = stored_parts(maps[number], item, blocks)
        if parts is None or blocks.size > plan.max_bytes - PAGE_ITSELF:
            blocks.take_back(before)
            parts = None
        layers[number]["parts"] = parts


def _has_parts(each: CapturedMap, item: int) -> bool:
    return each.parts(item=item) is not None


def _levels(maps: Sequence[CapturedMap], item: int, max_bytes: int) -> int:
    """The finest levels with which the weights of these maps fit into so many bytes."""
    pairs = sum(heads * q * k for _, heads, q, k in (each.shape for each in maps))
    room = (max_bytes - PAGE_ITSELF) * 3 / 4
    if pairs <= room or not maps:
        return FINEST
    per_map = [best_levels(sampled(each, item), room / pairs) for each in maps]
    return sorted(per_map)[len(per_map) // 2]


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
        codes = encode(matrix.detach().float().cpu().numpy()[None])
        stored.append(
            {
                "name": str(name),
                "q": fits[0][0],
                "k": fits[0][1],
                "block": blocks.add(codes.codes),
                "peaks": list(codes.peaks),
                "levels": codes.levels,
                "signed": codes.signed,
                "error": codes.error,
            }
        )
    return stored

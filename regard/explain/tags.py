"""Tags for heads by what they attend to, with scores, to find the head you are looking for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from regard._nearest import nearest
from regard.explain._layers import Layers, positions_in, read_layers
from regard.explain._patterns import PATTERNS, Seen, numbered

THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {
        "previous": 0.4,
        "next": 0.4,
        "self": 0.4,
        "sink": 0.5,
        "separator": 0.5,
        "broad": 0.8,
        "block": 0.6,
        "induction": 0.4,
        "duplicate": 0.4,
    }
)
"""The score at which a head gets a tag. Our choice, and a matter of taste: far above what equal
weights give on ten tokens or more (except 0.8 for `broad`, which is about equal weights)."""


@dataclass(frozen=True)
class TaggedHead:
    """A head, its score for each pattern that can occur, and its tags, the highest score first."""

    layer: int
    head: int
    scores: Mapping[str, float]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class HeadTags:
    """The tags of all heads, by layer and head."""

    heads: tuple[TaggedHead, ...]
    thresholds: Mapping[str, float]

    def of(self, layer: int, head: int) -> TaggedHead:
        """One head; `IndexError` if there is none."""
        for each in self.heads:
            if (each.layer, each.head) == (layer, head):
                return each
        raise IndexError(f"there is no head {head} in layer {layer}.")

    def named(self, tag: str) -> tuple[TaggedHead, ...]:
        """The heads with this tag, the highest score first; `ValueError` for an unknown tag."""
        _require_tag(tag)
        found = [each for each in self.heads if tag in each.tags]
        return tuple(sorted(found, key=lambda each: -each.scores[tag]))


def head_tags(
    weights: Layers,
    tokens: Sequence[Any] | None = None,
    *,
    separators: Iterable[Any] = (),
    segments: Sequence[int] | None = None,
    sinks: Iterable[int] = (0,),
    item: int = 0,
    length: int | None = None,
    thresholds: Mapping[str, float] = THRESHOLDS,
) -> HeadTags:
    """Score each head's behavior on one text, each pattern from 0 to 1.

    ============ ==================================================================================
    `previous`   mean weight on the previous token
    `next`       mean weight on the next token
    `self`       mean weight on the token itself, the first one left out
    `sink`       mean weight that other tokens put on the sinks
    `separator`  mean weight that other tokens put on separators
    `broad`      mean entropy, relative to that of equal weights on all that a query may see
    `block`      mean weight in the query's own segment, times its relative entropy there
    `induction`  mean weight on the tokens after earlier occurrences of the query's token
    `duplicate`  mean weight on the earlier occurrences themselves
    ============ ==================================================================================

    A query may see the keys on which any head of the layer has a weight: under softmax, those that
    the mask permits. Means are over the queries that have such a key; if there is none, or
    something required is missing (tokens, segments, as many queries as keys), the score is left
    out. Text that repeats itself shows `induction`; random tokens followed by the same tokens again
    show it best.

    Args:
        weights: `[layers, batch, heads, q_len, k_len]`, or one tensor per layer.
        tokens: of the keys, as strings or numbers.
        separators: tokens, as in `tokens`, that separate segments.
        segments: a number for each token; if None, segments end with each separator.
        sinks: positions of keys that may be sinks.
        item: index in the batch.
        length: how many of its tokens are not padding.
        thresholds: the score at which a head gets a tag; defaults are in `THRESHOLDS`.

    Raises:
        ValueError, TypeError, IndexError: not weights, rows that do not sum to one, tokens or
            segments of another length, an item or tag that does not exist.

    Example:
        >>> before = torch.eye(6).roll(1, 0).index_fill(0, torch.tensor([0]), 0.0)
        >>> before[0, 0] = 1.0
        >>> found = head_tags(before[None, None, None], "abcabc")
        >>> found.of(0, 0).tags, found.of(0, 0).scores["induction"]
        (('previous',), 0.0)

    References:
        Clark, Khandelwal, Levy & Manning. What Does BERT Look At? An Analysis of BERT's Attention.
        2019. https://arxiv.org/abs/1906.04341
        Olsson, Elhage, Nanda et al. In-context Learning and Induction Heads. 2022.
        https://arxiv.org/abs/2209.11895
    """
    for tag in thresholds:
        _require_tag(tag)
    bounds = {**THRESHOLDS, **thresholds}
    sink_places, parting = list(sinks), set(separators)
    if parting and tokens is None:
        raise ValueError("head_tags finds separators among tokens; give tokens too.")
    found = []
    for number, layer in enumerate(read_layers("head_tags", weights, normalized=True)):
        one = layer[positions_in("head_tags", "item", [item], len(layer))[0]].detach()
        is_square = one.shape[1] == one.shape[2]
        if length is not None:
            _require_length("length", length, one.shape[2], number, at_most=True)
            one = one[:, :length, :length] if is_square else one[:, :, :length]
        keys = one.shape[2]
        named = _cut(tokens, "tokens", keys, number, layer.shape[3])
        marked = [place for place, each in enumerate(named or ()) if each in parting]
        given = _cut(segments, "segments", keys, number, layer.shape[3])
        seen = Seen(
            one,
            None if named is None else numbered(named),
            marked,
            _segments(given, marked, keys, one.device),
            sorted(set(positions_in("head_tags", "sinks", sink_places, keys)))
            if sink_places
            else [],
        )
        found += _tagged(seen, number, bounds)
    return HeadTags(tuple(found), MappingProxyType(bounds))


def _tagged(seen: Seen, layer: int, bounds: Mapping[str, float]) -> list[TaggedHead]:
    scores = {name: pattern(seen) for name, pattern in PATTERNS.items()}
    by_head = {name: score.tolist() for name, score in scores.items() if score is not None}
    found = []
    for head in range(len(seen.weights)):
        own = {name: numbers[head] for name, numbers in by_head.items()}
        tags = sorted((n for n in own if own[n] >= bounds[n]), key=lambda n: -own[n])
        found.append(TaggedHead(layer, head, MappingProxyType(own), tuple(tags)))
    return found


def _cut(
    given: Sequence[Any] | None, name: str, keys: int, layer: int, whole: int
) -> list[Any] | None:
    """One for each key; what stands behind `length` may be there or not."""
    if given is None:
        return None
    if len(given) != whole:
        _require_length(name, len(given), keys, layer)
    return list(given)[:keys]


def _require_length(name: str, length: int, keys: int, layer: int, at_most: bool = False) -> None:
    if at_most and 1 <= length <= keys:
        return
    if length != keys or at_most:
        raise ValueError(
            f"head_tags: {name} is of {length} tokens, and layer {layer} has {keys} keys; give "
            "those of this very text, special tokens among them."
        )


def _segments(
    given: list[Any] | None, separators: list[int], keys: int, device: torch.device
) -> Tensor | None:
    if given is not None:
        return numbered(given).to(device)
    if not separators:
        return None
    ends = torch.zeros(keys, dtype=torch.long)
    ends[separators] = 1
    return (ends.cumsum(0) - ends).to(device)


def _require_tag(tag: str) -> None:
    if tag not in PATTERNS:
        raise ValueError(f"there is no tag {tag!r}: {nearest(str(tag), list(PATTERNS))}.")

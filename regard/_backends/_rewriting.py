"""Scores that are a scaled dot product in disguise, and the dot product they are.

A rule returns new query and key tensors and a scale such that `scale · (query' · key')` equals
the score, up to a term that depends on the query alone: softmax does not see that term.

Whatever is computed anew would be rounded if it were kept in half precision, where the definition
has at least float32. So a rule that computes is given, and hands on, float32.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from regard._backends._call import Call, repeat_heads
from regard._torch_private import is_static
from regard.scores import (
    Bilinear,
    ConcatLinear,
    Cosine,
    Dot,
    FeatureMapDot,
    Location,
    NegativeSquaredDistance,
    ScaledDot,
)
from regard.scores.cosine import unit


class DotForm(NamedTuple):
    """`scale · (query · key)` in place of the score; a learned scale is a 0-d tensor."""

    query: Tensor
    key: Tensor
    scale: float | Tensor


Rule = Callable[..., DotForm]


def _plain(number: float | Tensor) -> float | Tensor:
    return number.reshape(()) if isinstance(number, Tensor) else number


def _dot(score: Dot, query: Tensor, key: Tensor) -> DotForm:
    return DotForm(query, key, 1.0)


def _scaled_dot(score: ScaledDot, query: Tensor, key: Tensor) -> DotForm:
    return DotForm(query, key, _plain(score.factor(query.shape[-1])))


def _bilinear(score: Bilinear, query: Tensor, key: Tensor) -> DotForm:
    return DotForm(score.project(query), key, 1.0)


def _cosine(score: Cosine, query: Tensor, key: Tensor) -> DotForm:
    return DotForm(unit(query), unit(key), 1.0 / _plain(score.temperature))


def _squared_distance(score: NegativeSquaredDistance, query: Tensor, key: Tensor) -> DotForm:
    # Distances do not change when all vectors move, but the squares they are split into get small.
    middle = _middle(key)
    key = key - middle
    query = query - (repeat_heads(middle, query.shape[1] // key.shape[1]) if key.shape[1] else 0)
    ones = query.new_ones(*query.shape[:-1], 1)
    lengths = key.square().sum(-1, keepdim=True)
    return DotForm(torch.cat([query, ones], -1), torch.cat([2 * key, -lengths], -1), 1.0)


def _middle(key: Tensor) -> Tensor:
    """Near which most keys lie: the median of a few, as padding may hold anything."""
    keys, length = key.detach(), key.shape[2]
    if not is_static(length):
        return keys.median(dim=2, keepdim=True).values  # a step that depends on it binds the graph
    few = keys[:, :, :: max(1, length // 8)]
    return few.median(dim=2, keepdim=True).values if few.numel() else few.sum(2, keepdim=True)


def _feature_map(score: FeatureMapDot, query: Tensor, key: Tensor) -> DotForm:
    return DotForm(score.feature_map(query), score.feature_map(key), 1.0)


def _location(score: Location, query: Tensor, key: Tensor) -> DotForm:
    rows = score.rows(key.shape[-2], query.dtype)
    return DotForm(query, rows.expand(*key.shape[:-1], rows.shape[-1]), 1.0)


def _concat_linear(score: ConcatLinear, query: Tensor, key: Tensor) -> DotForm:
    rows, key_term = score.split(key)
    ones = query.new_ones(*query.shape[:-1], 1)
    rows = rows.expand(*key.shape[:-1], rows.shape[-1])
    key = torch.cat([rows, key_term.unsqueeze(-1)], -1)
    return DotForm(torch.cat([query, ones], -1), key, 1.0)


RULES: dict[type, tuple[Rule, str]] = {
    Dot: (_dot, ""),
    ScaledDot: (_scaled_dot, ""),
    Bilinear: (_bilinear, "qᵀWk is a dot product once the query is projected by W"),
    Cosine: (_cosine, "the cosine is the dot product of unit vectors"),
    NegativeSquaredDistance: (
        _squared_distance,
        "-‖q-k‖² = 2q·k - ‖k‖² - ‖q‖², one more column; softmax does not see -‖q‖²",
    ),
    FeatureMapDot: (_feature_map, "φ(q)·φ(k) is a dot product of the mapped vectors"),
    Location: (_location, "the rows of W stand in for the keys"),
    ConcatLinear: (_concat_linear, "w·[q;k] + b splits into a dot product and a term of the key"),
}

# These compute nothing, so that half precision may stay what it is.
AS_THEY_ARE = (Dot, ScaledDot)

# The dot product of these leaves out a term of the query alone, which only softmax forgives.
LEAVES_OUT_QUERY = (NegativeSquaredDistance,)


def is_additive(call: Call) -> bool:
    """Whether the score_mod, if any, adds something that does not depend on the score."""
    return call.score_mod is None or getattr(call.score_mod, "additive", False)


def is_dot(call: Call) -> bool:
    """Whether the score is a dot product, as it stands or rewritten."""
    return type(call.score) in RULES


def why(call: Call) -> str:
    """The sentence that names the rewriting, empty where there is none."""
    if not is_dot(call):
        return ""
    sentence = RULES[type(call.score)][1]
    in_half = call.query.dtype != call.exact and type(call.score) not in AS_THEY_ARE
    return (
        f"{sentence}; kept in float32, which {str(call.query.dtype)[6:]} would round"
        if in_half
        else sentence
    )


def dot_form(call: Call) -> DotForm:
    """Query, key and scale of the dot product that this call's score is."""
    query, key = call.query, call.key
    if type(call.score) not in AS_THEY_ARE:
        query, key = query.to(call.exact), key.to(call.exact)
    return RULES[type(call.score)][0](call.score, query, key)

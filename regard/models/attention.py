"""The parts of a model's attention: by name in its configuration, as objects in the model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from regard.config import Config, Share
from regard.layers import Attend
from regard.layers.part_module import unwrapped
from regard.parts import (
    Dims,
    MaskName,
    NormalizerName,
    Own,
    PartOf,
    ScoreModName,
    ScoreName,
    part,
    spell,
)

Attends = Attend | Callable[[], Attend] | None
"""What a model takes in the place of named parts: one for all places, or what makes one for each.

Parts with names are made where they are used, one for each place; an object is shared.
"""

ROLES = ("score", "score_mod", "mask", "normalizer")


@dataclass(frozen=True, kw_only=True)
class ScoreParts(Config):
    """What gives the scores of an attention, by name, such as `soft_cap(30.0)`.

    It is all that can be chosen where a model itself decides what becomes of the scores.

    Args:
        score: how alike are query and key?
        score_mod: changes a score, knowing its place.
        mask: which pairs there are, besides those that the model itself leaves out.
    """

    score: ScoreName = "scaled_dot"
    score_mod: ScoreModName | None = None
    mask: MaskName | None = None


@dataclass(frozen=True, kw_only=True)
class Parts(ScoreParts):
    """The parts of an attention by name, such as `entmax(1.3)` (see `regard.parts`).

    Args:
        score, score_mod, mask: as in `ScoreParts`.
        normalizer: scores to weights.
        dropout: share of the weights that is left out while training.
    """

    normalizer: NormalizerName = "softmax"
    dropout: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class CrossParts(Config):
    """The parts of an attention from one sequence to another, whose positions do not compare.

    Args:
        score: how alike are query and key?
        normalizer: scores to weights.
        dropout: share of the weights that is left out while training.
    """

    score: ScoreName = "scaled_dot"
    normalizer: NormalizerName = "softmax"
    dropout: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class NoAttention(Config):
    """Nothing attends: a decoder knows its source by one vector, or by the state it begins with."""

    tag = "none"


Kind = TypeVar("Kind", bound=Config)


def attend_of(parts: Config, dims: Dims) -> Attend:
    """The operator with the named parts.

    Raises `ValueError` for a part of the user's own that was not given again, and for numbers that
    do not fit the widths.
    """
    made: dict[str, Any] = {
        role: None if (name := getattr(parts, role)) is None else part(role, name, dims)
        for role in ROLES
        if hasattr(parts, role)
    }
    return Attend(**made, dropout=getattr(parts, "dropout", 0.0))


def maker(parts: Config, dims: Dims, given: Attends) -> Callable[[], Attend]:
    """What gives each place of a model its operator: of the names, or what was given instead."""
    if given is None:
        return lambda: attend_of(parts, dims)
    return (lambda: given) if isinstance(given, Attend) else given


def across(attend: Attend) -> Attend:
    """The parts for two sequences: masks and score mods speak of positions within one."""
    return Attend(
        score=attend.score,
        normalizer=attend.normalizer,
        dropout=attend.dropout,
        backend=attend.backend,
    )


def named(parts: Kind, dims: Dims, attend: Attend) -> Kind:
    """The configuration that says which parts an operator has, so that a saved model is that one.

    A part without a name is kept as the user's own; who loads the model has to give it again.

    Raises `ValueError` for a part that the configuration has no place for.
    """
    found: dict[str, object] = {"dropout": attend.dropout}
    for role in ROLES:
        held = unwrapped(getattr(attend, role))
        found[role] = None if held is None else _name(role, held, dims)
    usual = {"score_mod": None, "mask": None, "normalizer": "softmax", "dropout": 0.0}
    for role, value in found.items():
        if not hasattr(parts, role) and value != usual[role]:
            raise ValueError(f"{parts.tag} attention has a {role} of its own: leave {value} out")
    kept = {role: found[role] for role in found if hasattr(parts, role)}
    return replace(parts, **kept)  # type: ignore[type-var]


def _name(role: str, held: object, dims: Dims) -> str:
    try:
        return spell(role, held, dims)
    except ValueError:
        return Own(PartOf(role).converted(role, held), held)

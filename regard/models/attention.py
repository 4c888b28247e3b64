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
"""What a model accepts instead of named parts: one for all places, or a function for each.

Parts with names are made where they are used, one for each place; an object is shared.
"""

ROLES = ("score", "score_mod", "mask", "normalizer")


@dataclass(frozen=True, kw_only=True)
class ScoreParts(Config):
    """The scoring parts of an attention, by name, such as `soft_cap(30.0)`.

    These are all that can be chosen if the model itself determines the normalization.

    Args:
        score: the similarity of query and key.
        score_mod: changes a score, given its position.
        mask: which pairs may attend, in addition to the model's own mask.
    """

    score: ScoreName = "scaled_dot"
    score_mod: ScoreModName | None = None
    mask: MaskName | None = None


@dataclass(frozen=True, kw_only=True)
class Parts(ScoreParts):
    """The parts of an attention by name, such as `entmax(1.3)` (see `regard.parts`).

    Args:
        score, score_mod, mask: as in `ScoreParts`.
        normalizer: turns scores into weights.
        dropout: dropout probability of the weights.
    """

    normalizer: NormalizerName = "softmax"
    dropout: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class CrossParts(Config):
    """The parts of cross-attention, where positions of the two sequences are not comparable.

    Args:
        score: the similarity of query and key.
        normalizer: turns scores into weights.
        dropout: dropout probability of the weights.
    """

    score: ScoreName = "scaled_dot"
    normalizer: NormalizerName = "softmax"
    dropout: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class NoAttention(Config):
    """No attention: a decoder sees its source as one vector, or only in its initial state."""

    tag = "none"


Kind = TypeVar("Kind", bound=Config)


def attend_of(parts: Config, dims: Dims) -> Attend:
    """The operator with the named parts.

    Raises `ValueError` for a user-defined part that was not passed again, and for numbers that do
    not fit the widths.
    """
    made: dict[str, Any] = {
        role: None if (name := getattr(parts, role)) is None else part(role, name, dims)
        for role in ROLES
        if hasattr(parts, role)
    }
    return Attend(**made, dropout=getattr(parts, "dropout", 0.0))


def maker(parts: Config, dims: Dims, given: Attends) -> Callable[[], Attend]:
    """A function that gives each place of a model its operator: from names, or as passed."""
    if given is None:
        return lambda: attend_of(parts, dims)
    return (lambda: given) if isinstance(given, Attend) else given


def across(attend: Attend) -> Attend:
    """The parts for cross-attention: masks and score mods refer to positions in one sequence."""
    return Attend(
        score=attend.score,
        normalizer=attend.normalizer,
        dropout=attend.dropout,
        backend=attend.backend,
    )


def named(parts: Kind, dims: Dims, attend: Attend) -> Kind:
    """The configuration that names an operator's parts, so that a saved model is the same one.

    A part without a name is marked as the user's own; it has to be passed again on loading.

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

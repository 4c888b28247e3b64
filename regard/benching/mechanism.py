"""What is measured, by name: parts of the operator, or a vision block."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from regard._backends._plan import BACKENDS
from regard._nearest import nearest
from regard._printable import shown
from regard._spelling import parse
from regard.parts import ROLES, SYNONYMS, canonical
from regard.vision import BLOCKS

USUAL = {"score": "scaled_dot", "normalizer": "softmax"}
"""The parts that a mechanism has where it names none."""

_PLUS = re.compile(r"\+(?![^(]*\))")


@dataclass(frozen=True)
class Mechanism:
    """Attention by the names of its parts and of its backend, or a block by its name.

    >>> Mechanism.of("additive + causal & sliding_window(128)")
    Mechanism(score='additive', score_mod=None, mask='causal & sliding_window(128)', ...)
    >>> str(Mechanism.of("scaled_dot")), str(Mechanism.of("entmax(1.5) on chunked"))
    ('softmax', 'entmax on chunked')
    """

    score: str = "scaled_dot"
    score_mod: str | None = None
    mask: str | None = None
    normalizer: str = "softmax"
    backend: str | None = None
    block: str | None = None

    @staticmethod
    def of(text: str, others: Mapping[str, str] | None = None) -> "Mechanism":
        """Read the names of parts with `+` between them, in any order; the rest is as usual.

        A backend stands at the end, after `on`.

        Args:
            others: the parts of roles that the text says nothing of.

        Raises `ValueError` for a name that is not there, with the nearest ones, for two parts of
        one role, and for a block that is joined with something.
        """
        parts, on, backend = text.partition(" on ")
        found = {"backend": _backend(backend.strip())} if on else {}
        for piece in _PLUS.split(parts):
            role, name = _role(piece)
            if role in found:
                raise ValueError(
                    f"{shown(text)} names two of one kind, {found[role]} and {name}: take one out"
                )
            found[role] = name
        if "block" in found and len(found) > 1:
            raise ValueError(f"{shown(text)} joins the block {found['block']} with parts: one each")
        if "block" not in found:
            found = dict(others or {}) | found
        return Mechanism(**found)

    def __str__(self) -> str:
        if self.block is not None:
            return self.block
        given = {"score": self.score, "normalizer": self.normalizer}
        unusual = [name for role, name in given.items() if name != USUAL[role]]
        unusual += [name for name in (self.score_mod, self.mask) if name is not None]
        said = " + ".join(unusual) or "softmax"
        return said if self.backend is None else f"{said} on {self.backend}"

    @property
    def is_random(self) -> bool:
        """Whether two calls differ, so that there is nothing to compare an output with."""
        return parse(self.normalizer).name == "gumbel_softmax"


def combined(
    texts: Iterable[str], given: Mapping[str, Sequence[str]] | None = None
) -> list[Mechanism]:
    """Every text with every combination of the parts given for each role, each once.

    Without texts these are combinations of the given parts alone.

    >>> [str(one) for one in combined(["entmax"], {"mask": ["causal", "prefix(8)"]})]
    ['entmax + causal', 'entmax + prefix(8)']
    """
    given = {role: names for role, names in (given or {}).items() if names}
    named = {
        role: [_backend(name) if role == "backend" else canonical(role, name) for name in names]
        for role, names in given.items()
    }
    named_or_none: list[str | None] = [*texts] or [None]
    made = [
        Mechanism.of(text, others) if text is not None else Mechanism(**others)
        for text in named_or_none
        for parts in product(*named.values())
        for others in [dict(zip(named, parts, strict=True))]
    ]
    return list(dict.fromkeys(made))


def _role(text: str) -> tuple[str, str]:
    """Which role a name plays, and the name as it is written everywhere."""
    spelled: Any = parse(text)
    name = spelled.name
    if name == "&":
        return "mask", canonical("mask", text)
    for role, table in ROLES.items():
        if name in table:
            return role, canonical(role, text)
    if name in BLOCKS:
        return "block", str(spelled)
    known = [*(name for table in ROLES.values() for name in table), *BLOCKS]
    raise ValueError(
        f"there is no score, normalizer, mask, score_mod or block {shown(name)}: "
        f"{nearest(name, known, SYNONYMS)}"
    )


def _backend(name: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"there is no backend {shown(name)}: {nearest(name, BACKENDS)}")
    return name

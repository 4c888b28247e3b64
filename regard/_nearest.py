"""What a name stands for, and the names that may have been meant by one that is not there."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from regard._printable import shown

LONGEST = 200
"""Characters of a name that are compared."""


def nearest(word: str, known: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    """The names that may have been meant, at most three; all of them when none is near.

    >>> nearest("prenorm", ["post", "pre"])
    'did you mean pre?'
    """
    meant = {name: name for name in known}
    meant |= {word: name for word, name in (synonyms or {}).items() if name in meant}
    # By letters alone, `time` would be nearer to `dim` than `embed_dim` is.
    near = [meant[each] for each in meant if word in each.split("_")]
    near += [meant[each] for each in get_close_matches(word[:LONGEST], list(meant), 3, 0.4)]
    first = list(dict.fromkeys(near))[:3]
    return f"did you mean {' or '.join(first)}?" if near else ", ".join(known)


def class_named(word: str, name: str, table: Mapping[str, str]) -> Any:
    """The class behind a name in a table of `module:Class`, imported now.

    Raises `ValueError` for a name that is not there.

    >>> class_named("fraction", "exact", {"exact": "fractions:Fraction"})(1, 2)
    Fraction(1, 2)
    """
    if name not in table:
        raise ValueError(f"there is no {word} {shown(name)}: {nearest(name, table)}")
    module, _, kind = table[name].partition(":")
    return getattr(import_module(module), kind)

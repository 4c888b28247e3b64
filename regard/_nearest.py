"""Names that may have been meant by one that is not there."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches


def nearest(word: str, known: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    """The names that may have been meant, at most three; all of them when none is near.

    >>> nearest("prenorm", ["post", "pre"])
    'did you mean pre?'
    """
    meant = {name: name for name in known}
    meant |= {word: name for word, name in (synonyms or {}).items() if name in meant}
    near = [meant[each] for each in get_close_matches(word, list(meant), 3, 0.4)]
    return f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else ", ".join(known)

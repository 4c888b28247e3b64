"""Entities in tags that say where each begins and ends: BIO, IOB1, BIOES and BILOU."""

import re
from collections.abc import Iterable, Sequence

Chunk = tuple[str, int, int]
"""Type, first word, and the word behind the last."""

_INSIDE = re.compile(r"([BIESLU])(?:-(.*))?")
_BEGINS, _ENDS = "BSU", "ESLU"


def are_chunks(tags: Iterable[str]) -> bool:
    """Whether these tags mark entities: all of them `O` or a letter and a type, such as `B-PER`.

    >>> are_chunks(["O", "B-PER", "I-PER"]), are_chunks(["NOUN", "O"]), are_chunks(["O", "B", "I"])
    (True, False, True)
    """
    inside = [tag for tag in tags if tag != "O"]
    return bool(inside) and all(map(_INSIDE.fullmatch, inside))


def chunks(tags: Sequence[str]) -> list[Chunk]:
    """The entities of a sentence, by the rules of CoNLL's `conlleval`.

    One begins at `B` and `S`, and at any other letter behind `O`, behind an end (`E`, `S`), and
    where the type changes; it goes on to the word before the next `O` or beginning. `L` and `U` of
    BILOU are `E` and `S`. What is no such tag is outside.

    >>> chunks(["B-PER", "I-PER", "O", "I-LOC", "I-ORG", "B-ORG"])
    [('PER', 0, 2), ('LOC', 3, 4), ('ORG', 4, 5), ('ORG', 5, 6)]

    References:
        Tjong Kim Sang & Buchholz. Introduction to the CoNLL-2000 Shared Task: Chunking. 2000.
        https://aclanthology.org/W00-0726
    """
    found: list[Chunk] = []
    before, kind_before = "O", ""
    for place, tag in enumerate(tags):
        matched = _INSIDE.fullmatch(tag)
        letter, kind = (matched[1], matched[2] or "") if matched else ("O", "")
        if letter != "O":
            begins = letter in _BEGINS or before == "O" or before in _ENDS
            if begins or kind != kind_before:
                found.append((kind, place, place + 1))
            else:
                found[-1] = (kind, found[-1][1], place + 1)
        before, kind_before = letter, kind
    return found

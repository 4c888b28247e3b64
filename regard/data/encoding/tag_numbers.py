"""The tags of a sentence's words as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.signatures import cells_of

UNKNOWN_TAG = -1
"""The number of a tag that is not known."""


@dataclass(frozen=True)
class TagNumbers:
    r"""Tags to numbers, in the order of their names; -1 for one that is not known.

    >>> TagNumbers(("B-LOC", "O")).encode(["O\tB-LOC\tB-ORG", ""]).values
    array([ 1,  0, -1])
    """

    tags: tuple[str, ...]

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The numbers of each sentence's tags, which have tabs between them."""
        places = {tag: place for place, tag in enumerate(self.tags)}
        return Ragged.of([places.get(tag, UNKNOWN_TAG) for tag in cells_of(t)] for t in texts)


def require_a_tag_a_word(split: str, batch: Mapping[str, list[Any]], first: int) -> None:
    r"""Raise `ValueError` with the row and both numbers unless each word of `batch` has a tag.

    >>> require_a_tag_a_word("train", {"words": ["a\tb"], "tags": ["O"]}, first=6)
    Traceback (most recent call last):
    ...
    ValueError: row 7 of train has 2 words and 1 tags; give each word one tag
    """
    for row, (words, tags) in enumerate(zip(batch["words"], batch["tags"], strict=True), first + 1):
        one, other = len(cells_of(words)), len(cells_of(tags))
        if one != other:
            raise ValueError(
                f"row {row} of {split} has {one} words and {other} tags; give each word one tag"
            )

"""The synthetic data sets by name: something to learn from without a download."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from regard.data.schema import Cell
from regard.data.synthetic.aspects import aspect_rows
from regard.data.synthetic.captioned_scenes import captioned_rows
from regard.data.synthetic.docstrings import docstring_rows
from regard.data.synthetic.facts import fact_rows
from regard.data.synthetic.interests import interaction_rows
from regard.data.synthetic.names import name_rows
from regard.data.synthetic.opinions import document_rows, opinion_rows
from regard.data.synthetic.paraphrases import paraphrase_rows, similarity_rows
from regard.data.synthetic.scenes import scene_rows
from regard.data.synthetic.shapes import CENTRED_DIGITS, CLUTTERED_DIGITS, shape_rows
from regard.data.synthetic.stories import STORY_KINDS, story_rows

Generator = Callable[[str, int, int], Iterator[tuple[Cell, ...]]]
"""Split, number of rows, seed → the rows, the same each time."""


@dataclass(frozen=True)
class SyntheticData:
    """What makes the rows of a data set, the roles of its columns, and the size of each split.

    >>> def crumbs(split, count, seed):
    ...     return iter([("bread",)] * count)
    >>> list(SyntheticData(crumbs, ("text",), {"train": 2}).rows("train", seed=0))
    [('bread',), ('bread',)]
    """

    generator: Generator
    columns: tuple[str, ...]
    sizes: dict[str, int]

    def rows(self, split: str, seed: int) -> Iterator[tuple[Cell, ...]]:
        """All rows of a split."""
        return self.generator(split, self.sizes[split], seed)


_TEXT_LABEL = ("text", "label")
_READING = tuple("context question answer start answers".split())
_CAPTIONED = ("image", "caption", "boxes")
_STORY = tuple("story question answer support".split())

DATA: dict[str, SyntheticData] = {
    "opinions": SyntheticData(
        opinion_rows, _TEXT_LABEL, {"train": 6000, "valid": 600, "test": 600}
    ),
    "reviews": SyntheticData(
        document_rows, _TEXT_LABEL, {"train": 4000, "valid": 400, "test": 400}
    ),
    "aspects": SyntheticData(
        aspect_rows, ("text", "labels"), {"train": 4000, "valid": 500, "test": 500}
    ),
    "interests": SyntheticData(
        interaction_rows, ("user", "item", "rating", "timestamp"), {"train": 30_000}
    ),
    **{
        kind: SyntheticData(
            partial(story_rows, kind=kind), _STORY, {"train": 1000, "valid": 200, "test": 1000}
        )
        for kind in STORY_KINDS
    },
    "names": SyntheticData(
        name_rows, ("words", "tags"), {"train": 2000, "valid": 300, "test": 300}
    ),
    "facts": SyntheticData(fact_rows, _READING, {"train": 3000, "valid": 400, "test": 400}),
    "paraphrases": SyntheticData(
        paraphrase_rows, ("left", "right", "label"), {"train": 20_000, "valid": 1000, "test": 1000}
    ),
    "docstrings": SyntheticData(
        docstring_rows, ("input", "output"), {"train": 4000, "valid": 400, "test": 600}
    ),
    "shapes": SyntheticData(
        shape_rows, ("image", "label"), {"train": 4000, "valid": 500, "test": 500}
    ),
    "digits": SyntheticData(
        partial(shape_rows, drawing=CENTRED_DIGITS),
        ("image", "label"),
        {"train": 4000, "valid": 500, "test": 500},
    ),
    "cluttered_digits": SyntheticData(
        partial(shape_rows, drawing=CLUTTERED_DIGITS),
        ("image", "label"),
        {"train": 6000, "valid": 500, "test": 500},
    ),
    "scenes": SyntheticData(
        scene_rows, ("image", "mask"), {"train": 2000, "valid": 200, "test": 200}
    ),
    "captions": SyntheticData(
        captioned_rows, _CAPTIONED, {"train": 2000, "valid": 200, "test": 200}
    ),
    "captions_of_nine": SyntheticData(
        partial(captioned_rows, side=3), _CAPTIONED, {"train": 4000, "valid": 200, "test": 200}
    ),
    "similarities": SyntheticData(
        similarity_rows, ("left", "right", "number"), {"train": 8000, "valid": 800, "test": 800}
    ),
}
"""Name → data set; tests may put smaller ones here."""

"""Data that is made here: something to learn from without a download."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from regard.data.reading.asked import Layout
from regard.data.reading.columns import COLUMNS
from regard.data.reading.rows import Rows
from regard.data.synthetic import opinions, paraphrases, stories
from regard.data.synthetic.interests import rows as interests

PREFIX = "made:"

Maker = Callable[[str, int, int], Iterator[tuple[str, ...]]]
"""Split, number of rows, seed → the rows."""


@dataclass(frozen=True)
class Made:
    """Rows of one split, the same each time they are read."""

    maker: Maker
    split: str
    count: int
    seed: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def read(self, notes: Counter[str]) -> Iterator[tuple[str, ...]]:
        return self.maker(self.split, self.count, self.seed)


STORIES = {"train": 1000, "valid": 200, "test": 1000}

DATA: dict[str, tuple[str, Maker, dict[str, int]]] = {
    "opinions": ("classify", opinions.rows, {"train": 6000, "valid": 600, "test": 600}),
    "reviews": ("classify", opinions.documents, {"train": 4000, "valid": 400, "test": 400}),
    "interests": ("recommend", interests, {"train": 30_000}),
    **{kind: ("answer", partial(stories.rows, kind=kind), STORIES) for kind in stories.KINDS},
    "paraphrases": ("match", paraphrases.rows, {"train": 20_000, "valid": 1000, "test": 1000}),
}
"""Name → the task, what makes its rows, and how many there are of each split."""


def made_layout(path: str, task: str | None) -> Layout:
    """How `made:NAME` is read; raises `ValueError` for a name that is not there."""
    name = path.removeprefix(PREFIX)
    if name not in DATA:
        near = get_close_matches(name, DATA, 3, 0.4) or list(DATA)
        raise ValueError(f"{path} is not made here; there is {', '.join(PREFIX + n for n in near)}")
    kind, maker, counts = DATA[name]
    if task not in (None, kind):
        raise ValueError(f"{path} is made for the task {kind}, not {task}")
    splits: dict[str, Rows] = {split: Made(maker, split, n) for split, n in counts.items()}
    names = COLUMNS[kind][: len(next(maker("train", 1, 0)))]
    return Layout(kind, names, splits, ("made here, from seed 0",))

"""The coder of captioning: color statistics, and the tokens of the captions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from regard.config import Count, LargeCount, NonNegative
from regard.data.encoding.augment import Augment, Unchanged
from regard.data.encoding.examples import encode_examples, encoded
from regard.data.encoding.pictures import Pictures, kept_picture, write_pictures
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.caption.examples import (
    AT_ONCE,
    CAPTIONS,
    PICTURES,
    POINTERS,
    WHICH,
    CaptionExamples,
    ChosenRows,
    each_once,
    open_captions,
)
from regard.tasks.caption.pointers import NONE, Pointers, pointers_of
from regard.tasks.colors import Colors
from regard.tasks.exchange import said
from regard.tasks.picture_coder import PictureBatch, PictureCoder, changes, coder_entries
from regard.tasks.seq2seq import with_end, written_before

TOKENIZER = "tokenizer.json"
KINDS = {"longest": LargeCount, "max_tokens": Count, "length_penalty": NonNegative}
"""What `task.json` says beside what it says of every coder of pictures."""


@dataclass(frozen=True, eq=False)
class CaptionedPictures(PictureBatch):
    """Images, and the target tokens of each, ending with `</s>`.

    Args:
        begin: the id of the start token.
    """

    target: Sequences
    begin: int

    @property
    def num_targets(self) -> int:
        """The number of target tokens, including `</s>`."""
        return self.target.num_tokens

    @property
    def written(self) -> Int[Tensor, "batch q_len"]:
        """The token before each target: `begin` before the first."""
        return written_before(self.target, self.begin)


@dataclass(frozen=True, eq=False)
class PicturesAndCaptions(PictureCoder):
    """The color statistics of the images and the tokens of the captions.

    Args:
        longest: maximum tokens of a training caption; longer ones are dropped.
        max_tokens: maximum tokens of an answer.
        length_penalty: of a beam search, the exponent of ((5 + length) / 6).
    """

    tokenizer: Tokenizer
    longest: int
    max_tokens: int
    length_penalty: float

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        most = max(self.longest, self.max_tokens) + 1
        return {**super().sizes, "target_vocab": len(self.tokenizer), "max_length": most}

    def kept(self, rows: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
        """The pictures of some rows."""
        return {"pictures": [kept_picture(cell, self.short_side) for cell in rows["image"]]}

    def numbers(self, rows: Mapping[str, Any], judged: bool) -> list[int]:
        """No picture has a label."""
        return [-1] * len(rows["image"])

    def encode(self, splits: Mapping[str, Any], place: Path) -> Any:
        """Encode every split, in folders under `place`.

        Every caption is evaluated; only training drops those that are too long. Raises `ValueError`
        with the name of an image that cannot be read.
        """
        found = {}
        for split, rows in splits.items():
            folder = place / split
            folder.mkdir(parents=True, exist_ok=True)
            firsts, which = each_once(rows)
            images = ChosenRows(rows, firsts)
            written = write_pictures(
                images, folder / PICTURES, self.kept, lambda some: self.numbers(some, True)
            )
            limit = self.longest if split == "train" else None
            encode_examples(rows, {"caption": self.tokenizer}, folder / CAPTIONS, limit)
            pointers = [*self._pointers(rows, written.pictures, which)]
            np.save(folder / POINTERS, np.concatenate([NONE, *pointers]))
            np.save(folder / WHICH, which)
            found[split] = open_captions(folder)
        return found

    def opened(self, splits: Mapping[str, Any], place: Path) -> Any:
        """Open what `encode` wrote."""
        return {split: open_captions(place / split) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> CaptionExamples:
        """Encode rows of a stream, except those that are too long."""
        pictures = Pictures.of([kept_picture(row["image"], self.short_side) for row in rows])
        captions = encoded(rows, {"caption": self.tokenizer}, self.longest)
        return CaptionExamples(pictures, captions, np.arange(len(rows)), NONE)

    def collate(
        self,
        examples: CaptionExamples,
        rows: np.ndarray,
        augment: Augment = Unchanged(),
        key: tuple[int, int] = (0, 0),
    ) -> CaptionedPictures:
        """These examples as a batch, augmented for an epoch if one is given."""
        fill = self.colors.fill
        found = [
            augment.changed(examples.pictures[number], self.shape, fill, changes(key, int(row)))
            for row, number in zip(rows, examples.pictures_of(rows), strict=True)
        ]
        (targets,) = examples.captions.take(rows)
        target = with_end(targets, self.tokenizer)
        return CaptionedPictures(self.read(found), target, self.tokenizer.begin)

    def save(self, folder: Path) -> list[str]:
        """Write both files."""
        self.tokenizer.save(folder / TOKENIZER)
        return [*super().save(folder), TOKENIZER]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {**super().entries(), **{name: getattr(self, name) for name in KINDS}}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PicturesAndCaptions":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        known = coder_entries(folder, entries)
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        others = said(folder, entries, KINDS, list(KINDS))
        return cls(Colors.load(folder), **known, tokenizer=tokenizer, **others)

    def _pointers(
        self, rows: Any, pictures: Pictures, which: Int[np.ndarray, " rows"]
    ) -> Iterator[Pointers]:
        """Where the tokens of each row should look, of data that says so."""
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            if "boxes" not in some:
                return
            both = zip(some["boxes"], some["caption"], strict=True)
            for row, (boxes, caption) in enumerate(both, start):
                height, width, _ = map(int, pictures.sizes[which[row]])
                yield pointers_of(boxes, caption, row, (height, width), self.size, self.tokenizer)

"""What span corruption learns from its text: tokens, the sentinels behind them, and blocks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, takewhile
from typing import Any

import numpy as np

from regard.config import Count, LargeCount, Positive, Share
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.drawn_text import DrawnText, DrawnTextCoder
from regard.tasks.seq2seq import Seq2SeqBatch
from regard.tasks.span_corruption.corruption import Corruption, corrupted

SENTINEL = re.compile(r"<extra_id_(\d{1,4})>")


@dataclass(frozen=True, eq=False)
class SpanCoder(DrawnTextCoder):
    """The tokenizer of a text, the sentinels, and how the text is corrupted.

    The sentinels are those of the tokenizer, `<extra_id_0>` and so on, where it has them; else they
    are numbered behind its tokens, `<extra_id_0>` last, as published.

    Args:
        length: tokens that are read at once, sentinels and `</s>` counted.
        density: share of the tokens that are left out.
        span: tokens of a span, on average.
        sentinels: how many there are.
        before: the token that stands before the first one that is written; `<s>` if None.

    Raises `ValueError` for fewer sentinels than a block has spans, and for more than the tokenizer
    has.
    """

    kinds = {"length": LargeCount, "density": Share, "span": Positive, "sentinels": Count}
    shortens = "length"

    tokenizer: Tokenizer
    length: int = 512
    density: float = 0.15
    span: float = 3.0
    sentinels: int = 100
    before: int | None = None

    def __post_init__(self) -> None:
        spans = self.corruption.counts(self.block)[1]
        if spans > self.sentinels:
            raise ValueError(
                f"{self.block} tokens have {spans} spans, and there are {self.sentinels} "
                "sentinels; read fewer at once, or make the spans longer"
            )
        if len(self.marks) < self.sentinels:
            raise ValueError(
                f"the tokenizer has {len(self.marks)} sentinels, and {self.sentinels} are asked "
                f"for; give sentinels={len(self.marks)}"
            )

    @property
    def corruption(self) -> Corruption:
        """How much is left out."""
        return Corruption(self.density, self.span)

    @property
    def block(self) -> int:
        """Tokens of the text that are read and written at once."""
        return self.corruption.length_for(self.length)

    @property
    def begin(self) -> int:
        """What stands before the first token that is written."""
        return self.tokenizer.begin if self.before is None else self.before

    @cached_property
    def marks(self) -> np.ndarray:
        """The numbers of the sentinels, the first one first."""
        numbers = map(self.tokenizer.number_of, map(spelled, range(self.sentinels)))
        own = [number for number in takewhile(lambda number: number is not None, numbers)]
        behind = len(self.tokenizer) + np.arange(self.sentinels)[::-1]
        return np.array(own) if own else behind

    @cached_property
    def place_of(self) -> dict[int, int]:
        """Which sentinel a number is, of those that are one."""
        return {number: place for place, number in enumerate(self.marks.tolist())}

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network."""
        vocab = self.embedded or max(len(self.tokenizer), 1 + int(self.marks.max()))
        return {
            "vocab": vocab,
            "begin": self.begin,
            "ends": (self.tokenizer.end,),
            "source_vocab": vocab,
            "target_vocab": vocab,
            "joint_vocab": True,
            "max_source_length": 2 * self.length,
            "max_length": 2 * self.length + 1,
        }

    def collate(self, examples: DrawnText, rows: np.ndarray) -> Seq2SeqBatch:
        """These blocks as a batch: what is left of them, and what is not."""
        pairs = [
            corrupted(block, self.corruption.mask(self.block, examples.generator(row)), self.marks)
            for row, block in zip(rows.tolist(), examples.blocks(rows), strict=True)
        ]
        sources = Ragged.of([[*read.tolist(), self.tokenizer.end] for read, _ in pairs])
        targets = Ragged.of([written.tolist() for _, written in pairs])
        return Seq2SeqBatch.of(sources, targets, self.tokenizer, self.begin)

    def read(self, text: str, longest: int | None = None) -> list[int]:
        """The numbers of a text in which sentinels stand, `</s>` behind it.

        Args:
            longest: numbers that are wanted; a little more of a long text is looked at.

        Raises `ValueError` for a sentinel that is not there.
        """
        found: list[int] = []
        for place, piece in enumerate(SENTINEL.split(text)):
            if longest is not None and len(found) > longest:
                break
            if place % 2 == 0:
                found += self.tokenizer.encode([piece], longest).values.tolist()
            elif int(piece) < self.sentinels:
                found.append(int(self.marks[int(piece)]))
            else:
                raise ValueError(
                    f"there is no <extra_id_{piece}>; the {self.sentinels} sentinels are "
                    f"<extra_id_0> to <extra_id_{self.sentinels - 1}>"
                )
        return [*found, self.tokenizer.end]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of these numbers, sentinels spelled."""
        pieces: list[str] = []
        known: list[int] = []
        before = ""
        for is_mark, some in groupby(numbers, self.place_of.__contains__):
            if is_mark:
                pieces += self.tokens(list(some))
                continue
            # A tokenizer may leave out the space in front of a text, and none stands in front here.
            known += some
            whole = self.tokenizer.decode(known)
            pieces.append(whole[len(before) :])
            before = whole
        return "".join(pieces)

    def tokens(self, numbers: Sequence[int]) -> list[str]:
        """Each number as a piece to look at."""
        places = self.place_of
        return [
            spelled(places[number]) if number in places else self.tokenizer.tokens([number])[0]
            for number in numbers
        ]


def spelled(place: int) -> str:
    """How a text says that there is a gap, the first one 0."""
    return f"<extra_id_{place}>"

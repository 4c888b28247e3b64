"""What span corruption learns from its text: tokens, the sentinels behind them, and blocks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
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

    The sentinels are numbered behind the tokens, `<extra_id_0>` last, as published.

    Args:
        length: tokens that are read at once, sentinels and `</s>` counted.
        density: share of the tokens that are left out.
        span: tokens of a span, on average.
        sentinels: how many there are.

    Raises `ValueError` for fewer sentinels than a block has spans.
    """

    kinds = {"length": LargeCount, "density": Share, "span": Positive, "sentinels": Count}
    shortens = "length"

    tokenizer: Tokenizer
    length: int = 512
    density: float = 0.15
    span: float = 3.0
    sentinels: int = 100

    def __post_init__(self) -> None:
        spans = self.corruption.counts(self.block)[1]
        if spans > self.sentinels:
            raise ValueError(
                f"{self.block} tokens have {spans} spans, and there are {self.sentinels} "
                "sentinels; read fewer at once, or make the spans longer"
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
    def marks(self) -> np.ndarray:
        """The numbers of the sentinels, the first one first."""
        return np.arange(len(self.tokenizer) + self.sentinels)[: -self.sentinels - 1 : -1]

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network."""
        vocab = len(self.tokenizer) + self.sentinels
        return {
            "vocab": vocab,
            "begin": self.tokenizer.begin,
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
        return Seq2SeqBatch.of(sources, targets, self.tokenizer)

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
        pieces = []
        for is_mark, some in groupby(numbers, lambda number: number >= len(self.tokenizer)):
            part = list(some)
            pieces.append("".join(map(self._spelled, part)) if is_mark else self._text_of(part))
        return "".join(pieces)

    def tokens(self, numbers: Sequence[int]) -> list[str]:
        """Each number as a piece to look at."""
        known = len(self.tokenizer)
        return [
            self._spelled(number) if number >= known else self.tokenizer.tokens([number])[0]
            for number in numbers
        ]

    def _spelled(self, number: int) -> str:
        return f"<extra_id_{len(self.tokenizer) + self.sentinels - 1 - number}>"

    def _text_of(self, numbers: Sequence[int]) -> str:
        return self.tokenizer.decode(numbers)

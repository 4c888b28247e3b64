"""What span corruption learns from its text: tokens, the sentinels behind them, and blocks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from regard.config import Count, LargeCount, Positive, Share
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.token_settings import texts_of
from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.exchange import said
from regard.tasks.seq2seq import Seq2SeqBatch
from regard.tasks.span_corruption.corruption import Corruption, corrupted

TOKENIZER = "tokenizer.json"
SENTINEL = re.compile(r"<extra_id_(\d{1,4})>")


@dataclass(frozen=True, eq=False)
class CorruptedText:
    """A stream of tokens in blocks, from each of which spans are left out.

    Args:
        seed: decides, with the number of a block, which spans.
        shift: where the first block begins.
    """

    stream: TokenStream
    block: int
    seed: tuple[int, ...] = (0,)
    shift: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def starts(self) -> np.ndarray:
        """Where the blocks begin."""
        last = len(self.stream) - self.block
        return np.arange(min(self.shift, last), last + 1, self.block)

    @property
    def lengths(self) -> np.ndarray:
        """The length of each block, all the same."""
        return np.full((len(self), 1), self.block)

    def blocks(self, rows: np.ndarray) -> np.ndarray:
        """The tokens of these blocks."""
        return self.stream.blocks(self.starts[rows], self.block)

    def generator(self, row: int) -> np.random.Generator:
        """What draws the spans of a block."""
        return np.random.default_rng([*self.seed, row])

    def drawn(self, *seed: int, shift: int) -> "CorruptedText":
        """The same text in other blocks, of which other spans are left out."""
        return replace(self, seed=seed, shift=shift)


@dataclass(frozen=True, eq=False)
class SpanCoder:
    """The tokenizer of a text, the sentinels, and how the text is corrupted.

    The sentinels are numbered behind the tokens, `<extra_id_0>` last, as published.

    Args:
        length: tokens that are read at once, sentinels and `</s>` counted.
        density: share of the tokens that are left out.
        span: tokens of a span, on average.
        sentinels: how many there are.

    Raises `ValueError` for fewer sentinels than a block has spans.
    """

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
            "source_vocab": vocab,
            "target_vocab": vocab,
            "joint_vocab": True,
            "max_source_length": 2 * self.length,
            "max_length": 2 * self.length + 1,
        }

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, CorruptedText]:
        """Each split as one stream of tokens, in files under `place`."""
        for split, rows in splits.items():
            TokenStream.encode(texts_of(rows, "text"), self.tokenizer, place / split)
        return self.opened(splits, place)

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, CorruptedText]:
        """What `encode` wrote."""
        return {split: self._text(split, TokenStream.load(place / split)) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> CorruptedText:
        """Texts as they come from a stream, joined."""
        values = self.tokenizer.encode([row["text"] for row in rows]).values
        return self._text("streamed", TokenStream(values.astype(np.int32)))

    def collate(self, examples: CorruptedText, rows: np.ndarray) -> Seq2SeqBatch:
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

    def save(self, folder: Path) -> list[str]:
        """Write the tokenizer."""
        self.tokenizer.save(folder / TOKENIZER)
        return [TOKENIZER]

    def entries(self) -> dict[str, Any]:
        """What `task.json` says."""
        return {name: getattr(self, name) for name in KINDS}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "SpanCoder":
        """What `save` wrote; raises `ValueError` when a file is damaged."""
        known = said(folder, entries, KINDS, list(KINDS))
        return cls(Tokenizer.load(folder / TOKENIZER), **known)

    def _spelled(self, number: int) -> str:
        return f"<extra_id_{len(self.tokenizer) + self.sentinels - 1 - number}>"

    def _text_of(self, numbers: Sequence[int]) -> str:
        return self.tokenizer.decode(numbers)

    def _text(self, split: str, stream: TokenStream) -> CorruptedText:
        if len(stream) < self.block:
            raise ValueError(
                f"the {split} text has {len(stream)} tokens, a block takes {self.block}; give "
                "more text or a smaller length"
            )
        return CorruptedText(stream, self.block)


KINDS = {"length": LargeCount, "density": Share, "span": Positive, "sentinels": Count}

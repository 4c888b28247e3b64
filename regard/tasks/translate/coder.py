"""What translation learns from its data: the tokens of both languages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from regard.config import Count, LargeCount, NonNegative
from regard.data.encoding.examples import (
    Examples,
    Reader,
    encode_examples,
    encoded,
    load_examples,
)
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.exchange import said
from regard.tasks.seq2seq import Seq2SeqBatch

SOURCE, TARGET = "tokenizer.json", "target_tokenizer.json"


@runtime_checkable
class ReadsTexts(Protocol):
    """A tokenizer, or something around one."""

    def encode(self, texts: Sequence[str], longest: int | None = None, /) -> Ragged: ...


@dataclass(frozen=True, eq=False)
class TextPairs:
    """The tokenizers of both languages, which may be one, and how texts are written.

    Args:
        longest: greatest number of tokens of a text to learn from; longer pairs are left out. None
            where that is not known.
        extra_length: how many tokens an answer may be longer than its input.
        length_penalty: of a beam search, the exponent of ((5 + length) / 6).
    """

    source: Tokenizer
    target: Tokenizer
    longest: int | None = None
    extra_length: int = 50
    length_penalty: float = 0.6

    @property
    def reads(self) -> ReadsTexts:
        """What makes numbers of what is read."""
        return self.source

    @property
    def begin(self) -> int:
        """What stands before the first token that is written."""
        return self.target.begin

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network; `max_length` is that of texts and of answers."""
        longest = self.longest
        return {
            "source_vocab": len(self.source),
            "target_vocab": len(self.target),
            "joint_vocab": self.target is self.source,
            "max_source_length": longest,
            "max_length": None if longest is None else longest + self.extra_length + 1,
        }

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Encode every split, in folders under `place`.

        Every example is asked; only training leaves out what is too long.
        """
        limits = {"train": self.longest}
        return {
            split: encode_examples(rows, self._readers(), place / split, limits.get(split))
            for split, rows in splits.items()
        }

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Open what `encode` wrote."""
        return {split: load_examples(place / split) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> Examples:
        """Pairs of a stream, those that are not too long."""
        return encoded(rows, self._readers(), self.longest)

    def collate(self, examples: Examples, rows: np.ndarray) -> Seq2SeqBatch:
        """These examples as a batch."""
        sources, targets = examples.take(rows)
        return Seq2SeqBatch.of(sources, targets, self.target, self.begin)

    def save(self, folder: Path) -> list[str]:
        """Write the tokenizers, one file where both are one."""
        self.source.save(folder / SOURCE)
        if self.target is self.source:
            return [SOURCE]
        self.target.save(folder / TARGET)
        return [SOURCE, TARGET]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {
            "longest": self.longest,
            "extra_length": self.extra_length,
            "length_penalty": self.length_penalty,
        }

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "TextPairs":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        source = Tokenizer.load(folder / SOURCE)
        target = Tokenizer.load(folder / TARGET) if (folder / TARGET).exists() else source
        kinds = {
            "longest": LargeCount | None,
            "extra_length": Count,
            "length_penalty": NonNegative,
        }
        return cls(source, target, **said(folder, entries, kinds))

    def _readers(self) -> dict[str, Reader]:
        return {"source": self.reads, "target": self.target}

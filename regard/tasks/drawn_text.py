"""Running text in blocks, of each of which something is drawn: spans left out, or an order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from regard.data.encoding.token_settings import texts_of
from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER, Tables, load_tables

Coder = TypeVar("Coder", bound="DrawnTextCoder")


@dataclass(frozen=True, eq=False)
class DrawnText:
    """A stream of tokens in blocks, with what draws for each.

    Args:
        seed: decides, with the number of a block, what is drawn of it.
        shift: where the first block begins.
    """

    stream: TokenStream
    block: int
    seed: tuple[int, ...] = (0,)
    shift: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def starts(self) -> range:
        """Where the blocks begin."""
        last = len(self.stream) - self.block
        return range(min(self.shift, last), last + 1, self.block)

    @property
    def lengths(self) -> np.ndarray:
        """The length of each block, all the same."""
        return np.full((len(self), 1), self.block)

    def blocks(self, rows: np.ndarray) -> np.ndarray:
        """The tokens of these blocks."""
        starts = self.starts.start + self.block * rows.astype(np.int64)
        return self.stream.blocks(starts, self.block)

    def generator(self, row: int) -> np.random.Generator:
        """What draws for a block."""
        return np.random.default_rng([*self.seed, row])

    def drawn(self, *seed: int, shift: int) -> "DrawnText":
        """The same text in other blocks, for which something else is drawn."""
        return replace(self, seed=seed, shift=shift)


class DrawnTextCoder(Tables):
    """The base of coders that are dataclasses of a tokenizer and of what is drawn of a text.

    Args:
        kinds: what `task.json` says of a coder, and what each may hold.
        shortens: the setting that makes blocks shorter.
    """

    kinds: ClassVar[Mapping[str, Any]]
    shortens: ClassVar[str]

    tokenizer: Tokenizer
    block: Any
    """Tokens of the text that are taken at once."""

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, DrawnText]:
        """Each split as one stream of tokens, in files under `place`."""
        for split, rows in splits.items():
            TokenStream.encode(texts_of(rows, "text"), self.tokenizer, place / split)
        return self.opened(splits, place)

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, DrawnText]:
        """Open what `encode` wrote."""
        return {split: self._text(split, TokenStream.load(place / split)) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> DrawnText:
        """Texts as they come from a stream, joined."""
        values = self.tokenizer.encode([row["text"] for row in rows]).values
        return self._text("streamed", TokenStream(values.astype(np.int32)))

    def save(self, folder: Path) -> list[str]:
        """Write the tokenizer."""
        self.tokenizer.save(folder / TOKENIZER)
        return [TOKENIZER, *self.save_tables(folder)]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {name: getattr(self, name) for name in self.kinds}

    @classmethod
    def load(cls: type[Coder], folder: Path, entries: Mapping[str, Any]) -> Coder:
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        known = said(folder, entries, cls.kinds, list(cls.kinds))
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        return cls(tokenizer, **known, **load_tables(folder))  # type: ignore[call-arg, arg-type]

    def _text(self, split: str, stream: TokenStream) -> DrawnText:
        if len(stream) < self.block:
            raise ValueError(
                f"the {split} text has {len(stream)} tokens, a block takes {self.block}; give more "
                f"text or a smaller {self.shortens}"
            )
        return DrawnText(stream, self.block)

"""What language modelling learns from its text: tokens, and the text as one stream of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard._io.files import read_json_file, write_whole
from regard.config import LargeCount, Positive
from regard.data.encoding.token_settings import texts_of
from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.batch import Batch
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER, Tables, load_tables

CHARACTERS = "characters.json"


@dataclass(frozen=True, eq=False)
class TextBlocks(Batch):
    """Pieces of text, all of one length, one token longer than what is read at once."""

    text: Int[Tensor, "batch block"]

    @property
    def num_targets(self) -> int:
        """Tokens to be predicted."""
        return self.text[:, 1:].numel()

    @property
    def num_tokens(self) -> int:
        """Tokens read."""
        return self.num_targets

    @property
    def num_padded_tokens(self) -> int:
        """The same: there is no padding."""
        return self.num_targets


@dataclass(frozen=True, eq=False)
class RunningText:
    """A stream of tokens, cut into blocks from a place on.

    Args:
        characters: how many the text has.
    """

    stream: TokenStream
    characters: int
    block: int
    shift: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def starts(self) -> range:
        """Where the blocks begin."""
        last = len(self.stream) - self.block
        return range(min(self.shift, last - 1), last, self.block)

    def starts_of(self, rows: np.ndarray) -> np.ndarray:
        """Where these blocks begin."""
        return self.starts.start + self.block * rows.astype(np.int64)

    @property
    def lengths(self) -> np.ndarray:
        """The length of each block, all the same."""
        return np.full((len(self), 1), self.block + 1)

    def shifted(self, shift: int) -> "RunningText":
        """The same text, its first block somewhere else."""
        return RunningText(self.stream, self.characters, self.block, shift)


@dataclass(frozen=True, eq=False)
class TextCoder(Tables):
    """The tokenizer of a text, and how much of it is read and written at once.

    Args:
        block: tokens per block.
        length: tokens that are written to continue a text.
        temperature: divides the logits; the smaller, the safer the choice.
    """

    tokenizer: Tokenizer
    block: int = 64
    length: int = 200
    temperature: float = 0.8

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {
            "vocab": self.embedded or len(self.tokenizer),
            "max_length": self.positions or self.block,
        }

    @property
    def reach(self) -> int:
        """The longest sequence that the network is trained on."""
        return self.block

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, RunningText]:
        """Each split as one stream of tokens, in files under `place`."""
        found, characters = {}, dict.fromkeys(splits, 0)

        def counted(split: str) -> Iterator[str]:
            for text in texts_of(splits[split], "text"):
                characters[split] += len(text)
                yield text

        for split in splits:
            stream = TokenStream.encode(counted(split), self.tokenizer, place / split)
            found[split] = self._text(split, stream, characters[split])
        write_whole(place / CHARACTERS, json.dumps(characters).encode())
        return found

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, RunningText]:
        """Open what `encode` wrote."""
        characters = read_json_file(place / CHARACTERS)
        return {
            split: self._text(split, TokenStream.load(place / split), characters[split])
            for split in splits
        }

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> RunningText:
        """Texts as they come from a stream, joined."""
        texts = [row["text"] for row in rows]
        values = self.tokenizer.encode(texts).values
        stream = TokenStream(values.astype(np.int32))
        return self._text("streamed", stream, sum(map(len, texts)))

    def collate(self, examples: RunningText, rows: np.ndarray) -> TextBlocks:
        """These blocks as a batch."""
        blocks = examples.stream.blocks(examples.starts_of(rows), self.block + 1)
        return TextBlocks(torch.from_numpy(np.asarray(blocks).astype(np.int64)))

    def save(self, folder: Path) -> list[str]:
        """Write the tokenizer."""
        self.tokenizer.save(folder / TOKENIZER)
        return [TOKENIZER, *self.save_tables(folder)]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {"block": self.block, "length": self.length, "temperature": self.temperature}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "TextCoder":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        kinds = {"block": LargeCount, "length": LargeCount, "temperature": Positive}
        known = said(folder, entries, kinds, list(kinds))
        return cls(Tokenizer.load(folder / TOKENIZER), **known, **load_tables(folder))

    def _text(self, split: str, stream: TokenStream, characters: int) -> RunningText:
        if len(stream) < self.block + 1:
            raise ValueError(
                f"the {split} text has {len(stream)} tokens, a block takes {self.block + 1}; give "
                "more text or a smaller block"
            )
        return RunningText(stream, characters, self.block)

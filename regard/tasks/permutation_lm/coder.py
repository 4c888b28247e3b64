"""What permutation language modelling learns from its text: tokens, and blocks with an order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.config import Count, LargeCount
from regard.data.encoding.token_settings import texts_of
from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.batch import Batch
from regard.tasks.exchange import said
from regard.tasks.permutation_lm.order import PartialOrder

TOKENIZER = "tokenizer.json"
GAP = re.compile(r"<mask>|\[MASK\]")
"""How a text says that a token is to be found."""
KINDS = {"block": LargeCount, "one_in": Count, "spans": bool}


@dataclass(frozen=True, eq=False)
class OrderedTexts(Batch):
    """Texts, and the number of each token in the order that it is said in: -1 where it is given."""

    source: Sequences
    order: Int[Tensor, "batch len"]

    @property
    def num_targets(self) -> int:
        """Tokens to be said."""
        return int((self.order >= 0).sum())


@dataclass(frozen=True, eq=False)
class OrderedText:
    """A stream of tokens in blocks, each of which has an order.

    Args:
        seed: decides, with the number of a block, its order.
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
        """What draws the order of a block."""
        return np.random.default_rng([*self.seed, row])

    def drawn(self, *seed: int, shift: int) -> "OrderedText":
        """The same text in other blocks and other orders."""
        return replace(self, seed=seed, shift=shift)


@dataclass(frozen=True, eq=False)
class OrderCoder:
    """The tokenizer of a text, and how much of it is read and asked for at once.

    Args:
        block: tokens that are read at once.
        one_in: of every so many one is to be said.
        spans: whether these stand together in spans.
    """

    tokenizer: Tokenizer
    block: int = 64
    one_in: int = 6
    spans: bool = True

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network."""
        return {"vocab": len(self.tokenizer), "max_length": self.block}

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, OrderedText]:
        """Each split as one stream of tokens, in files under `place`."""
        for split, rows in splits.items():
            TokenStream.encode(texts_of(rows, "text"), self.tokenizer, place / split)
        return self.opened(splits, place)

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, OrderedText]:
        """What `encode` wrote."""
        return {split: self._text(split, TokenStream.load(place / split)) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> OrderedText:
        """Texts as they come from a stream, joined."""
        values = self.tokenizer.encode([row["text"] for row in rows]).values
        return self._text("streamed", TokenStream(values.astype(np.int32)))

    def collate(self, examples: OrderedText, rows: np.ndarray) -> OrderedTexts:
        """These blocks as a batch, each with its order."""
        drawing = PartialOrder(self.one_in, self.spans)
        orders = [drawing.drawn(self.block, examples.generator(row)) for row in rows.tolist()]
        ids = np.asarray(examples.blocks(rows)).astype(np.int64)
        order = np.array(orders, dtype=np.int64).reshape(ids.shape)
        return OrderedTexts(Sequences(torch.from_numpy(ids)), torch.from_numpy(order))

    def read(self, text: str) -> tuple[list[int], list[int]]:
        """The numbers of a text, and the places of its gaps among them."""
        numbers: list[int] = []
        gaps = []
        for place, piece in enumerate(GAP.split(text)):
            if place:
                gaps.append(len(numbers))
                numbers.append(self.tokenizer.unknown_id)
            numbers += self.tokenizer.encode([piece]).values.tolist()
        return numbers, gaps

    def save(self, folder: Path) -> list[str]:
        """Write the tokenizer."""
        self.tokenizer.save(folder / TOKENIZER)
        return [TOKENIZER]

    def entries(self) -> dict[str, Any]:
        """What `task.json` says."""
        return {name: getattr(self, name) for name in KINDS}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "OrderCoder":
        """What `save` wrote; raises `ValueError` when a file is damaged."""
        known = said(folder, entries, KINDS, list(KINDS))
        return cls(Tokenizer.load(folder / TOKENIZER), **known)

    def _text(self, split: str, stream: TokenStream) -> OrderedText:
        if len(stream) < self.block:
            raise ValueError(
                f"the {split} text has {len(stream)} tokens, a block takes {self.block}; give more "
                "text or a smaller block"
            )
        return OrderedText(stream, self.block)

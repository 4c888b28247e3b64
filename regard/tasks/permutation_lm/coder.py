"""What permutation language modelling learns from its text: tokens, and blocks with an order."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.config import Count, LargeCount
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.batch import Batch
from regard.tasks.drawn_text import DrawnText, DrawnTextCoder
from regard.tasks.permutation_lm.order import PartialOrder

GAP = re.compile(r"<mask>|\[MASK\]")
"""How a text says that a token is to be found."""


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
class OrderCoder(DrawnTextCoder):
    """The tokenizer of a text, and how much of it is read and asked for at once.

    Args:
        block: tokens per block.
        one_in: of every so many one is to be said.
        spans: whether these stand together in spans.
    """

    kinds = {"block": LargeCount, "one_in": Count, "spans": bool}
    shortens = "block"

    tokenizer: Tokenizer
    block: int = 64
    one_in: int = 6
    spans: bool = True

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        tokenizer = self.tokenizer
        return {
            "vocab": self.embedded or len(tokenizer),
            "max_length": self.positions or self.block,
            "alone": tokenizer.frame.alone,
        }

    def collate(self, examples: DrawnText, rows: np.ndarray) -> OrderedTexts:
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

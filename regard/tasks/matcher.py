"""Pairs of sentences as a batch, and a trained model that judges them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.classify import LABELS, TOKENIZER, likeliest, save_labels
from regard.tasks.exchange import save_model
from regard.tasks.padding import padded
from regard.tasks.task import Answer

BETWEEN = "\t"
"""What stands between the two sentences of a pair that is written as one text."""


@dataclass(frozen=True, eq=False)
class Matched:
    """Pairs of sentences and their labels; lengths are None where no sentence of a side is padded.

    A label that is not known is -1.
    """

    left: Int[Tensor, "batch left_len"]
    left_lengths: Int[Tensor, " batch"] | None
    right: Int[Tensor, "batch right_len"]
    right_lengths: Int[Tensor, " batch"] | None
    label: Int[Tensor, " batch"]

    @classmethod
    def of(cls, lefts: Ragged, rights: Ragged, labels: np.ndarray, pad: int) -> "Matched":
        """Pad token numbers."""
        label = torch.from_numpy(labels.astype(np.int64))
        return cls(*padded(lefts, pad), *padded(rights, pad), label)

    @property
    def labels(self) -> int:
        """Number of pairs that have a label."""
        return int((self.label >= 0).sum())

    @property
    def tokens(self) -> int:
        """Tokens read."""
        sides = (self.left, self.left_lengths), (self.right, self.right_lengths)
        return sum(x.numel() if n is None else int(n.sum()) for x, n in sides)

    @property
    def cells(self) -> int:
        """The same with padding."""
        return self.left.numel() + self.right.numel()

    @property
    def sides(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """What the model is called with."""
        return self.left, self.right, self.left_lengths, self.right_lengths

    def to(self, device: torch.device) -> "Matched":
        """The same batch on a device."""
        both = (self.left_lengths, self.right_lengths)
        lefts, rights = (None if t is None else t.to(device) for t in both)
        left, right = self.left.to(device), self.right.to(device)
        return Matched(left, lefts, right, rights, self.label.to(device))


@dataclass(frozen=True, eq=False)
class Matcher:
    """A model that judges pairs of sentences, its tokenizer and the names of the labels.

    Args:
        longest: greatest number of tokens that are read of a sentence.
        about: further entries of `task.json`, such as the names of the parts.
    """

    model: Any
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    longest: int = 64
    about: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """The label of each text `left<TAB>right`; the `beams` likeliest labels.

        The rows of an answer's weights are the words of the right sentence, each row the shares of
        the left one's words. Raises `ValueError` for a text that is not two sentences.
        """
        pairs = [_sides(text, number, len(texts)) for number, text in enumerate(texts, 1)]
        lefts, rights = (self.tokenizer.encode(side) for side in zip(*pairs, strict=True))
        for number, lengths in enumerate(zip(lefts.lengths, rights.lengths, strict=True), 1):
            if not all(lengths):
                side = "right" if lengths[0] else "left"
                raise ValueError(
                    f"the {side} sentence of pair {number} of {len(texts)} is empty; give both"
                )
        cut = (lefts.cut(self.longest), rights.cut(self.longest))
        rows = zip(texts, *cut, strict=True)
        return [self._answer(text, x.tolist(), y.tolist(), beams) for text, x, y in rows]

    @torch.no_grad()
    def _answer(self, text: str, left: list[int], right: list[int], beams: int) -> Answer:
        device = self.model.output.weight.device
        pair = torch.tensor([left], device=device), torch.tensor([right], device=device)
        scores = self.model(*pair).float().log_softmax(-1)[0].cpu()
        unknown = self.tokenizer.unknown
        return Answer(
            text=text,
            answers=likeliest(scores, self.labels, beams),
            inputs=tuple(self.tokenizer.tokens(left)),
            outputs=tuple(self.tokenizer.tokens(right)),
            weights=self.model.look(*pair)[0].mT.float().cpu(),
            unknown=tuple(sorted({c for x in text.split(BETWEEN) for c in unknown(x)})),
        )

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder that exists."""
        self.tokenizer.save(folder / TOKENIZER)
        save_labels(self.labels, folder)
        about = {"task": "match", "longest": self.longest, **self.about}
        save_model(folder, self.model, weights, about, [TOKENIZER, LABELS])


def _sides(text: str, number: int, count: int) -> list[str]:
    sides = text.split(BETWEEN)
    if len(sides) != 2:
        raise ValueError(
            f"text {number} of {count} has {len(sides) - 1} tabs; give two sentences with one "
            "between them, as in $'A man rides.\\tA man is riding.'"
        )
    return sides

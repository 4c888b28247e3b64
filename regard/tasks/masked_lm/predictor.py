"""The predictor of masked tokens, with what it attended to."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from regard.sequences import Sequences
from regard.tasks.masked_lm.coder import MaskedTextCoder
from regard.tasks.predictor import Answer, Predictor, device_of

MASK = re.compile(r"\[MASK\]|<mask>")
"""The marker of a gap in a text, whatever the tokenizer's mask token."""

Filling = tuple[tuple[int, ...], float]
"""Tokens for the gaps, in order, and their joint log-probability."""


class GapFiller(Predictor):
    """A masked language model, with its tokenizer."""

    task = "masked_lm"
    coder: MaskedTextCoder

    def predict(self, inputs: Sequence[str], num_answers: int = 1) -> list[Answer]:
        """The most likely ways to fill in every `[MASK]` of each text, with one token each.

        The rows of an answer's weights are the gaps, the columns the tokens of the text: the last
        layer, averaged over its heads.

        Raises `ValueError` for a text without a gap, and one longer than the network reads.
        """
        most = self.coder.positions or self.coder.block
        rows = [self.read(text) for text in inputs]
        for number, (text, row) in enumerate(zip(inputs, rows, strict=True), 1):
            if not MASK.search(text):
                raise ValueError(
                    f"text {number} of {len(inputs)} has no gap; write [MASK] where a word is to "
                    "be found"
                )
            if len(row) > most:
                raise ValueError(
                    f"text {number} of {len(inputs)} has {len(row):,} tokens, and the network "
                    f"reads {most:,} at once; give a part of it"
                )
        both = zip(inputs, rows, strict=True)
        return [self._filled(text, row, max(1, num_answers)) for text, row in both]

    def read(self, text: str) -> list[int]:
        """The ids of a text, including its gaps and special tokens."""
        tokenizer = self.coder.tokenizer
        before, behind = tokenizer.frame.single
        numbers: list[int] = []
        for place, piece in enumerate(MASK.split(text)):
            numbers += [tokenizer.mask] * (place > 0)
            numbers += tokenizer.encode([piece]).values.tolist()
        return [*before, *numbers, *behind]

    @torch.no_grad()
    def _filled(self, text: str, row: list[int], count: int) -> Answer:
        tokenizer = self.coder.tokenizer
        source = Sequences(torch.tensor([row], device=device_of(self.model)))
        gaps = [place for place, number in enumerate(row) if number == tokenizer.mask]
        scores = self.model(source)[0, gaps].float().log_softmax(-1).cpu()
        found = likeliest_fillings(scores, count)
        weights = None
        if hasattr(self.model, "attention_weights"):
            weights = self.model.attention_weights(source)[0, gaps].float().cpu()
        pieces = tokenizer.tokens(row)
        return Answer(
            text=text,
            answers=tuple((self._written(text, numbers), score) for numbers, score in found),
            inputs=tuple(pieces),
            outputs=tuple(tokenizer.tokens(found[0][0])),
            weights=weights,
            unknown=tuple(tokenizer.unknown(MASK.sub(" ", text))),
        )

    def _written(self, text: str, numbers: Sequence[int]) -> str:
        """A text with these tokens in its gaps."""
        words = iter(self.coder.tokenizer.tokens(numbers))
        return MASK.sub(lambda _: next(words).strip("▁"), text)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> MaskedTextCoder:
        """The tokenizer of a folder."""
        return MaskedTextCoder.load(folder, entries)


def likeliest_fillings(scores: Float[Tensor, "gaps vocab"], count: int) -> list[Filling]:
    """The most likely ways to fill all gaps independently, best first.

    >>> scores = torch.tensor([[0.1, 0.9], [0.6, 0.4]]).log()
    >>> [numbers for numbers, _ in likeliest_fillings(scores, 3)]
    [(1, 0), (1, 1), (0, 0)]
    """
    found: list[Filling] = [((), 0.0)]
    for values, numbers in zip(*scores.topk(min(count, scores.shape[1])), strict=True):
        some = zip(values.tolist(), numbers.tolist(), strict=True)
        longer = [((*taken, n), total + v) for v, n in some for taken, total in found]
        found = sorted(longer, key=lambda each: -each[1])[:count]
    return found

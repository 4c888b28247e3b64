"""The predictor of gaps in a text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regard.data.encoding.ragged import Ragged
from regard.generation import Hypothesis
from regard.tasks.predictor import Answer, Predictor
from regard.tasks.span_corruption.coder import SENTINEL, SpanCoder
from regard.tasks.span_corruption.corruption import restored
from regard.tasks.writing import weights_of, write_answers

TIMES_LONGER = 2
"""Maximum length of a text, as a multiple of the training input length."""


class GapFiller(Predictor):
    """A span-corruption network, with its tokenizer."""

    task = "span_corruption"
    coder: SpanCoder

    @torch.no_grad()
    def predict(self, inputs: Sequence[str], num_answers: int = 1) -> list[Answer]:
        """The texts with their gaps, `<extra_id_0>` and so on, filled; others are unchanged.

        One answer by greedy decoding, several by a beam search of that size; the weights are those
        of the output for the gaps.

        Raises `ValueError` for an empty text and one much longer than the training inputs.
        """
        rows = [self._read(number, text, inputs) for number, text in enumerate(inputs, 1)]
        found = write_answers(
            self.model,
            Ragged.of(rows),
            self.coder.tokenizer,
            np.array([self._most(row) for row in rows], dtype=np.int64),
            begin=self.coder.begin,
            num_answers=max(1, num_answers),
        )
        return [self._answer(t, r, a) for t, r, a in zip(inputs, rows, found, strict=True)]

    def _read(self, number: int, text: str, inputs: Sequence[str]) -> list[int]:
        if not text.strip():
            raise ValueError(f"text {number} of {len(inputs)} is empty; give one with <extra_id_0>")
        most = TIMES_LONGER * self.coder.length
        row = self.coder.read(text, most)
        if len(row) > most:
            raise ValueError(
                f"text {number} of {len(inputs)} has {len(text):,} characters; this run was "
                f"trained on {self.coder.length} tokens at a time; give a part of it"
            )
        return row

    def _most(self, row: list[int]) -> int:
        """How many tokens an answer may have: some for each gap."""
        gaps = sum(token in self.coder.place_of for token in row)
        return min(1 + gaps * (1 + round(4 * self.coder.span)), self.coder.length)

    def _answer(self, text: str, row: list[int], found: Sequence[Hypothesis]) -> Answer:
        coder, best = self.coder, found[0].tokens
        return Answer(
            text=text,
            answers=tuple((self._filled(row, each), each.log_probability) for each in found),
            inputs=tuple(coder.tokens(row)),
            outputs=tuple(coder.tokens(best)),
            weights=weights_of(self.model, row, best, coder.begin),
            unknown=tuple(coder.tokenizer.unknown(SENTINEL.sub("", text))),
        )

    def _filled(self, row: list[int], answer: Hypothesis) -> str:
        whole = restored(row[:-1], answer.tokens, self.coder.marks.tolist())
        return self.coder.tokenizer.decode(whole)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> SpanCoder:
        """The tokenizer of a folder."""
        return SpanCoder.load(folder, entries)

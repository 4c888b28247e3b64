"""The predictor of dates: from `<fr> mardi 3 mars 2026` to `2026-03-03`, with its alignment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regard.data.encoding.ragged import Ragged
from regard.generation import Hypothesis
from regard.tasks.dates.coder import DateCoder
from regard.tasks.predictor import Answer, Predictor
from regard.tasks.writing import weights_of, write_answers


class DateReader(Predictor):
    """A network that normalizes dates, with its input and output characters."""

    task = "dates"
    coder: DateCoder

    @torch.no_grad()
    def predict(self, inputs: Sequence[str], num_answers: int = 1) -> list[Answer]:
        """Read texts, each of which starts with the tag of its language.

        Raises `ValueError` with the fix for a text that cannot be read.
        """
        split = [self.coder.tokens(text) for text in inputs]
        read = zip(inputs, split, strict=True)
        return [self._answer(text, tokens, num_answers) for text, tokens in read]

    def write(
        self, texts: Ragged, num_answers: int = 1, batch_size: int = 64
    ) -> list[list[Hypothesis]]:
        """The answers to encoded texts, best first."""
        limit = np.full(len(texts), self.coder.max_length)
        return write_answers(
            self.model,
            texts,
            self.coder.target,
            limit,
            num_answers=max(1, num_answers),
            batch_size=batch_size,
        )

    def _answer(self, text: str, tokens: list[str], num_answers: int) -> Answer:
        source, target = self.coder.source.encode(tokens), self.coder.target
        (found,) = self.write(Ragged.of([source]), num_answers)
        best = found[0].tokens
        written = [("".join(target.decode(h.tokens)), h.log_probability) for h in found]
        return Answer(
            text=text,
            answers=tuple(written),
            inputs=tuple(tokens),
            outputs=tuple(target.decode(best)),
            weights=weights_of(self.model, source, best, target.begin),
            unknown=tuple(self.coder.source.unknown(tokens)),
        )

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> DateCoder:
        """The vocabularies of a folder."""
        return DateCoder.load(folder, entries)

"""The predictor of translations, with their alignments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from regard.data.encoding.ragged import Ragged
from regard.generation import Hypothesis
from regard.tasks.predictor import Answer, Predictor
from regard.tasks.translate.coder import TextPairs
from regard.tasks.writing import weights_of, write_answers

TIMES_LONGER, LEAST_READ = 4, 1000
"""Limits on the length of a text: a multiple of the longest in training, and a number always
allowed."""


class Translator(Predictor):
    """A translation network, with the tokenizers of both languages."""

    task = "translate"
    coder: TextPairs

    def predict(self, inputs: Sequence[str], num_answers: int = 1) -> list[Answer]:
        """Translate texts, with the alignment of each best translation.

        One translation by greedy decoding, several by a beam search of that size.

        Raises `ValueError` for an empty text, and for one many times longer than any in training.
        """
        empty = [number for number, text in enumerate(inputs, 1) if not text.strip()]
        if empty:
            raise ValueError(f"text {empty[0]} of {len(inputs)} is empty; give a sentence")
        sources = self._encoded(inputs)
        found = self.write(sources, num_answers)
        return [
            self._answer(text, row.tolist(), answers)
            for text, row, answers in zip(inputs, sources, found, strict=True)
        ]

    def _encoded(self, inputs: Sequence[str]) -> Ragged:
        longest = self.coder.longest
        most = max(TIMES_LONGER * (longest or 0), LEAST_READ)
        sources = self.coder.reads.encode(inputs, most + 1)
        for text, length in zip(inputs, sources.lengths, strict=True):
            if length > most:
                trained = f"texts of up to {longest} tokens" if longest else "sentences"
                raise ValueError(
                    f"the text has {len(text):,} characters; this run was trained on {trained}; "
                    "give it sentence by sentence, such as a file with one on each line"
                )
        return sources

    def write(self, sources: Ragged, num_answers: int = 1) -> list[list[Hypothesis]]:
        """The answers to encoded texts, best first."""
        return write_answers(
            self.model,
            sources,
            self.coder.target,
            sources.lengths + self.coder.extra_length,
            begin=self.coder.begin,
            num_answers=max(1, num_answers),
            length_penalty=self.coder.length_penalty,
        )

    @torch.no_grad()
    def _answer(self, text: str, source: list[int], found: Sequence[Hypothesis]) -> Answer:
        reads, writes, best = self.coder.source, self.coder.target, found[0].tokens
        return Answer(
            text=text,
            answers=tuple((writes.decode(each.tokens), each.log_probability) for each in found),
            inputs=tuple(reads.tokens(source)),
            outputs=tuple(writes.tokens(best)),
            weights=weights_of(self.model, source, best, self.coder.begin),
            unknown=tuple(reads.unknown(text)),
        )

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> TextPairs:
        """The tokenizers of a folder."""
        return TextPairs.load(folder, entries)

"""The predictor of sequence tagging, with what each word attended to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard.data.encoding.signatures import words_of
from regard.sequences import Sequences
from regard.tasks.predictor import Answer, Predictor, device_of
from regard.tasks.tag.coder import PiecesAndTags, WordsAndTags, load_coder

Sentence = str | Sequence[str]
"""A text, or its words."""

TIMES_LONGER, LEAST_READ = 4, 1000
"""How much longer than in training a sentence may be, and a number of words always allowed."""


class Tagger(Predictor):
    """A network that tags words, with its vocabulary and tag names."""

    task = "tag"
    coder: WordsAndTags | PiecesAndTags

    def predict(self, inputs: Sequence[Sentence], num_answers: int = 1) -> list[Answer]:
        """The tags of each sentence, separated by spaces, whatever `num_answers`.

        A text is split at tabs if it has any, else at spaces and punctuation; pass a list of words
        if that matters. A sentence longer than `longest` words is tagged in pieces. The rows of an
        answer's weights are the words with their tags, the columns the words, or the sub-words if
        the network reads these.

        Raises `ValueError` for an empty sentence, and for one far longer than those in training.
        """
        most = max(TIMES_LONGER * self.coder.longest, LEAST_READ)
        sentences = [words_of(each) if isinstance(each, str) else list(each) for each in inputs]
        for number, words in enumerate(sentences, 1):
            if not words or not all(isinstance(word, str) and word for word in words):
                raise ValueError(
                    f"sentence {number} of {len(inputs)} has no words, or an empty one; give a "
                    "sentence such as 'Ann lives in Rome.', or its words as a list"
                )
            if len(words) > most:
                raise ValueError(
                    f"sentence {number} of {len(inputs)} has {len(words):,} words; this run was "
                    f"trained on sentences of up to {self.coder.longest}; give it sentence by "
                    "sentence, such as a file with one on each line"
                )
        return list(map(self._answer, sentences))

    @staticmethod
    def typed(given: Sentence) -> str:
        r"""The words separated by spaces, or by tabs if spaces would be read as other words.

        >>> Tagger.typed(["Ann", "lives", "."]), Tagger.typed(["New York", "is"])
        ('Ann lives .', 'New York\tis')
        """
        if isinstance(given, str):
            return given
        text = " ".join(given)
        return text if words_of(text) == list(given) else "\t".join(given)

    @staticmethod
    def parse(text: str) -> list[str]:
        """The words of a text, as split by `predict`."""
        return words_of(text)

    @torch.no_grad()
    def _answer(self, words: list[str]) -> Answer:
        tags: list[str] = []
        seen: list[str] = []
        total, blocks = 0.0, []
        for numbers, first, shown in self.coder.portions(words):
            source = Sequences(torch.tensor([numbers], device=device_of(self.model)))
            logits = self.model(source)[0, first]
            scores, best = logits.float().log_softmax(-1).cpu().max(-1)
            tags += [self.coder.labels[place] for place in best.tolist()]
            seen += shown
            total += float(scores.sum())
            if hasattr(self.model, "attention_weights"):
                blocks.append(self.model.attention_weights(source)[0, first].float().cpu())
        weights: Tensor | None = torch.block_diag(*blocks) if blocks else None
        if weights is not None and not weights.any():
            weights = None  # Nothing attends.
        return Answer(
            text=" ".join(words),
            answers=((" ".join(tags), total),),
            inputs=tuple(seen),
            outputs=tuple(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True)),
            weights=weights,
            unknown=tuple(self.coder.unknown(words)),
        )

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> WordsAndTags | PiecesAndTags:
        """Words and tags of a folder."""
        return load_coder(folder, entries)

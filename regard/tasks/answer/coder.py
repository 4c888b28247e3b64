"""What answering questions learns from its data: the words of stories, questions and answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard._io.files import read_json_file, write_whole
from regard.data.encoding.examples import (
    Examples,
    Reader,
    encode_examples,
    encoded,
    load_examples,
)
from regard.data.encoding.story_words import (
    AnswerCoder,
    QuestionCoder,
    StoryCoder,
    SupportCoder,
)
from regard.data.encoding.vocabulary import Vocabulary
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of

WORDS_FILE = "vocabulary.json"


@dataclass(frozen=True, eq=False)
class QuestionBatch(Batch):
    """Stories, a question about each, and the word that answers it, -1 where that is not known."""

    story: Sequences
    question: Sequences
    label: Int[Tensor, " batch"]

    @property
    def num_targets(self) -> int:
        """Number of questions whose answer is known."""
        return int((self.label >= 0).sum())


@dataclass(frozen=True, eq=False)
class StoriesAndAnswers:
    """The words of all that is told, asked and answered; an answer is one of them."""

    vocabulary: Vocabulary

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        words = self.vocabulary
        return {
            "vocab": len(words),
            "classes": len(words),
            "unknown": words.unknown_id,
            "end": words.end,
        }

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {
            "story": StoryCoder(self.vocabulary),
            "question": QuestionCoder(self.vocabulary),
            "answer": AnswerCoder(self.vocabulary),
            "support": SupportCoder(),
        }

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Encode every split, in folders under `place`."""
        return {
            split: encode_examples(rows, self.readers, place / split)
            for split, rows in splits.items()
        }

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Open what `encode` wrote."""
        return {split: load_examples(place / split) for split in splits}

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> Examples:
        """Encode some rows, in memory."""
        return encoded(rows, self.readers)

    def collate(self, examples: Examples, rows: np.ndarray) -> QuestionBatch:
        """These examples as a batch."""
        stories, questions, answers, _ = examples.take(rows)
        words = answers.values.astype(np.int64)
        label = torch.from_numpy(np.where(words == self.vocabulary.unknown_id, -1, words))
        pad = self.vocabulary.pad
        return QuestionBatch(sequences_of(stories, pad), sequences_of(questions, pad), label)

    def save(self, folder: Path) -> list[str]:
        """Write the file into an existing folder."""
        text = json.dumps(self.vocabulary.tokens, ensure_ascii=False, indent=0)
        write_whole(folder / WORDS_FILE, text.encode())
        return [WORDS_FILE]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`: none."""
        return {}

    @classmethod
    def load(cls, folder: Path) -> "StoriesAndAnswers":
        """Load what `save` wrote; raises `ValueError` when the file is damaged."""
        path = folder / WORDS_FILE
        found = read_json_file(path)
        try:
            return cls(Vocabulary.of(found))
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from None

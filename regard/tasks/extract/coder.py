"""What reading learns from its data: the words, and whether there may be no answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard._io.files import read_file, read_json, write_whole
from regard._printable import shown
from regard.config import Count, LargeCount
from regard.data.encoding.answer_spans import NO_ANSWER, SpanNumbers, with_spans
from regard.data.encoding.derived import Derived
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.hashed_words import HashedWords
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import Vocabulary
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.exchange import said
from regard.tasks.row_coder import RowCoder

WORDS_FILE = "words.json"
UNKNOWN_PLACE = -1
"""Where an answer stands that is not in its passage, or not in what is read of it."""


@dataclass(frozen=True, eq=False)
class QuestionsAboutPassages(Batch):
    """Passages, a question about each, and the places of the answer's first and last word.

    Place 0 is "no answer", words count from 1, and -1 is not known.
    """

    passage: Sequences
    question: Sequences
    span: Int[Tensor, "batch 2"]

    @property
    def num_targets(self) -> int:
        """Number of questions whose answer is known."""
        return int((self.span[:, 0] >= 0).sum())


@dataclass(frozen=True, eq=False)
class PassagesAndSpans(RowCoder):
    """The words of passages and questions, and where answers stand.

    Args:
        unanswerable: whether some questions of the training part have no answer; only then "no
            answer" is one.
        longest: greatest number of words that are read of a passage or a question.
        longest_answer: greatest number of words that an answer is given.
    """

    words: HashedWords
    unanswerable: bool
    longest: int
    longest_answer: int

    @property
    def sizes(self) -> dict[str, Any]:
        """What the data decides of a network."""
        known = self.words.vocabulary
        sizes = {"vocab": len(self.words), "unknown": known.unknown_id, "end": known.end}
        return {**sizes, "max_length": self.longest}

    @property
    def readers(self) -> dict[str, Reader]:
        """What makes numbers of each column."""
        return {"context": self.words, "question": self.words, "span": SpanNumbers()}

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Every split as numbers; raises `ValueError` where no training answer can be learned."""
        found = super().encode({s: Derived(r, with_spans) for s, r in splits.items()}, place)
        if "train" in found and not (self.spans(found["train"])[:, 0] >= 0).any():
            raise ValueError(
                f"none of the {len(found['train']):,} training answers stands in the first "
                f"{self.longest:,} words of its context; an answer is a part of the context, "
                "letter by letter"
            )
        return found

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Examples:
        """Rows of a stream, those that are not too long."""
        columns = {name: [row[name] for row in rows] for name in ("context", "answer", "start")}
        spans = with_spans(columns, 0)["span"]
        told = [{**row, "span": span} for row, span in zip(rows, spans, strict=True)]
        return super().encode_rows(told)

    def collate(self, examples: Examples, rows: np.ndarray) -> QuestionsAboutPassages:
        """These examples as a batch."""
        passages, questions, _ = examples.take(rows)
        pad = self.words.vocabulary.pad
        span = torch.from_numpy(self.spans(examples, rows))
        return QuestionsAboutPassages(
            sequences_of(passages, pad), sequences_of(questions, pad), span
        )

    def spans(self, examples: Examples, rows: np.ndarray | None = None) -> Int[np.ndarray, "n 2"]:
        """The places of the answers of these examples, or of all: -1 for what is not known."""
        rows = np.arange(len(examples)) if rows is None else rows
        passages, _, found = examples.columns
        return places_of(found.take(rows), passages.lengths[rows], self.unanswerable)

    def save(self, folder: Path) -> list[str]:
        """Write the file of the words."""
        entry = {
            "tokens": self.words.vocabulary.tokens,
            "buckets": self.words.buckets,
            "unanswerable": self.unanswerable,
        }
        text = json.dumps(entry, ensure_ascii=False, indent=0)
        write_whole(folder / WORDS_FILE, text.encode())
        return [WORDS_FILE]

    def entries(self) -> dict[str, Any]:
        """What `task.json` says."""
        return {**super().entries(), "longest_answer": self.longest_answer}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PassagesAndSpans":
        """What `save` wrote; raises `ValueError` when the file is damaged."""
        path = folder / WORDS_FILE
        try:
            entry = read_json(read_file(path))
            words = HashedWords(Vocabulary.of(entry["tokens"]), entry["buckets"])
            unanswerable = entry["unanswerable"]
            if type(words.buckets) is not int or words.buckets < 1:
                raise ValueError(f"buckets is {shown(words.buckets)}")
            if type(unanswerable) is not bool:
                raise ValueError(f"unanswerable is {shown(unanswerable)}")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        kinds = {"longest": LargeCount, "longest_answer": Count}
        return cls(words, unanswerable, **said(folder, entries, kinds, list(kinds)))


def places_of(
    spans: Ragged, lengths: Int[np.ndarray, " n"], unanswerable: bool
) -> Int[np.ndarray, "n 2"]:
    """First and last place of each answer; -1 where there is none to learn.

    That is where it was not found, where what is read of the passage ends before it, and where
    there is no answer though that is not one.

    >>> places_of(Ragged.of([[2, 3], [0, 0], [], [4, 4]]), np.array([3, 3, 3, 3]), True).tolist()
    [[2, 3], [0, 0], [-1, -1], [-1, -1]]
    """
    found = np.full((len(spans), 2), UNKNOWN_PLACE, dtype=np.int64)
    found[spans.lengths == 2] = spans.values.reshape(-1, 2)
    lost = (found[:, 1] > lengths) | ((found[:, 1] == NO_ANSWER) & (not unanswerable))
    found[lost] = UNKNOWN_PLACE
    return found

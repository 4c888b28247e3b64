"""What reading learns from its data: the words, and whether there may be no answer."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard._io.files import read_file, read_json, read_json_file, write_whole
from regard._printable import shown
from regard.config import Count, LargeCount
from regard.data.encoding.answer_spans import NO_ANSWER, SpanNumbers, with_spans
from regard.data.encoding.derived import Derived
from regard.data.encoding.examples import Examples, Reader
from regard.data.encoding.framed import Framed
from regard.data.encoding.hashed_words import HashedWords, Span, word_spans
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.vocabulary import Vocabulary
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.exchange import said
from regard.tasks.row_coder import TOKENIZER, RowCoder, TokenCoder, load_tables

WORDS_FILE, QUESTIONS_FILE = "words.json", "questions.json"
LONGEST_QUESTION = 64
"""Tokens that are read of a question that is one text with its passage."""
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


class AnswerCoder(RowCoder):
    """The base of coders of passages, questions, and the places where answers stand.

    It has `unanswerable`: whether some questions of the training part have no answer; only then
    "no answer" is one.
    """

    unanswerable: bool
    longest_answer: int
    ends: int = 0
    """Tokens at the end of a passage that no answer has."""

    @property
    @abstractmethod
    def pad(self) -> int:
        """The padding id."""

    @abstractmethod
    def places(self, context: str) -> list[Span]:
        """Which characters each place of a passage is."""

    @abstractmethod
    def unknown(self, text: str) -> list[str]:
        """What of a text is not known."""

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Examples]:
        """Every split as numbers; raises `ValueError` where no training answer can be learned."""
        told = {s: Derived(r, partial(with_spans, places=self.places)) for s, r in splits.items()}
        found = super().encode(told, place)
        if "train" in found and not (self.spans(found["train"])[:, 0] >= 0).any():
            raise ValueError(
                f"none of the {len(found['train']):,} training answers stands in the first "
                f"{self.longest:,} words of its context; an answer is a part of the context, "
                "letter by letter"
            )
        return found

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> Examples:
        """Encode rows of a stream, except those that are too long."""
        columns = {name: [row[name] for row in rows] for name in ("context", "answer", "start")}
        spans = with_spans(columns, 0, self.places)["span"]
        told = [{**row, "span": span} for row, span in zip(rows, spans, strict=True)]
        return super().encode_rows(told)

    def collate(self, examples: Examples, rows: np.ndarray) -> QuestionsAboutPassages:
        """These examples as a batch."""
        passages, questions, _ = examples.take(rows)
        span = torch.from_numpy(self.spans(examples, rows))
        return QuestionsAboutPassages(
            sequences_of(passages, self.pad), sequences_of(questions, self.pad), span
        )

    def spans(self, examples: Examples, rows: np.ndarray | None = None) -> Int[np.ndarray, "n 2"]:
        """The places of the answers of these examples, or of all: -1 for what is not known."""
        rows = np.arange(len(examples)) if rows is None else rows
        passages, _, found = examples.columns
        lengths = passages.lengths[rows] - self.ends
        return places_of(found.take(rows), lengths, self.unanswerable)

    def answerable(self, passage: Sequences) -> Sequences:
        """Passages without what no answer has."""
        if not self.ends:
            return passage
        return Sequences(passage.ids, (passage.counts - self.ends).clamp(min=0))

    def read(self, context: str, question: str) -> tuple[Sequences, Sequences]:
        """What is read of a passage and a question about it."""
        readers = (self.readers[name] for name in ("context", "question"))
        rows = (
            _cut(reader, reader.encode([text]), self.longest)  # type: ignore[union-attr]
            for reader, text in zip(readers, (context, question), strict=True)
        )
        passage, asked = (sequences_of(row, self.pad) for row in rows)
        return passage, asked


def _cut(reader: Any, text: Ragged, longest: int) -> Ragged:
    found: Ragged = reader.cut(text, longest) if hasattr(reader, "cut") else text.cut(longest)
    return found


@dataclass(frozen=True, eq=False)
class PassagesAndSpans(AnswerCoder):
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
        """The network sizes determined by the data."""
        known = self.words.vocabulary
        sizes = {"vocab": len(self.words), "unknown": known.unknown_id, "end": known.end}
        return {**sizes, "max_length": self.longest}

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        return {"context": self.words, "question": self.words, "span": SpanNumbers()}

    @property
    def pad(self) -> int:
        """The padding id."""
        return self.words.vocabulary.pad

    def places(self, context: str) -> list[Span]:
        """Which characters each place of a passage is: its words."""
        return word_spans(context)

    def unknown(self, text: str) -> list[str]:
        """The words that are not known."""
        return self.words.unknown(text)

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
        """The entries of `task.json`."""
        return {**super().entries(), "longest_answer": self.longest_answer}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PassagesAndSpans":
        """Load what `save` wrote; raises `ValueError` when the file is damaged."""
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


@dataclass(frozen=True, eq=False)
class PassagesAndPieces(AnswerCoder, TokenCoder):
    """A tokenizer that cuts passages and questions into sub-words, and where answers stand.

    Both are read as one text, the question first, as its special tokens say.

    Args:
        unanswerable, longest_answer: as those of `PassagesAndSpans`.
        longest: greatest number of tokens that are read of a passage.
    """

    tokenizer: Tokenizer
    unanswerable: bool
    longest: int
    longest_answer: int

    @property
    def ends(self) -> int:  # type: ignore[override]
        """Special tokens behind a passage."""
        return len(self.tokenizer.frame.behind)

    @property
    def pad(self) -> int:
        """The padding id."""
        return self.tokenizer.pad

    @property
    def reach(self) -> int:
        """The longest sequence that the network reads."""
        return self.longest + min(self.longest, LONGEST_QUESTION)

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each column."""
        frame, read = self.tokenizer.frame, self.tokenizer
        return {
            "context": Framed(read, (), frame.behind),
            "question": Framed(read, frame.before, frame.between, LONGEST_QUESTION),
            "span": SpanNumbers(),
        }

    def places(self, context: str) -> list[Span]:
        """Which characters each place of a passage is: its sub-words."""
        return self.tokenizer.spans(context)

    def unknown(self, text: str) -> list[str]:
        """The parts that are not known."""
        return self.tokenizer.unknown(text)

    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""
        text = json.dumps({"unanswerable": self.unanswerable})
        write_whole(folder / QUESTIONS_FILE, text.encode())
        return [*super().save(folder), QUESTIONS_FILE]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {**super().entries(), "longest_answer": self.longest_answer}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PassagesAndPieces":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        path = folder / QUESTIONS_FILE
        entry = read_json_file(path)
        unanswerable = entry.get("unanswerable") if isinstance(entry, dict) else None
        if type(unanswerable) is not bool:
            raise ValueError(f"{path} is damaged: unanswerable is {shown(unanswerable)}")
        kinds = {"longest": LargeCount, "longest_answer": Count}
        known = said(folder, entries, kinds, list(kinds))
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        return cls(tokenizer, unanswerable, **known, **load_tables(folder))


def load_coder(folder: Path, entries: Mapping[str, Any]) -> PassagesAndSpans | PassagesAndPieces:
    """The coder in a folder: with a tokenizer it is one of sub-words."""
    kind = PassagesAndPieces if (folder / TOKENIZER).exists() else PassagesAndSpans
    return kind.load(folder, entries)


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

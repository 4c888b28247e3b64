"""Extractive question answering, evaluated by exact match and F1."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, Count, LargeCount
from regard.data.encoding.hashed_words import HashedWords
from regard.data.encoding.signatures import cells_of
from regard.data.encoding.token_settings import Tokens, require_words, texts_of
from regard.data.reading.corpus import Corpus
from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss
from regard.tasks.extract.coder import (
    LONGEST_QUESTION,
    AnswerCoder,
    PassagesAndPieces,
    PassagesAndSpans,
    QuestionsAboutPassages,
)
from regard.tasks.extract.decoding import best_spans, log_probs
from regard.tasks.extract.metrics import answer_scores
from regard.tasks.extract.predictor import Extractor, span_text
from regard.tasks.extract.schema import SCHEMA
from regard.tasks.task import Record, Task

LEAST, BUCKETS = 2, 500
"""Defaults: the minimum count of a word in the vocabulary, and the buckets of rarer ones."""


@dataclass(frozen=True, kw_only=True)
class ExtractSettings(Config):
    """The settings of extractive question answering.

    Args:
        tokens: how texts are split into sub-words, for networks that read question and passage as
            one; whole words if None.
        least: minimum count of a word in the training split to be in the vocabulary; a passage
            with several questions counts once. 2 if None; not for sub-words.
        buckets: ids shared by rarer words, by their hash; 500 if None, and none for sub-words.
        longest: maximum words, or sub-words, of a passage; longer ones are truncated.
        longest_answer: the same for a predicted answer.
        batch_tokens: words per micro-batch, including padding.
    """

    tag = "extract"

    tokens: Tokens | None = None
    least: Count | None = None
    buckets: LargeCount | None = None
    longest: LargeCount = 400
    longest_answer: Count = 15
    batch_tokens: LargeCount = 4096

    def __post_init__(self) -> None:
        super().__post_init__()
        require_words(self.tokens, least=self.least, buckets=self.buckets)


class Extract(Task):
    r"""The task: find the answer to a question in a passage, or that there is none (SQuAD).

    The network takes the words of passages and questions as `Sequences` and returns logits
    `[batch, 2, 1 + words]` of the answer's first and last word, after those of "no answer" (see
    `regard.models.protocols.Extracts`).

    An answer that is not in its passage, or not within its first `longest` words, is not trained
    on, and counts as wrong unless the network finds it anyway.

    >>> from datasets import Dataset
    >>> class Bags(torch.nn.Module):
    ...     def __init__(self, vocab, **_):
    ...         super().__init__()
    ...         self.words, self.none = torch.nn.Embedding(vocab, 8), torch.nn.Embedding(1, 2)
    ...     def forward(self, passage, question):
    ...         asked = question.mean(self.words(question.ids)).unsqueeze(2)
    ...         scores = (self.words(passage.ids) @ asked).mT.expand(-1, 2, -1)
    ...         return torch.cat([self.none.weight.mT.expand(len(scores), 2, 1), scores], dim=2)
    >>> row = {"context": "Ann lives in Rome.", "question": "Where does Ann live?"}
    >>> rows = [row | {"answer": "Rome", "start": "", "answers": ""}] * 9
    >>> splits = {"train": Dataset.from_list(rows), "valid": Dataset.from_list(rows)}
    >>> names = tuple(column.name for column in SCHEMA.columns)
    >>> task = Extract(Corpus(SCHEMA, splits, names, "", ""), Bags)
    >>> task.loss(task.batch("train", np.arange(2))).shape, task.batch("train", np.arange(1)).span
    (torch.Size([]), tensor([[4, 4]]))
    """

    name, metric = "extract", "f1"
    schema = SCHEMA
    settings_type = ExtractSettings
    predictor_type = Extractor
    settings: ExtractSettings
    coder: AnswerCoder

    @classmethod
    def longest_within(cls, positions: int) -> int:
        """How long a passage may be, since a question may be read with it as one text."""
        return max(positions - LONGEST_QUESTION, positions // 2)

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> AnswerCoder:
        """The words of the training split, and whether all its questions have an answer."""
        train = corpus.splits["train"]
        unanswerable = any(not answer.strip() for answer in texts_of(train, "answer"))
        texts_in = texts_of if settings.tokens is None else settings.tokens.texts
        texts = chain(dict.fromkeys(texts_in(train, "context")), texts_in(train, "question"))
        if settings.tokens is not None:
            read = settings.tokens.learned(texts)
            return PassagesAndPieces(read, unanswerable, settings.longest, settings.longest_answer)
        words = HashedWords.learned(texts, settings.least or LEAST, settings.buckets or BUCKETS)
        return PassagesAndSpans(words, unanswerable, settings.longest, settings.longest_answer)

    def notes(self) -> list[str]:
        """How many training answers cannot be learned, and why."""
        if "train" not in self.data.examples:
            return []
        train, longest = self.data.examples["train"], self.settings.longest
        nowhere = int((train.lengths[:, 2] == 0).sum())
        behind = int((self.coder.spans(train)[:, 0] < 0).sum()) - nowhere
        of_all = f"of {len(train):,} training answers"
        return [
            f"{number:,} {of_all} {why}, so they teach nothing"
            for number, why in (
                (nowhere, "do not stand in their contexts"),
                (behind, f"stand behind the {longest:,} words that are read (longest)"),
            )
            if number
        ]

    def loss(self, batch: QuestionsAboutPassages) -> Float[Tensor, ""]:
        """The summed -log p(first word) - log p(last word), including an auxiliary loss."""
        logits, aux = forward_sampled(self.model, batch.passage, batch.question)
        there = self.coder.answerable(batch.passage)
        nll = self._costs(log_probs(logits, there, self.coder.unanswerable), batch.span)
        return with_auxiliary_loss(nll, aux, batch.span[:, 0] >= 0).sum()

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each question: the right answers, the predicted one, and the loss of the first."""
        batch, coder = self.batch(split, rows), self.coder
        logits = self.model(batch.passage, batch.question)
        there = coder.answerable(batch.passage)
        scores = log_probs(logits, there, coder.unanswerable)
        costs, known = self._costs(scores, batch.span).tolist(), (batch.span[:, 0] >= 0).tolist()
        texts = self.data.texts[split][self.data.examples[split].rows[rows].tolist()]
        records = []
        for place, (row, length) in enumerate(
            zip(scores.cpu(), there.counts.tolist(), strict=True)
        ):
            (best,) = best_spans(row[:, : length + 1], coder.longest_answer, 1)
            context = texts["context"][place]
            gold = cells_of(texts["answers"][place]) or [texts["answer"][place]]
            answer = span_text(context, coder.places(context), best)
            cost = {"nll": costs[place], "known": known[place]}
            records.append({"gold": gold, "answer": answer, **cost})
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, exact match and F1, as in SQuAD's own script."""
        return answer_scores(records)

    @staticmethod
    def _costs(scores: Float[Tensor, "batch 2 places"], span: Tensor) -> Float[Tensor, " batch"]:
        """The cost of both places of each answer, 0 where it is not known."""
        places = span.clamp(min=0).unsqueeze(2)
        found = torch.take_along_dim(scores, places, dim=2).squeeze(2).sum(1)
        return torch.where(span[:, 0] >= 0, -found, 0.0)

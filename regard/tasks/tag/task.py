"""Sequence tagging: a tag for each word, evaluated by entity F1 or accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.config import Config, Count, LargeCount
from regard.data.encoding.signatures import SignedWords, cells_of
from regard.data.encoding.token_settings import Tokens, require_words, texts_of
from regard.data.reading.corpus import Corpus
from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss
from regard.tasks.tag.chunks import are_chunks
from regard.tasks.tag.coder import PiecesAndTags, TaggedSentences, WordsAndTags
from regard.tasks.tag.metrics import tag_scores
from regard.tasks.tag.predictor import Tagger
from regard.tasks.tag.schema import SCHEMA
from regard.tasks.task import Record, Task

LEAST = 2
"""The default minimum count of a word in the vocabulary."""


@dataclass(frozen=True, kw_only=True)
class TagSettings(Config):
    """The settings of tagging.

    Args:
        tokens: how words are split into sub-words, the first of which has the tag; whole words if
            None.
        least: minimum count of a word in the training split to be in the vocabulary; rarer ones
            are represented by their spelling (see `regard.data.encoding.signatures`); 2 if None.
            Not for sub-words.
        longest: maximum words, or sub-words, of a sentence; longer ones are truncated.
        batch_tokens: the same per micro-batch, including padding.
    """

    tag = "tag"

    tokens: Tokens | None = None
    least: Count | None = None
    longest: LargeCount = 128
    batch_tokens: LargeCount = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        require_words(self.tokens, least=self.least)


class Tag(Task):
    r"""The task: learn the tags of words, such as parts of speech or names (CoNLL).

    The network takes `Sequences` of words and returns logits `[batch, words, classes]`; with
    `attention_weights`, these are displayed (see `regard.models.protocols.Tags`).

    Raises `ValueError` for a row with different numbers of words and tags.

    >>> import torch
    >>> from regard.data.reading.corpus import Corpus
    >>> class Bag(torch.nn.Module):
    ...     def __init__(self, vocab, classes, **_):
    ...         super().__init__()
    ...         self.words = torch.nn.Embedding(vocab, classes)
    ...     def forward(self, source):
    ...         return self.words(source.ids)
    >>> from datasets import Dataset
    >>> rows = {"words": ["Ann\tsleeps", "Bob\tsees\tAnn"] * 9, "tags": ["N\tV", "N\tV\tN"] * 9}
    >>> splits = {"train": Dataset.from_dict(rows), "valid": Dataset.from_dict(rows)}
    >>> task = Tag(Corpus(SCHEMA, splits, ("words", "tags"), "", ""), Bag)
    >>> task.loss(task.batch("train", np.arange(2))).shape, task.fixed[0]
    (torch.Size([]), (['Ann', 'sleeps'], 'N V'))
    """

    name, metric = "tag", "f1"
    schema = SCHEMA
    settings_type = TagSettings
    predictor_type = Tagger
    settings: TagSettings
    coder: WordsAndTags | PiecesAndTags

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> WordsAndTags | PiecesAndTags:
        """Words and tags of the training split; raises `ValueError` if all tags are the same."""
        train = corpus.splits["train"]
        tags = {tag for text in texts_of(train, "tags") for tag in cells_of(text)}
        if len(tags) < 2:
            said = "".join(map(repr, tags)) or "missing"
            raise ValueError(
                f"the tag is {said} in all {len(train):,} training sentences; at least 2 different "
                "ones are needed"
            )
        if settings.tokens is not None:
            sentences = settings.tokens.texts(train, "words")
            texts = (" ".join(cells_of(sentence)) for sentence in sentences)
            known = settings.tokens.learned(texts)
            return PiecesAndTags(known, tuple(sorted(tags)), settings.longest)
        words = chain.from_iterable(map(cells_of, texts_of(train, "words")))
        signed = SignedWords.learned(words, settings.least or LEAST)
        return WordsAndTags(signed, tuple(sorted(tags)), settings.longest)

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some sentences, as their words, and their tags."""
        if "valid" not in self.data.texts:
            return []
        rows = self.data.texts["valid"][:count]
        both = zip(rows["words"], rows["tags"], strict=True)
        return [(cells_of(words), " ".join(cells_of(tags))) for words, tags in both if words]

    def loss(self, batch: TaggedSentences) -> Float[Tensor, ""]:
        """The summed cross-entropy of the tags, including an auxiliary loss."""
        logits, aux = forward_sampled(self.model, batch.source)
        nll = _costs(logits, batch.tags).sum(1)
        return with_auxiliary_loss(nll, aux, (batch.tags >= 0).any(1)).sum()

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each sentence: its tags, the predicted ones, the loss, and how many are known.

        A word beyond the first `longest` ones has no prediction, which counts as wrong.
        """
        batch, names = self.batch(split, rows), self.coder.labels
        logits = self.model(batch.source)
        costs = _costs(logits, batch.tags).sum(1).tolist()
        known = (batch.tags >= 0).sum(1).tolist()
        texts = self.data.texts[split][self.data.examples[split].rows[rows].tolist()]
        both = (list(map(cells_of, texts[name])) for name in ("words", "tags"))
        records = []
        for words, tags, best, nll, count in zip(
            *both, logits.argmax(-1).tolist(), costs, known, strict=True
        ):
            found = [names[best[place]] for place in self.coder.firsts(words)]
            answer = found + [""] * (len(tags) - len(found))
            records.append({"tags": tags, "answer": answer, "nll": nll, "known": count})
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and word accuracy, and F1 of entities.

        Tags in the BIO, IOB1, BIOES or BILOU scheme mark entities, which have precision, recall and
        F1, as counted by `conlleval`. Others mark single words, whose F1 is their accuracy: `f1`
        exists for both, and selects the best network.
        """
        return tag_scores(records, are_chunks(self.coder.labels))


def _costs(logits: Float[Tensor, "batch len classes"], tags: Tensor) -> Float[Tensor, "batch len"]:
    """The cross-entropy of each word's tag, 0 where it is not known."""
    return cross_entropy(logits.float().mT, tags, ignore_index=-1, reduction="none")

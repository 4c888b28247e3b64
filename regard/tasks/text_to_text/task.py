"""Text-to-text: pairs of texts, with a prefix that names the task, evaluated by ROUGE."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from regard.config import Config, Count, LargeCount, NonNegative, Share
from regard.data.encoding.token_settings import BPE, Tokens
from regard.data.reading.corpus import Corpus
from regard.tasks.details import Details, JudgedExample, worst_of
from regard.tasks.task import Record
from regard.tasks.text_to_text.coder import PrefixedPairs
from regard.tasks.text_to_text.metrics import rouge, rouge_l, unread_share
from regard.tasks.text_to_text.predictor import TextWriter
from regard.tasks.text_to_text.schema import SCHEMA
from regard.tasks.translate.task import Translate

UNREAD = 0.2
"""Of the letters; where ROUGE does not read more, it says little."""


@dataclass(frozen=True, kw_only=True)
class TextToTextSettings(Config):
    """The settings of text-to-text.

    Args:
        tokens: how texts are tokenized, inputs and outputs alike.
        prefix: prepended to every input, such as "summarize: ".
        longest: maximum tokens of a training text; longer pairs are dropped.
        batch_tokens: tokens per micro-batch, including padding, both texts together.
        eval_batch_size: pairs per evaluation batch.
        smoothing: label smoothing.
        extra_length: how many tokens an answer may be longer than its input.
        length_penalty: of a beam search, the exponent of ((5 + length) / 6).
    """

    tag = "text_to_text"

    tokens: Tokens = BPE()
    prefix: str = ""
    longest: LargeCount = 512
    batch_tokens: LargeCount = 3072
    eval_batch_size: Count = 64
    smoothing: Share = 0.0
    extra_length: Count = 50
    length_penalty: NonNegative = 0.6


class TextToText(Translate):
    r"""The task: learn from pairs of input and output texts.

    It is that of translation, except that both texts share a vocabulary, inputs start with a prefix
    and end with `</s>`, as in T5, and the metric is ROUGE.

    >>> import tempfile, torch
    >>> from regard.data.encoding.token_settings import Characters
    >>> class Bigrams(torch.nn.Module):
    ...     def __init__(self, vocab, **_):
    ...         super().__init__()
    ...         self.next = torch.nn.Embedding(vocab, vocab)
    ...     def forward(self, source, target):
    ...         return self.next(target)
    >>> with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
    ...     _ = file.write("input\toutput\n" + "a cat sat\ta cat\na dog ran\ta dog\n" * 20)
    >>> settings = TextToTextSettings(tokens=Characters(), prefix="who? ")
    >>> task = TextToText(file.name, Bigrams, settings)
    >>> batch = task.batch("train", np.arange(2))
    >>> task.coder.source.decode(batch.source.ids[0].tolist())
    'who? a dog ran'

    References:
        Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text
        Transformer. 2020. https://arxiv.org/abs/1910.10683
    """

    name, metric = "text_to_text", "rouge_l"
    schema = SCHEMA
    settings_type = TextToTextSettings
    predictor_type = TextWriter
    settings: Any
    coder: PrefixedPairs

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> PrefixedPairs:
        """The tokens of the training texts, including the prefix."""
        texts = settings.tokens.texts(corpus.splits["train"], "input", "output")
        tokens = settings.tokens.learned(filter(None, chain([settings.prefix], texts)))
        return PrefixedPairs(
            tokens,
            tokens,
            settings.longest,
            settings.extra_length,
            settings.length_penalty,
            settings.prefix,
        )

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per token, ROUGE of the answers, and exact-match accuracy."""
        loss = sum(r["nll"] for r in records) / sum(r["targets"] for r in records)
        return {
            "loss": loss,
            "perplexity": float(np.exp(min(loss, 700.0))),
            **rouge([r["answer"] for r in records], self._wanted(split, records)),
        }

    def remarks(self, split: str, records: Sequence[Record]) -> list[str]:
        """A warning if ROUGE does not support the script of the texts."""
        share = unread_share(self._wanted(split, records))
        if share <= UNREAD:
            return []
        return [
            f"ROUGE reads Latin letters and digits alone, and {share:.0%} of the letters of what "
            "is wanted are others; exact_match and the loss are what tells"
        ]

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """The texts whose answers have the lowest ROUGE-L."""
        wanted = self._wanted(split, records)
        apart = [100.0 - rouge_l(r["answer"], t) for r, t in zip(records, wanted, strict=True)]

        def example(place: int) -> JudgedExample:
            source, target = self.written(split, place)
            return JudgedExample(source, target, records[place]["answer"], round(apart[place], 2))

        measured = dict.fromkeys(("rouge1", "rouge2", "rouge_l"), "F, words stemmed, x 100")
        return Details(worst=worst_of(apart, worst, example), measured=measured)

    def _wanted(self, split: str, records: Sequence[Record]) -> list[str]:
        return [self.written(split, place)[1] for place in range(len(records))]

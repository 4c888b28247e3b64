"""Span corruption, T5's pre-training: reconstruct the spans removed from a text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Between, Config, Count, LargeCount, Share
from regard.data.encoding.token_settings import BPE, Tokens
from regard.data.feeding.batching import by_rows
from regard.data.reading.corpus import Corpus
from regard.tasks.drawn_text import DrawnText
from regard.tasks.seq2seq import Seq2SeqBatch, seq2seq_loss, seq2seq_nll
from regard.tasks.span_corruption.coder import SpanCoder
from regard.tasks.span_corruption.predictor import GapFiller
from regard.tasks.span_corruption.schema import SCHEMA
from regard.tasks.task import Part, Record, Task


@dataclass(frozen=True, kw_only=True)
class SpanCorruptionSettings(Config):
    """The settings of span corruption.

    Args:
        tokens: how the text is tokenized.
        length: tokens per input, including sentinel tokens and `</s>`.
        density: fraction of the tokens that are removed.
        span: mean length of a removed span, in tokens.
        sentinels: number of sentinel tokens.
        batch_size: blocks per micro-batch.
        smoothing: label smoothing.
    """

    tag = "span_corruption"

    tokens: Tokens = BPE()
    length: LargeCount = 512
    density: Share = 0.15
    span: Annotated[float, Between(least=1.0, most=1000.0)] = 3.0
    sentinels: Count = 100
    batch_size: Count = 12
    smoothing: Share = 0.0


class SpanCorruption(Task):
    """The task: generate the spans removed from a text.

        read     Thank you <extra_id_0> me to your party <extra_id_1> week </s>
        written  <extra_id_0> for inviting <extra_id_1> last </s>

    The network is a sequence-to-sequence one (`regard.models.protocols.Translates`). Each epoch
    splits the text into blocks at a random offset and removes different spans; in validation they
    are always the same. A block is as long as it takes for the input to have `length` tokens.

    >>> import tempfile, torch
    >>> from regard.data.encoding.token_settings import Characters
    >>> class Bigrams(torch.nn.Module):
    ...     def __init__(self, vocab, **_):
    ...         super().__init__()
    ...         self.next = torch.nn.Embedding(vocab, vocab)
    ...     def forward(self, source, target):
    ...         return self.next(target)
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
    ...     _ = file.write("to be or not to be. " * 40)
    >>> settings = SpanCorruptionSettings(tokens=Characters(), length=20)
    >>> task = SpanCorruption(file.name, Bigrams, settings, fixed=0)
    >>> batch = task.batch("train", np.arange(3))
    >>> batch.source.ids.shape, batch.target.ids.shape
    (torch.Size([3, 20]), torch.Size([3, 5]))

    References:
        Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text
        Transformer. 2020. https://arxiv.org/abs/1910.10683
    """

    name, metric = "span_corruption", "loss"
    schema = SCHEMA
    settings_type = SpanCorruptionSettings
    predictor_type = GapFiller
    settings: SpanCorruptionSettings
    coder: SpanCoder

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> SpanCoder:
        """The tokens of the training text."""
        texts = settings.tokens.texts(corpus.splits["train"], "text")
        tokens = settings.tokens.learned(texts, running=True)
        return SpanCoder(
            tokens, settings.length, settings.density, settings.span, settings.sentinels
        )

    def part(self, epoch: int) -> Any:
        """The blocks of one epoch and their spans, determined by seed and epoch."""
        if self.stream is not None:
            return self.stream(epoch)
        rng = np.random.default_rng([self.seed, epoch])
        text: DrawnText = self.data.examples["train"]
        shift = int(rng.integers(self.coder.block))
        return Part(self.coder, text.drawn(self.seed, epoch, shift=shift))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Micro-batches with equally many blocks."""
        return by_rows(lengths, self.settings.batch_size, rng)

    def loss(self, batch: Seq2SeqBatch) -> Float[Tensor, ""]:
        """The summed cross-entropy of the target tokens."""
        return seq2seq_loss(self.model, batch, self.settings.smoothing)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each block: the negative log-likelihood of the target tokens."""
        batch = self.batch(split, rows)
        count = batch.target.ids.shape[1]
        return [{"nll": each, "targets": count} for each in seq2seq_nll(self.model, batch).tolist()]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per target token, including sentinel tokens and `</s>`."""
        loss = sum(r["nll"] for r in records) / sum(r["targets"] for r in records)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """The first blocks of the validation text with spans removed, and the original."""
        if "valid" not in self.data.examples:
            return []
        text: DrawnText = self.data.examples["valid"]
        rows = np.arange(min(count, len(text)))
        read = self.coder.collate(text, rows).source.ids.tolist()
        return [
            (self.coder.decode(ids[:-1]), self.coder.decode(block.tolist()))
            for ids, block in zip(read, text.blocks(rows), strict=True)
        ]

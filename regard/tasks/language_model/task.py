"""Language modeling, evaluated by perplexity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.config import Config, Count, LargeCount, Positive
from regard.data.encoding.token_settings import Characters, Tokens
from regard.data.feeding.batching import by_rows
from regard.data.reading.corpus import Corpus
from regard.tasks.fused_loss import summed_cross_entropy
from regard.tasks.language_model.coder import RunningText, TextBlocks, TextCoder
from regard.tasks.language_model.predictor import TextGenerator
from regard.tasks.language_model.schema import SCHEMA
from regard.tasks.task import Part, Record, Task


@dataclass(frozen=True, kw_only=True)
class LanguageModelSettings(Config):
    """The settings of language modeling.

    Args:
        tokens: how the text is tokenized.
        block: tokens per block.
        batch_size: blocks per micro-batch.
        length: tokens that a trained network generates to continue a text.
        temperature: sampling temperature.
    """

    tag = "language_model"

    tokens: Tokens = Characters()
    block: LargeCount = 64
    batch_size: Count = 12
    length: LargeCount = 200
    temperature: Positive = 0.8


class LanguageModel(Task):
    """The task: predict the next token of a text.

    The network takes token ids `[batch, len]` and returns logits `[batch, len, vocab]`; to continue
    a text it also needs `encode`, `start` and `step` (see `regard.models.protocols.Continues`).
    Each epoch splits the text into blocks at a random offset, so that no two epochs have the same.

    >>> import tempfile, torch
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
    ...     _ = file.write("abab" * 200)
    >>> task = LanguageModel(
    ...     file.name, lambda vocab, **_: torch.nn.Embedding(vocab, vocab), fixed=0
    ... )
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, metric = "language_model", "loss"
    schema = SCHEMA
    settings_type = LanguageModelSettings
    predictor_type = TextGenerator
    settings: LanguageModelSettings
    coder: TextCoder

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> TextCoder:
        """The tokens of the training text."""
        texts = settings.tokens.texts(corpus.splits["train"], "text")
        tokenizer = settings.tokens.learned(texts, running=True)
        return TextCoder(tokenizer, settings.block, settings.length, settings.temperature)

    def part(self, epoch: int) -> Any:
        """The blocks of one epoch, at an offset determined by seed and epoch."""
        if self.stream is not None:
            return self.stream(epoch)
        shift = int(np.random.default_rng([self.seed, epoch]).integers(self.coder.block))
        return Part(self.coder, self.data.examples["train"].shifted(shift))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Micro-batches with equally many blocks."""
        return by_rows(lengths, self.settings.batch_size, rng)

    def loss(self, batch: TextBlocks) -> Float[Tensor, ""]:
        """The summed cross-entropy of the next tokens."""
        return summed_cross_entropy(self.model, (batch.text[:, :-1],), batch.text[:, 1:])

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each block of the text: the negative log-likelihood of its tokens."""
        text = self.batch(split, rows).text
        logits = self.model(text[:, :-1]).float().flatten(0, 1)
        nll = cross_entropy(logits, text[:, 1:].flatten(), reduction="none")
        sums = nll.view(len(text), -1).sum(-1).tolist()
        return [{"nll": each, "targets": text.shape[1] - 1} for each in sums]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per token, and bits per character of the text."""
        text: RunningText = self.data.examples[split]
        loss = sum(r["nll"] for r in records) / sum(r["targets"] for r in records)
        return {
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "bits_per_character": loss / math.log(2) / (text.characters / len(text.stream)),
        }

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """The beginning of the validation text."""
        text: RunningText = self.data.examples["valid"]
        start = text.stream.blocks(np.array([0]), min(32, self.coder.block))[0]
        return [(self.coder.tokenizer.decode(start.tolist()), None)]

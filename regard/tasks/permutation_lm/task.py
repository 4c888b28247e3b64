"""Permutation language modeling, evaluated by perplexity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.config import Config, Count, LargeCount
from regard.data.encoding.token_settings import Characters, Tokens
from regard.data.feeding.batching import by_rows
from regard.data.reading.corpus import Corpus
from regard.tasks.drawn_text import DrawnText
from regard.tasks.fused_loss import summed_cross_entropy
from regard.tasks.permutation_lm.coder import OrderCoder, OrderedTexts
from regard.tasks.permutation_lm.predictor import OrderedGapFiller
from regard.tasks.permutation_lm.schema import SCHEMA
from regard.tasks.task import Part, Record, Task

SHOWN = 32
"""Tokens of the sample text shown during training, one of which is predicted."""


@dataclass(frozen=True, kw_only=True)
class PermutationLMSettings(Config):
    """The settings of permutation language modeling.

    Args:
        tokens: how the text is tokenized.
        block: tokens per block.
        batch_size: blocks per micro-batch.
        one_in: one in this many tokens is predicted, the paper's K.
        spans: whether they form spans of one to five tokens, as published.
    """

    tag = "permutation_lm"

    tokens: Tokens = Characters()
    block: LargeCount = 64
    batch_size: Count = 16
    one_in: Count = 6
    spans: bool = True


class PermutationLM(Task):
    """The task: predict the last tokens of a factorization order sampled for each block of a text.

    A target token is predicted from all tokens before it in the order, wherever they are in the
    text (see `PartialOrder`). The network takes `Sequences` and the order, the index of each token
    or -1 if it is given, and returns logits for the targets by index (see
    `regard.models.protocols.SaysInOrder`). Each epoch splits the text into blocks at a random
    offset and samples new orders; in validation they are always the same. Blocks are read
    independently: there is no memory from one to the next.

    >>> import tempfile, torch
    >>> class Bigrams(torch.nn.Module):
    ...     def __init__(self, vocab, **_):
    ...         super().__init__()
    ...         self.next = torch.nn.Embedding(vocab, vocab)
    ...     def forward(self, source, order):
    ...         places = order.argsort(1)[:, -int((order >= 0).sum(1).max()) :]
    ...         return self.next(source.ids.gather(1, (places - 1).clamp(min=0)))
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
    ...     _ = file.write("to be or not to be. " * 40)
    >>> task = PermutationLM(file.name, Bigrams, PermutationLMSettings(block=20), fixed=0)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])

    References:
        Yang, Dai, Yang, Carbonell, Salakhutdinov & Le. XLNet: Generalized Autoregressive
        Pretraining for Language Understanding. 2019. https://arxiv.org/abs/1906.08237
    """

    name, metric = "permutation_lm", "loss"
    schema = SCHEMA
    settings_type = PermutationLMSettings
    predictor_type = OrderedGapFiller
    settings: PermutationLMSettings
    coder: OrderCoder

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> OrderCoder:
        """The tokens of the training text."""
        texts = settings.tokens.texts(corpus.splits["train"], "text")
        tokens = settings.tokens.learned(texts, running=True)
        return OrderCoder(tokens, settings.block, settings.one_in, settings.spans)

    def part(self, epoch: int) -> Any:
        """The blocks of one epoch and their orders, determined by seed and epoch."""
        if self.stream is not None:
            return self.stream(epoch)
        shift = int(np.random.default_rng([self.seed, epoch]).integers(self.coder.block))
        text: DrawnText = self.data.examples["train"]
        return Part(self.coder, text.drawn(self.seed, epoch, shift=shift))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Micro-batches with equally many blocks."""
        return by_rows(lengths, self.settings.batch_size, rng)

    def loss(self, batch: OrderedTexts) -> Float[Tensor, ""]:
        """The summed cross-entropy of the target tokens."""
        return summed_cross_entropy(self.model, (batch.source, batch.order), _targets(batch))

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each block: the negative log-likelihood of the target tokens."""
        batch = self.batch(split, rows)
        logits, targets = self.model(batch.source, batch.order).float(), _targets(batch)
        nll = cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        sums = nll.view(targets.shape).sum(1).tolist()
        return [{"nll": each, "targets": targets.shape[1]} for each in sums]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per target token."""
        loss = sum(r["nll"] for r in records) / sum(r["targets"] for r in records)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """The beginnings of the first validation blocks, with a token in the middle missing."""
        if "valid" not in self.data.examples:
            return []
        text: DrawnText = self.data.examples["valid"]
        decode = self.coder.tokenizer.decode
        rows = [block[:SHOWN].tolist() for block in text.blocks(np.arange(min(count, len(text))))]
        middles = [len(row) // 2 for row in rows]
        return [
            (f"{decode(row[:middle])}<mask>{decode(row[middle + 1 :])}", decode(row))
            for row, middle in zip(rows, middles, strict=True)
        ]


def _targets(batch: OrderedTexts) -> Tensor:
    """The tokens that are to be said, by their number in the order."""
    places = batch.order.argsort(1)
    count = int((batch.order[:1] >= 0).sum())
    return batch.source.ids.gather(1, places[:, places.shape[1] - count :])

"""Masked language modeling, evaluated by perplexity and accuracy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.config import Between, Config, Count, LargeCount
from regard.data.encoding.token_settings import Bert, Tokens
from regard.data.feeding.batching import by_rows
from regard.data.reading.corpus import Corpus
from regard.tasks.fused_loss import has_plain_output, summed_cross_entropy
from regard.tasks.masked_lm.coder import HiddenText, MaskedTextCoder, MaskedTexts
from regard.tasks.masked_lm.predictor import GapFiller
from regard.tasks.masked_lm.schema import SCHEMA
from regard.tasks.task import Part, Record, Task

SHOWN = 24
"""Tokens of the sample text shown during training, one of them masked."""


@dataclass(frozen=True, kw_only=True)
class MaskedLMSettings(Config):
    """The settings of masked language modeling.

    Args:
        tokens: how the text is tokenized; there must be a mask token, as in `bert`.
        block: tokens per block, including special tokens.
        batch_size: blocks per micro-batch.
        share: fraction of the tokens selected for prediction.
        whole_words: select all tokens of a word together.
    """

    tag = "masked_lm"

    tokens: Tokens = Bert()
    block: LargeCount = 128
    batch_size: Count = 16
    share: Annotated[float, Between(above=0.0, below=1.0)] = 0.15
    whole_words: bool = False


class MaskedLM(Task):
    """The task: predict the masked tokens of a text.

    In each block, a fraction `share` of the tokens is selected; 80 % of them are masked, 10 % are
    replaced by random tokens, 10 % are unchanged, and only selected tokens count. Each epoch splits
    the text differently and masks different tokens.

    The network takes `Sequences` and returns logits `[batch, len, vocab]` (see
    `regard.models.protocols.FillsIn`); one that has `features` and a linear `output` never computes
    the logits of unselected tokens.

    >>> import tempfile, torch
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
    ...     _ = file.write("the cat sat on the mat . " * 60)
    >>> class Table(torch.nn.Embedding):
    ...     def forward(self, source):
    ...         return super().forward(source.ids)
    >>> settings = MaskedLMSettings(block=12)
    >>> task = MaskedLM(file.name, lambda vocab, **_: Table(vocab, vocab), settings, fixed=0)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, metric = "masked_lm", "loss"
    schema = SCHEMA
    settings_type = MaskedLMSettings
    predictor_type = GapFiller
    settings: MaskedLMSettings
    coder: MaskedTextCoder

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> MaskedTextCoder:
        """The tokens of the training text; raises `ValueError` without a mask token."""
        texts = settings.tokens.texts(corpus.splits["train"], "text")
        tokenizer = settings.tokens.learned(texts, running=True)
        if tokenizer.specials.mask is None:
            raise ValueError(
                "the tokens have none that stands for what is hidden ([MASK], <mask>); "
                "tokens=bert has one"
            )
        return MaskedTextCoder(tokenizer, settings.block, settings.share, settings.whole_words)

    def part(self, epoch: int) -> Any:
        """The blocks of one epoch, at an offset determined by seed and epoch."""
        if self.stream is not None:
            return self.stream(epoch)
        text: HiddenText = self.data.examples["train"]
        shift = int(np.random.default_rng([self.seed, epoch]).integers(text.text.block))
        # An epoch hides otherwise than the validation text does, whose key is zeros.
        return Part(self.coder, text.of_epoch((self.seed, epoch + 1), shift))

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Micro-batches with equally many blocks."""
        return by_rows(lengths, self.settings.batch_size, rng)

    def loss(self, batch: MaskedTexts) -> Float[Tensor, ""]:
        """The summed cross-entropy of the selected tokens."""
        where = batch.targets >= 0
        return summed_cross_entropy(self.model, (batch.source,), batch.targets, where)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each block: the loss of its selected tokens, and how many were right."""
        batch = self.batch(split, rows)
        where = batch.targets >= 0
        if has_plain_output(self.model):
            logits = self.model.output(self.model.features(batch.source)[where])
        else:
            logits = self.model(batch.source)[where]
        wanted, counts = batch.targets[where], where.sum(1).tolist()
        nll = cross_entropy(logits.float(), wanted, reduction="none").split(counts)
        right = (logits.argmax(-1) == wanted).split(counts)
        return [
            {"nll": float(cost.sum()), "targets": count, "right": int(found.sum())}
            for cost, found, count in zip(nll, right, counts, strict=True)
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per selected token, and their accuracy."""
        count = sum(r["targets"] for r in records)
        loss = sum(r["nll"] for r in records) / count
        return {
            "loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "accuracy": sum(r["right"] for r in records) / count,
        }

    @property
    def at_once(self) -> int:
        """The batch size of predictions."""
        return self.settings.batch_size

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """The beginning of the validation text, with a word in the middle masked."""
        text: HiddenText = self.data.examples["valid"]
        start = text.text.stream.blocks(np.array([0]), min(SHOWN, text.text.block))[0]
        words = self.coder.tokenizer.decode(start.tolist()).split() or [""]
        while True:
            middle = len(words) // 2
            asked = " ".join([*words[:middle], "[MASK]", *words[middle + 1 :]])
            if len(words) == 1 or len(self.predictor.read(asked)) <= self.coder.block:
                return [(asked, words[middle])]
            words.pop()

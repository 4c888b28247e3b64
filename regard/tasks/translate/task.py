"""Translation, or any other sequence-to-sequence task, evaluated by BLEU and chrF."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, Count, LargeCount, NonNegative, Share
from regard.data.encoding.token_settings import BPE, Tokens
from regard.data.reading.corpus import Corpus
from regard.tasks.details import Details, JudgedExample, worst_of
from regard.tasks.seq2seq import Seq2SeqBatch, seq2seq_loss, seq2seq_nll
from regard.tasks.task import Record, Task
from regard.tasks.translate.coder import TextPairs
from regard.tasks.translate.metrics import bleu_tokenizer, chrf, text_scores
from regard.tasks.translate.predictor import Translator
from regard.tasks.translate.schema import SCHEMA


@dataclass(frozen=True, kw_only=True)
class TranslateSettings(Config):
    """The settings of translation.

    Args:
        tokens: how texts are tokenized.
        joint: whether both languages share a vocabulary.
        longest: maximum tokens of a training text; longer pairs are dropped.
        batch_tokens: tokens per micro-batch, including padding, both languages together.
        eval_batch_size: pairs per evaluation batch.
        smoothing: label smoothing.
        extra_length: how many tokens an answer may be longer than its input.
        length_penalty: of a beam search, the exponent of ((5 + length) / 6).
    """

    tag = "translate"

    tokens: Tokens = BPE()
    joint: bool = True
    longest: LargeCount = 256
    batch_tokens: LargeCount = 3072
    eval_batch_size: Count = 64
    smoothing: Share = 0.1
    extra_length: Count = 50
    length_penalty: NonNegative = 0.6


class Translate(Task):
    r"""The task: learn from pairs of texts.

    The network takes `Sequences` and the tokens generated so far `[batch, q_len]`, and returns
    logits of the next ones; to generate texts it also needs `encode`, `start` and `step` (see
    `regard.models.protocols.Translates`).

    >>> import tempfile, torch
    >>> from regard.data.encoding.token_settings import Characters
    >>> class Bigrams(torch.nn.Module):
    ...     def __init__(self, target_vocab, **_):
    ...         super().__init__()
    ...         self.next = torch.nn.Embedding(target_vocab, target_vocab)
    ...     def forward(self, source, target):
    ...         return self.next(target)
    >>> with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
    ...     _ = file.write("source\ttarget\n" + "a cat\teine Katze\na dog\tein Hund\n" * 20)
    >>> settings = TranslateSettings(tokens=Characters())
    >>> task = Translate(file.name, Bigrams, settings)
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, metric = "translate", "bleu"
    schema = SCHEMA
    settings_type: ClassVar[type[Config]] = TranslateSettings
    predictor_type = Translator
    settings: TranslateSettings
    coder: TextPairs

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> TextPairs:
        """The tokens of the training texts, of both languages together or of each."""
        train, tokens = corpus.splits["train"], settings.tokens
        if settings.joint:
            source = target = tokens.learned(tokens.texts(train, "source", "target"))
        else:
            source, target = (
                tokens.learned(tokens.texts(train, side)) for side in ("source", "target")
            )
        return TextPairs(
            source, target, settings.longest, settings.extra_length, settings.length_penalty
        )

    def loss(self, batch: Seq2SeqBatch) -> Float[Tensor, ""]:
        """The summed cross-entropy of the target tokens, including an auxiliary loss."""
        return seq2seq_loss(self.model, batch, self.settings.smoothing)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each pair: the prediction, and the negative log-likelihood of the target tokens."""
        sources, targets = self.data.examples[split].take(rows)
        found = self.predictor.write(sources, num_answers)
        nll = seq2seq_nll(self.model, self.batch(split, rows)).tolist()
        return [
            {
                "answer": self.coder.target.decode(answers[0].tokens),
                "nll": cost,
                "targets": int(length) + 1,
            }
            for answers, cost, length in zip(found, nll, targets.lengths, strict=True)
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per token, and sacreBLEU and chrF of the answers, cased."""
        loss = sum(r["nll"] for r in records) / sum(r["targets"] for r in records)
        texts = list(self.data.texts[split]["target"])
        targets = [texts[row] for row in self.data.examples[split].rows]
        return {
            "loss": loss,
            "perplexity": float(np.exp(min(loss, 700.0))),
            **text_scores([r["answer"] for r in records], targets),
        }

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """The sentences whose answers have the lowest chrF, and BLEU's tokenization."""
        targets = [self.written(split, n)[1] for n in range(len(records))]
        apart = [100.0 - chrf(each["answer"], t) for each, t in zip(records, targets, strict=True)]

        def example(place: int) -> JudgedExample:
            source, target = self.written(split, place)
            return JudgedExample(source, target, records[place]["answer"], round(apart[place], 2))

        cut = f"tokenizer {bleu_tokenizer(targets)}"
        measured = {"bleu": cut, "bleu_lowercase": cut}
        return Details(worst=worst_of(apart, worst, example), measured=measured)

    @property
    def at_once(self) -> int:
        """The batch size of predictions."""
        return self.settings.eval_batch_size

"""Language modelling: what comes next? Perplexity to judge by."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.feeding.buckets import buckets
from regard.data.feeding.feed import Part
from regard.models.search import sample
from regard.tasks.cross_entropy import linear_cross_entropy
from regard.tasks.exchange import save_model
from regard.tasks.task import Answer, Record

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, eq=False)
class Blocks:
    """Pieces of text, all of one length, one token longer than what is read at once."""

    text: Int[Tensor, "batch block"]

    @property
    def labels(self) -> int:
        """Tokens to be foreseen."""
        return self.text[:, 1:].numel()

    tokens = cells = labels

    def to(self, device: torch.device) -> "Blocks":
        """The same batch on a device."""
        return Blocks(self.text.to(device, non_blocking=True))


@dataclass(frozen=True, eq=False)
class Narrator:
    """A language model and its tokenizer: goes on where a text stops.

    Args:
        block: greatest number of tokens the model reads.
        length: tokens it writes.
        temperature: divides the logits; the smaller, the safer the choice.
        about: further entries of `task.json`, such as the names of the parts.
    """

    model: Any
    tokenizer: Tokenizer
    block: int
    length: int = 200
    temperature: float = 0.8
    about: Mapping[str, Any] = field(default_factory=dict)

    @torch.no_grad()
    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """Go on from each text, drawing `beams` continuations, the likeliest first.

        The draws depend on the text's number and nothing else. The picture is the attention of the
        last layer, averaged over heads, for the end of the text and what was written.

        Raises `ValueError` for an empty text.
        """
        sources = self.tokenizer.encode(texts)
        for number, length in enumerate(sources.lengths):
            if not length:
                raise ValueError(f"text {number + 1} of {len(texts)} is empty; give a beginning")
        return [
            self._go_on(text, row.tolist(), max(1, beams), number)
            for number, (text, row) in enumerate(zip(texts, sources, strict=True))
        ]

    def _go_on(self, text: str, tokens: list[int], beams: int, seed: int) -> Answer:
        device = self.model.output.weight.device
        prompt = self.model.encode(torch.tensor([tokens] * beams, device=device))
        generator = torch.Generator(device).manual_seed(seed)
        found = sample(
            self.model, prompt, prompt.last, None, self.length, self.temperature, generator
        )
        found = sorted(found, key=lambda each: -each.log_probability)
        written = list(found[0].tokens)
        seen = (tokens + written)[-min(self.block, 48) :]
        pieces = tuple(self.tokenizer.tokens(seen))
        weights = self.model.weights(torch.tensor([seen], device=device))[-1, 0].mean(0)
        return Answer(
            text=text,
            answers=tuple((self.tokenizer.decode(h.tokens), h.log_probability) for h in found),
            inputs=pieces,
            outputs=pieces,
            weights=weights.float().cpu(),
            unknown=tuple(self.tokenizer.unknown(text)),
        )

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder that exists."""
        self.tokenizer.save(folder / TOKENIZER)
        about = {
            "task": "language_model",
            "block": self.block,
            "length": self.length,
            "temperature": self.temperature,
            **self.about,
        }
        save_model(folder, self.model, weights, about, [TOKENIZER])


class LanguageModel:
    """The task: foresee the next token of a text.

    An epoch cuts the text into blocks from a random place on, so that no two epochs have the same
    ones.

    Args:
        predictor: the model and its tokenizer.
        streams: the tokens of each split, one after the other.
        characters: number of characters of each split.
        batch_size: blocks in a micro-batch.
        seed: of where an epoch's first block begins.

    Set `stream` to train on a text that is not in memory (see `Streamed`).
    """

    name, metric = "language_model", "loss"

    def __init__(
        self,
        predictor: Narrator,
        streams: Mapping[str, TokenStream],
        characters: Mapping[str, int],
        *,
        batch_size: int = 12,
        seed: int = 0,
    ) -> None:
        self.predictor, self.streams, self.characters = predictor, streams, characters
        self.batch_size, self.seed = batch_size, seed
        self.stream: Callable[[int], Part] | None = None
        least = predictor.block + 1
        for split, stream in streams.items():
            if len(stream) < least:
                raise ValueError(
                    f"the {split} text has {len(stream)} tokens, a block takes {least}; give more "
                    "text or a smaller block"
                )
        start = streams["valid"].blocks(np.array([0]), min(32, predictor.block))[0]
        self.fixed: list[tuple[str, str | None]] = [
            (predictor.tokenizer.decode(start.tolist()), None)
        ]

    def part(self, epoch: int) -> Part:
        if self.stream is not None:
            return self.stream(epoch)
        shift = int(np.random.default_rng([self.seed, epoch]).integers(self.predictor.block))
        return _Part(self.streams["train"], self.predictor.block, shift)

    def encoded(self, rows: Sequence[Mapping[str, str]], longest: int) -> Part:
        """Texts as they come from a stream, joined."""
        values = self.predictor.tokenizer.encode([row["text"] for row in rows]).values
        if len(values) <= self.predictor.block:
            raise ValueError(
                f"{len(rows)} rows of the stream have {len(values)} tokens, a block takes "
                f"{self.predictor.block + 1}; give a smaller block"
            )
        return _Part(TokenStream(values.astype(np.int32)), self.predictor.block, 0)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        return list(buckets(lengths[:, 0], self.batch_size, rng))

    def loss(self, batch: Blocks) -> Float[Tensor, ""]:
        model = self.predictor.model
        features = model.features(batch.text[:, :-1]).flatten(0, 1)
        labels = batch.text[:, 1:].flatten()
        return linear_cross_entropy(features, model.output.weight, model.output.bias, labels)

    def size(self, split: str) -> int:
        return len(self._blocks(split).starts) if split in self.streams else 0

    @torch.no_grad()
    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """For each block of the text: the nats that its tokens cost."""
        model, part = self.predictor.model, self._blocks(split)
        device, records = model.output.weight.device, []
        for start in range(0, len(rows), 64):
            text = part.batch(rows[start : start + 64]).to(device).text
            logits = model(text[:, :-1]).float().flatten(0, 1)
            nats = cross_entropy(logits, text[:, 1:].flatten(), reduction="none")
            sums = nats.view(len(text), -1).sum(-1).tolist()
            records += [{"nats": nats, "labels": text.shape[1] - 1} for nats in sums]
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per token, and bits per character of the text."""
        nats, labels = sum(r["nats"] for r in records), sum(r["labels"] for r in records)
        share = self.characters[split] / len(self.streams[split])
        return {
            "loss": nats / labels,
            "perplexity": math.exp(min(nats / labels, 700.0)),
            "bits_per_character": nats / labels / math.log(2) / share,
        }

    def _blocks(self, split: str) -> "_Part":
        return _Part(self.streams[split], self.predictor.block, 0)


@dataclass(frozen=True, eq=False)
class _Part:
    """The blocks of a text, from a place on."""

    stream: TokenStream
    block: int
    shift: int

    @property
    def starts(self) -> np.ndarray:
        last = len(self.stream) - self.block
        return np.arange(min(self.shift, last - 1), last, self.block)

    @property
    def lengths(self) -> np.ndarray:
        return np.full((len(self.starts), 1), self.block + 1)

    def batch(self, rows: np.ndarray) -> Blocks:
        blocks = self.stream.blocks(self.starts[rows], self.block + 1)
        return Blocks(torch.from_numpy(np.asarray(blocks).astype(np.int64)))

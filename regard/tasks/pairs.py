"""Pairs of a text that is read and one that is written: batches, their loss, and the writing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from regard.data.encoding.ragged import Ragged
from regard.models.search import Hypothesis, Writer, beam, greedy
from regard.tasks.cross_entropy import linear_cross_entropy
from regard.tasks.padding import lengths_of, padded
from regard.tasks.task import Answer

LONGER = 50
"""Tokens that an answer may have more than what is read."""


@runtime_checkable
class Seq2Seq(Writer, Protocol):
    """A network that reads one sequence and writes another; RNNsearch and Transformer are."""

    @property
    def output(self) -> Any: ...

    def features(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor: ...

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> Any: ...

    def alignment(self, encoded: Any, target: Tensor) -> Tensor: ...


@runtime_checkable
class Coder(Protocol):
    """Text to token numbers and back; the first four numbers are `<pad> <unk> <s> </s>`."""

    @property
    def pad(self) -> int: ...

    @property
    def begin(self) -> int: ...

    @property
    def end(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Pairs:
    """Texts to read, and texts to write between `<s>` and `</s>`.

    `lengths` and `target_lengths` (`</s>` counted) are None where all are equally long, so that
    nothing has to be masked.
    """

    source: Int[Tensor, "batch k_len"]
    lengths: Int[Tensor, " batch"] | None
    target: Int[Tensor, "batch framed_len"]
    target_lengths: Int[Tensor, " batch"] | None

    @classmethod
    def of(cls, sources: Ragged, targets: Ragged, coder: Coder) -> "Pairs":
        """Pad and frame token numbers."""
        lengths = targets.lengths
        framed = np.full((len(targets), int(lengths.max(initial=0)) + 2), coder.pad)
        framed[:, 0] = coder.begin
        framed[:, 1:-1] = targets.padded(coder.pad)
        framed[np.arange(len(targets)), lengths + 1] = coder.end
        target = torch.from_numpy(framed.astype(np.int64))
        return cls(*padded(sources, coder.pad), target, lengths_of(lengths + 1))

    @property
    def labels(self) -> int:
        """Tokens to be written, `</s>` counted."""
        if self.target_lengths is None:
            return self.target[:, 1:].numel()
        return int(self.target_lengths.sum())

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        read = self.source.numel() if self.lengths is None else int(self.lengths.sum())
        return read + self.labels

    @property
    def cells(self) -> int:
        """The same with padding."""
        return self.source.numel() + self.target[:, 1:].numel()

    def to(self, device: torch.device) -> "Pairs":
        """The same batch on a device."""
        both = (self.lengths, self.target_lengths)
        lengths, target_lengths = (None if t is None else t.to(device) for t in both)
        return Pairs(self.source.to(device), lengths, self.target.to(device), target_lengths)

    def written(self) -> Bool[Tensor, "batch q_len"]:
        """Where a token is to be written, not padding."""
        width = self.target.shape[1] - 1
        if self.target_lengths is None:
            return torch.ones_like(self.target[:, 1:], dtype=torch.bool)
        position = torch.arange(width, device=self.target.device)
        return position < self.target_lengths.unsqueeze(-1)


def pair_loss(model: Seq2Seq, batch: Pairs, smoothing: float = 0.0) -> Float[Tensor, ""]:
    """The summed cross-entropy of all tokens to be written, in nats; padding is not computed."""
    features = model.features(batch.source, batch.target[:, :-1], batch.lengths)
    labels = batch.target[:, 1:]
    if batch.target_lengths is None:
        features, labels = features.flatten(0, 1), labels.flatten()
    else:
        written = batch.written()
        features, labels = features[written], labels[written]
    return linear_cross_entropy(features, model.output.weight, model.output.bias, labels, smoothing)


@torch.no_grad()
def pair_nats(model: Seq2Seq, batch: Pairs) -> Float[Tensor, " batch"]:
    """How surprised the model is by each wanted text, `</s>` included, in nats."""
    features = model.features(batch.source, batch.target[:, :-1], batch.lengths)
    written = batch.written()
    logits = model.output(features[written])
    nats = torch.zeros_like(written, dtype=torch.float32)
    labels = batch.target[:, 1:][written]
    nats[written] = nn.functional.cross_entropy(logits.float(), labels, reduction="none")
    return nats.sum(-1)


@torch.no_grad()
def write(
    model: Seq2Seq,
    sources: Ragged,
    coder: Coder,
    longest: int | None = None,
    beams: int = 1,
    length_penalty: float | None = None,
    batch_size: int = 64,
) -> list[list[Hypothesis]]:
    """The best answers to each text, at most `longest` tokens or `LONGER` more than it has."""
    device = model.output.weight.device
    found: list[list[Hypothesis]] = [[] for _ in range(len(sources))]
    order = np.argsort(sources.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        part = sources.take(rows)
        source, lengths = padded(part, coder.pad)
        encoded = model.encode(source.to(device), None if lengths is None else lengths.to(device))
        limit = torch.from_numpy(part.lengths + LONGER) if longest is None else longest
        ends = (coder.begin, coder.end, limit)
        if beams == 1:
            answers = [[best] for best in greedy(model, encoded, *ends)]
        else:
            answers = beam(model, encoded, *ends, beams, length_penalty)
        for row, answer in zip(rows, answers, strict=True):
            found[row] = answer
    return found


def shown(
    model: Seq2Seq,
    text: str,
    source: Sequence[int],
    found: Sequence[Hypothesis],
    source_coder: Any,
    target_coder: Any,
) -> Answer:
    """Answers to one text with the alignment of the best, if the network has any attention."""
    device = model.output.weight.device
    best = found[0].tokens
    weights = torch.zeros(0, len(source))
    if best:
        followed = torch.tensor([[target_coder.begin, *best[:-1]]], device=device)
        encoded = model.encode(torch.tensor([list(source)], device=device))
        weights = model.alignment(encoded, followed)[0].float().cpu()
    looked = not best or bool(weights.any())
    return Answer(
        text=text,
        answers=tuple((target_coder.decode(h.tokens), h.log_probability) for h in found),
        inputs=tuple(source_coder.tokens(source)),
        outputs=tuple(target_coder.tokens(best)),
        weights=weights if looked else None,
        unknown=tuple(source_coder.unknown(text)),
    )

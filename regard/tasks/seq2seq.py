"""Source and target sequences: batches of both, and their loss."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.vocabulary import Vocabulary
from regard.layers import AuxLoss
from regard.layers.linear_cross_entropy import linear_cross_entropy
from regard.sequences import Sequences
from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.fused_loss import chosen, has_plain_output


@dataclass(frozen=True, eq=False)
class Seq2SeqBatch(Batch):
    """Source sequences, and target sequences that end with `</s>`.

    Args:
        begin: the id of the start token, usually `<s>`.
    """

    source: Sequences
    target: Sequences
    begin: int

    @classmethod
    def of(
        cls,
        sources: Ragged,
        targets: Ragged,
        tokens: Tokenizer | Vocabulary,
        begin: int | None = None,
    ) -> "Seq2SeqBatch":
        """Pad the sources, and the targets, to which the end of these tokens is appended.

        Args:
            begin: the start token of the target; their `<s>` if None.
        """
        begin = tokens.begin if begin is None else begin
        return cls(sequences_of(sources, tokens.pad), with_end(targets, tokens), begin)

    @property
    def num_targets(self) -> int:
        """The number of target tokens, including `</s>`."""
        return self.target.num_tokens

    @property
    def written(self) -> Int[Tensor, "batch q_len"]:
        """The token before each target: `begin` before the first."""
        return written_before(self.target, self.begin)

    @property
    def where(self) -> Bool[Tensor, "batch q_len"] | None:
        """Which targets are not padding; None without padding."""
        return None if self.target.lengths is None else self.target.real


def with_end(targets: Ragged, tokens: Tokenizer | Vocabulary) -> Sequences:
    """The targets in these tokens, padded, with `</s>` appended to each."""
    lengths, width = targets.lengths, int(targets.lengths.max(initial=0))
    ended = np.full((len(targets), width + 1), tokens.pad)
    ended[:, :-1] = targets.padded(tokens.pad)
    ended[np.arange(len(targets)), lengths] = tokens.end
    even = bool((lengths == width).all())
    return Sequences(
        torch.from_numpy(ended.astype(np.int64)),
        None if even else torch.from_numpy(lengths.astype(np.int64) + 1),
    )


def written_before(target: Sequences, begin: int) -> Int[Tensor, "batch q_len"]:
    """The token before each target: `begin` before the first.

    >>> written_before(Sequences(torch.tensor([[7, 8, 3]])), begin=2)
    tensor([[2, 7, 8]])
    """
    return pad(target.ids[:, :-1], (1, 0), value=begin)


def seq2seq_loss(model: Any, batch: Seq2SeqBatch, smoothing: float = 0.0) -> Float[Tensor, ""]:
    """The summed cross-entropy of all targets, in nats, with the gradient of an auxiliary loss.

    A network that has `features` followed by a plain linear layer `output` never materializes the
    logits, unless its auxiliary loss needs the loss of each sequence. Padding is not computed.
    """
    features, aux = _features(model, batch)
    where, labels = batch.where, batch.target.ids
    if features is not None and aux is None and has_plain_output(model):
        weight, bias = model.output.weight, model.output.bias
        rows = chosen(features, where)
        return linear_cross_entropy(rows, weight, bias, chosen(labels, where), smoothing)
    if features is not None:
        logits = model.output(chosen(features, where))
    else:
        logits, aux = forward_sampled(model, batch.source, batch.written)
        logits = chosen(logits, where)
    return with_auxiliary_loss(target_nll(logits, batch.target, smoothing), aux).sum()


@torch.no_grad()
def seq2seq_nll(model: Any, batch: Seq2SeqBatch) -> Float[Tensor, " batch"]:
    """The negative log-likelihood of each target sequence, `</s>` included."""
    if hasattr(model, "features") and hasattr(model, "output"):
        logits = model.output(chosen(model.features(batch.source, batch.written), batch.where))
    else:
        logits = chosen(model(batch.source, batch.written), batch.where)
    return target_nll(logits, batch.target)


def _features(model: Any, batch: Seq2SeqBatch) -> tuple[Tensor | None, AuxLoss | None]:
    """What the output layer reads, of a network that tells, and its auxiliary loss."""
    if not (hasattr(model, "features") and hasattr(model, "output")):
        return None, None
    if hasattr(model, "features_sampled"):
        return model.features_sampled(batch.source, batch.written)
    return model.features(batch.source, batch.written), None


def target_nll(
    logits: Float[Tensor, "tokens vocab"], target: Sequences, smoothing: float = 0.0
) -> Float[Tensor, " batch"]:
    """The negative log-likelihood of the targets other than padding, summed over each sequence."""
    labels = chosen(target.ids, None if target.lengths is None else target.real)
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    cost = cross_entropy(wide, labels, reduction="none", label_smoothing=smoothing)
    row = torch.arange(len(target), device=cost.device)
    row = row.repeat_interleave(target.counts, output_size=len(cost))
    return cost.new_zeros(len(target)).index_add(0, row, cost)

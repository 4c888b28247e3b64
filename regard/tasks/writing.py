"""Decoding an answer for each source sequence, with its attention."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.vocabulary import Vocabulary
from regard.generation import ForceFirst, Hypothesis, beam_search, greedy
from regard.models.protocols import Translates
from regard.sequences import Sequences
from regard.tasks.batch import sequences_of
from regard.tasks.predictor import HasParameters, device_of


@runtime_checkable
class TranslatesSomewhere(Translates, HasParameters, Protocol):
    """A sequence-to-sequence network on the device of its parameters."""


@torch.no_grad()
def write_answers(
    model: TranslatesSomewhere,
    sources: Ragged,
    tokens: Tokenizer | Vocabulary,
    max_length: Int[np.ndarray, " n"],
    *,
    begin: int | None = None,
    num_answers: int = 1,
    length_penalty: float | None = None,
    batch_size: int = 64,
) -> list[list[Hypothesis]]:
    """The answers for each sequence, best first: one by greedy decoding, several by beam search.

    Args:
        tokens: the output tokens.
        begin: the start token of the output; their `<s>` if None.
        max_length: maximum tokens of each answer, including `</s>`.
        length_penalty: of a beam search, see `regard.generation.beam_search`.
        batch_size: sequences per batch.
    """
    device = device_of(model)
    found: list[list[Hypothesis]] = [[] for _ in range(len(sources))]
    order = np.argsort(sources.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        encoded = model.encode(sequences_of(sources.take(rows), tokens.pad).to(device))
        answers = written_from(
            model,
            encoded,
            torch.from_numpy(max_length[rows].astype(np.int64)),
            begin=tokens.begin if begin is None else begin,
            end=tokens.end,
            num_answers=num_answers,
            length_penalty=length_penalty,
        )
        for row, answer in zip(rows, answers, strict=True):
            found[row] = answer
    return found


def written_from(
    model: Any,
    encoded: Any,
    max_length: Int[Tensor, " batch"],
    *,
    begin: int,
    end: int,
    num_answers: int = 1,
    length_penalty: float | None = None,
) -> list[list[Hypothesis]]:
    """The answers for each row of a network's encoding, best first.

    One by greedy decoding, several by beam search (see `write_answers`).
    """
    first = getattr(getattr(model, "config", None), "first", None)
    filters = () if first is None else (ForceFirst(first),)
    if num_answers == 1:
        best = greedy(model, encoded, filters, begin=begin, end=end, max_length=max_length)
        return [[each] for each in best]
    return beam_search(
        model,
        encoded,
        filters,
        begin=begin,
        end=end,
        max_length=max_length,
        beams=num_answers,
        length_penalty=length_penalty,
    )


def weights_of(
    model: Any, source: Sequence[int], answer: Sequence[int], begin: int
) -> Float[Tensor, "q_len k_len"] | None:
    """How much each output token attended to each input token; None without attention.

    Args:
        begin: the start token of the output.
    """
    if not hasattr(model, "attention_weights"):
        return None
    if not answer:
        return torch.zeros(0, len(source))
    device = device_of(model)
    written = torch.tensor([[begin, *answer[:-1]]], device=device)
    read = Sequences(torch.tensor([list(source)], device=device))
    weights = model.attention_weights(read, written)[0].float().cpu()
    return weights if bool(weights.any()) else None

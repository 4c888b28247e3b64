"""Writing an answer to each sequence that is read, and what was attended to for it."""

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
    """A network that translates, and is on the device of its parameters."""


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
    """The answers to each sequence, best first: one by greedy search, several by a beam as wide.

    Args:
        tokens: what is written in.
        begin: the token before the first that is written; their `<s>` if None.
        max_length: greatest number of tokens of each answer, `</s>` counted.
        length_penalty: of a beam search, see `regard.generation.beam_search`.
        batch_size: sequences that are read at once.
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
    """The answers to each row of what a network encoded, best first.

    One is found by greedy search, several by a beam as wide (see `write_answers`).
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
    """How much of each token that was read is in each that was written; None where nothing attends.

    Args:
        begin: the token before the first that is written.
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

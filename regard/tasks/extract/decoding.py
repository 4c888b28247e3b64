"""From scores of first and last words to answers."""

import torch
from jaxtyping import Float
from torch import Tensor

from regard.sequences import Sequences

Candidate = tuple[float, int, int]
"""Log-probability, first and last word; words count from 1, and 0 is "no answer"."""


def log_probs(
    logits: Float[Tensor, "batch 2 places"], passage: Sequences, unanswerable: bool
) -> Float[Tensor, "batch 2 places"]:
    """Log-probabilities of the places that there are; minus infinity for others.

    There is no place for "no answer" where every question has one, but for an empty passage.

    >>> passage = Sequences(torch.tensor([[7, 8, 0]]), torch.tensor([2]))
    >>> log_probs(torch.zeros(1, 2, 4), passage, unanswerable=False).exp()[0, 0]
    tensor([0.0000, 0.5000, 0.5000, 0.0000])
    """
    none = (passage.counts == 0) | unanswerable
    there = torch.cat([none.unsqueeze(1), passage.real], dim=1).unsqueeze(1)
    return logits.float().masked_fill(~there, -torch.inf).log_softmax(-1)


def best_spans(scores: Float[Tensor, "2 places"], longest: int, count: int) -> list[Candidate]:
    """The likeliest spans of at most `longest` words, best first, "no answer" among them.

    >>> scores = torch.tensor([[0.1, 0.6, 0.3], [0.1, 0.7, 0.2]]).log()
    >>> [(first, last) for _, first, last in best_spans(scores, longest=2, count=3)]
    [(1, 1), (1, 2), (2, 2)]
    """
    first, last = scores[:, 1:]
    both = first.unsqueeze(1) + last
    both = both.masked_fill(~torch.ones_like(both).triu().tril(longest - 1).bool(), -torch.inf)
    values, places = both.flatten().topk(min(count, both.numel()))
    found: list[Candidate] = [
        (value, 1 + place // len(first), 1 + place % len(first))
        for value, place in zip(values.tolist(), places.tolist(), strict=True)
    ]
    found.append((float(scores[:, 0].sum()), 0, 0))
    possible = [each for each in found if each[0] > -torch.inf]
    return sorted(possible, key=lambda each: -each[0])[:count]

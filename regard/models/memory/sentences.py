"""Sentences as vectors: words weighted by their places, and when the sentence was told."""

from typing import Literal

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn


def bag_weights(
    words: Int[Tensor, "*sentences words"], dtype: torch.dtype
) -> Float[Tensor, "*sentences words 1"]:
    """One for each word, 0 for word 0, which is padding."""
    return rearrange(words != 0, "... words -> ... words 1").to(dtype)


def position_weights(
    words: Int[Tensor, "*sentences words"],
    embed_dim: int,
    dtype: torch.dtype,
    variant: Literal["paper", "official"] = "paper",
    max_words: int | None = None,
) -> Float[Tensor, "*sentences words {embed_dim}"]:
    """How much word j counts in component k, for j and k from 1, J words and d components.

        paper     l_kj = (1 - j/J) - (k/d) (1 - 2j/J)
        official  l_kj = 1 + 4 (k - (d + 1)/2) (j - (J + 1)/2) / (d J)        J = max_words

    Word 0 is padding behind a sentence and counts 0.

    >>> position_weights(torch.tensor([7, 8, 0]), 2, torch.float32)
    tensor([[0.5000, 0.5000],
            [0.5000, 1.0000],
            [0.0000, 0.0000]])
    """
    real = words != 0
    place = torch.arange(1, words.shape[-1] + 1, device=words.device, dtype=dtype)
    part = torch.arange(1, embed_dim + 1, device=words.device, dtype=dtype) / embed_dim
    if variant == "official":
        length = max_words or 1
        steep = 4 * rearrange(place - (length + 1) / 2, "words -> words 1") / length
        weights = 1 + steep * (part - (embed_dim + 1) / (2 * embed_dim))
    else:
        share = place / real.sum(-1, keepdim=True).clamp(min=1)
        share = rearrange(share, "... words -> ... words 1")
        weights = (1 - share) - part * (1 - 2 * share)
    return weights * rearrange(real, "... words -> ... words 1")


class Sentences(nn.Module):
    """The vector of a sentence: `sum_j l_j * E x_j + T(time)`, a table for words, one for time.

    Args:
        vocab: number of words; 0 is none.
        embed_dim: width of the vectors.
        memory_size: number of times, 0 the latest.
    """

    def __init__(self, vocab: int, embed_dim: int, memory_size: int) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.empty(vocab, embed_dim))
        self.time = nn.Parameter(torch.empty(memory_size, embed_dim))
        nn.init.normal_(self.words, std=0.1)
        nn.init.normal_(self.time, std=0.1)

    def forward(
        self,
        words: Int[Tensor, "batch sentences words"],
        weights: Float[Tensor, "batch sentences words #embed_dim"],
        time: Int[Tensor, "batch sentences"],
    ) -> Float[Tensor, "batch sentences embed_dim"]:
        return read(self.words, words, weights) + nn.functional.embedding(time, self.time)


def read(
    table: Float[Tensor, "vocab embed_dim"],
    words: Int[Tensor, "*sentences words"],
    weights: Float[Tensor, "*sentences words #embed_dim"],
) -> Float[Tensor, "*sentences embed_dim"]:
    """The weighted sums of the words' vectors."""
    vectors = nn.functional.embedding(words, table)
    return reduce(vectors * weights, "... words dim -> ... dim", "sum")


def times(
    lengths: Int[Tensor, " batch"], sentences: int, noise: float = 0.0
) -> Int[Tensor, "batch {sentences}"]:
    """How many sentences ago each was told, 0 for the last; what is behind a story has 0, too.

    With noise, up to `ceil(noise * length)` empty sentences are put between the real ones, as many
    and where torch's generator says, so that the real ones seem to be longer ago.

    >>> times(torch.tensor([3, 1]), 3)
    tensor([[2, 1, 0],
            [0, 0, 0]])
    """
    place = torch.arange(sentences, device=lengths.device)
    count = rearrange(lengths, "batch -> batch 1")
    if not noise:
        return (count - 1 - place).clamp(min=0)
    most = torch.ceil(noise * lengths)
    gaps = torch.floor(torch.rand_like(most) * (most + 1)).long()
    ends = count + rearrange(gaps, "batch -> batch 1")
    slots = sentences + int(most.max())
    slot = torch.arange(slots, device=lengths.device)
    draw = torch.rand(len(lengths), slots, device=lengths.device)
    rank = draw.masked_fill(slot >= ends, torch.inf).argsort(-1).argsort(-1)
    taken = torch.where(rank < count, slot, slots).sort(-1).values[:, :sentences]
    return (ends - 1 - taken).clamp(min=0)

"""Rows of tokens, split where sentences end."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True, eq=False)
class SentenceSplit:
    """The words of a batch of documents in order, and how they form sentences and documents.

    There are no empty sentences; a document may have no sentence.

    Args:
        words: which tokens of the batch are words, neither sentence ends nor padding.
        lengths: words of each sentence.
        documents: sentences of each document.
    """

    words: Bool[Tensor, "batch k_len"]
    lengths: Int[Tensor, " sentences"]
    documents: Int[Tensor, " batch"]

    def of(self, tokens: Shaped[Tensor, "batch k_len"]) -> Shaped[Tensor, " words"]:
        """Only the words, concatenated."""
        return tokens[self.words]

    def spread(self, values: Float[Tensor, " words"]) -> Float[Tensor, "batch k_len"]:
        """Values of words scattered back to their positions, zeros elsewhere."""
        whole = values.new_zeros(self.words.shape)
        return whole.masked_scatter(self.words, values)


def split_sentences(
    tokens: Int[Tensor, "batch k_len"],
    lengths: Int[Tensor, " batch"] | None = None,
    *,
    end: int,
) -> SentenceSplit:
    """Split documents of these lengths after every token `end`; the last sentence needs none.

    >>> tokens = torch.tensor([[7, 8, 3, 3, 9], [5, 3, 0, 0, 0]])
    >>> cut = split_sentences(tokens, torch.tensor([5, 2]), end=3)
    >>> cut.lengths, cut.documents, cut.of(torch.arange(10).reshape(2, 5))
    (tensor([2, 1, 1]), tensor([2, 1]), tensor([0, 1, 4, 5]))
    """
    row = rearrange(torch.arange(tokens.shape[0], device=tokens.device), "batch -> batch 1")
    real = torch.ones_like(tokens, dtype=torch.bool)
    if lengths is not None:
        place = torch.arange(tokens.shape[1], device=tokens.device)
        real = place < rearrange(lengths, "batch -> batch 1")
    words = real & (tokens != end)
    # Ends before a word, counted over the rows, each of which ends too, number its sentence.
    ends = (tokens == end) & real
    number = (ends.flatten().cumsum(0).reshape(tokens.shape) + row).flatten()
    most = row.new_zeros(tokens.shape[0] * (tokens.shape[1] + 1))
    sizes = most.index_add(0, number, words.flatten().long())
    told = sizes > 0
    owner = most.scatter(0, number, row.expand_as(tokens).flatten())
    documents = row.new_zeros(tokens.shape[0]).index_add(0, owner, told.long())
    return SentenceSplit(words, sizes[told], documents)

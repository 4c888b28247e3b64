"""Where the beams of each sentence stand among the rows of a batch: one after the other."""

import torch
from einops import rearrange
from jaxtyping import Int
from torch import Tensor


def rows_of_beams(parent: Int[Tensor, "batch beams"], beams: int) -> Int[Tensor, " rows"]:
    """The rows of the beams `parent`, counted within each sentence, of `beams` in all.

    >>> rows_of_beams(torch.tensor([[1, 1], [0, 2]]), beams=3)
    tensor([1, 1, 3, 5])
    """
    first = rearrange(torch.arange(len(parent), device=parent.device) * beams, "batch -> batch 1")
    return rearrange(parent + first, "batch beams -> (batch beams)")


def rows_of_sentences(sentences: Int[Tensor, " some"], beams: int) -> Int[Tensor, " rows"]:
    """The rows of all beams of these sentences.

    >>> rows_of_sentences(torch.tensor([0, 2]), beams=2)
    tensor([0, 1, 4, 5])
    """
    beam = torch.arange(beams, device=sentences.device)
    first = rearrange(sentences * beams, "some -> some 1")
    return rearrange(first + beam, "some beams -> (some beams)")

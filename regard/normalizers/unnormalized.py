"""Scores taken as weights."""

from jaxtyping import Bool, Float
from torch import Tensor


def unnormalized(
    scores: Float[Tensor, "*rows k_len"], where: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*rows k_len"]:
    """The scores themselves, 0 where nothing may be seen: attention without its second step.

    So does ABCNN match, the paper's DIN weigh a history, and a memory network start.

    >>> import torch
    >>> unnormalized(torch.tensor([0.5, 0.2]), torch.tensor([True, False]))
    tensor([0.5000, 0.0000])
    """
    return scores if where is None else scores.masked_fill(~where, 0.0)

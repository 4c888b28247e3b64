"""What classes of pixels cost: cross-entropy, and how little two areas overlap."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy


def pixel_loss(
    logits: Float[Tensor, "batch classes height width"], mask: Int[Tensor, "batch height width"]
) -> Float[Tensor, " batch"]:
    """The mean cross-entropy of the pixels of each picture whose class is known; 0 of none.

    >>> logits, mask = torch.zeros(1, 2, 1, 2), torch.tensor([[[0, -1]]])
    >>> pixel_loss(logits, mask)
    tensor([0.6931])
    """
    each = cross_entropy(logits.float(), mask, ignore_index=-1, reduction="none")
    known = (mask >= 0).flatten(1).sum(1)
    return each.flatten(1).sum(1) / known.clamp_min(1)


def dice_loss(
    logits: Float[Tensor, "batch classes height width"], mask: Int[Tensor, "batch height width"]
) -> Float[Tensor, " batch"]:
    r"""How little the area of each class overlaps with where it is, on average, for each picture.

        1 - mean over c of  2 Σ_i p_ic y_ic / (Σ_i p_ic + Σ_i y_ic)

    over the pixels i whose class is known and the classes c that the picture has, p being the
    probabilities and y 1 where the class is c; 0 for a picture of which nothing is known. What is
    said of a class that is not there is missing elsewhere, and costs in the cross-entropy.

    >>> logits = torch.tensor([[[[9.0, 9.0]], [[-9.0, -9.0]]]])
    >>> dice_loss(logits, torch.tensor([[[0, 0]]])).round(decimals=4)
    tensor([0.])
    >>> dice_loss(logits, torch.tensor([[[0, 1]]])).round(decimals=4)
    tensor([0.6667])

    References:
        Milletari, Navab & Ahmadi. V-Net: Fully Convolutional Neural Networks for Volumetric
        Medical Image Segmentation. 2016. https://arxiv.org/abs/1606.04797 (with squares below)
    """
    known = (mask >= 0).unsqueeze(1)
    probabilities = logits.float().softmax(1) * known
    where = torch.zeros_like(probabilities).scatter_(1, mask.clamp_min(0).unsqueeze(1), 1.0) * known
    both, answered, wanted = (
        each.flatten(2).sum(2) for each in (probabilities * where, probabilities, where)
    )
    missed = 1 - 2 * both / (answered + wanted).clamp_min(1e-12)
    there = wanted > 0
    return (missed * there).sum(1) / there.sum(1).clamp_min(1)

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
    logits: Float[Tensor, "batch classes height width"],
    mask: Int[Tensor, "batch height width"],
    smooth: float = 1.0,
) -> Float[Tensor, " batch"]:
    r"""How little the area of each class overlaps with where it is, on average, for each picture.

        1 - 1/C Σ_c (2 Σ_i p_ic y_ic + s) / (Σ_i p_ic + Σ_i y_ic + s)

    over the pixels i whose class is known, p being the probabilities and y 1 where the class is c.
    With s a class that is nowhere, and is said nowhere, costs nothing.

    >>> logits = torch.tensor([[[[99.0]], [[-99.0]]]])
    >>> dice_loss(logits, torch.tensor([[[0]]])), dice_loss(logits, torch.tensor([[[1]]]))
    (tensor([0.]), tensor([0.5000]))

    References:
        Milletari, Navab & Ahmadi. V-Net: Fully Convolutional Neural Networks for Volumetric
        Medical Image Segmentation. 2016. https://arxiv.org/abs/1606.04797 (with squares below)
    """
    known = (mask >= 0).unsqueeze(1)
    probabilities = logits.float().softmax(1) * known
    where = torch.zeros_like(probabilities).scatter_(1, mask.clamp_min(0).unsqueeze(1), 1.0) * known
    both = (probabilities * where).flatten(2).sum(2)
    areas = (probabilities + where).flatten(2).sum(2)
    return 1 - ((2 * both + smooth) / (areas + smooth)).mean(1)

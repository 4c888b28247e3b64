"""Attention on feature maps: blocks `f(g(x), x)` from maps to maps of the same shape.

Example:
    >>> import torch
    >>> from regard.vision import block
    >>> se, x = block("se(reduction=8)", channels=64), torch.randn(2, 64, 14, 14)
    >>> se(x).shape, se.weights(x).shape
    (torch.Size([2, 64, 14, 14]), torch.Size([2, 64, 1, 1]))
"""

from regard.vision.block import Block
from regard.vision.blocks import BLOCKS, block
from regard.vision.saliency import Saliency, scanpath
from regard.vision.squeeze_excitation import SqueezeExcitation

__all__ = ["BLOCKS", "Block", "Saliency", "SqueezeExcitation", "block", "scanpath"]

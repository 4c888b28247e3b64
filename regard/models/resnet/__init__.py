"""Residual networks (He et al., 2016), with any block of `regard.vision` in its place."""

from regard.models.resnet.config import Cifar, ImageNet, ResNetConfig, cifar, imagenet
from regard.models.resnet.convert import from_torchvision, to_torchvision
from regard.models.resnet.model import ResNet

__all__ = [
    "Cifar",
    "ImageNet",
    "ResNet",
    "ResNetConfig",
    "cifar",
    "from_torchvision",
    "imagenet",
    "to_torchvision",
]

"""Residual networks (He et al., 2016) for image classification."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from regard.models.resnet.config import ResNetConfig
from regard.models.resnet.stages import ResidualStages


class ResNet(ResidualStages):
    """Stages of residual blocks, each with half the resolution and twice the channels of the last.

        x = relu(norm(W * images));  x = stage_n(... stage_1(x));  logits = W mean(x) + b

    Images are cast to the dtype of the weights.

    >>> import torch
    >>> from regard.models.resnet import cifar
    >>> model = ResNet(cifar(20, classes=10, block="se(reduction=8)"))
    >>> model(torch.randn(2, 3, 32, 32)).shape, model.stages[2].blocks[0].attention.reduction
    (torch.Size([2, 10]), 8)

    References:
        He, Zhang, Ren & Sun. Deep Residual Learning for Image Recognition. 2016.
        https://arxiv.org/abs/1512.03385
    """

    config_type: ClassVar[type[ResNetConfig]] = ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config.channels, config.shape, config.block)
        self.config = config
        self.output = nn.Linear(self.width, config.classes)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the labels."""
        return self.output(self.features(images))

    def features(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features"]:
        """The input of the output layer: the mean over the places of the last maps."""
        return self.maps(images)[-1].mean((2, 3))

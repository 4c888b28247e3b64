"""Attention on feature maps: blocks `f(g(x), x)` that preserve the shape of their input.

Example:
    >>> import torch
    >>> from regard.vision import block
    >>> se, x = block("se(reduction=8)", channels=64), torch.randn(2, 64, 14, 14)
    >>> se(x).shape, se.weights(x).shape
    (torch.Size([2, 64, 14, 14]), torch.Size([2, 64, 1, 1]))
"""

from regard.vision.asymmetric_fusion import AsymmetricFusion
from regard.vision.asymmetric_non_local import AsymmetricNonLocal
from regard.vision.attention_gate import AttentionGate
from regard.vision.block import Block
from regard.vision.blocks import BLOCKS, block
from regard.vision.bottleneck_attention import BottleneckAttention
from regard.vision.convolutional_block_attention import (
    CBAMChannel,
    CBAMSpatial,
    ConvolutionalBlockAttention,
)
from regard.vision.coordinate_attention import CoordinateAttention
from regard.vision.covariance_pooling import CovariancePooling
from regard.vision.divided_space_time import DividedSpaceTimeAttention
from regard.vision.dual_attention import DualAttention
from regard.vision.dual_channel import DualChannelAttention
from regard.vision.dual_position import DualPositionAttention
from regard.vision.efficient_channel_attention import EfficientChannelAttention
from regard.vision.efficient_multi_scale_attention import EfficientMultiScaleAttention
from regard.vision.frame_attention import FrameAttention
from regard.vision.from_identity import FromIdentity
from regard.vision.global_context import GlobalContext
from regard.vision.joint_space_time import JointSpaceTimeAttention
from regard.vision.non_local import NonLocal
from regard.vision.plan import Plan
from regard.vision.saliency import Saliency, scanpath
from regard.vision.second_order_pooling import GlobalSecondOrderPooling, SpatialSecondOrderPooling
from regard.vision.selective_kernel import SelectiveKernel
from regard.vision.simam import SimAM
from regard.vision.spatial_channel_squeeze_excitation import SpatialChannelSqueezeExcitation
from regard.vision.split_attention import SplitAttention
from regard.vision.squeeze_excitation import SqueezeExcitation
from regard.vision.temporal_attention import TemporalAttention

__all__ = [
    "AsymmetricFusion",
    "AsymmetricNonLocal",
    "AttentionGate",
    "BLOCKS",
    "Block",
    "BottleneckAttention",
    "CBAMChannel",
    "CBAMSpatial",
    "ConvolutionalBlockAttention",
    "CoordinateAttention",
    "CovariancePooling",
    "DividedSpaceTimeAttention",
    "DualAttention",
    "DualChannelAttention",
    "DualPositionAttention",
    "EfficientChannelAttention",
    "EfficientMultiScaleAttention",
    "FrameAttention",
    "FromIdentity",
    "GlobalContext",
    "GlobalSecondOrderPooling",
    "JointSpaceTimeAttention",
    "NonLocal",
    "Plan",
    "Saliency",
    "SelectiveKernel",
    "SimAM",
    "SpatialChannelSqueezeExcitation",
    "SpatialSecondOrderPooling",
    "SplitAttention",
    "SqueezeExcitation",
    "TemporalAttention",
    "block",
    "scanpath",
]

"""Blocks by name, both ways: `se(reduction=8)` is `SqueezeExcitation(channels, reduction=8)`."""

import inspect
from importlib import import_module
from typing import Any

from torch import nn

from regard._nearest import nearest
from regard._printable import shown
from regard._spelling import Spelled, parse, whole_numbers

BLOCKS = {
    "asymmetric_non_local": "regard.vision.asymmetric_non_local:AsymmetricNonLocal",
    "bam": "regard.vision.bottleneck_attention:BottleneckAttention",
    "cbam": "regard.vision.convolutional_block_attention:ConvolutionalBlockAttention",
    "cbam_channel": "regard.vision.convolutional_block_attention:CBAMChannel",
    "cbam_spatial": "regard.vision.convolutional_block_attention:CBAMSpatial",
    "coordinate": "regard.vision.coordinate_attention:CoordinateAttention",
    "divided_space_time": "regard.vision.divided_space_time:DividedSpaceTimeAttention",
    "dual": "regard.vision.dual_attention:DualAttention",
    "dual_channel": "regard.vision.dual_channel:DualChannelAttention",
    "dual_position": "regard.vision.dual_position:DualPositionAttention",
    "eca": "regard.vision.efficient_channel_attention:EfficientChannelAttention",
    "ema": "regard.vision.efficient_multi_scale_attention:EfficientMultiScaleAttention",
    "frame": "regard.vision.frame_attention:FrameAttention",
    "gc": "regard.vision.global_context:GlobalContext",
    "gsop": "regard.vision.second_order_pooling:GlobalSecondOrderPooling",
    "gsop_spatial": "regard.vision.second_order_pooling:SpatialSecondOrderPooling",
    "joint_space_time": "regard.vision.joint_space_time:JointSpaceTimeAttention",
    "non_local": "regard.vision.non_local:NonLocal",
    "scse": "regard.vision.spatial_channel_squeeze_excitation:SpatialChannelSqueezeExcitation",
    "se": "regard.vision.squeeze_excitation:SqueezeExcitation",
    "simam": "regard.vision.simam:SimAM",
    "sk": "regard.vision.selective_kernel:SelectiveKernel",
    "split": "regard.vision.split_attention:SplitAttention",
    "temporal": "regard.vision.temporal_attention:TemporalAttention",
}
"""Names, as used on the command line, in TOML, in plans and in Python."""
MOST = 2**20
"""Upper bound of an integer in a block's name."""


def block(name: str, channels: int) -> Any:
    """Build the block of that name for maps with this number of channels.

    Raises `ValueError` with the nearest names for an unknown one, and with the block's own message
    for arguments that do not fit.

    >>> block("se(reduction=8)", 64)
    SqueezeExcitation(
      64, reduction=8
      (squeeze): Linear(in_features=64, out_features=8, bias=True)
      (excite): Linear(in_features=8, out_features=64, bias=True)
    )
    """
    spelled = parse(name)
    kind = _kind(spelled.name)
    try:
        bound = inspect.signature(kind).bind(channels, *spelled.args, **spelled.kwargs)
    except TypeError as error:
        takes = ", ".join([*inspect.signature(kind).parameters][1:]) or "nothing"
        raise ValueError(f"block {spelled}: {error}; it takes {takes}") from None
    for key, value in bound.arguments.items():
        for number in whole_numbers(value):
            if abs(number) > MOST:
                raise ValueError(f"block {spelled.name} has {key} {shown(number)}, over {MOST:,}")
    try:
        return kind(*bound.args, **bound.kwargs)
    except TypeError as error:
        raise ValueError(f"block {spelled}: {error}") from None


def spell(made: nn.Module) -> str:
    """The name of a block, the inverse of `block`, without default arguments.

    Raises `ValueError` for one without a name.

    >>> spell(block("se(reduction=8)", 64)), spell(block("se(16)", 64))
    ('se(reduction=8)', 'se')
    """
    for name, home in BLOCKS.items():
        kind = type(made)
        if f"{kind.__module__}:{kind.__name__}" == home:
            parameters = [*inspect.signature(kind).parameters.values()][1:]
            given = {p.name: getattr(made, p.name) for p in parameters}
            unusual = {p.name: given[p.name] for p in parameters if given[p.name] != p.default}
            return str(Spelled(name, (), unusual))
    raise ValueError(f"the block {type(made).__name__} has no name here")


def _kind(name: str) -> Any:
    if name not in BLOCKS:
        raise ValueError(f"there is no block {shown(name)}: {nearest(name, BLOCKS, {})}")
    module, _, kind = BLOCKS[name].partition(":")
    return getattr(import_module(module), kind)

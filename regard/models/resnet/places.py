"""Where in a residual network a block of `regard.vision` goes, according to its paper."""

from typing import Literal

from regard._spelling import parse

Place = Literal["before_sum", "instead", "inside", "behind", "last"]

PLACES: dict[str, Place] = {
    "asymmetric_non_local": "inside",
    "bam": "behind",
    "dual": "last",
    "dual_channel": "last",
    "dual_position": "last",
    "non_local": "inside",
    "sk": "instead",
    "split": "instead",
}
"""Name → its place, if that is not in each residual block, before the sum.

`behind` is behind each stage but the last (Park et al. 2018), `last` behind the last one (Fu et al.
2019), `inside` in front of the last block of the last stage but one, behind that of ResNet-50's
res4 which is the last but one (Wang et al. 2018), `instead` in the place of a bottleneck's 3 by 3
convolution, of two the first (Li et al. 2019, Zhang et al. 2020).
"""
OF_VIDEO = ("divided_space_time", "frame", "joint_space_time", "temporal")
"""Blocks that read sequences of images."""


def place_of(block: str) -> Place:
    """Where a block of this name goes; raises `ValueError` for one that has no place here.

    >>> place_of("se(reduction=8)"), place_of("bam")
    ('before_sum', 'behind')
    """
    name = parse(block).name
    if name in OF_VIDEO:
        raise ValueError(
            f"the block {name} reads pictures one behind the other, and a residual network reads "
            "single ones; choose another, such as non_local"
        )
    return PLACES.get(name, "before_sum")

"""Where in a residual network a block of `regard.vision` stands: as its paper has it."""

from typing import Literal

from regard._spelling import parse

Place = Literal["before_sum", "instead", "inside", "behind"]

PLACES: dict[str, Place] = {
    "bam": "behind",
    "non_local": "inside",
    "sk": "instead",
}
"""Name → its place where that is another than in each residual block, before the sum.

`behind` is behind each stage but the last (Park et al. 2018), `inside` is in front of the last
block of the last stage but one, behind that of ResNet-50's res4 which is the last but one (Wang et
al. 2018), `instead` is in the place of a block's only, or last, 3 by 3 convolution (Li et al.
2019).
"""
ELSEWHERE = ("gate", "attention_gate")
"""Blocks that read two maps, for which there is no place here."""


def place_of(block: str) -> Place:
    """Where a block of this name stands; raises `ValueError` for one that has no place here.

    >>> place_of("se(reduction=8)"), place_of("bam")
    ('before_sum', 'behind')
    """
    name = parse(block).name
    if name in ELSEWHERE:
        raise ValueError(f"the block {name} reads two maps, of which a residual network has one")
    return PLACES.get(name, "before_sum")

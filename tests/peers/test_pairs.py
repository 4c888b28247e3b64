"""Pairwise blocks are those of mmcv and pytorchcv, output and every gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.vision import DualChannelAttention, DualPositionAttention, NonLocal
from tests.peers.peer import assert_same, module_of

PLACES = {1: (8,), 2: (7, 5), 3: (3, 4, 6)}
PAIRS = {
    "embedded_gaussian": "embedded_gaussian",
    "gaussian": "gaussian",
    "dot": "dot_product",
    "concatenation": "concatenation",
}
"""Our name and theirs."""
NAMES = {
    "theta.conv": "theta",
    "phi.conv": "phi",
    "phi.0.conv": "phi",
    "g.conv": "g",
    "g.0.conv": "g",
    "conv_out.conv": "out",
    "conv_out.bn": "batch_norm",
    "concat_project.conv": "score",
}


class Copied(nn.ReLU):
    """What mmcv divides in place by the number of places, for which its gradient needs a copy."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x).clone()


def of_mmcv(dims: int, pair: str, **more: Any) -> Any:
    kinds = module_of("mmcv.cnn.bricks.non_local")
    if more.pop("norm"):
        more["norm_cfg"] = {"type": {1: "BN1d", 2: "BN2d", 3: "BN3d"}[dims]}
    kind = getattr(kinds, f"NonLocal{dims}d")
    made = kind(8, mode=PAIRS[pair], zeros_init=False, **more)
    if pair == "concatenation":
        made.concat_project.activate = Copied()
    return made


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("subsample", [False, True])
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("dims", PLACES)
def test_non_local_is_that_of_mmcv(dims: int, pair: str, subsample: bool, norm: bool) -> None:
    """It pools behind φ and g, as the paper does, and does not scale when it is told so."""
    theirs = of_mmcv(dims, pair, sub_sample=subsample, use_scale=False, norm=norm)
    ours = NonLocal(8, pair, subsample=subsample, norm=norm, variant="paper")
    assert_same(ours, theirs, NAMES, torch.randn(3, 8, *PLACES[dims]))


@pytest.mark.parametrize("dims", PLACES)
def test_the_scaled_non_local_is_that_of_mmcv(dims: int) -> None:
    theirs = of_mmcv(dims, "embedded_gaussian", norm=True)
    assert_same(NonLocal(8), theirs, NAMES, torch.randn(3, 8, *PLACES[dims]))


@pytest.mark.parametrize("places", [(7, 5), (1, 1), (8, 8)])
def test_position_attention_is_that_of_pytorchcv(places: tuple[int, int]) -> None:
    theirs = module_of("pytorchcv.models.danet").PosAttBlock(16)
    names = {f"{name}_conv": f"0.{name}" for name in ("query", "key", "value")} | {"scale": "0"}
    ours = nn.Sequential(DualPositionAttention(16))
    assert_same(ours, theirs, names, torch.randn(3, 16, *places))


@pytest.mark.parametrize("places", [(7, 5), (1, 1), (8, 8)])
def test_channel_attention_is_that_of_pytorchcv(places: tuple[int, int]) -> None:
    theirs = module_of("pytorchcv.models.danet").ChaAttBlock().double()
    ours = DualChannelAttention(16).double()
    with torch.no_grad():
        for scale in (ours.beta, theirs.scale.alpha):
            scale.fill_(0.7)
    x = 0.3 * torch.randn(3, 16, *places).double()
    r = torch.randn_like(x)
    sides = []
    for block, scale in ((ours, ours.beta), (theirs, theirs.scale.alpha)):
        y = block(x.requires_grad_())
        sides.append([y, *torch.autograd.grad((y * r).sum(), [x, scale])])
    for one, other in zip(*sides, strict=True):
        torch.testing.assert_close(one, other.reshape(one.shape), rtol=1e-9, atol=1e-10)

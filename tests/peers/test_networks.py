"""Residual networks with gates against timm's: its names, its weights, its logits."""

from typing import Any

import torch
from torch import Tensor, nn

from regard.models.resnet import from_torchvision, imagenet
from regard.models.resnet.timm import IMPLIED
from tests.models.test_resnet import Torchvision, moved
from tests.peers.peer import timm_layer


def gated(gate: type[nn.Module]) -> Any:
    """timm's `seresnet18`, wired as it is: a gate behind the last norm of each block."""
    network = Torchvision((2, 2, 2, 2), False, 64, 5)
    for stage in range(1, 5):
        for block in network.get_submodule(f"layer{stage}"):
            block.se = gate(block.bn2.num_features)

            def behind(norm: nn.Module, given: Any, out: Tensor, gate: Any = block.se) -> Tensor:
                return gate(out)

            block.bn2.register_forward_hook(behind)
    return moved(network).eval()


def test_timms_weights_of_basic_blocks_with_gates_give_its_logits() -> None:
    theirs = gated(timm_layer("squeeze_excite").SEModule)
    assert theirs.layer1[0].se.fc1.out_channels == 8 and theirs.layer4[0].se.fc1.out_channels == 32
    ours = from_torchvision(theirs.state_dict())
    assert ours.config == imagenet(18, classes=5, block=IMPLIED["seresnet18"]["block"])
    images = torch.randn(2, 3, 64, 50)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)

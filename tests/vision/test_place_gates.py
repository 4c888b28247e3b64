"""The gates that blocks apply to places while their network runs."""

import torch
from torch import Tensor, nn

from regard.vision import AttentionGate, FromIdentity, block
from regard.vision.place_gates import place_gates


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        names = ("cbam(reduction=2)", "se(reduction=2)", "coordinate(reduction=2)", "non_local")
        self.blocks = nn.ModuleList(block(name, 8) for name in names)
        self.faded = FromIdentity(block("bam(reduction=2)", 8))
        self.gate = AttentionGate(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        for each in self.blocks:
            x = each(x)
        return self.gate(x, self.faded(x))


def test_gates_of_places_are_those_that_act_and_others_are_left_out() -> None:
    torch.manual_seed(0)
    net, x = Net().eval(), torch.randn(2, 8, 6, 5)
    plain = net(x)
    with place_gates(net) as gates:
        assert torch.equal(net(x), plain)
    assert list(gates) == ["blocks.0", "blocks.2", "faded", "gate"]
    assert all(gate.shape == (2, 6, 5) for gate in gates.values())
    torch.testing.assert_close(gates["blocks.0"], net.blocks[0].weights(x)["places"][:, 0])
    apart = net.blocks[2].weights(net.blocks[1](net.blocks[0](x)))
    joint = apart["rows"].mean(1) * apart["columns"].mean(1)
    torch.testing.assert_close(gates["blocks.2"], joint)
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_a_network_that_trains_or_has_very_many_places_is_not_asked() -> None:
    net = nn.Sequential(block("simam", 3))
    with place_gates(net) as gates:
        net(torch.zeros(1, 3, 4, 4))
        net.eval()(torch.zeros(1, 3, 65, 64))
    assert gates == {}

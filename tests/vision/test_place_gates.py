"""The gates that blocks apply to places while their network runs."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.vision import AttentionGate, FromIdentity, block
from regard.vision.block import Block
from regard.vision.place_gates import place_gates
from tests.vision.networks import IN_IMAGES


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


def test_each_gate_is_computed_once_and_pairs_of_places_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, x = Net().eval(), torch.randn(2, 8, 6, 5)
    counts: Counter[str] = Counter()
    for kind in {type(part) for part in net.modules() if isinstance(part, Block | AttentionGate)}:
        weights = kind.weights

        def counted(self: Any, *args: Tensor, weights: Any = weights) -> Any:
            counts[type(self).__name__] += 1
            return weights(self, *args)

        monkeypatch.setattr(kind, "weights", counted)
    net(x)
    alone = counts.copy()
    with place_gates(net):
        net(x)
    assert counts == alone + alone and not counts["NonLocal"] and alone["AttentionGate"] == 1
    assert not any("weights" in vars(module) for module in net.modules())


@pytest.mark.parametrize("name", IN_IMAGES)
def test_a_block_that_is_the_network_or_runs_twice_has_its_last_gates(name: str) -> None:
    torch.manual_seed(0)
    made, x = block(name, 16).eval(), torch.randn(2, 16, 7, 5)
    with place_gates(made) as once:
        made(x)
    with place_gates(nn.Sequential(made, made)) as twice:
        made(x + 1), made(x)
    assert list(once.values()) == [] or torch.equal(once[""], twice["0"])
    given = made.weights(x)
    kinds = [given] if isinstance(given, Tensor) else [*given.values()]
    assert bool(once) == any(max(kind.shape[2:]) in (7, 5) for kind in kinds if kind.ndim == 4)


def test_it_is_taken_off_where_the_network_fails_and_after_other_threads() -> None:
    net, x = Net().eval(), torch.randn(2, 8, 6, 5)
    with pytest.raises(ValueError, match="channels"), place_gates(net):
        net(torch.zeros(2, 7, 6, 5))

    def asked(n: int) -> list[Tensor]:
        with place_gates(net) as gates:
            net(x + n)
        return [*gates.values()]

    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(asked, range(8))]
    for n, each in enumerate(found):
        assert all(torch.equal(one, other) for one, other in zip(each, asked(n), strict=True))
    assert not any("weights" in vars(module) for module in net.modules())
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_a_network_that_trains_is_not_asked() -> None:
    net = nn.Sequential(block("simam", 3))
    with place_gates(net) as gates:
        net(torch.zeros(1, 3, 4, 4))
    assert gates == {}

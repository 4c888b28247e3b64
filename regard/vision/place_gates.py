"""The gates of places that blocks apply while a network runs, as maps over its image."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

from torch import Tensor, nn

from regard.vision.attention_gate import AttentionGate
from regard.vision.block import Block

MOST_PLACES = 4096
"""Places of a map beyond which a block is not asked: some weigh pairs of them."""


@contextmanager
def place_gates(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The gates of every block that runs within, `[batch, *places]` by the block's name.

    Gates of several channels are averaged, and those of rows and columns multiplied. Blocks that
    gate channels alone, that weigh pairs of places, or that train have none here.

    >>> import torch, regard
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), regard.vision.block("cbam", 8)).eval()
    >>> with place_gates(net) as gates:
    ...     _ = net(torch.zeros(2, 3, 6, 5))
    >>> {name: gate.shape for name, gate in gates.items()}
    {'1': torch.Size([2, 6, 5])}
    """
    found: dict[str, Tensor] = {}
    handles = []
    within: tuple[str, ...] = ()
    for name, module in model.named_modules():
        is_block = isinstance(module, (Block, AttentionGate))
        if is_block and not name.startswith(within):
            within = (*within, f"{name}.")
            handles.append(module.register_forward_pre_hook(_asked(found, name)))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _asked(found: dict[str, Tensor], name: str) -> Any:
    def ask(module: Any, args: tuple[Tensor, ...]) -> None:
        if module.training or prod(args[0].shape[2:]) > MOST_PLACES:
            return
        given = module.weights(*args)
        kinds = [given] if isinstance(given, Tensor) else list(given.values())
        size = args[0].shape[2:]
        maps = [gate.float().mean(1) for gate in kinds if _is_of_places(gate.shape[2:], size)]
        if maps:
            found[name] = prod(maps[1:], start=maps[0])

    return ask


def _is_of_places(gate: tuple[int, ...], size: tuple[int, ...]) -> bool:
    fits = all(one in (1, side) for one, side in zip(gate, size, strict=False))
    return fits and len(gate) == len(size) and prod(gate) > 1

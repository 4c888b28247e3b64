"""The gates of places that blocks apply while a network runs, as maps over its image."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from threading import RLock
from typing import Any

from torch import Tensor, nn

from regard.vision.attention_gate import AttentionGate
from regard.vision.block import Block

_ONE_AT_A_TIME = RLock()


@contextmanager
def place_gates(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The gates of every block that runs within, `[batch, *places]` by the block's name.

    They are those that the block computes, for which nothing is computed twice. Gates of several
    channels are averaged, and those of rows and columns multiplied. Blocks that gate channels
    alone, that weigh pairs of places, or that train have none here. Of a block that runs several
    times they are the last ones. One thread at a time is within.

    >>> import torch, regard
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), regard.vision.block("cbam", 8)).eval()
    >>> with place_gates(net) as gates:
    ...     _ = net(torch.zeros(2, 3, 6, 5))
    >>> {name: gate.shape for name, gate in gates.items()}
    {'1': torch.Size([2, 6, 5])}
    """
    found: dict[str, Tensor] = {}
    parts: list[nn.Module] = []
    handles = []
    with _ONE_AT_A_TIME:
        try:
            for name, module in _outermost(model):
                handles.append(module.register_forward_pre_hook(_anew(found, name)))
                for part in module.modules():
                    if _is_asked(part):
                        parts.append(part)
                        _record(part, found, name)
            yield found
        finally:
            for handle in handles:
                handle.remove()
            for part in parts:
                vars(part).pop("weights", None)


def _outermost(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The blocks that are in no other one."""
    last: str | None = None
    for name, module in model.named_modules():
        is_within = last is not None and (not last or name.startswith(f"{last}."))
        if not is_within and _is_asked(module):
            last = name
            yield name, module


def _is_asked(module: Any) -> bool:
    return isinstance(module, (Block, AttentionGate))


def _anew(found: dict[str, Tensor], name: str) -> Callable[..., None]:
    def begin(*_: Any) -> None:
        found.pop(name, None)

    return begin


def _record(part: Any, found: dict[str, Tensor], name: str) -> None:
    weights = part.weights

    def recorded(x: Tensor, *args: Tensor) -> Any:
        given = weights(x, *args)
        if not part.training:
            kinds = [given] if isinstance(given, Tensor) else given.values()
            size = x.shape[2:]
            maps = [gate.float().mean(1) for gate in kinds if _is_of_places(gate.shape[2:], size)]
            for each in maps:
                found[name] = found[name] * each if name in found else each
        return given

    part.weights = recorded


def _is_of_places(gate: tuple[int, ...], size: tuple[int, ...]) -> bool:
    fits = all(one in (1, side) for one, side in zip(gate, size, strict=False))
    return fits and len(gate) == len(size) and prod(gate) > 1

"""Blocks of `regard.vision` that gate a map: their own `weights(x)`, asked as they run."""

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from regard.capturing.source import Seen
from regard.capturing.undisturbed import undisturbed
from regard.capturing.whole import Whole
from regard.vision.block import Block


def seen(block: Any, x: Tensor) -> Iterator[Seen]:
    """What a block attends to for an input: one for each of its kinds.

    Where it trains, a copy is asked, so that no running mean moves twice.
    """
    asked = copy.deepcopy(block) if block.training else block
    with undisturbed():
        found = asked.weights(x.detach())
    kinds: dict[str, Tensor] = {"": found} if isinstance(found, Tensor) else dict(found)
    for kind, gate in kinds.items():
        yield Seen(
            Whole(in_rows(gate)), {"score": type(block).__name__, "normalizer": "gate"},
            "the block's own weights(x)", "gate", child=f".{kind}" if kind else "",
            extra={"gate_shape": tuple(gate.shape)},
        )  # fmt: skip


def is_gate(module: nn.Module) -> bool:
    """Whether a module is a block that shows its weights."""
    kind = type(module)
    if kind not in _known:
        _known[kind] = kind.__module__.startswith("regard.") and isinstance(module, Block)
    return _known[kind]


_known: dict[type, bool] = {}


def in_rows(gate: Tensor) -> Tensor:
    """A gate as a map of four axes.

    Of channels it is `[batch, 1, 1, channels]`, of places `[batch, channels or 1, 1, places]`,
    and of pairs `[batch, 1, queries, keys]`.
    """
    if gate.ndim == 2 or (gate.ndim > 3 and gate.shape[1] > 1 and gate.shape[2:].numel() == 1):
        return gate.flatten(1)[:, None, None]
    return gate[:, None] if gate.ndim == 3 else gate.flatten(2)[:, :, None]

"""Optimizers that were made before blocks were inserted, and so do not train them."""

import gc
import warnings
from collections.abc import Iterable, Iterator

from torch import Tensor, nn
from torch.optim import Optimizer


def warn_of_optimizers(model: nn.Module, blocks: Iterable[nn.Module]) -> None:
    """Warn of each optimizer that has parameters of a network, and none of blocks in it."""
    new = {id(weight) for block in blocks for weight in block.parameters()}
    others = {id(weight) for weight in model.parameters()} - new
    for optimizer in _optimizers():
        has = {id(weight) for weight in _trained_by(optimizer)}
        if new and has & others and not has & new:
            warnings.warn(
                f"an optimizer ({type(optimizer).__name__}) has the network's parameters already, "
                "and does not train the blocks: make it after inserting, or call "
                "optimizer.add_param_group({'params': ...}) with the parameters of the blocks",
                stacklevel=4,
            )


def _optimizers() -> Iterator[Optimizer]:
    for each in gc.get_objects():
        # Not isinstance: what stands for another object until it is used would be used.
        if issubclass(type(each), Optimizer):
            yield each


def _trained_by(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]

"""The loss as one module, on one process, replicated over many, or sharded."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from regard.layers import Stack
from regard.layers.rank_synchronized import RankSynchronized
from regard.tasks.task import Task
from regard.training.ranks import Ranks
from regard.training.sharding import is_sharded


class Objective(nn.Module):
    """A task's loss as a module, so that anything that wraps a module wraps the whole step."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.model, self.task = task.predictor.model, task

    def forward(self, batch: Any) -> Float[Tensor, ""]:
        return self.task.loss(batch)


def distributed(objective: Objective, ranks: Ranks, shard: bool) -> nn.Module:
    """The objective on this rank: itself if there is only one, else replicated (DDP) or sharded.

    Sharded (FSDP2), a rank keeps its shard of every weight, gradient and optimizer state, and of
    the blocks of each `Stack` only the running one is gathered. A block that is used repeatedly is
    gathered for the whole step, like the layers outside of stacks.
    """
    if ranks.world == 1:
        return objective
    if not shard:
        return DistributedDataParallel(objective, gradient_as_bucket_view=True)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(ranks.device.type, (ranks.world,))
    for block in _apart(objective):
        fully_shard(block, mesh=mesh)
    fully_shard(objective, mesh=mesh)
    return objective


def _apart(objective: nn.Module) -> list[nn.Module]:
    """The blocks of its stacks whose weights are of no other block."""
    stacks = [module for module in objective.modules() if isinstance(module, Stack)]
    blocks = [block for stack in stacks for block in stack.blocks]
    uses = Counter(weight for block in blocks for weight in block.parameters())
    return [b for b in blocks if all(uses[weight] == 1 for weight in b.parameters())]


@contextmanager
def buffers_unchanged(model: nn.Module, on: bool) -> Iterator[None]:
    """Keep a batch from changing a model's buffers, such as running means, if `on`.

    Rank-synchronized buffers are updated as on the other ranks, without this batch.
    """
    if not on:
        yield
        return
    alike = [module for module in model.modules() if isinstance(module, RankSynchronized)]
    shared = {id(buffer) for module in alike for buffer in module.buffers(recurse=False)}
    saved = [pair for pair in save_buffers(model) if id(pair[0]) not in shared]
    for module in alike:
        module.spare = True
    yield
    for module in alike:
        module.spare = False
    restore_buffers(saved)


def save_buffers(model: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """A model's buffers and copies of their current values."""
    return [(buffer, buffer.clone()) for buffer in model.buffers()]


def restore_buffers(saved: list[tuple[Tensor, Tensor]]) -> None:
    """Give the buffers the values they had when `save_buffers` copied them."""
    for buffer, value in saved:
        buffer.copy_(value)


@contextmanager
def synchronized(wrapped: Any, last: bool) -> Iterator[None]:
    """Exchange gradients after this backward pass only if it is the step's `last`."""
    if is_sharded(wrapped):
        wrapped.set_requires_gradient_sync(last)
        yield
    elif isinstance(wrapped, DistributedDataParallel) and not last:
        with wrapped.no_sync():
            yield
    else:
        yield


@contextmanager
def readable(wrapped: Any) -> Iterator[None]:
    """Allow parts of the model to be called on their own, as in evaluation.

    Decoding calls parts of blocks, which do not gather weights: meanwhile every process has all.
    """
    if not is_sharded(wrapped):
        yield
        return
    spread = [module for module in wrapped.modules() if is_sharded(module)]
    wrapped.set_reshard_after_forward(False)
    for module in spread:
        module.unshard()
    try:
        yield
    finally:
        wrapped.set_reshard_after_forward(True)
        for module in spread:
            module.reshard()


def recompute(model: nn.Module, on: bool) -> None:
    """Make every stack save its blocks' activations, or recompute them."""
    for module in model.modules():
        if isinstance(module, Stack):
            module.recompute = on


def seed_micro_batch(seed: int, *numbers: int) -> None:
    """Seed all randomness of one micro-batch by its place in the run, on CPU and GPU.

    It then depends neither on what came before nor on the process: there is no random generator
    state to save, and a resumed run draws the same numbers as an uninterrupted one.
    """
    mixed = 0
    for number in (seed, *numbers):
        mixed = (mixed * 6364136223846793005 + number + 1442695040888963407) % 2**64
        mixed ^= mixed >> 29
    # `torch.manual_seed` writes down a traceback for every kind of device that is not in use, which
    # takes longer than a step of a small network.
    torch.default_generator.manual_seed(mixed % 2**63)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(mixed % 2**63)

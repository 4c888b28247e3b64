"""Weights of which every process has a shard.

What PyTorch has for them takes longer to import than PyTorch itself, so that it is imported where
weights are sharded and nowhere else: where it is not, no tensor is a shard.
"""

import sys
from typing import Any

from torch import Tensor, nn


def is_shard(tensor: Tensor) -> bool:
    """Whether this process has only a shard of a tensor."""
    return _is_a("torch.distributed.tensor", "DTensor", tensor)


def is_sharded(module: nn.Module) -> bool:
    """Whether this process has only a shard of a module's weights, gathered when it runs."""
    return _is_a("torch.distributed.fsdp", "FSDPModule", module)


def gathered(tensor: Tensor) -> Tensor:
    """A tensor with all its shards; call it on every rank."""
    return tensor.full_tensor() if is_shard(tensor) else tensor  # type: ignore[attr-defined]


def sharded_like(tensor: Tensor, other: Any) -> Tensor:
    """A whole tensor, sharded as another one is."""
    if not is_shard(other):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, other.device_mesh, other.placements)


def _is_a(module: str, name: str, value: object) -> bool:
    imported = sys.modules.get(module)
    return imported is not None and isinstance(value, getattr(imported, name))

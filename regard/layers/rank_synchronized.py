"""Buffers that every rank of a training run moves alike."""

import torch
import torch.distributed as dist
from torch import Tensor, nn


class RankSynchronized(nn.Module):
    """A module whose own buffers are the same on every rank, as those of SyncBatchNorm are.

    They move by what `over_ranks` gives. Every rank must then call the module equally often; one
    that takes part with a batch which is not to be learned from sets `spare` for so long: it adds
    nothing, and moves as the others do.

    Example:
        >>> RankSynchronized().over_ranks(torch.tensor([1.5, 2.0]))
        tensor([1.5000, 2.0000])
    """

    spare = False

    def over_ranks(self, numbers: Tensor) -> Tensor:
        """The sum of the numbers over all ranks, and the numbers themselves where there is one."""
        numbers = torch.zeros_like(numbers) if self.spare else numbers.detach().clone()
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            dist.all_reduce(numbers)
        return numbers

"""Buffers that are updated identically on every rank."""

import torch
import torch.distributed as dist
from torch import Tensor, nn


class RankSynchronized(nn.Module):
    """A module whose own buffers are the same on every rank, like those of SyncBatchNorm.

    They are updated from the result of `over_ranks`. Every rank must then call the module equally
    often; a rank that joins with a batch it must not learn from sets `spare` meanwhile: it
    contributes nothing, and is updated like the others.

    Example:
        >>> RankSynchronized().over_ranks(torch.tensor([1.5, 2.0]))
        tensor([1.5000, 2.0000])
    """

    spare = False

    def over_ranks(self, numbers: Tensor) -> Tensor:
        """The sum of the numbers over all ranks; with a single rank, the numbers themselves."""
        numbers = torch.zeros_like(numbers) if self.spare else numbers.detach().clone()
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            dist.all_reduce(numbers)
        return numbers

    def count_down(self, left: Tensor, done: int) -> None:
        """Take what all ranks have done from what is left, but not below 0 and not in evaluation.

        >>> left = torch.tensor(5.0)
        >>> RankSynchronized().count_down(left, 3), left
        (None, tensor(2.))
        """
        if torch.is_grad_enabled():
            left.sub_(self.over_ranks(torch.full_like(left, done))).clamp_(min=0.0)

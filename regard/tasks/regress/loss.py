"""What numbers cost a network that has one output."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import mse_loss

from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss


def number_loss(
    model: Any, inputs: tuple[Any, ...], number: Float[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """The summed squared errors, with the gradient of an auxiliary loss.

    Args:
        number: what is right, in deviations from the mean, as the network says it.

    >>> import torch
    >>> number_loss(torch.nn.Identity(), (torch.tensor([[0.5], [2.0]]),), torch.tensor([0.0, 0.0]))
    tensor(4.2500)
    """
    output, aux = forward_sampled(model, *inputs)
    errors = mse_loss(output.float()[:, 0], number, reduction="none")
    return with_auxiliary_loss(errors, aux).sum()

"""What labels cost of which a text has any number."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss


def multilabel_loss(
    model: Any, inputs: tuple[Any, ...], labels: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """The summed binary cross-entropies of all labels, with the gradient of an auxiliary loss.

        -Σ_i Σ_c y_ic log σ(x_ic) + (1 - y_ic) log(1 - σ(x_ic))

    >>> import torch
    >>> logits, labels = torch.zeros(2, 3), torch.ones(2, 3)
    >>> multilabel_loss(torch.nn.Identity(), (logits,), labels) / 6  # log 2 each
    tensor(0.6931)
    """
    logits, aux = forward_sampled(model, *inputs)
    costs = binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")
    return with_auxiliary_loss(costs.sum(-1), aux).sum()

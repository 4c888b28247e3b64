"""What labels cost a network that gives logits of them."""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.layers import AwaitsReward
from regard.tasks.auxiliary import forward_sampled, with_auxiliary_loss


def label_loss(
    model: Any,
    inputs: tuple[Any, ...],
    label: Int[Tensor, " batch"],
    smoothing: float,
    weights: Float[Tensor, " classes"] | None = None,
) -> Float[Tensor, ""]:
    """The summed cross-entropy of the labels, with the gradient of an auxiliary loss.

        Σ_i w_{label i} · -log p(label i)

    A label of -1 is not known: it costs nothing and teaches nothing. What awaits a reward gets 1
    for each answer that is right.

    Args:
        weights: what an example of each label counts, 1 if None (see `label_weights`).

    >>> import torch
    >>> logits = torch.tensor([[0.0, 0.0], [5.0, -5.0]])
    >>> label_loss(torch.nn.Identity(), (logits,), torch.tensor([0, -1]), smoothing=0.0)
    tensor(0.6931)
    """
    logits, aux = forward_sampled(model, *inputs)
    nll = cross_entropy(
        logits.float(), label, ignore_index=-1, reduction="none", label_smoothing=smoothing
    )
    if weights is not None:
        nll = nll * weights.to(label.device)[label.clamp_min(0)]
    if isinstance(aux, AwaitsReward):
        aux = aux.rewarded((logits.argmax(-1) == label).to(nll.dtype))
    return with_auxiliary_loss(nll, aux, label >= 0).sum()

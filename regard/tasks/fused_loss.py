"""The cross-entropy of a network's next tokens, with its last layer and the loss fused."""

from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from regard.layers.linear_cross_entropy import linear_cross_entropy


def summed_cross_entropy(
    model: Any,
    inputs: tuple[Any, ...],
    targets: Int[Tensor, "batch q_len"],
    where: Bool[Tensor, "batch q_len"] | None = None,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The summed cross-entropy of the targets under a network called with `inputs`.

    A network that has `features` followed by a plain linear layer `output` never materializes the
    logits (see `linear_cross_entropy`); with any other, its returned logits are used, so that an
    adapter on its last layer, or another kind of layer, is not bypassed.

    Args:
        where: which targets count; all if None.
    """
    if has_plain_output(model):
        features = chosen(model.features(*inputs), where)
        output = model.output
        labels = chosen(targets, where)
        return linear_cross_entropy(features, output.weight, output.bias, labels, smoothing)
    logits = chosen(model(*inputs), where)
    labels = chosen(targets, where)
    return cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)


def has_plain_output(model: Any) -> bool:
    """Whether the last layer, after `features`, is a plain linear one.

    >>> has_plain_output(nn.Linear(2, 3))
    False
    """
    output = getattr(model, "output", None)
    hooked = output is not None and (output._forward_hooks or output._forward_pre_hooks)
    return hasattr(model, "features") and type(output) is nn.Linear and not hooked


def chosen(x: Tensor, where: Tensor | None) -> Tensor:
    """The rows that count, concatenated."""
    return x.flatten(0, 1) if where is None else x[where]

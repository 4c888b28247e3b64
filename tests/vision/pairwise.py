"""What exactness tests of vision blocks share: layers written out, and comparison by gradients."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """A layer at every place of `[batch, channels, *places]`."""
    y = torch.einsum("oc,bc...->bo...", layer.weight, x)
    return y if layer.bias is None else y + layer.bias.view(-1, *(1 for _ in x.shape[2:]))


def normed(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """A batch norm at every place, by the batch's own moments in training."""
    axes, spread = [0, *range(2, x.ndim)], (1, -1, *(1 for _ in x.shape[2:]))
    mean, var = x.mean(axes), x.var(axes, unbiased=False)
    if not norm.training:
        mean, var = norm.running_mean, norm.running_var
    z = (x - mean.view(spread)) / (var.view(spread) + norm.eps).sqrt()
    return z * norm.weight.view(spread) + norm.bias.view(spread)


def randomized(block: Any) -> Any:
    """The block in float64, where no weight and no statistic is zero or one by its start."""
    block.double()
    with torch.no_grad():
        for weight in block.parameters():
            weight.normal_(std=0.5)
        for name, buffer in block.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
    return block


def assert_same_with_gradients(
    block: Any, defined: Callable[..., tuple[Tensor, Any]], *inputs: Tensor
) -> None:
    """Output, weights, and the gradients of both by inputs and weights, equal a definition's."""
    __tracebackhide__ = True
    leaves = [x.requires_grad_() for x in inputs] + [*block.parameters()]
    found, wanted = block(*inputs), defined(block, *inputs)
    close(found, wanted[0])
    r = torch.randn_like(found)
    by_found = torch.autograd.grad((found * r).sum(), leaves, allow_unused=True)
    by_wanted = torch.autograd.grad(
        (wanted[0] * r).sum(), leaves, allow_unused=True, retain_graph=True
    )
    for one, other in zip(by_found, by_wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            close(one, other)
    weights = block.weights(*inputs)
    named = weights if isinstance(weights, dict) else {"": weights}
    defined_weights = wanted[1] if isinstance(wanted[1], dict) else {"": wanted[1]}
    assert set(named) == set(defined_weights)
    for name, one in named.items():
        close(one, defined_weights[name])
        r = torch.randn_like(one)
        first = torch.autograd.grad((one * r).sum(), inputs)
        second = torch.autograd.grad((defined_weights[name] * r).sum(), inputs, retain_graph=True)
        for a, b in zip(first, second, strict=True):
            close(a, b)


def close(found: Tensor, wanted: Tensor) -> None:
    __tracebackhide__ = True
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)

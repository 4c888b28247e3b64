"""One call, evaluated: the output and every gradient, by name, so that backends can be compared."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import flex_attention as torch_flex

import regard
from regard._backends import flex


def learned(role: str, part: Any) -> dict[str, Tensor]:
    """Name the floating tensors a part holds, as leaves that ask for a gradient."""
    if isinstance(part, nn.Module):
        named = dict(part.named_parameters())
    else:
        held = vars(part) if hasattr(part, "__dataclass_fields__") else {}
        named = {name: x for name, x in held.items() if isinstance(x, Tensor)}
    floats = {name: x for name, x in named.items() if x.is_floating_point()}
    return {f"{role}.{name}": x.requires_grad_() for name, x in floats.items()}


def evaluate(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    upstream: Tensor | None = None,
    **given: Any,
) -> dict[str, Tensor]:
    """Return the output and the gradient of everything that can have one."""
    leaves = {
        name: x.detach().requires_grad_()
        for name, x in (("query", query), ("key", key), ("value", value))
    }
    parts = {
        name: tensor
        for role in ("score", "score_mod", "normalizer")
        for name, tensor in learned(role, given.get(role)).items()
    }
    output = regard.attention(*leaves.values(), **given)
    if upstream is None:
        upstream = slope(output)
    leaves |= parts
    if output.requires_grad:
        found = torch.autograd.grad(output, leaves.values(), upstream, allow_unused=True)
    else:
        found = [None] * len(leaves)
    gradients = {
        f"gradient of {name}": torch.zeros_like(leaf) if gradient is None else gradient
        for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
    }
    return {"output": output.detach(), **gradients}


def slope(output: Tensor) -> Tensor:
    """An upstream gradient that is the same in every run and different everywhere."""
    places = torch.arange(output.numel(), dtype=torch.float64).reshape(output.shape)
    return torch.cos(1.7 * places + 0.3).to(output.dtype)


def assert_same(
    found: dict[str, Tensor], wanted: dict[str, Tensor], tolerance: float = 1e-11
) -> None:
    """Fail unless every tensor agrees to `tolerance` of its largest entry, and none is NaN."""
    __tracebackhide__ = True
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        actual = found[name]
        assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
        assert actual.dtype == expected.dtype, (name, actual.dtype, expected.dtype)
        if expected.numel() == 0:
            continue
        assert expected.isfinite().all(), f"expected {name} is not finite"
        assert actual.isfinite().all(), f"{name} is not finite"
        error = (actual - expected).abs()
        limit = tolerance * max(1.0, expected.abs().max().item())
        at = [int(i) for i in torch.unravel_index(error.argmax(), error.shape)]
        assert error.max() <= limit, f"{name} errs by {error.max():.3g} > {limit:.3g} at {at}"


def run_flex_eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run FlexAttention without its compiler, which does not read code under the shape hook."""

    def create_block_mask(mask: Callable[..., Tensor], *sizes: Any) -> torch_flex.BlockMask:
        return torch_flex.create_block_mask(inspect.unwrap(mask), *sizes)

    monkeypatch.setattr(torch_flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    monkeypatch.setattr(flex, "_kernel", torch_flex.flex_attention)
    monkeypatch.setattr(flex, "create_block_mask", create_block_mask)

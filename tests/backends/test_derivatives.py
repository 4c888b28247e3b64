"""Fused kernels have a second derivative, and pay for it only where one is asked for."""

import gc
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

import regard
from regard.masks import Causal, Document, Padding, SlidingWindow
from regard.normalizers import Softmax
from regard.score_mods import ALiBi, Bias
from regard.scores import Bilinear, Cosine, ScaledDot

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"mask": Causal()},
    "padding": {"mask": Padding(torch.tensor([40, 0]))},
    "banded": {"mask": SlidingWindow(3), "backend": "banded"},
    "documents": {"mask": Document(torch.arange(40) // 9), "backend": "packed"},
    "documents in pieces": {"mask": Document(torch.arange(40) % 3), "backend": "packed"},
    "alibi": {"score_mod": ALiBi(4)},
    "a learned bias": {"score_mod": Bias(torch.randn(1, 4, 40, 40).double().requires_grad_())},
    "temperature": {"normalizer": Softmax(0.7)},
    "negative": {"score": ScaledDot(-0.4)},
    "a learned scale": {"score": ScaledDot(torch.tensor(0.4).double().requires_grad_())},
    "cosine": {"score": Cosine(0.3)},
    "bilinear": {"score": Bilinear(8, 8).double()},
}


def inputs(dtype: torch.dtype = torch.float64, groups: int = 1) -> list[Tensor]:
    shapes = [(2, 4, 40, 8), (2, 4 // groups, 40, 8), (2, 4 // groups, 40, 8)]
    return [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]


def derivatives(given: list[Tensor], parts: dict[str, Any]) -> list[Tensor]:
    """Gradients of first, second and third order."""
    found, value = [], regard.attention(*given, **parts).square().sum()
    for _ in range(3):
        gradients = torch.autograd.grad(value, given, create_graph=True)
        found += gradients
        value = sum(gradient.square().sum() for gradient in gradients)
    return found


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_derivatives_of_three_orders_are_those_of_the_definition(name: str, groups: int) -> None:
    given, parts = inputs(groups=groups), CASES[name]
    found = derivatives(given, parts)
    wanted = derivatives(given, {**parts, "backend": "reference"})
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * other.abs().max().item())


@pytest.mark.parametrize("asked", [(0,), (1,), (2,), (0, 2)])
def test_only_what_was_asked_for_has_a_gradient(asked: tuple[int, ...]) -> None:
    given = [x.requires_grad_(n in asked) for n, x in enumerate(x.detach() for x in inputs())]
    leaves = [given[n] for n in asked]
    results = []
    for backend in (None, "reference"):
        output = regard.attention(*given, mask=Causal(), backend=backend)
        first = torch.autograd.grad(output.square().sum(), leaves, create_graph=True)
        results.append(torch.autograd.grad(sum(x.square().sum() for x in first), leaves))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_a_plain_backward_pass_is_the_kernels_own() -> None:
    given = inputs(torch.float32)
    names = []
    for run in (
        lambda: regard.attention(*given, mask=Causal()),
        lambda: F.scaled_dot_product_attention(*given, is_causal=True),
    ):
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            gradients = torch.autograd.grad(run().sum(), given)
        names.append({event.key for event in profile.key_averages() if "flash" in event.key})
        assert all(gradient.isfinite().all() for gradient in gradients)
    assert names[0] == names[1] and any("backward" in name for name in names[0])


def test_the_backward_pass_frees_what_the_kernel_kept() -> None:
    """As without the second derivative: activations go while the backward pass runs."""
    leaf = torch.randn(1, 2, 16, 8, requires_grad=True)
    middle = [leaf * n for n in (1.0, 2.0, 3.0)]
    alive = [weakref.ref(x) for x in middle]
    output = regard.attention(*middle, mask=Causal())
    del middle
    gc.collect()
    assert all(ref() is not None for ref in alive)  # the graph keeps them
    output.sum().backward()
    gc.collect()
    assert all(ref() is None for ref in alive)
    assert output is not None  # though the output is still there


def test_a_second_derivative_through_a_checkpoint_names_the_way_out() -> None:
    given = inputs(torch.float32)

    def layer(*tensors: Tensor) -> Tensor:
        return regard.attention(*(x * 1.0 for x in tensors))

    output = checkpoint(layer, *given, use_reentrant=False)
    wanted = torch.autograd.grad(layer(*given).sum(), given)
    for one, other in zip(torch.autograd.grad(output.sum(), given), wanted, strict=True):
        torch.testing.assert_close(one, other)
    output = checkpoint(layer, *given, use_reentrant=False)
    with pytest.raises(RuntimeError, match="differentiated again: call .*backend='chunked'"):
        torch.autograd.grad(output.sum(), given, create_graph=True)

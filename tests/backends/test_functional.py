"""`torch.func` on the backends that are made of ordinary operations."""

from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import chunked
from regard.masks import Causal, SlidingWindow
from regard.normalizers import sparsemax
from tests.parts import Sizes, shown, tensors
from tests.probe import assert_same

# Forward derivatives load decompositions of torch's own that it calls old.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

every_explicit = pytest.mark.parametrize("backend", ["reference", "chunked"])


@every_explicit
@pytest.mark.parametrize("parts", [{}, {"mask": Causal()}, {"normalizer": sparsemax}], ids=shown)
def test_functional_gradients_are_those_of_autograd(backend: str, parts: dict[str, Any]) -> None:
    inputs = tensors(Sizes())

    def loss(*inputs: Tensor) -> Tensor:
        return regard.attention(*inputs, **parts, backend=backend).square().sum()

    found = torch.func.grad(loss, argnums=(0, 1, 2))(*inputs)
    leaves = [x.clone().requires_grad_() for x in inputs]
    wanted = torch.autograd.grad(loss(*leaves), leaves)
    for one, other in zip(found, wanted, strict=True):
        assert_same({"gradient": one}, {"gradient": other})
    slopes = [torch.randn_like(x) for x in inputs]
    _, along = torch.func.jvp(loss, inputs, tuple(slopes))
    expected = sum((g * s).sum() for g, s in zip(wanted, slopes, strict=True))
    assert_same({"slope": along.detach()}, {"slope": expected})


@every_explicit
def test_a_mapped_call_is_a_batch_of_calls(backend: str) -> None:
    query, key, value = (x.unflatten(0, (2, 1)) for x in tensors(Sizes()))

    def attend(*inputs: Tensor) -> Tensor:
        return regard.attention(*inputs, backend=backend)

    found = torch.vmap(attend)(query, key, value).flatten(0, 1)
    wanted = attend(*(x.flatten(0, 1) for x in (query, key, value)))
    assert_same({"output": found}, {"output": wanted})


@every_explicit
def test_chunks_are_differentiated_by_functional_transforms(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked, "CHUNK_BYTES", 1)
    test_functional_gradients_are_those_of_autograd(backend, {"mask": Causal()})


@pytest.mark.parametrize("parts", [{}, {"mask": Causal()}, {"mask": SlidingWindow(2)}], ids=shown)
def test_the_planner_s_choice_has_functional_gradients(parts: dict[str, Any]) -> None:
    inputs = tensors(Sizes())

    def loss(*inputs: Tensor) -> Tensor:
        return regard.attention(*inputs, **parts).square().sum()

    found = torch.func.grad(loss, argnums=(0, 1, 2))(*inputs)
    leaves = [x.clone().requires_grad_() for x in inputs]
    for one, other in zip(found, torch.autograd.grad(loss(*leaves), leaves), strict=True):
        assert_same({"gradient": one}, {"gradient": other})


def test_a_mapped_call_takes_a_mask() -> None:
    query, key, value = (x.unflatten(0, (2, 1)) for x in tensors(Sizes()))

    def attend(*inputs: Tensor) -> Tensor:
        return regard.attention(*inputs, mask=Causal(), backend="reference")

    found = torch.vmap(attend)(query, key, value).flatten(0, 1)
    assert_same(
        {"output": found}, {"output": attend(*(x.flatten(0, 1) for x in (query, key, value)))}
    )

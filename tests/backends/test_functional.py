"""`torch.func` on the backends that are made of ordinary operations."""

from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.masks import Causal
from regard.normalizers import sparsemax
from tests.parts import Sizes, tensors
from tests.probe import assert_same

# Forward derivatives load decompositions of torch's own that it calls old.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

every_explicit = pytest.mark.parametrize("backend", ["reference", "chunked"])


@every_explicit
@pytest.mark.parametrize("parts", [{}, {"mask": Causal()}, {"normalizer": sparsemax}], ids=str)
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
    """Without a mask: with one, the shield looks at numbers, which vmap does not allow."""
    query, key, value = (x.unflatten(0, (2, 1)) for x in tensors(Sizes()))

    def attend(*inputs: Tensor) -> Tensor:
        return regard.attention(*inputs, backend=backend)

    found = torch.vmap(attend)(query, key, value).flatten(0, 1)
    wanted = attend(*(x.flatten(0, 1) for x in (query, key, value)))
    assert_same({"output": found}, {"output": wanted})

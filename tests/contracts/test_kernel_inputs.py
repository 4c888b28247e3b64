"""What every kernel of our own owes: the sign of a view, and several gradients at once."""

from typing import Any

import pytest
import torch

import regard
from regard._backends._held import tensors_of
from regard._kernels.installed import has_loops
from regard.normalizers import TopK, hard, sigmoid, sparsemax
from regard.score_mods import ALiBi, Bias, SoftCap
from regard.scores import Additive, GATv2

CALLS: dict[str, dict[str, Any]] = {
    "blocked": {"backend": "blocked"},
    "blocked sigmoid": {"normalizer": sigmoid, "backend": "blocked"},
    "blocked cap": {"score_mod": SoftCap(2.0), "backend": "blocked"},
    "blocked bias": {"score_mod": ALiBi(2), "backend": "blocked"},
    "sparsemax": {"normalizer": sparsemax, "backend": "sparse"},
    "hard": {"normalizer": hard, "backend": "sparse"},
    "top-k": {"normalizer": TopK(3), "backend": "sparse"},
    "additive": {"score": Additive(), "backend": "additive"},
    "additive sparsemax": {"score": Additive(), "normalizer": sparsemax, "backend": "additive"},
    "GATv2": {"score": GATv2(), "backend": "additive"},
    "learned bias": {"score_mod": Bias(torch.nn.Parameter(torch.randn(20, 20))), "backend": "sdpa"},
}
LOOPS = {"blocked", "sparse", "additive"}


@pytest.fixture(params=CALLS)
def parts(request: pytest.FixtureRequest) -> dict[str, Any]:
    found = CALLS[request.param]
    if found["backend"] in LOOPS and not has_loops():
        pytest.skip("Numba is not installed")
    return found


@pytest.mark.parametrize("q_len", [2, 20])
def test_a_negated_view_is_read_with_its_sign(parts: dict[str, Any], q_len: int) -> None:
    q_len = 20 if type(parts.get("score_mod")) is Bias else q_len
    inputs = [torch.randn(1, 2, length, 6) for length in (q_len, 20, 20)]
    leaves = [x.clone().requires_grad_() for x in inputs]
    wanted = regard.attention(*leaves, **parts)
    upstream = torch.randn_like(wanted)
    gradients = torch.autograd.grad(wanted, leaves, upstream, retain_graph=True, allow_unused=True)
    for at in range(3):
        given = [torch._neg_view(-x) if i == at else x for i, x in enumerate(inputs)]
        torch.testing.assert_close(regard.attention(*given, **parts), wanted)
    again = torch.autograd.grad(wanted, leaves, torch._neg_view(-upstream), allow_unused=True)
    for found, one in zip(again, gradients, strict=True):
        assert (found is None) == (one is None)
        if found is not None:
            torch.testing.assert_close(found, one)


def test_several_gradients_at_once_are_those_of_each(parts: dict[str, Any]) -> None:
    leaves = [torch.randn(1, 2, 20, 6, requires_grad=True) for _ in range(3)]
    output = regard.attention(*leaves, **parts)
    upstream = torch.randn(4, *output.shape)

    def gradients(given: torch.Tensor, batched: bool) -> tuple[torch.Tensor | None, ...]:
        return torch.autograd.grad(
            output, leaves, given, is_grads_batched=batched, retain_graph=True, allow_unused=True
        )

    together = gradients(upstream, True)
    for number in range(4):
        for found, one in zip(together, gradients(upstream[number], False), strict=True):
            if one is not None:
                assert found is not None
                torch.testing.assert_close(found[number], one, rtol=1e-4, atol=1e-5)


def test_a_gradient_may_be_asked_for_in_a_region_of_autocast(parts: dict[str, Any]) -> None:
    leaves = [torch.randn(1, 2, 20, 6, requires_grad=True) for _ in range(3)]
    held = [x for part in parts.values() for x in tensors_of(part) if x.requires_grad]
    output, found = regard.attention(*leaves, **parts), []
    for is_on in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=is_on):
            found.append(
                torch.autograd.grad(
                    output.square().sum(), [*leaves, *held], retain_graph=True, allow_unused=True
                )
            )
    for one, other in zip(*found, strict=True):
        if one is not None and other is not None:  # PyTorch's own products are rounded there
            assert one.dtype == other.dtype
            torch.testing.assert_close(one, other, rtol=0.05, atol=0.05)

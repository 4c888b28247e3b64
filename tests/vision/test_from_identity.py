"""A block that is faded in begins as the identity to the bit, and learns from the first step."""

import pytest
import torch
from torch import Tensor, nn

from regard.vision import FromIdentity, block

SPECIAL = [0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-45, -1e-45, 3e38, -3e38, 1.0]


class Gives(nn.Module):
    """A block that gives what it was told to."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return self.value.to(x.dtype).expand_as(x)


def bits(x: Tensor) -> Tensor:
    kinds = {torch.float32: torch.int32, torch.float64: torch.int64}
    return x.view(kinds.get(x.dtype, torch.int16))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_a_new_one_returns_every_number_to_the_bit_whatever_the_block_gives(
    dtype: torch.dtype,
) -> None:
    numbers = torch.tensor(SPECIAL).to(dtype)
    x = numbers.reshape(1, -1, 1, 1)
    for given in numbers:
        out = FromIdentity(Gives(given)).to(dtype)(x)
        assert out.dtype == dtype and torch.equal(out.isnan(), x.isnan())
        # Which of many NaN one is, half precision does not keep.
        assert torch.equal(bits(out[~x.isnan()]), bits(x[~x.isnan()])), given


def test_it_fades_from_the_input_to_the_block() -> None:
    torch.manual_seed(0)
    inner, x = block("se(reduction=2)", 8).double(), torch.randn(2, 8, 5, 3, dtype=torch.float64)
    faded = FromIdentity(inner).double()
    for gamma in (-0.5, 0.25, 1.0, 2.0):
        nn.init.constant_(faded.gamma, gamma)
        torch.testing.assert_close(faded(x), x + gamma * (inner(x) - x))
    assert torch.equal(faded.weights(x), inner.weights(x)) and faded.channels == 8


def test_the_gradient_is_that_of_the_formula_at_the_start_and_later() -> None:
    torch.manual_seed(0)
    faded = FromIdentity(block("se(reduction=2)", 4)).double()
    x = torch.randn(2, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    for gamma in (0.0, 0.3):
        nn.init.constant_(faded.gamma, gamma)
        wanted = x + faded.gamma * (faded.block(x) - x)
        upstream = torch.randn_like(wanted)
        inputs = [x, *faded.parameters()]
        mine = torch.autograd.grad(faded(x), inputs, upstream)
        theirs = torch.autograd.grad(wanted, inputs, upstream)
        for one, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(one, other)
        assert mine[1 + [n for n, _ in faded.named_parameters()].index("gamma")] != 0


def test_after_one_step_the_block_learns_too() -> None:
    torch.manual_seed(0)
    faded, x = FromIdentity(block("se(reduction=2)", 4)), torch.randn(2, 4, 5, 5)
    optimizer = torch.optim.SGD(faded.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        faded(x).square().sum().backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in faded.parameters())


def test_the_type_of_the_input_comes_back_under_autocast() -> None:
    faded = FromIdentity(nn.Conv2d(4, 4, 1))
    x = torch.randn(1, 4, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        out = faded(x)
    assert out.dtype == torch.float32 and torch.equal(out, x)

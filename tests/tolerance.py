"""How numbers are compared: with a float64 golden, by the error a naive evaluation makes.

Golden is our own written-out formula in float64 on CPU, from inputs first rounded to the tested
dtype; naive is the same formula in the tested dtype. Then, for the output and for each gradient,

    max error  ≤ k · max error(naive) + floor         k = 2 forward, 3 for gradients
    mean error ≤ m · mean error(naive) + mean floor   m = 1.25, 3 in float32

where the floor is what adding and subtracting 0.3 does to golden in that dtype. float64 is held to
1e-12 of the largest golden value. NaN and infinity fail on every side; rows that are exactly zero
in a golden output (no permitted key) must be exactly zero.
"""

import torch
from torch import Tensor

UNIT_NORMAL_CAP = 5e-6
"""Largest absolute float32 error allowed where the inputs are N(0, 1), whatever naive does."""


def assert_close_to_golden(
    actual: Tensor,
    golden: Tensor,
    naive: Tensor,
    *,
    what: str,
    gradient: bool = False,
    cap: float | None = None,
    least: float = 0.0,
) -> None:
    """Fail with the worst position unless `actual` is as close to golden as the rule asks.

    Args:
        what: the name to print, for example "output" or "gradient of key".
        gradient: whether this is a gradient, which may err by 3 instead of 2 times naive.
        cap: an absolute limit on the error as well, such as UNIT_NORMAL_CAP.
        least: an error that is never too large, where what cancels out is that much larger.
    """
    __tracebackhide__ = True
    actual, golden, naive = actual.detach().cpu(), golden.detach().cpu(), naive.detach().cpu()
    assert golden.dtype == torch.float64, f"{what}: golden is {golden.dtype}, not float64"
    assert actual.dtype == naive.dtype, f"{what}: actual is {actual.dtype}, naive {naive.dtype}"
    assert actual.shape == golden.shape == naive.shape, (
        f"{what}: shapes differ: actual {list(actual.shape)}, golden {list(golden.shape)}, "
        f"naive {list(naive.shape)}"
    )
    for side, tensor in (("golden", golden), ("naive", naive), ("actual", actual)):
        bad = (~tensor.isfinite()).nonzero()
        assert not len(bad), f"{what}: {side} has {len(bad)} NaN or inf, first at {bad[0].tolist()}"
    if golden.numel() == 0:
        return

    error, naive_error = (actual.double() - golden).abs(), (naive.double() - golden).abs()
    if not gradient and golden.ndim:
        stray = (error != 0) & (golden == 0).all(-1, keepdim=True)
        assert not stray.any(), (
            f"{what}: a row without permitted keys is not exactly zero, {_worst(error * stray)}"
        )
    if actual.dtype == torch.float64:
        limit = 1e-12 * max(1.0, golden.abs().max().item())
        mean_limit = limit
    else:
        rounded = golden.to(actual.dtype)
        floor = ((rounded + 0.3 - 0.3).double() - golden).abs()
        k, m = (3 if gradient else 2), (3 if actual.dtype == torch.float32 else 1.25)
        limit = k * naive_error.max().item() + 2 * floor.max().item()
        mean_limit = m * naive_error.mean().item() + floor.mean().item()
    if cap is not None and actual.dtype == torch.float32:
        limit = min(limit, cap)
    limit, mean_limit = max(limit, least), max(mean_limit, least)
    assert error.max().item() <= limit, (
        f"{what}: {_worst(error)} exceeds {limit:.3g} (naive errs by {naive_error.max():.3g}); "
        f"{_describe(actual, golden, naive, error, limit)}"
    )
    assert error.mean().item() <= mean_limit, (
        f"{what}: mean error {error.mean():.3g} exceeds {mean_limit:.3g} (naive errs by "
        f"{naive_error.mean():.3g} on average); {_worst(error)}"
    )


def _worst(error: Tensor) -> str:
    """Name the position of the largest error."""
    position = [int(i) for i in torch.unravel_index(error.argmax(), error.shape)]
    return f"error {error.max():.3g} at {position}"


def _describe(actual: Tensor, golden: Tensor, naive: Tensor, error: Tensor, limit: float) -> str:
    """Show the worst entry and how many rows are over the limit."""
    at = torch.unravel_index(error.argmax(), error.shape)
    rows = (error > limit).flatten(0, -2).any(-1) if error.ndim > 1 else error > limit
    return (
        f"actual {actual[at].item():.9g}, golden {golden[at].item():.9g}, "
        f"naive {naive[at].item():.9g}; {int(rows.sum())} of {rows.numel()} rows are over"
    )

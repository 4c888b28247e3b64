"""Rows rounded to bytes in one pass: what PyTorch's operations give, number by number."""

from collections.abc import Iterator

import pytest
import torch

from regard._kernels.installed import has_loops
from regard._kernels.rounding import bytes_of_rows
from regard.layers import dynamic_int8
from regard.layers.dynamic_int8 import DynamicInt8Linear

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("shape", [(700, 768), (3, 200_001), (300_000, 1)], ids=str)
def test_bytes_and_steps_are_those_of_pytorch(
    threads: None, shape: tuple[int, int], size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = torch.randn(shape) * size
    rows[1] = 0.0
    found = bytes_of_rows(rows)
    monkeypatch.setattr(dynamic_int8, "bytes_of_rows", lambda rows: None)
    wanted = dynamic_int8._as_bytes(rows)
    assert found is not None
    assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])


def test_what_is_not_finite_stays_in_its_row() -> None:
    layer, x = torch.nn.Linear(768, 8), torch.randn(700, 768)
    rounded = DynamicInt8Linear.of(layer)
    clean = rounded(x)
    x[3, 5], x[9, 700] = torch.nan, -torch.inf
    found = rounded(x)
    bad = torch.zeros(700, dtype=torch.bool)
    bad[[3, 9]] = True
    assert found[bad].isnan().all() and torch.equal(found[~bad], clean[~bad])


@pytest.mark.parametrize(
    "rows",
    [
        torch.zeros(2, 3),
        torch.zeros(0, 768),
        torch.zeros(768, 700).T,
        torch.zeros(700, 768, dtype=torch.float64),
        torch.zeros(700, 768, device="meta"),
        torch.zeros(700, 768, requires_grad=True),
    ],
    ids=["few", "none", "by columns", "other type", "no memory", "a gradient"],
)
def test_everything_else_is_left_to_pytorch(rows: torch.Tensor) -> None:
    assert bytes_of_rows(rows) is None

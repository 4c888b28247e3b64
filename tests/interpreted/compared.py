"""One call served by Triton's interpreter, and the rule of tests/tolerance.py for all of it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.score_mods import Bias
from tests.probe import evaluate, slope
from tests.tolerance import assert_close_to_golden

Parts = Callable[[torch.dtype], dict[str, Any]]


def slow(case: Any) -> Any:
    """A case that is left to `slow`: the interpreter takes a millisecond for each of many lines."""
    return pytest.param(case, marks=pytest.mark.slow)


LEAST = 4e-6
"""What a sum of tanh errs by where all of it is near zero: the identity keeps digits of one."""


def draw(
    *shape: int, queries: int, keys: int, value_dim: int = 5, groups: int = 2, std: float = 1.0
) -> list[Tensor]:
    """Query, key and value of `batch, kv_heads, width`."""
    batch, kv_heads, width = shape
    return [
        std * torch.randn(batch, kv_heads * groups, queries, width),
        std * torch.randn(batch, kv_heads, keys, width),
        torch.randn(batch, kv_heads, keys, value_dim),
    ]


def in_dtype(part: Any, dtype: torch.dtype) -> Any:
    """A part whose weights have this dtype, as a copy of its own."""
    if isinstance(part, Bias):
        return Bias(part.tensor.detach().to(dtype), part.first_query)
    if not isinstance(part, nn.Module):
        return part
    copy = type(part).__new__(type(part))
    copy.__dict__.update(part.__dict__)
    copy._parameters = {
        name: None if x is None else nn.Parameter(x.detach().to(dtype))
        for name, x in part._parameters.items()
    }
    return copy


def compare(
    inputs: list[Tensor], dtype: torch.dtype = torch.float32, least: float = LEAST, **parts: Any
) -> None:
    """Fail unless the output and every gradient are as close to float64 as the rule asks."""
    __tracebackhide__ = True
    given = [x.to(dtype) for x in inputs]
    weights = torch.promote_types(dtype, torch.float32)

    def served(tensors: list[Tensor], kind: torch.dtype, backend: str) -> dict[str, Tensor]:
        own = {name: in_dtype(part, kind) for name, part in parts.items()}
        shape = (*tensors[0].shape[:3], tensors[2].shape[3])
        upstream = slope(torch.empty(shape, dtype=dtype)).to(tensors[0].dtype)
        return evaluate(*tensors, upstream=upstream, backend=backend, **own)

    found = served(given, weights, "triton")
    golden = served([x.double() for x in given], torch.float64, "reference")
    naive = served(given, weights, "reference")
    assert found.keys() == golden.keys()
    for name, one in found.items():
        is_gradient = name != "output"
        assert_close_to_golden(
            one, golden[name], naive[name], what=name, gradient=is_gradient, least=least
        )

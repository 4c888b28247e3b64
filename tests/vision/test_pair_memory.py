"""Pairwise blocks never hold all pairs: a map of 96 by 96 has 9216² of them, 340 MB."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.measure import peak_bytes
from regard.vision import (
    AsymmetricNonLocal,
    DualPositionAttention,
    JointSpaceTimeAttention,
    NonLocal,
)
from tests.backends.test_memory import Largest

BLOCKS: dict[str, Callable[[], Any]] = {
    "embedded_gaussian": lambda: NonLocal(16, norm=False),
    "gaussian": lambda: NonLocal(16, "gaussian", norm=False),
    "dot": lambda: NonLocal(16, "dot", norm=False),
    "concatenation": lambda: NonLocal(16, "concatenation", norm=False),
    "position": lambda: DualPositionAttention(16),
    "asymmetric": lambda: AsymmetricNonLocal(16),
    "joint": lambda: JointSpaceTimeAttention(16, num_heads=1),
}
every = pytest.mark.parametrize("name", BLOCKS)


@every
def test_no_tensor_of_a_pairwise_block_has_all_pairs(name: str) -> None:
    places = (4, 32, 32) if name == "joint" else (64, 64)
    with Largest() as seen:
        BLOCKS[name]()(torch.randn(1, 16, *places, requires_grad=True)).sum().backward()
    # Concatenation goes by chunks of 34 MB; what is held elsewhere grows with the map.
    assert seen.elements < (0.6 if name == "concatenation" else 0.04) * 4096**2


def test_some_rows_of_weights_are_had_without_the_others() -> None:
    block, x = NonLocal(16), torch.randn(1, 16, 64, 64)
    with Largest() as seen:
        block.weights(x, rows=[0, 2600, -1])
    assert seen.elements <= 16 * 4096


ALL_PAIRS = 9216**2 * 4


def work(name: str, gradient: bool) -> Callable[[], None]:
    """Make a pass over a map of 96 by 96, what the first of all imports and compiles behind it."""
    torch.set_num_threads(1)
    block = BLOCKS[name]()

    def run(x: Tensor) -> None:
        with torch.set_grad_enabled(gradient):
            y = block(x)
        if gradient:
            y.sum().backward()

    run(torch.randn(1, 16, 40, 40, requires_grad=True))
    x = torch.randn(1, 16, 96, 96, requires_grad=True)
    return lambda: run(x)


def all_pairs() -> Callable[[], Tensor]:
    x = torch.randn(1, 9216, 4)
    return lambda: torch.softmax(x @ x.mT, 2) @ x


@pytest.mark.slow
@pytest.mark.parametrize("gradient", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", [name for name in BLOCKS if name != "joint"])
def test_a_process_grows_by_far_less_than_all_pairs(name: str, gradient: bool) -> None:
    grown = peak_bytes(work, name, gradient)
    limit = ALL_PAIRS if name == "concatenation" else ALL_PAIRS // 8
    assert grown < limit, f"{grown / 1e6:.0f} MB"


@pytest.mark.slow
def test_the_growth_of_a_process_shows_all_pairs() -> None:
    assert peak_bytes(all_pairs) > ALL_PAIRS

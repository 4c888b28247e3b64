"""Windows in a graph recorded for any length, whose blocks stick out at either end of the keys."""

from typing import Any

import pytest
import torch

from regard._backends import banded
from regard.masks import Causal, Dense, Mask, SlidingWindow
from tests.parts import Sizes, tensors
from tests.probe import assert_same, evaluate

LENGTHS = [(1, 1), (33, 33), (40, 70), (70, 70), (5, 64)]


def windows(sizes: Sizes) -> dict[str, Mask]:
    """One that looks at distances, one that looks its rows and keys up."""
    held = Dense(torch.rand(sizes.q_len, sizes.k_len) < 0.7)
    return {
        "behind": SlidingWindow(3),
        "ahead": SlidingWindow(0, 5),
        "both": SlidingWindow(4, 2),
        "wider than the keys": SlidingWindow(90, 90),
        "looked up": SlidingWindow(6, 1) & held,
        "looked up, causal": Causal() & SlidingWindow(40) & held,
    }


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("name", list(windows(Sizes())))
def test_padded_blocks_equal_the_reference_wherever_they_stick_out(
    name: str, lengths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = Sizes(q_len=lengths[0], k_len=lengths[1])
    given: dict[str, Any] = {"mask": windows(sizes)[name]}
    inputs = tensors(sizes)
    wanted = evaluate(*inputs, **given, backend="reference")
    monkeypatch.setattr(banded, "is_static", lambda length: False)
    assert_same(evaluate(*inputs, **given, backend="banded"), wanted)

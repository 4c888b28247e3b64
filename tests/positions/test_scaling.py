"""Turns that are stretched for longer texts: by the definition, pair by pair, and in `RoPE`."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from regard.positions import Llama3, RoPE, YaRN
from regard.positions.rope import Scaling

WIDTH = 64
BASES = [100.0, 10_000.0, 500_000.0]
SCALINGS: list[Any] = [
    Llama3(8.0, 256),
    Llama3(3.0, 4096, low=2.0, high=9.0),
    YaRN(4.0, 256),
    YaRN(16.0, 4096, fast=20.0, slow=2.0, whole=False),
    YaRN(2.0, 2048, amplitude_given=1.5),
]


def frequencies(base: float) -> Tensor:
    return base ** -(torch.arange(0, WIDTH, 2, dtype=torch.float64) / WIDTH)


def one_by_one(scaling: Any, base: float) -> list[float]:
    """Each pair by itself, in Python's numbers."""
    found = []
    for pair in range(WIDTH // 2):
        f = base ** (-2 * pair / WIDTH)
        if isinstance(scaling, Llama3):
            turns = scaling.trained * f / (2 * math.pi)
            stays = min(1.0, max(0.0, (turns - scaling.low) / (scaling.high - scaling.low)))
        else:
            at = [
                WIDTH * math.log(scaling.trained / (2 * math.pi * r)) / (2 * math.log(base))
                for r in (scaling.fast, scaling.slow)
            ]
            first, last = (math.floor(at[0]), math.ceil(at[1])) if scaling.whole else at
            first, last = max(first, 0), min(last, WIDTH - 1)
            stays = 1.0 - min(1.0, max(0.0, (pair - first) / (last - first)))
        found.append(stays * f + (1 - stays) * f / scaling.factor)
    return found


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
def test_every_pair_is_stretched_as_defined(scaling: Any, base: float) -> None:
    found = scaling(frequencies(base), base)
    assert torch.allclose(found, torch.tensor(one_by_one(scaling, base), dtype=torch.float64))
    assert isinstance(scaling, Scaling)


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
def test_fast_pairs_stay_and_slow_ones_are_as_if_the_text_were_short(scaling: Any) -> None:
    plain = frequencies(10_000.0)
    found = scaling(plain, 10_000.0)
    assert found[0] == plain[0] and torch.isclose(found[-1], plain[-1] / scaling.factor)
    assert bool((found <= plain).all()) and bool((found >= plain / scaling.factor - 1e-18).all())
    assert bool((found.diff() < 0).all())


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize("length", [5, 40])
def test_rope_turns_by_the_stretched_angles_and_lengthens(
    length: int, scaling: Any, interleaved: bool
) -> None:
    x = torch.randn(2, 3, length, WIDTH, dtype=torch.float64)
    x.requires_grad_()
    rope = RoPE(interleaved=interleaved, scaling=scaling)
    found = rope(x, offset=7)
    phases = torch.arange(7, 7 + length)[:, None] * scaling(frequencies(rope.base), rope.base)
    turn = scaling.amplitude * torch.polar(torch.ones_like(phases), phases)
    split = (x[..., ::2], x[..., 1::2]) if interleaved else x.chunk(2, -1)
    wanted = torch.view_as_real(torch.complex(*split) * turn)
    wanted = wanted.flatten(-2) if interleaved else wanted.mT.flatten(-2)
    assert torch.allclose(found, wanted)
    one, other = (torch.autograd.grad(each.square().sum(), x)[0] for each in (found, wanted))
    assert torch.allclose(one, other)
    assert torch.allclose(rope(x, torch.arange(7, 7 + length)), found)


def test_scores_depend_on_the_distance_alone() -> None:
    q, k = torch.randn(2, 1, 1, 1, WIDTH, dtype=torch.float64)
    rope = RoPE(scaling=YaRN(4.0, 256))
    scores = [(rope(q, offset=n + 5) * rope(k, offset=n)).sum() for n in (0, 3, 1000)]
    assert torch.allclose(torch.stack(scores), scores[0].expand(3))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Llama3(0.0, 8), "factor"),
        (lambda: Llama3(8.0, 0), "trained"),
        (lambda: Llama3(8.0, 8, low=4.0, high=4.0), "high must be above low, got high=4.0 and"),
        (lambda: YaRN(-1.0, 8), "factor"),
        (lambda: YaRN(2.0, 8, fast=1.0), "fast must be above slow, got fast=1.0 and slow=1.0"),
        (lambda: YaRN(2.0, 8)(torch.ones(2), 1.0), "by a base above 1, got 1.0"),
        (
            lambda: RoPE(torch.nn.Parameter(torch.tensor(9.0)), scaling=YaRN(2.0, 8)),
            "a learned base has no scaling",
        ),
    ],
)
def test_wrong_numbers_are_named(made: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"{message}|Type-check"):
        made()

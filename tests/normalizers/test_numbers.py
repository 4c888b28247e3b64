"""The numbers of normalizers: given in any type, learned where that has a meaning, else refused."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.normalizers import (
    Entmax,
    GumbelSoftmax,
    LearnedEntmax,
    LocalGaussian,
    Sample,
    Sink,
    Softmax,
    TopK,
)

# The shape hook refuses some of them first; without it the sentence is ours.
REFUSED = r"needs \w+ to be (an int|a number), got \w+; .*\.$|^Type-check error"
CENTER = torch.tensor([1.5, 0.2, 3.0], dtype=torch.float64)

WHOLE: dict[str, Callable] = {
    "Sample": Sample,
    "GumbelSoftmax seed": lambda seed: GumbelSoftmax(seed=seed),
    "TopK": TopK,
    "LearnedEntmax": LearnedEntmax,
    "Sink": Sink,
}
REAL: dict[str, Callable] = {
    "Softmax": Softmax,
    "GumbelSoftmax tau": lambda tau: GumbelSoftmax(tau, seed=3),
    "Entmax": Entmax,
    "LocalGaussian sigma": lambda sigma: LocalGaussian(CENTER, sigma),
    "LocalGaussian window": lambda window: LocalGaussian(CENTER, 1.0, window),
    "LearnedEntmax alpha": lambda alpha: LearnedEntmax(alpha=alpha),
}
LEARNED: dict[str, Callable] = {
    "Softmax": Softmax,
    "GumbelSoftmax": lambda tau: GumbelSoftmax(tau, seed=3),
    "GumbelSoftmax hard": lambda tau: GumbelSoftmax(tau, hard=True, seed=3),
    "LocalGaussian": lambda sigma: LocalGaussian(CENTER, sigma),
    "LocalGaussian window": lambda sigma: LocalGaussian(CENTER, sigma, window=2.0),
}


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
def test_whole_numbers_of_numpy_are_those_of_python(make: Callable) -> None:
    scores = torch.randn(2, 3, 3, 5)
    expected = make(3)(scores)
    for value in (np.int64(3), np.uint8(3), np.int32(3)):
        assert torch.equal(make(value)(scores), expected)


@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize(
    "value", [True, np.True_, 2.0, np.float64(2), "2", torch.tensor(2)], ids=repr
)
def test_what_is_no_whole_number_is_refused(make: Callable, value: object) -> None:
    with pytest.raises(TypeError, match=REFUSED):
        make(value)


@pytest.mark.parametrize("make", REAL.values(), ids=REAL)
def test_real_numbers_of_numpy_are_those_of_python(make: Callable) -> None:
    scores = torch.randn(2, 3, 3, 5, dtype=torch.float64)
    expected = make(1.5)(scores)
    for value in (np.float64(1.5), np.float32(1.5), np.float16(1.5)):
        assert torch.equal(make(value)(scores), expected)


@pytest.mark.parametrize("make", REAL.values(), ids=REAL)
@pytest.mark.parametrize("value", [True, np.True_, "1.5", None, [1.5]], ids=repr)
def test_what_is_no_number_is_refused(make: Callable, value: object) -> None:
    if value is None and make is REAL["LocalGaussian window"]:
        return  # all keys
    with pytest.raises(TypeError, match=REFUSED):
        make(value)


def test_parts_of_equal_numbers_are_equal_whatever_their_type() -> None:
    for mine, other in (
        (Softmax(2), Softmax(np.float32(2))),
        (TopK(2), TopK(np.int64(2))),
        (Sample(2), Sample(np.int16(2))),
        (Entmax(3), Entmax(np.float64(3))),
        (GumbelSoftmax(1, seed=4), GumbelSoftmax(np.float64(1), seed=np.int64(4))),
    ):
        assert mine == other and hash(mine) == hash(other) and repr(mine) == repr(other)


@pytest.mark.parametrize("make", LEARNED.values(), ids=LEARNED)
def test_a_learned_scalar_gives_the_weights_of_its_value_and_has_a_gradient(make: Callable) -> None:
    scores = torch.randn(1, 2, 3, 5, dtype=torch.float64, requires_grad=True)
    learned = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
    part = make(learned)
    torch.testing.assert_close(part(scores), make(0.7)(scores), rtol=0, atol=1e-14)
    assert part == part and hash(part) == hash(part) and repr(part)
    if "hard" not in repr(part) or not part.hard:
        assert torch.autograd.gradcheck(lambda x, s: make(x)(s), (learned, scores))
        assert torch.autograd.gradgradcheck(lambda x, s: make(x)(s), (learned, scores))


@pytest.mark.parametrize("make", LEARNED.values(), ids=LEARNED)
@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, 1e38])
def test_garbage_under_the_mask_does_not_reach_a_learned_scalar(
    make: Callable, garbage: float
) -> None:
    clean, where = torch.randn(1, 2, 3, 5), torch.rand(1, 2, 3, 5) < 0.7
    where[:, :, 1] = False
    flow = torch.randn(1, 2, 3, 5)
    found = []
    for hidden in (0.0, garbage):
        learned = nn.Parameter(torch.tensor([0.7]))
        weights = make(learned)(clean.masked_fill(~where, hidden), where)
        found.append(torch.autograd.grad(weights, learned, flow)[0])
    assert found[0].isfinite().all() and torch.equal(*found)


@pytest.mark.parametrize("make", LEARNED.values(), ids=LEARNED)
def test_a_learned_scalar_is_not_looked_at(make: Callable) -> None:
    make(nn.Parameter(torch.empty((), device="meta")))


@pytest.mark.parametrize("make", [Softmax, GumbelSoftmax, lambda x: LocalGaussian(CENTER, x)])
def test_a_tensor_that_is_no_floating_scalar_is_refused(make: Callable) -> None:
    for value in (torch.ones(2), torch.tensor(2)):
        with pytest.raises(ValueError, match="one floating number, got a tensor"):
            make(value)


def test_a_tensor_as_alpha_is_refused_in_favor_of_learned_entmax() -> None:
    for alpha in (torch.tensor(1.5), nn.Parameter(torch.tensor(1.5))):
        with pytest.raises(TypeError, match="pass float.alpha., or normalizer=LearnedEntmax"):
            Entmax(alpha)
    with pytest.raises(TypeError, match="plain number"):
        LocalGaussian(CENTER, 1.0, window=torch.tensor(2.0))


def test_a_learned_temperature_learns() -> None:
    temperature = nn.Parameter(torch.tensor(1.0))
    scores = torch.randn(1, 1, 20, 9)
    target: Tensor = Softmax(0.5)(scores)
    optimizer = torch.optim.Adam([temperature], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        (Softmax(temperature)(scores) - target).square().sum().backward()
        optimizer.step()
    assert abs(temperature.item() - 0.5) < 1e-2

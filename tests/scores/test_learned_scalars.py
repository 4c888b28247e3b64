"""A scale, a temperature or an eps that is learned: one number in a tensor."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.scores import Cosine, InverseDistance, ScaledDot

MAKE = {"ScaledDot": ScaledDot, "Cosine": Cosine, "InverseDistance": InverseDistance}
NAME = {"ScaledDot": "scale", "Cosine": "temperature", "InverseDistance": "eps"}
SHAPES = [(), (1,), (1, 1, 1, 1)]
every_part = pytest.mark.parametrize("name", MAKE)

pytestmark = pytest.mark.usefixtures("as_users_have_it")


def pair(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return torch.randn(2, 3, 4, 5, dtype=dtype), torch.randn(2, 3, 6, 5, dtype=dtype)


def written_out(name: str, query: np.ndarray, key: np.ndarray, value: float) -> np.ndarray:
    """The score in NumPy."""
    dots = np.einsum("bhqd,bhkd->bhqk", query, key)
    if name == "ScaledDot":
        return value * dots
    if name == "Cosine":
        lengths = (
            np.linalg.norm(query, axis=-1)[..., None] * np.linalg.norm(key, axis=-1)[:, :, None]
        )
        return dots / lengths / value
    squared = ((query[:, :, :, None] - key[:, :, None]) ** 2).sum(-1)
    return 1 / (1 + np.sqrt(squared + value))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@every_part
def test_a_learned_number_is_exact_with_its_gradient(name: str, shape: tuple[int, ...]) -> None:
    learned = nn.Parameter(torch.full(shape, 0.7, dtype=torch.float64))
    query, key = pair()
    found = MAKE[name](learned)(query, key)
    wanted = written_out(name, query.numpy(), key.numpy(), 0.7)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-12)
    upstream = torch.randn_like(found)
    (gradient,) = torch.autograd.grad(found, learned, upstream)
    step = 1e-5
    ahead, behind = (written_out(name, query.numpy(), key.numpy(), 0.7 + d) for d in (step, -step))
    slope = (upstream.numpy() * (ahead - behind)).sum() / (2 * step)
    assert gradient.shape == shape and gradient.item() == pytest.approx(slope, rel=1e-7)


@every_part
def test_second_derivatives_of_a_learned_number_are_right(name: str) -> None:
    learned = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    query, key = (x[:1, :1].requires_grad_() for x in pair())
    inputs = learned, query, key
    assert torch.autograd.gradcheck(lambda s, q, k: MAKE[name](s)(q, k), inputs)
    assert torch.autograd.gradgradcheck(lambda s, q, k: MAKE[name](s)(q, k), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("held", [torch.bfloat16, torch.float32, torch.float64])
@every_part
def test_scores_keep_the_dtype_of_the_query(
    name: str, dtype: torch.dtype, held: torch.dtype
) -> None:
    score = MAKE[name](nn.Parameter(torch.ones(1, dtype=held)))
    assert score(*pair(dtype)).dtype == dtype


@every_part
def test_a_learned_number_is_not_looked_at(name: str) -> None:
    """Not when the part is made, printed, compared or evaluated: on meta there is no number."""
    learned = nn.Parameter(torch.ones((), device="meta"))
    score = MAKE[name](learned)
    assert repr(score) == f"{name}({NAME[name]}=float32[])"
    assert score == MAKE[name](learned) and hash(score) == hash(MAKE[name](learned))
    assert score != MAKE[name](nn.Parameter(torch.ones((), device="meta"))) and score != MAKE[name](
        1
    )
    query, key = (x.to("meta") for x in pair())
    assert score(query, key).shape == (2, 3, 4, 6)


def test_the_factor_of_a_learned_scale_is_the_tensor() -> None:
    learned = nn.Parameter(torch.tensor(2.0))
    assert ScaledDot(learned).factor(7) is learned
    assert ScaledDot().factor(4) == 0.5 and ScaledDot(-3).factor(4) == -3.0


@pytest.mark.parametrize("scale", [0, 0.0, -1, -2.5, np.float32(-2.5), np.int64(3), 7])
def test_a_scale_is_any_finite_number(scale: float) -> None:
    query, key = pair()
    assert ScaledDot(scale) == ScaledDot(float(scale))
    torch.testing.assert_close(ScaledDot(scale)(query, key), float(scale) * (query @ key.mT))


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ("1", TypeError), (True, TypeError), (np.bool_(True), TypeError), ([1.0], TypeError),
        (float("nan"), ValueError), (float("inf"), ValueError), (-float("inf"), ValueError),
        (torch.ones(2), ValueError), (torch.ones(0), ValueError), (torch.ones(3, 1, 1), ValueError),
        (torch.tensor(1), ValueError), (torch.tensor(True), ValueError),
    ],
    ids=str,
)  # fmt: skip
@every_part
def test_what_is_no_one_number_is_refused_in_a_sentence(
    name: str, wrong: object, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=f"{name} needs .*{NAME[name]}.*; ") as caught:
        MAKE[name](wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Cosine(0), "0 < temperature < inf, got 0"),
        (lambda: Cosine(-0.1), "0 < temperature < inf, got -0.1"),
        (lambda: InverseDistance(-1e-9), "eps >= 0, got -1e-09"),
    ],
)
def test_bounds_are_said(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_an_eps_below_zero_that_was_learned_gives_no_nan() -> None:
    learned = nn.Parameter(torch.tensor(-1.0, dtype=torch.float64))
    query, _ = pair()
    query.requires_grad_()
    found = InverseDistance(learned)(query, query.detach())
    gradients = torch.autograd.grad(found.sum(), (query, learned))
    assert all(x.isfinite().all() for x in (found, *gradients))

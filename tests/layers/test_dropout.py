"""Dropout keeps the mean, obeys the seed, and passes gradients where it passed numbers."""

import pytest
import torch
from torch._subclasses import FakeTensorMode

from regard.layers import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_mean_and_share_of_zeros_are_those_of_p(p: float) -> None:
    x = torch.ones(1000, 1001)
    y = Dropout(p)(x)
    deviation = (p * (1 - p) / x.numel()) ** 0.5
    assert (y == 0).double().mean().item() == pytest.approx(p, abs=5 * deviation + 1e-5)
    assert y.double().mean().item() == pytest.approx(1.0, abs=5 * deviation / (1 - p))
    assert len(y.unique()) == 2


def test_every_place_is_dropped_alike_and_independently() -> None:
    # 16 bits a number, four to a word: none of the four may be special, and none tied to another.
    dropped = (Dropout(0.25)(torch.ones(100_000, 8)) == 0).double()
    assert torch.allclose(dropped.mean(0), torch.full((8,), 0.25).double(), atol=0.01)
    correlation = torch.corrcoef(dropped.T) - torch.eye(8)
    assert correlation.abs().max().item() < 0.02


def test_the_seed_decides() -> None:
    dropout, x = Dropout(0.5), torch.ones(7, 9)
    torch.manual_seed(3)
    one, other = dropout(x), dropout(x)
    torch.manual_seed(3)
    assert torch.equal(dropout(x), one)
    assert not torch.equal(one, other)


def test_gradients_pass_where_numbers_passed() -> None:
    x = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    y = Dropout(0.5)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach() / x.detach())


def test_it_does_nothing_when_not_training_or_never_dropping() -> None:
    x = torch.randn(5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 0), (5, 1, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_any_number_of_numbers_works(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.ones(shape, dtype=dtype)
    y = Dropout(0.5)(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert set(y.flatten().tolist()) <= {0.0, 2.0}
    assert torch.equal(x, torch.ones(shape, dtype=dtype))


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9])
def test_probabilities_near_the_ends_do_not_overflow(p: float) -> None:
    assert torch.isfinite(Dropout(p)(torch.ones(1000))).all()


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_what_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match=f"got {p}"):
        Dropout(p)


def test_it_maps_over_a_batch_with_the_randomness_that_is_asked_for() -> None:
    dropout, x = Dropout(0.5), torch.ones(64, 100)
    for randomness, alike in (("same", True), ("different", False)):
        rows = torch.func.vmap(dropout, randomness=randomness)(x)
        assert set(rows.unique().tolist()) == {0.0, 2.0}
        assert (rows == rows[:1]).all().item() == alike


@pytest.mark.filterwarnings("ignore:`torch.jit.script")
def test_it_is_differentiated_by_every_transform() -> None:
    dropout, x = Dropout(0.5), torch.randn(50)
    grad = torch.func.grad(lambda x: dropout(x).sum())(x)
    assert set(grad.tolist()) == {0.0, 2.0}
    _, tangent = torch.func.jvp(dropout, (x,), (torch.ones(50),))
    assert set(tangent.tolist()) == {0.0, 2.0}
    jacobian = torch.func.jacrev(dropout, chunk_size=None)
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(dropout)(x)
    assert jacobian(x).shape == (50, 50)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones(50))
        assert set(torch.autograd.forward_ad.unpack_dual(dropout(dual)).tangent.tolist()) == {0, 2}


def test_it_runs_on_tensors_without_numbers() -> None:
    dropout = Dropout(0.5)
    assert dropout(torch.ones(3, 4, device="meta")).is_meta
    with FakeTensorMode():
        assert dropout(torch.ones(3, 4)).shape == (3, 4)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert dropout(torch.ones(3, 4)).shape == (3, 4)


def test_the_default_device_is_not_asked() -> None:
    x = torch.ones(1000)
    with torch.device("meta"):
        y = Dropout(0.5)(x)
    assert y.device == x.device and set(y.tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision_works_without_gradients_and_in_inference(dtype: torch.dtype) -> None:
    with torch.inference_mode():
        y = Dropout(0.5)(torch.ones(1000, dtype=dtype))
    assert y.dtype == dtype and set(y.tolist()) == {0.0, 2.0}
    with torch.no_grad():
        assert set(Dropout(0.5)(torch.ones(1000, dtype=dtype)).tolist()) == {0.0, 2.0}


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
def test_it_is_recorded_with_its_randomness() -> None:
    x = torch.ones(1000)
    traced = torch.jit.trace(Dropout(0.5), x, check_trace=False)
    assert not torch.equal(traced(x), traced(x))
    exported = torch.export.export(Dropout(0.5), (x,)).module()
    assert not torch.equal(exported(x), exported(x))
    assert set(exported(x).tolist()) == set(traced(x).tolist()) == {0.0, 2.0}

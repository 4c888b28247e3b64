"""Products of a few vectors with a large matrix: near the definition, and only where meant."""

import os
import threading
from collections.abc import Iterator
from inspect import unwrap

import pytest
import torch
from torch import Tensor, nn

from regard._kernels.few_rows import FEW, float32_product, int8_product
from regard._kernels.installed import has_loops
from regard._kernels.slices import LEAST, in_slices
from regard.layers.dynamic_int8 import DynamicInt8Linear
from regard.layers.through import through
from tests.tolerance import assert_close_to_golden

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

SHAPES = [(1, 768, 400), (2, 513, 600), (3, 3072, 100), (4, 1, 1 << 18), (1, 1 << 18, 1)]
"""Rows, inputs and outputs, whole vectors of an instruction or not."""


def drawn(rows: int, inputs: int, outputs: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.randn(outputs)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_product_is_as_near_the_definition_as_that_of_pytorch(
    shape: tuple[int, int, int], has_bias: bool
) -> None:
    x, weight, bias = drawn(*shape)
    found = float32_product(x, weight, bias if has_bias else None)
    assert found is not None
    golden, naive = x.double() @ weight.double().T, x @ weight.T
    if has_bias:
        golden, naive = golden + bias.double(), naive + bias
    # The sum of one number is exact, whoever adds it.
    assert_close_to_golden(found, golden, naive, what="product", least=1e-5)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_a_product_of_bytes_is_the_equation(
    shape: tuple[int, int, int], size: float, has_bias: bool
) -> None:
    x, weight, bias = drawn(*shape)
    layer = nn.Linear(shape[1], shape[2], has_bias)
    with torch.no_grad():
        layer.weight.copy_(weight)
    rounded, x = DynamicInt8Linear.of(layer), x * size
    found = int8_product(x, rounded.weight, rounded.step, rounded.bias)
    assert found is not None
    s = x.abs().amax(1, keepdim=True) / 127
    # Rounded as the layer rounds it: halves may fall either way where a quotient is rounded too.
    whole = (x * s.reciprocal()).round().double()
    wanted = (whole @ rounded.weight.double().T) * s.double() * rounded.step.double()
    wanted = wanted if rounded.bias is None else wanted + rounded.bias.double()
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=1e-6 * size)


def test_rows_do_not_depend_on_those_beside_them() -> None:
    x, weight, bias = drawn(FEW, 768, 400)
    rounded = DynamicInt8Linear.of(layer_of(weight, bias))
    whole, small = float32_product(x, weight, bias), rounded(x)
    for row in range(FEW):
        alone = x[row : row + 1]
        found = float32_product(alone, weight, bias)
        assert whole is not None and found is not None
        torch.testing.assert_close(found[0], whole[row], rtol=1e-5, atol=1e-4)
        assert torch.equal(rounded(alone)[0], small[row])


def test_what_is_not_finite_stays_what_it_is() -> None:
    x, weight, bias = drawn(4, 768, 400)
    x[1], x[2, 3], x[3, 5] = 0.0, torch.nan, torch.inf
    weight = weight.abs() + 0.1
    found, rounded = float32_product(x, weight, bias), DynamicInt8Linear.of(layer_of(weight, bias))
    assert found is not None and found[0].isfinite().all() and torch.equal(found[1], bias)
    assert found[2].isnan().all() and found[3].isposinf().all()
    small = rounded(x)
    assert small[0].isfinite().all() and torch.equal(small[1], bias)
    assert small[2].isnan().all() and small[3].isnan().all()


def layer_of(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer.requires_grad_(False)


def test_shapes_of_any_rank_come_back() -> None:
    x, weight, bias = drawn(4, 768, 400)
    layer, want = layer_of(weight, bias), x @ weight.T + bias
    for shape in ((4,), (2, 2), (1, 4), (1, 1, 4)):
        found = through(layer, x.reshape(*shape, 768))
        assert found.shape == (*shape, 400)
        torch.testing.assert_close(found.reshape(4, 400), want, rtol=1e-4, atol=1e-4)
    assert through(layer, x[0]).shape == (400,)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x, w: (x.repeat(2, 1), w), id="many rows"),
        pytest.param(lambda x, w: (x[:0], w), id="no row"),
        pytest.param(lambda x, w: (x, w[:10]), id="small matrix"),
        pytest.param(lambda x, w: (x.double(), w.double()), id="other type"),
        pytest.param(lambda x, w: (x.bfloat16(), w), id="mixed types"),
        pytest.param(lambda x, w: (x, w.T.contiguous().T), id="matrix by columns"),
        pytest.param(lambda x, w: (x[:, ::2], w[:, ::2]), id="strides"),
        pytest.param(lambda x, w: (x[:, :10], w), id="widths that do not fit"),
        pytest.param(lambda x, w: (x.clone().requires_grad_(), w), id="a gradient"),
        pytest.param(lambda x, w: (x, w.clone().requires_grad_()), id="a gradient to weights"),
        pytest.param(lambda x, w: (x.to("meta"), w.to("meta")), id="no memory"),
    ],
)
def test_everything_else_is_left_to_pytorch(change) -> None:  # type: ignore[no-untyped-def]
    x, weight = change(torch.randn(4, 1024), torch.randn(1024, 1024))
    # Without the check of shapes, which would say it first.
    assert unwrap(float32_product)(x, weight, None) is None


def test_what_is_recorded_cast_or_transformed_is_left_to_pytorch() -> None:
    x, weight = torch.randn(1, 1024), torch.randn(1024, 1024)
    assert float32_product(x, weight, None) is not None
    with torch.autocast("cpu", torch.bfloat16):
        assert float32_product(x, weight, None) is None
    seen = []
    torch.func.vmap(lambda one: seen.append(float32_product(one, weight, None)) or one)(x)
    assert seen == [None]


def test_a_layer_that_is_watched_or_replaced_is_called() -> None:
    x, weight, bias = drawn(1, 768, 400)
    layer, seen = layer_of(weight, bias), []
    hook = layer.register_forward_hook(lambda *given: seen.append(given))
    through(layer, x)
    assert len(seen) == 1
    hook.remove()
    assert torch.equal(through(nn.Identity(), x), x)
    through(layer, x)
    assert len(seen) == 1


def test_a_layer_that_learns_gets_its_gradient() -> None:
    layer, x = nn.Linear(768, 400), torch.randn(1, 768)
    through(layer, x).sum().backward()
    assert layer.weight.grad is not None and layer.bias.grad is not None
    torch.testing.assert_close(layer.weight.grad, x.expand(400, -1))


def test_several_threads_of_python_may_call_at_once() -> None:
    x, weight, bias = drawn(2, 768, 2000)
    layer = layer_of(weight, bias)
    want, found = through(layer, x), []

    def run() -> None:
        found.extend(through(layer, x) for _ in range(50))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 200 and all(torch.equal(each, want) for each in found)


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def large() -> tuple[nn.Linear, DynamicInt8Linear, Tensor]:
    x, weight, bias = drawn(3, 1024, 4097)
    layer = layer_of(weight, bias)
    return layer, DynamicInt8Linear.of(layer), x


def test_two_threads_give_what_one_gives(two_threads: None) -> None:
    layer, rounded, x = large()
    found = through(layer, x), rounded(x)
    torch.set_num_threads(1)
    assert torch.equal(found[0], through(layer, x)) and torch.equal(found[1], rounded(x))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(two_threads: None) -> None:
    layer, _, x = large()
    want = through(layer, x)
    child = os.fork()
    if not child:
        os._exit(0 if torch.equal(through(layer, x), want) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fault_in_a_slice_is_raised(two_threads: None) -> None:
    def loop(first: int, last: int) -> None:
        if first:
            raise ArithmeticError("in the second slice")

    with pytest.raises(ArithmeticError, match="second slice"):
        in_slices(loop, outputs=8, size=2 * LEAST)

"""Linear layers in whole numbers of 8 bits: near the layer, alike on every way, token by token."""

import copy

import pytest
import torch
from torch import nn

from regard._torch_private import has_packed_int8
from regard.layers import FeedForward
from regard.layers.dynamic_int8 import MULTIPLIED, DynamicInt8Linear, round_linear
from regard.models.bert import Bert, BertConfig
from regard.sequences import Packed, Sequences

SHAPES = [(7, 64), (4, 64), (2, 5, 64), (1, 1, 3), (MULTIPLIED + 1, 768), (0, 8), (3, 0, 8)]


def pair(inputs: int, outputs: int = 33, bias: bool = True) -> tuple[nn.Linear, DynamicInt8Linear]:
    layer = nn.Linear(inputs, outputs, bias)
    return layer, DynamicInt8Linear.of(layer)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_rounded_layer_is_near_the_layer(shape: tuple[int, ...], bias: bool) -> None:
    layer, rounded = pair(shape[-1], bias=bias)
    x = torch.randn(shape)
    with torch.no_grad():
        wanted, found = layer(x), rounded(x)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    assert (found - wanted).norm() <= 0.02 * wanted.norm()


def test_it_is_the_equation() -> None:
    layer, rounded = pair(40)
    x = torch.randn(6, 40)
    s, t = x.abs().amax(1, keepdim=True) / 127, layer.weight.abs().amax(1, keepdim=True) / 127
    whole = (x / s).round().double() @ (layer.weight / t).round().double().T
    wanted = (whole * s * t.T + layer.bias).float()
    with torch.no_grad():
        assert torch.allclose(rounded(x), wanted, atol=1e-5)


@pytest.mark.skipif(not has_packed_int8(), reason="this CPU has no instructions for bytes")
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_the_kernel_gives_what_is_written_out(size: float) -> None:
    _, rounded = pair(300)
    x = torch.randn(MULTIPLIED + 90, 300) * size
    with torch.no_grad():
        wanted, found = rounded._written_out(x), rounded(x)
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_a_token_does_not_depend_on_those_beside_it() -> None:
    _, rounded = pair(64)
    x = torch.randn(700, 64)
    x[3] *= 1000
    with torch.no_grad():
        found = rounded(x)
        for few in ([0], [2, 3], [3, 4, 699], [*range(30)]):
            assert torch.allclose(rounded(x[few]), found[few], rtol=1e-5, atol=1e-5)


def test_zeros_give_the_bias_and_what_is_not_finite_stays_in_its_token() -> None:
    layer, rounded = pair(16)
    x = torch.randn(4, 16)
    clean = rounded(x)
    x[1], x[2, 3], x[3, 5] = 0.0, torch.nan, torch.inf
    found = rounded(x)
    assert torch.equal(found[0], clean[0])
    assert torch.equal(found[1], layer.bias)
    assert not found[2].isfinite().any() and not found[3].isfinite().any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_dtype_comes_back(dtype: torch.dtype) -> None:
    assert pair(8)[1](torch.randn(2, 8, dtype=dtype)).dtype == dtype


def test_a_gradient_is_refused_and_weights_must_be_finite() -> None:
    layer, rounded = pair(8)
    x = torch.randn(2, 8, requires_grad=True)
    with pytest.raises(RuntimeError, match="no gradient"):
        rounded(x)
    with torch.no_grad():
        rounded(x)
        layer.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        DynamicInt8Linear.of(layer)


def test_weights_that_are_loaded_are_those_that_are_used() -> None:
    (_, one), (_, other) = pair(64), pair(64)
    x = torch.randn(3, 64)
    one(x)
    one.load_state_dict(other.state_dict())
    assert torch.equal(one(x), other(x))
    assert torch.equal(copy.deepcopy(other)(x), other(x))


def test_inference_mode_changes_nothing() -> None:
    layer, rounded = pair(64)
    x = torch.randn(3, 64)
    with torch.inference_mode():
        assert torch.equal(DynamicInt8Linear.of(layer)(x), rounded(x.clone()))


def test_it_is_recorded_as_it_is_written_out() -> None:
    _, rounded = pair(16)
    x = torch.randn(3, 16)
    program = torch.export.export(rounded, (x,)).module()
    assert torch.allclose(program(x), rounded(x), atol=1e-5)


def bert(**more: object) -> tuple[Bert, Sequences]:
    torch.manual_seed(0)
    config = BertConfig(vocab=50, embed_dim=64, num_heads=4, ff_dim=256, layers=2, **more)
    return Bert(config).eval(), Sequences.of([[4, 8, 5, 9, 30], [6, 2], [7]])


def test_a_rounded_network_answers_almost_the_same_padded_and_packed() -> None:
    model, texts = bert()
    rounded = round_linear(copy.deepcopy(model))
    with torch.no_grad():
        wanted = model(texts)
    found = rounded(texts)
    assert (found - wanted).norm() < 0.05 * wanted.norm()
    packed = rounded(Packed.of(texts))[0]
    # What is added in another order may fall on the other side of a half, and be one step off.
    assert torch.allclose(packed, found[texts.real.expand_as(texts.ids)], atol=0.05)
    assert rounded.weights(texts).shape == model.weights(texts).shape


def test_only_what_is_plain_unshared_and_not_kept_is_rounded() -> None:
    class Adapted(nn.Linear):
        pass

    model = nn.Module()
    model.table, model.output = nn.Embedding(9, 4), nn.Linear(4, 9)
    model.output.weight = model.table.weight
    model.adapted, model.plain, model.inner = Adapted(4, 4), nn.Linear(4, 4), FeedForward(4, 8)
    model.again = model.plain
    round_linear(model, keep=["inner.output"])
    kinds = {name: type(part) for name, part in model.named_modules(remove_duplicate=False)}
    rounded = {name for name, kind in kinds.items() if kind is DynamicInt8Linear}
    assert rounded == {"plain", "again", "inner.hidden"}
    assert model.plain is model.again
    assert not model.training and not any(x.requires_grad for x in model.parameters())
    with pytest.raises(ValueError, match="no module 'pooler'"):
        round_linear(model, keep=["pooler"])


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu", "silu"])
def test_a_hidden_layer_is_written_over_only_where_nobody_sees_it(activation: str) -> None:
    from regard.layers import ACTIVATIONS

    layer, x = FeedForward(8, 32, ACTIVATIONS[activation]), torch.randn(2, 5, 8)
    wanted = layer(x)
    with torch.no_grad():
        assert torch.equal(layer(x), wanted)
        seen: list[torch.Tensor] = []
        layer.hidden.register_forward_hook(lambda module, given, found: seen.append(found))
        assert torch.equal(layer(x), wanted)
        assert torch.equal(seen[0], nn.functional.linear(x, layer.hidden.weight, layer.hidden.bias))
        layer.hidden, before = nn.Identity(), x.clone()
        layer.output = nn.Identity()
        layer(x)
    assert torch.equal(x, before)

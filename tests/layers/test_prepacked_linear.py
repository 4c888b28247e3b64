"""Weights kept ready for the kernel change nothing but the time that a product takes."""

import copy
import pickle

import pytest
import torch
from torch import nn

import regard
from regard._torch_private import has_prepacked_product
from regard.layers import int8, prepacked
from regard.layers.prepacked_linear import PrepackedLinear
from regard.models.bert import Bert, BertConfig
from regard.sequences import Sequences

TEXTS = Sequences.of([[1, 2, 3, 4, 5, 6], [7, 8]])


def network() -> Bert:
    config = BertConfig(vocab=9, embed_dim=16, num_heads=2, layers=2, max_length=8)
    return Bert(config).eval()


@pytest.mark.parametrize("rows", [(), (1,), (5,), (2, 3), (700,), (0,)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_gives_what_it_gave(rows: tuple[int, ...], bias: bool) -> None:
    layer, x = nn.Linear(33, 17, bias), torch.randn(*rows, 33)
    ready = prepacked(copy.deepcopy(layer))
    with torch.no_grad():
        found = ready(x)
    torch.testing.assert_close(found, layer(x).detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not has_prepacked_product(), reason="built without oneDNN")
def test_a_layer_keeps_the_order_for_as_long_as_its_weights_stay() -> None:
    layer, x = prepacked(nn.Linear(33, 17)), torch.randn(9, 33)
    assert isinstance(layer, PrepackedLinear)
    with torch.no_grad():
        layer(x)
        first = layer._packed
        layer(x)
        assert first is not None and layer._packed is first
        layer.weight.mul_(2)
        torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias, rtol=1e-5, atol=1e-5)
        layer.weight = nn.Parameter(torch.randn(17, 33))
        torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias, rtol=1e-5, atol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias, rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_the_plain_layer() -> None:
    plain = network()
    ready = prepacked(copy.deepcopy(plain))
    with torch.no_grad():
        ready(TEXTS)
    for model in (plain, ready):
        model(TEXTS).square().sum().backward()
    for (name, one), (_, other) in zip(
        plain.named_parameters(), ready.named_parameters(), strict=True
    ):
        if one.grad is not None:
            assert other.grad is not None and torch.equal(one.grad, other.grad), name


def test_a_network_keeps_its_names_and_is_copied_saved_and_loaded(tmp_path) -> None:
    plain = network()
    ready = prepacked(copy.deepcopy(plain))
    with torch.no_grad():
        wanted, found = plain(TEXTS), ready(TEXTS)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert list(ready.state_dict()) == list(plain.state_dict())
        for again in (copy.deepcopy(ready), pickle.loads(pickle.dumps(ready))):
            assert torch.equal(again(TEXTS), found)
        regard.save(ready, tmp_path)
        assert torch.equal(regard.load(tmp_path)(TEXTS), wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_numbers_and_recorded_graphs_go_the_plain_way(dtype: torch.dtype) -> None:
    layer = nn.Linear(33, 17)
    x = torch.randn(9, 33)
    with torch.no_grad():
        ready = prepacked(copy.deepcopy(layer))
        found = torch.func.vmap(ready)(x)
        torch.testing.assert_close(found, layer(x), rtol=1e-5, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(ready(x), layer(x))
        graph = torch.export.export(ready, (x,)).module()
        torch.testing.assert_close(graph(x), layer(x))
        assert torch.equal(ready.to(dtype)(x.to(dtype)), layer.to(dtype)(x.to(dtype)))


def test_what_watches_a_layer_and_shares_its_weights_stays() -> None:
    model = nn.ModuleDict({"table": nn.Embedding(17, 33), "output": nn.Linear(33, 17, bias=False)})
    model["output"].weight = model["table"].weight
    seen: list[torch.Size] = []
    model["output"].register_forward_hook(lambda _, __, y: seen.append(y.shape))
    prepacked(model)
    with torch.no_grad():
        model["output"](torch.randn(9, 33))
    assert seen == [(9, 17)] and model["output"].weight is model["table"].weight


def test_eight_bits_are_made_of_ready_layers_too() -> None:
    kinds = {type(part).__name__ for part in int8(prepacked(network())).modules()}
    assert "PrepackedLinear" not in kinds and "DynamicInt8Linear" in kinds

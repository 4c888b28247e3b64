"""A head is out where the output projection has zeros in its columns; and nothing else changes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.explain import ablated, head_effects
from regard.explain.head_effects import turned
from regard.layers import Attend, Heads, MultiHeadAttention, UnprojectedAttention, mean_heads
from regard.normalizers import sparsemax
from tests.explain import networks


def biased(module: Any) -> Any:
    """With biases that are not zero, as both PyTorch's and our layers have them at first."""
    for name, each in module.named_parameters():
        if "bias" in name:
            nn.init.normal_(each)
    return module


def without(model: nn.Module, projection: str, heads: list[int], of: int) -> nn.Module:
    """A copy in which the projection does not read these heads."""
    other = copy.deepcopy(model)
    weight = other.get_submodule(projection).weight
    assert isinstance(weight, Tensor)
    # GPT-2's holds it the other way round.
    is_turned = type(other.get_submodule(projection)).__name__ == "Conv1D"
    columns = weight.data.T if is_turned else weight.data
    columns.unflatten(1, (of, -1))[:, heads] = 0.0
    return other


FOREIGN: list[tuple[Callable[[], nn.Module], str, str, list[int], int]] = [
    (networks.bert, "encoder.layer.0.attention.self", "encoder.layer.0.attention.output.dense",
     [1], 2),
    (networks.bert, "encoder.layer.1.attention", "encoder.layer.1.attention.output.dense", [0], 2),
    (networks.bert, "encoder.layer.1.attention.output.dense",
     "encoder.layer.1.attention.output.dense", [0], 2),
    (networks.gpt2, "h.0.attn", "h.0.attn.c_proj", [0], 2),
    (networks.llama, "layers.1.self_attn", "layers.1.self_attn.o_proj", [1, 3], 4),
    (networks.t5, "decoder.block.1.layer.1.EncDecAttention",
     "decoder.block.1.layer.1.EncDecAttention.o", [1], 2),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name", "projection", "heads", "of"), FOREIGN)
def test_networks_of_other_makers_lose_just_these_heads(
    make: Callable[[], nn.Module], name: str, projection: str, heads: list[int], of: int
) -> None:
    model = make()
    before = networks.answer(model)()
    with ablated(model, {name: heads}) as done:
        found = networks.answer(model)()
    assert done.places == {name: projection} and done.calls == {name: 1}
    torch.testing.assert_close(found, networks.answer(without(model, projection, heads, of))())
    assert (found - before).abs().max() > 1e-4
    assert torch.equal(networks.answer(model)(), before)


@pytest.mark.parametrize("heads", [Heads(4), Heads(4, kv_heads=2), Heads(4, head_dim=3)])
@pytest.mark.parametrize("attend", [Attend(), Attend(normalizer=sparsemax)])
def test_our_layers_lose_just_these_heads(heads: Heads, attend: Attend) -> None:
    layer, x = biased(MultiHeadAttention(8, heads, attend)), torch.randn(2, 5, 8)
    with ablated(layer, {"": [0, -1]}):
        found = layer(x)
    torch.testing.assert_close(found, without(layer, "output", [0, 3], 4)(x))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
def test_pytorchs_own_layer_loses_just_these_heads(
    batch_first: bool, grad: bool, need_weights: bool
) -> None:
    layer = biased(nn.MultiheadAttention(8, 4, batch_first=batch_first)).eval()
    x = torch.randn(2, 5, 8)
    other = without(layer, "out_proj", [1, 2], 4)
    names = {*vars(layer.out_proj)}
    with torch.set_grad_enabled(grad), ablated(layer, {"": [1, 2]}):
        found = layer(x, x, x, need_weights=need_weights)[0]
        torch.testing.assert_close(found, other(x, x, x)[0])
    assert {*vars(layer.out_proj)} == names and not layer._forward_hooks


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("grad", [True, False])
def test_pytorchs_encoder_loses_them_on_its_fast_path_too(grad: bool) -> None:
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = biased(nn.TransformerEncoder(block, 2)).eval()
    x, name = torch.randn(2, 5, 8), "layers.1.self_attn"
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    other = without(model, f"{name}.out_proj", [1], 2)
    with torch.set_grad_enabled(grad), ablated(model, {name: [1]}) as done:
        found = model(x, src_key_padding_mask=padding)
        wanted = other(x, src_key_padding_mask=padding)
        torch.testing.assert_close(found[0], wanted[0])
        torch.testing.assert_close(found[1, :3], wanted[1, :3])
    assert done.calls == {name: 1}


def test_gradients_are_those_of_the_network_without_them() -> None:
    for layer in (MultiHeadAttention(8, 4), nn.MultiheadAttention(8, 4, batch_first=True)):
        projection = "output" if isinstance(layer, MultiHeadAttention) else "out_proj"
        other, x = without(layer, projection, [2], 4), torch.randn(2, 5, 8)
        for model in (layer, other):
            with ablated(model, {"": [2]}):
                for _ in range(2):  # so that no graph is kept from the first time
                    output = model(x, x, x)
                    (output[0] if isinstance(output, tuple) else output).square().sum().backward()
        theirs = dict(other.named_parameters())
        for name, each in layer.named_parameters():
            torch.testing.assert_close(each.grad, theirs[name].grad)


def test_several_layers_at_once_and_one_in_another() -> None:
    model = networks.llama()
    names = ["layers.0.self_attn", "layers.1.self_attn"]
    other = without(model, f"{names[0]}.o_proj", [0], 4)
    both = without(other, f"{names[1]}.o_proj", [1, 2], 4)
    with ablated(model, {names[0]: [0], names[1]: [1, 2]}):
        together = networks.answer(model)()
    with ablated(model, {names[0]: [0]}), ablated(model, {names[1]: [1, 2]}):
        nested = networks.answer(model)()
    torch.testing.assert_close(together, networks.answer(both)())
    assert torch.equal(together, nested)


def test_an_exception_goes_through_and_all_is_put_back() -> None:
    layer = nn.MultiheadAttention(8, 4, batch_first=True)
    with pytest.raises(ZeroDivisionError), ablated(layer, {"": [0]}):
        raise ZeroDivisionError
    with pytest.raises(AssertionError), ablated(layer, {"": [0]}):
        layer(torch.ones(1, 2, 5), torch.ones(1, 2, 5), torch.ones(1, 2, 5))
    assert not layer._forward_hooks and not layer._forward_pre_hooks
    assert "weight" not in vars(layer.out_proj)


@pytest.mark.parametrize(
    ("heads", "of", "error", "words"),
    [
        ({"layers.9.self_attn": [0]}, None, ValueError, "no module 'layers.9.self_attn': did you"),
        ({"layers.0.self_attn": [4]}, None, IndexError, "heads has 4, and there are 4: they go"),
        ({"layers.0.self_attn": []}, None, ValueError, "at least one of heads, got none"),
        ({"layers.0.self_attn": [0]}, 3, ValueError, "reads 8 columns, no multiple of 3 heads"),
        ({"layers.0": [0]}, 4, None, ""),
        ({"layers.0.mlp.act_fn": [0]}, 4, ValueError, "no module that is known.*no linear module"),
        ({"": [0]}, None, ValueError, "several modules that may be .*; give the name of that"),
    ],
)
def test_what_cannot_be_taken_out_is_said(
    heads: Any, of: int | None, error: type[Exception] | None, words: str
) -> None:
    model = networks.llama()
    if error is None:  # a block with one such projection is enough
        with ablated(model, heads, of=of) as done:
            networks.answer(model)()
        assert done.places == {"layers.0": "layers.0.self_attn.o_proj"}
        return
    with pytest.raises(error, match=words), ablated(model, heads, of=of):
        networks.answer(model)()
    assert not any(each._forward_pre_hooks for each in model.modules())


def test_a_module_that_is_not_called_is_an_error() -> None:
    model = networks.bert()
    with pytest.raises(RuntimeError, match="'encoder.layer.0.attention.output.dense' was not call"):
        with ablated(model, {"encoder.layer.0.attention.self": [0]}):
            pass


def test_heads_of_ours_need_not_stand_side_by_side() -> None:
    layer, x = (
        biased(MultiHeadAttention(8, Heads(2, head_dim=4), join=mean_heads)),
        torch.ones(1, 3, 8),
    )
    q, k, v = layer._heads(x, x, x, None)
    heads = layer.attend(q, k, v)
    with ablated(layer, {"": [0]}) as done:
        found = layer(x)
    assert done.places == {"": "attend"}
    torch.testing.assert_close(found, layer.output(heads[:, 1] / 2))
    bare, y = UnprojectedAttention(2), torch.randn(1, 3, 8)
    with ablated(bare, {"": [1]}):
        found = bare(y)
    torch.testing.assert_close(found[..., :4], bare(y)[..., :4])
    assert (found[..., 4:] == 0).all()


def test_a_shared_operator_is_changed_in_the_named_layer_alone() -> None:
    shared = Attend()
    model = nn.Sequential(MultiHeadAttention(8, 2, shared), MultiHeadAttention(8, 2, shared))
    x = torch.randn(1, 3, 8)
    with ablated(model, {"1": [0]}) as done:
        found = model(x)
    assert done.calls == {"1": 1} and done.places == {"1": "1.attend"}
    torch.testing.assert_close(found, without(model, "1.output", [0], 2)(x))
    with pytest.raises(ValueError, match="'1' attends with 2 heads, and 4 were said"):
        with ablated(model, {"1": [0]}, of=4):
            model(x)


@pytest.mark.usefixtures("as_users_have_it")
def test_what_has_no_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot tell how many heads there are; say of="):
        with ablated(nn.Sequential(nn.Linear(2, 2)), {"0": [0]}):
            pass
    with pytest.raises(TypeError, match="model as an nn.Module, got function"):
        with ablated(lambda x: x, {"0": [0]}, of=1):  # type: ignore[arg-type]
            pass


def test_effects_are_differences_of_runs() -> None:
    model, name = networks.bert(), "encoder.layer.0.attention.self"
    run = networks.answer(model)
    found = head_effects(model, run, lambda y: y[:, 0, 0], {name: None})
    assert [(each.layer, each.head) for each in found] == [(name, 0), (name, 1)]
    for each in found:
        other = without(model, "encoder.layer.0.attention.output.dense", [each.head], 2)
        whole, less = run(), networks.answer(other)()
        torch.testing.assert_close(each.change, less[:, 0, 0] - whole[:, 0, 0])
        cosine = torch.cosine_similarity(whole, less, dim=-1)
        torch.testing.assert_close(each.distance, 1 - cosine)
        assert each.change.shape == (2,) and each.distance.shape == (2, 6)
        assert (each.change.abs() > 1e-6).all() and not each.change.requires_grad
    one = head_effects(model, lambda: model(networks.ids()[:1]), lambda y: y[0].sum(),
                       {name: [1]}, state=lambda y: y.last_hidden_state[:, 0])  # fmt: skip
    assert len(one) == 1 and one[0].change.shape == () and one[0].distance.shape == (1,)


def test_a_network_in_training_is_refused() -> None:
    model = networks.bert().train()
    with pytest.raises(ValueError, match="training mode.*call model.eval"):
        head_effects(model, lambda: 0, lambda y: y, {})
    with pytest.raises(TypeError, match="output is a NoneType.*state=lambda"):
        head_effects(model.eval(), lambda: None, lambda y: torch.ones(()), {})


def test_a_turn_is_one_minus_the_cosine() -> None:
    one, other = torch.randn(9, 4).double(), torch.randn(9, 4).double()
    torch.testing.assert_close(turned(one, other), 1 - torch.cosine_similarity(one, other, dim=-1))
    assert torch.equal(turned(one, 0 * one), torch.ones(9).double())
    assert torch.equal(turned(0 * one, 0 * one), torch.zeros(9).double())
    torch.testing.assert_close(turned(one, -one), torch.full((9,), 2.0).double())
    little = turned(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1e-5]))
    assert little.item() == pytest.approx(0.5e-10, rel=1e-3)

"""Every projection is a linear layer that is called, so that whatever stands in its place acts."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from regard.layers import (
    Attend,
    CrossAttention,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    GatedFeedForward,
    Heads,
    KVCache,
    MultiHeadAttention,
    PostNorm,
    SelfAttention,
)
from regard.layers.join import concat_heads
from regard.layers.projection import split_heads
from regard.scores import Additive

WIDTH, MEMORY, VALUES = 8, 6, 10


def tokens(width: int = WIDTH, length: int = 5) -> Tensor:
    return torch.randn(2, length, width)


def _block(kind: type) -> nn.Module:
    attentions = [SelfAttention(WIDTH, 2)] + [CrossAttention(WIDTH, 2)] * (kind is DecoderBlock)
    return kind(*attentions, FeedForward(WIDTH, 12), lambda: PostNorm(nn.LayerNorm(WIDTH)))


# What to build, what to give it, and the names of its projections.
LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], list[Tensor]], list[str]]] = {
    "self": (
        lambda: SelfAttention(WIDTH, 2),
        lambda: [tokens()],
        ["heads.input", "heads.output"],
    ),
    "self, grouped": (
        lambda: SelfAttention(WIDTH, Heads(4, kv_heads=2)),
        lambda: [tokens()],
        ["heads.input", "heads.output"],
    ),
    "one matrix, key given": (
        lambda: MultiHeadAttention(WIDTH, 2),
        lambda: [tokens(), tokens(length=3)],
        ["input", "output"],
    ),
    "one matrix, all given": (
        lambda: MultiHeadAttention(WIDTH, 2),
        lambda: [tokens(), tokens(length=3), tokens(length=3)],
        ["input", "output"],
    ),
    "cross": (
        lambda: CrossAttention(WIDTH, 2, kv_dim=MEMORY),
        lambda: [tokens(), tokens(MEMORY, 3)],
        ["heads.input.query_input", "heads.input.key_value_input", "heads.output"],
    ),
    "cross, value given": (
        lambda: MultiHeadAttention(WIDTH, 2, kv_dim=MEMORY),
        lambda: [tokens(), tokens(MEMORY, 3), tokens(MEMORY, 3)],
        ["input.query_input", "input.key_value_input", "output"],
    ),
    "three widths": (
        lambda: MultiHeadAttention(WIDTH, Heads(4, kv_heads=2), kv_dim=MEMORY, value_dim=VALUES),
        lambda: [tokens(), tokens(MEMORY, 3), tokens(VALUES, 3)],
        ["input.query_input", "input.key_input", "input.value_input", "output"],
    ),
    "encoder block": (
        lambda: _block(EncoderBlock),
        lambda: [tokens()],
        ["attention.heads.input", "attention.heads.output", "feed_forward.hidden"],
    ),
    "decoder block": (
        lambda: _block(DecoderBlock),
        lambda: [tokens(), tokens(length=3)],
        [
            "attention.heads.input",
            "cross_attention.heads.input.query_input",
            "cross_attention.heads.input.key_value_input",
            "cross_attention.heads.output",
        ],
    ),
    "gated feed-forward": (
        lambda: GatedFeedForward(WIDTH, 12),
        lambda: [tokens()],
        ["gate", "hidden", "output"],
    ),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


class LoRA(nn.Module):
    """A frozen layer and a learned change of low rank, as `peft` puts it in a layer's place."""

    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features))
        self.up = nn.Parameter(torch.randn(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.down.T @ self.up.T


def _merged(layer: nn.Module, names: list[str]) -> nn.Module:
    """The layer with the change of every adapter added to the weight it was for."""
    merged = copy.deepcopy(layer)
    for name in names:
        adapter = merged.get_submodule(name)
        with torch.no_grad():
            adapter.base.weight += adapter.up @ adapter.down
        merged.set_submodule(name, adapter.base)
    return merged


@every_layer
def test_an_adapter_in_the_place_of_a_projection_acts_and_learns(name: str) -> None:
    build, given, names = LAYERS[name]
    layer, inputs = build(), given()
    for place in names:
        layer.set_submodule(place, LoRA(layer.get_submodule(place)))
    output = layer(*inputs)
    torch.testing.assert_close(output, _merged(layer, names)(*inputs), rtol=1e-4, atol=1e-4)
    (output * torch.randn_like(output)).sum().backward()
    for place in names:
        adapter = layer.get_submodule(place)
        assert adapter.up.grad.abs().sum() > 0 and adapter.down.grad.abs().sum() > 0
        assert adapter.base.weight.grad is None


@every_layer
def test_hooks_of_every_projection_fire_and_what_they_change_counts(name: str) -> None:
    build, given, names = LAYERS[name]
    layer, inputs = build(), given()
    before = layer(*inputs)
    for place in names:
        projection = layer.get_submodule(place)
        seen: list[nn.Module] = []
        entering = projection.register_forward_pre_hook(lambda m, _, seen=seen: seen.append(m))
        leaving = projection.register_forward_hook(lambda m, i, output: 2 * output + 0.1)
        assert not torch.allclose(layer(*inputs), before)
        entering.remove()
        leaving.remove()
        assert set(seen) == {projection}
        torch.testing.assert_close(layer(*inputs), before)


@every_layer
def test_pruned_projections_compute_with_what_is_left(name: str) -> None:
    build, given, names = LAYERS[name]
    layer, inputs = build(), given()
    wanted = copy.deepcopy(layer)
    for place in names:
        prune.l1_unstructured(layer.get_submodule(place), "weight", amount=0.5)
        with torch.no_grad():
            wanted.get_submodule(place).weight.copy_(layer.get_submodule(place).weight)
    torch.testing.assert_close(layer(*inputs), wanted(*inputs))
    layer(*inputs).square().sum().backward()
    for place in names:
        projection = layer.get_submodule(place)
        assert not projection.weight_orig.grad[projection.weight_mask == 0].any()


@every_layer
def test_parametrized_projections_compute_with_the_parametrized_weight(name: str) -> None:
    build, given, names = LAYERS[name]
    layer, inputs = build(), given()
    before = layer(*inputs)
    for place in names:
        parametrizations.weight_norm(layer.get_submodule(place))
    torch.testing.assert_close(layer(*inputs), before)
    for place in names:
        with torch.no_grad():
            layer.get_submodule(place).parametrizations.weight.original0.mul_(1.5)
    output = layer(*inputs)
    output.square().sum().backward()
    for place in names:
        projection = layer.get_submodule(place)
        assert all(w.grad is not None for w in projection.parametrizations.weight.parameters())
        parametrize.remove_parametrizations(projection, "weight")
    torch.testing.assert_close(layer(*inputs), output)


@every_layer
@pytest.mark.skipif(
    torch.backends.quantized.engine == "none", reason="this build of torch quantizes nothing"
)
@pytest.mark.filterwarnings("ignore")
def test_quantized_layers_stay_near_the_exact_ones(name: str) -> None:
    build, given, names = LAYERS[name]
    layer, inputs = build().eval(), given()
    quantized = torch.ao.quantization.quantize_dynamic(layer, {nn.Linear})
    for place in names:
        assert type(quantized.get_submodule(place)) is torch.ao.nn.quantized.dynamic.Linear
    torch.testing.assert_close(quantized(*inputs), layer(*inputs), rtol=0.1, atol=0.1)


@every_layer
def test_torchao_quantizes_every_projection(name: str) -> None:
    torchao = pytest.importorskip("torchao.quantization")
    build, given, _ = LAYERS[name]
    layer, inputs = build().eval(), given()
    wanted = layer(*inputs)
    torchao.quantize_(layer, torchao.Int8WeightOnlyConfig())
    torch.testing.assert_close(layer(*inputs), wanted, rtol=0.1, atol=0.1)


@every_layer
def test_functional_call_puts_other_weights_in_the_place_of_a_layers(name: str) -> None:
    build, given, _ = LAYERS[name]
    one, other, inputs = build(), build(), given()
    weights = dict(other.named_parameters())
    found = torch.func.functional_call(one, weights, tuple(inputs))
    torch.testing.assert_close(found, other(*inputs))


@every_layer
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_per_sample_gradients_sum_to_the_gradient(name: str) -> None:
    build, given, _ = LAYERS[name]
    layer, inputs = build().double(), [x.double() for x in given()]
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}

    def loss(weights: dict[str, Tensor], *row: Tensor) -> Tensor:
        rows = tuple(x.unsqueeze(0) for x in row)
        return torch.func.functional_call(layer, weights, rows).square().sum()

    axes = (None, *[0] * len(inputs))
    found = torch.func.vmap(torch.func.grad(loss), axes)(weights, *inputs)
    layer(*inputs).square().sum().backward()
    for key, weight in layer.named_parameters():
        torch.testing.assert_close(found[key].sum(0), weight.grad)


def test_the_names_and_first_weights_of_the_projections_are_these() -> None:
    def shapes(layer: nn.Module) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}

    output = {"output.weight": (8, 8), "output.bias": (8,)}
    fused = MultiHeadAttention(8, 2)
    assert shapes(fused) == {"input.weight": (24, 8), "input.bias": (24,), **output}
    assert type(fused.input) is nn.Linear
    separate = {f"input.query_input.{k}": s for k, s in (("weight", (8, 8)), ("bias", (8,)))}
    both = {"input.key_value_input.weight": (16, 6), "input.key_value_input.bias": (16,)}
    assert shapes(MultiHeadAttention(8, 2, kv_dim=6)) == {**separate, **both, **output}
    apart = {
        "input.key_input.weight": (8, 8),
        "input.key_input.bias": (8,),
        "input.value_input.weight": (8, 5),
        "input.value_input.bias": (8,),
    }
    assert shapes(MultiHeadAttention(8, 2, value_dim=5)) == {**separate, **apart, **output}
    # No random number is drawn but for these: a seed gives the weights that it always gave.
    torch.manual_seed(1)
    layer = MultiHeadAttention(8, 2)
    torch.manual_seed(1)
    blocks = [nn.init.xavier_uniform_(torch.empty(8, 8), gain=0.5**0.5) for _ in range(3)]
    assert torch.equal(layer.input.weight, torch.cat(blocks)) and not layer.input.bias.any()


def test_three_widths_equal_three_products_with_gradients() -> None:
    layer = MultiHeadAttention(8, 2, kv_dim=6, value_dim=10).double()
    q, k, v = (tokens(w, n).double().requires_grad_() for w, n in ((8, 5), (6, 3), (10, 3)))
    parts = layer.input
    heads = []
    for rows in (slice(0, 4), slice(4, 8)):
        query = q @ parts.query_input.weight[rows].T
        key = k @ parts.key_input.weight[rows].T
        value = v @ parts.value_input.weight[rows].T
        heads.append(torch.softmax(query @ key.mT / 2, -1) @ value)
    wanted = torch.cat(heads, -1) @ layer.output.weight.T
    torch.testing.assert_close(layer(q, k, v), wanted)
    torch.testing.assert_close(layer(q, cache=layer.precompute_kv(k, v)), wanted)
    found = torch.autograd.grad(layer(q, k, v).square().sum(), (q, k, v))
    for one, other in zip(
        found, torch.autograd.grad(wanted.square().sum(), (q, k, v)), strict=True
    ):
        torch.testing.assert_close(one, other)
    # The weights need no value.
    assert layer.weights(q, k).shape == (2, 2, 5, 3)
    torch.testing.assert_close(layer.weights(q, k).sum(-1), torch.ones(2, 2, 5).double())


def test_a_layer_of_three_widths_reads_in_pieces_with_a_cache() -> None:
    layer = MultiHeadAttention(8, 2, kv_dim=6, value_dim=10)
    q, k, v = tokens(8, 4), tokens(6, 4), tokens(10, 4)
    cache = KVCache()
    for start in (0, 2):
        piece = slice(start, start + 2)
        looked = layer.weights(q[:, piece], k[:, piece], cache=cache)
        found = layer(q[:, piece], k[:, piece], v[:, piece], cache=cache)
    assert cache.length == 4
    torch.testing.assert_close(found, layer(q, k, v)[:, 2:])
    torch.testing.assert_close(looked, layer.weights(q, k)[:, :, 2:])


def test_values_of_cross_attention_may_be_other_tokens() -> None:
    layer = CrossAttention(8, 2, kv_dim=6, value_dim=10)
    x, memory, value = tokens(), tokens(6, 3), tokens(10, 3)
    wanted = layer.heads(x, memory, value)
    torch.testing.assert_close(layer(x, memory, value=value), wanted)
    torch.testing.assert_close(layer(x, cache=layer.precompute_kv(memory, value)), wanted)
    beams = x.repeat_interleave(3, 0)
    torch.testing.assert_close(layer(beams, memory, value=value), wanted.repeat_interleave(3, 0))
    same = CrossAttention(8, 2, kv_dim=6)
    other = tokens(6, 3)
    torch.testing.assert_close(same(x, memory, value=other), same.heads(x, memory, other))


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace", "error::torch.jit.TracerWarning")
def test_heads_are_cut_and_joined_for_every_length_in_a_traced_function() -> None:
    cut = torch.jit.trace(lambda x: concat_heads(split_heads(x, 2)), torch.randn(2, 3, 8))
    for shape in ((2, 3, 8), (5, 7, 8), (1, 1, 8)):
        x = torch.randn(shape)
        assert torch.equal(cut(x), x)
    cut = torch.jit.trace(lambda x: split_heads(x, 2), torch.randn(2, 3, 8))
    assert torch.equal(cut(x), split_heads(x, 2)) and cut(torch.randn(5, 7, 8)).shape[2] == 7


def test_parts_with_weights_are_still_found_in_the_layer() -> None:
    layer = SelfAttention(8, 2, Attend(score=Additive(4, 4, 3)))
    assert "heads.attend.score.v" in layer.state_dict()

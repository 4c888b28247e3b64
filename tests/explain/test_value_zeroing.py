"""Value zeroing against blocks written out, in which one row of the values is zero."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regard.explain import value_zeroing
from regard.layers import Attend, Heads, MultiHeadAttention
from regard.masks import Causal
from regard.normalizers import sparsemax
from tests.explain import networks


def cosine_distance(one: Tensor, other: Tensor) -> Tensor:
    return 1 - torch.cosine_similarity(one, other, dim=-1)


def attended(
    q: Tensor, k: Tensor, v: Tensor, heads: int, gone: int | None, allowed: Tensor | None = None
) -> Tensor:
    """Softmax attention over `[batch, tokens, width]`, with the value of one token zero."""
    if gone is not None:
        v = v.clone()
        v[:, gone] = 0.0
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2)


def torch_layer(layer: Any, x: Tensor, gone: int | None, allowed: Tensor | None) -> Tensor:
    """`nn.TransformerEncoderLayer`, post-norm, written out."""
    attention = layer.self_attn
    q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
    x = layer.norm1(x + attention.out_proj(attended(q, k, v, 2, gone, allowed)))
    return layer.norm2(x + layer.linear2(F.relu(layer.linear1(x))))


def biased(module: nn.Module) -> Any:
    """With biases that are not zero, as both PyTorch's and our layers have them at first."""
    for name, each in module.named_parameters():
        if "bias" in name:
            nn.init.normal_(each)
    return module.double().eval()


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_of_pytorchs_encoder_layer(batch_first: bool, masked: bool) -> None:
    layer = biased(nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first))
    x = torch.randn(3, 5, 8).double()
    hidden = torch.ones(5, 5, dtype=torch.bool).triu(1) if masked else None
    given = x if batch_first else x.transpose(0, 1)
    turn: Callable[[Any], Any] = lambda y: y if batch_first else y.transpose(0, 1)  # noqa: E731
    found = value_zeroing(layer, lambda: layer(given, src_mask=hidden), "", state=turn)
    assert found.axes == ("batch", "query", "key") and found.values.shape == (3, 5, 5)
    allowed = None if hidden is None else ~hidden
    whole = torch_layer(layer, x, None, allowed)
    for key in range(5):
        wanted = cosine_distance(whole, torch_layer(layer, x, key, allowed))
        torch.testing.assert_close(found.values[..., key], wanted)
    if masked:
        assert (found.values.triu(1) == 0).all() and (found.values[:, 4] > 1e-6).all()


def test_of_pytorchs_layer_with_widths_of_its_own_and_no_bias() -> None:
    layer = nn.MultiheadAttention(8, 2, kdim=6, vdim=4, bias=False, batch_first=True).double()
    layer.eval()
    x, key, value = (torch.randn(2, n, w).double() for n, w in ((3, 8), (5, 6), (5, 4)))
    found = value_zeroing(layer, lambda: layer(x, key=key, value=value), "", keys=[-1, 1])
    q, k = F.linear(x, layer.q_proj_weight), F.linear(key, layer.k_proj_weight)
    v = F.linear(value, layer.v_proj_weight)
    for place, gone in enumerate([4, 1]):
        whole, less = (layer.out_proj(attended(q, k, v, 2, each)) for each in (None, gone))
        torch.testing.assert_close(found.values[..., place], cosine_distance(whole, less))


@pytest.mark.parametrize(
    "attend", [Attend(), Attend(mask=Causal()), Attend(backend="reference", normalizer=sparsemax)]
)
@pytest.mark.parametrize("heads", [Heads(4), Heads(4, kv_heads=2)])
def test_of_our_layer(attend: Attend, heads: Heads) -> None:
    layer, x = biased(MultiHeadAttention(8, heads, attend)), torch.randn(2, 5, 8).double()
    _, _, value = layer._heads(x, x, x, None)
    value = value.repeat_interleave(4 // value.shape[1], 1)
    weights = layer.weights(x)
    found = value_zeroing(layer, lambda: layer(x), "")
    whole = layer(x)
    for key in range(5):
        less = value.clone()
        less[:, :, key] = 0.0
        output = layer.output((weights @ less).transpose(1, 2).flatten(2))
        torch.testing.assert_close(found.values[..., key], cosine_distance(whole, output))


BLOCKS = [
    (networks.bert, "encoder.layer.1", "encoder.layer.1.attention.self.value"),
    (networks.llama, "layers.0", "layers.0.self_attn.v_proj"),
]


@pytest.mark.parametrize(("make", "block", "value"), BLOCKS)
def test_the_kernels_values_are_those_of_the_projection(
    make: Callable[..., nn.Module], block: str, value: str
) -> None:
    fused, eager = make(), make(attn_implementation="eager")
    found = value_zeroing(fused, networks.answer(fused), block).values
    by_name = value_zeroing(fused, networks.answer(fused), block, value=value).values
    torch.testing.assert_close(found, by_name)
    written_out = value_zeroing(eager, networks.answer(eager), block, value=value).values
    torch.testing.assert_close(found, written_out)
    assert (found.diagonal(dim1=1, dim2=2) > 1e-6).all()
    by_softmax = value_zeroing(eager, networks.answer(eager), block).values
    torch.testing.assert_close(found, by_softmax)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in fused.modules())


def test_queries_keys_and_values_in_one_projection() -> None:
    model = networks.gpt2()
    found = value_zeroing(model, networks.answer(model), "h.0").values
    assert (found.triu(1) == 0).all() and (found[:, -1] > 1e-6).all()


def test_of_a_block_that_attends_twice_one_is_named() -> None:
    layer = biased(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True))
    x, memory = torch.randn(2, 3, 8).double(), torch.randn(2, 4, 8).double()
    with pytest.raises(ValueError, match="holds 2 modules that attend; name the one"):
        value_zeroing(layer, lambda: layer(x, memory), "")
    own = value_zeroing(layer, lambda: layer(x, memory), "", attention="self_attn")
    other = value_zeroing(layer, lambda: layer(x, memory), "", attention="multihead_attn")
    assert own.values.shape == (2, 3, 3) and other.values.shape == (2, 3, 4)

    whole = layer(x, memory)
    middle = layer.norm1(x + layer._sa_block(x, None, None))
    cross = layer.multihead_attn
    q, k, v = (
        F.linear(y, w, b)
        for y, w, b in zip(
            (middle, memory, memory), cross.in_proj_weight.chunk(3), cross.in_proj_bias.chunk(3),
            strict=True,
        )
    )  # fmt: skip
    for key in range(4):
        less = layer.norm2(middle + cross.out_proj(attended(q, k, v, 2, key)))
        less = layer.norm3(less + layer._ff_block(less))
        torch.testing.assert_close(other.values[..., key], cosine_distance(whole, less))

    model = networks.t5()
    run, block = networks.answer(model), "decoder.block.1"
    with pytest.raises(ValueError, match="attends 2 times"):
        value_zeroing(model, run, block)
    for name, value in (("layer.0", "SelfAttention.v"), ("layer.1", "EncDecAttention.v")):
        by_name = value_zeroing(model, run, block, value=f"{block}.{name}.{value}").values
        found = value_zeroing(model, run, block, attention=f"{block}.{name}").values
        torch.testing.assert_close(found, by_name)
        assert found.shape == (2, 6, 6) and (found > 1e-6).any()
        assert name == "layer.1" or (found.triu(1) == 0).all()


class WrittenOut(nn.Module):
    """Attention as people write it, by each of the products."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.dropout, self.value = way, nn.Dropout(0.1), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        value = self.value(x).unflatten(-1, (2, 2)).transpose(1, 2)
        scores = x.unflatten(-1, (2, 2)).transpose(1, 2)
        weights = self.dropout((scores @ scores.mT).float().softmax(-1)).type_as(x)
        if self.way == "matmul":
            heads = torch.matmul(weights, value)
        elif self.way == "@":
            heads = weights @ value
        elif self.way == "bmm":
            heads = torch.bmm(weights.flatten(0, 1), value.flatten(0, 1)).view_as(value)
        elif self.way == "einsum":
            heads = torch.einsum("bhij, bhjd -> bhid", weights, value)
        elif self.way == "other einsum":
            heads = torch.einsum("bjhd,bhij->bhid", value.transpose(1, 2), weights)
        else:
            heads = (weights[..., None] * value[:, :, None]).sum(-2)
        return heads.transpose(1, 2).flatten(2) + 0.1 * x


@pytest.mark.parametrize("way", ["matmul", "@", "bmm", "einsum", "other einsum", "sum"])
def test_attention_that_is_written_out_is_known_by_its_softmax(way: str) -> None:
    layer, x = WrittenOut(way).eval(), torch.randn(2, 3, 4)
    by_name = value_zeroing(layer, lambda: layer(x), "", value="value").values
    assert (by_name > 1e-6).all()
    if way == "sum":
        with pytest.raises(ValueError, match="saw no values in ''.*value=..."):
            value_zeroing(layer, lambda: layer(x), "")
        return
    torch.testing.assert_close(value_zeroing(layer, lambda: layer(x), "").values, by_name)


def test_of_a_network_of_ours_with_a_block_and_an_operator_that_all_share() -> None:
    shared = Attend(mask=Causal(), normalizer=sparsemax)
    layers = [biased(MultiHeadAttention(8, 2, shared)) for _ in range(2)]
    model, x = nn.Sequential(*layers).eval(), torch.randn(1, 4, 8).double()
    found = value_zeroing(model, lambda: model(x), "1").values
    alone = value_zeroing(layers[1], lambda: layers[1](layers[0](x)), "").values
    torch.testing.assert_close(found, alone)
    assert (found.triu(1) == 0).all() and found.abs().sum() > 0


class TwoKernels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, F.scaled_dot_product_attention(x, x, value=x))


class Growing(nn.Module):
    """What it has seen before changes what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        past = torch.cat(self.seen, 1)
        return F.scaled_dot_product_attention(x * len(self.seen), past, past)


def test_what_cannot_be_zeroed_is_said() -> None:
    x = torch.randn(2, 3, 4)
    twice, growing = TwoKernels().eval(), Growing().eval()
    with pytest.raises(ValueError, match="attends 2 times; name the module"):
        value_zeroing(twice, lambda: twice(x), "")
    with pytest.raises(RuntimeError, match="gives something else when it is called again"):
        value_zeroing(growing, lambda: growing(x), "")
    layer = nn.MultiheadAttention(4, 1, batch_first=True).eval()
    with pytest.raises(RuntimeError, match="'' was not called"):
        value_zeroing(layer, lambda: None, "")
    with pytest.raises(ValueError, match="training mode"):
        value_zeroing(layer.train(), lambda: None, "")
    layer.eval()
    with pytest.raises(IndexError, match="keys has 3, and there are 3"):
        value_zeroing(layer, lambda: layer(x, x, x), "", keys=[3])
    with pytest.raises(ValueError, match=r"states as \[batch, q_len, width\], got \[2, 4\]"):
        value_zeroing(layer, lambda: layer(x, x, x), "", state=lambda y: y[0][:, 0])
    with pytest.raises(ValueError, match="no module 'out': did you mean out_proj"):
        value_zeroing(layer, lambda: layer(x, x, x), "out")
    assert not layer._forward_hooks and not layer._forward_pre_hooks


def test_a_zeroed_token_that_nobody_sees_changes_nothing() -> None:
    layer, x = MultiHeadAttention(8, 2, Attend(mask=Causal())).eval(), torch.randn(1, 4, 8)
    found = value_zeroing(layer, lambda: layer(x), "").values
    assert (found.triu(1) == 0).all()


@pytest.mark.filterwarnings("ignore:.past_key_values. is deprecated")
@pytest.mark.parametrize(("make", "block", "value"), BLOCKS[1:])
def test_a_cache_is_copied_and_left_as_the_run_left_it(
    make: Callable[..., nn.Module], block: str, value: str
) -> None:
    transformers = pytest.importorskip("transformers")
    model, cache = make(), transformers.DynamicCache()
    with_cache = value_zeroing(
        model, lambda: model(networks.ids(), past_key_values=cache, use_cache=True), block,
        value=value,
    )  # fmt: skip
    assert cache.get_seq_length() == 6
    alone = value_zeroing(model, lambda: model(networks.ids(), use_cache=False), block, value=value)
    torch.testing.assert_close(with_cache.values, alone.values)

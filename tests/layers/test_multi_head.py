"""Multi-head attention is what its equation says, and what torch's own layer computes."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.layers import (
    GRU,
    Attend,
    AttentionPool,
    CrossAttention,
    FeedForward,
    GatedFeedForward,
    Halting,
    Heads,
    KVCache,
    MultiHeadAttention,
    SelfAttention,
    Stack,
    StackedLSTM,
    concat_heads,
    mean_heads,
    universal,
)
from regard.masks import Causal, Dense, Padding, SlidingWindow
from regard.normalizers import sparsemax
from regard.positions import RoPE
from regard.scores import Additive, ScaledDot

LENGTHS = torch.tensor([6, 2, 4])


def batch(length: int = 6, width: int = 12) -> Tensor:
    return torch.randn(3, length, width, dtype=torch.float64, requires_grad=True)


def twins(kv_dim: int | None = None) -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    """Our layer and torch's with the same weights, biases included."""
    ours = MultiHeadAttention(12, 3, kv_dim=kv_dim).double()
    theirs = nn.MultiheadAttention(12, 3, kdim=kv_dim, vdim=kv_dim, batch_first=True).double()
    with torch.no_grad():
        for weight in ours.parameters():
            weight.normal_()
        if kv_dim is None:
            theirs.in_proj_weight.copy_(ours.input.weight)
            theirs.in_proj_bias.copy_(ours.input.bias)
        else:
            key, value = ours.input.key_value_input.weight.chunk(2)
            theirs.q_proj_weight.copy_(ours.input.query_input.weight)
            theirs.k_proj_weight.copy_(key)
            theirs.v_proj_weight.copy_(value)
            both = (ours.input.query_input.bias, ours.input.key_value_input.bias)
            theirs.in_proj_bias.copy_(torch.cat(both))
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    return ours, theirs


@pytest.mark.parametrize("pattern", ["none", "causal", "padded", "both"])
def test_self_attention_equals_torchs_layer_with_gradients(pattern: str) -> None:
    ours, theirs = twins()
    causal, padded = pattern in ("causal", "both"), pattern in ("padded", "both")
    mask = (Causal() if causal else Dense(torch.ones(6, 6).bool())) & (
        Padding(LENGTHS) if padded else Dense(torch.ones(6, 6).bool())
    )
    # torch says True for what is ignored, in both of its masks.
    ignored = torch.ones(6, 6).triu(1).bool() if causal else None
    padding = torch.arange(6) >= LENGTHS[:, None] if padded else None
    x = batch()
    y = x.detach().clone().requires_grad_()
    output = ours(x, mask=mask)
    wanted, weights = theirs(
        y, y, y, attn_mask=ignored, key_padding_mask=padding, average_attn_weights=False
    )
    torch.testing.assert_close(output, wanted)
    torch.testing.assert_close(ours.weights(x, mask=mask), weights)
    output.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.input.weight.grad, theirs.in_proj_weight.grad)
    torch.testing.assert_close(ours.input.bias.grad, theirs.in_proj_bias.grad, atol=1e-9, rtol=0)
    torch.testing.assert_close(ours.output.weight.grad, theirs.out_proj.weight.grad)


@pytest.mark.parametrize("kv_dim", [None, 8])
@pytest.mark.parametrize("value_is_key", [True, False])
def test_cross_attention_equals_torchs_layer(kv_dim: int | None, value_is_key: bool) -> None:
    ours, theirs = twins(kv_dim)
    query, key = batch(4), batch(6, kv_dim or 12)
    value = key if value_is_key else batch(6, kv_dim or 12)
    wanted, weights = theirs(query, key, value, average_attn_weights=False)
    torch.testing.assert_close(ours(query, key, value), wanted)
    torch.testing.assert_close(ours.weights(query, key), weights)
    torch.testing.assert_close(ours(query, cache=ours.precompute_kv(key, value)), wanted)


def test_initial_weights_have_the_spread_of_torchs() -> None:
    ours, theirs = MultiHeadAttention(64, 4), nn.MultiheadAttention(64, 4)
    apart = MultiHeadAttention(64, 4, kv_dim=64)
    for weight in (ours.input.weight, apart.input.query_input.weight):
        bound = theirs.in_proj_weight.abs().max().item()
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.01)


def test_heads_together_equal_a_loop_over_heads() -> None:
    layer, x = MultiHeadAttention(12, 3).double(), batch()
    queries, keys, values = layer.input.weight.chunk(3)
    outputs = []
    for head in range(3):
        rows = slice(4 * head, 4 * head + 4)
        q, k, v = (x @ w[rows].T for w in (queries, keys, values))
        outputs.append(torch.softmax(q @ k.mT / 4**0.5, -1) @ v)
    wanted = torch.cat(outputs, -1) @ layer.output.weight.T
    torch.testing.assert_close(layer(x), wanted)


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_grouped_heads_equal_keys_and_values_repeated(kv_heads: int) -> None:
    grouped = MultiHeadAttention(12, Heads(4, kv_heads=kv_heads)).double()
    full = MultiHeadAttention(12, 4).double()
    assert grouped.input.weight.shape == (12 + 2 * 3 * kv_heads, 12)
    query, key, value = grouped.input.weight.split(grouped.projection.widths)
    key, value = (
        w.unflatten(0, (kv_heads, 3)).repeat_interleave(4 // kv_heads, 0).flatten(0, 1)
        for w in (key, value)
    )
    with torch.no_grad():
        full.input.weight.copy_(torch.cat([query, key, value]))
        full.output.weight.copy_(grouped.output.weight)
    x, memory = batch(), batch(4)
    torch.testing.assert_close(grouped(x), full(x))
    torch.testing.assert_close(grouped(x, memory), full(x, memory))


def test_the_mean_of_heads_is_their_average() -> None:
    heads = torch.randn(2, 4, 5, 3)
    torch.testing.assert_close(mean_heads(heads), sum(heads.unbind(1)) / 4)
    joined = concat_heads(heads)
    torch.testing.assert_close(mean_heads(heads), joined.unflatten(-1, (4, 3)).mean(-2))


def test_a_layer_that_averages_projects_from_the_width_of_a_head() -> None:
    layer, x = MultiHeadAttention(12, Heads(3, head_dim=12), join=mean_heads).double(), batch()
    assert layer.output.weight.shape == (12, 12)
    outputs = []
    for q, k, v in zip(*(w.split(12) for w in layer.input.weight.chunk(3)), strict=True):
        outputs.append(torch.softmax((x @ q.T) @ (x @ k.T).mT / 12**0.5, -1) @ (x @ v.T))
    torch.testing.assert_close(layer(x), sum(outputs) / 3 @ layer.output.weight.T)


def test_tokens_without_positions_have_no_order() -> None:
    layer, x = SelfAttention(12, 3).double(), batch()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order])
    turned = SelfAttention(12, 3, positions=RoPE()).double()
    assert not torch.allclose(turned(x[:, order]), turned(x)[:, order])


@pytest.mark.parametrize("options", [{}, {"positions": RoPE()}, {"heads": Heads(3, 1)}])
def test_a_later_token_cannot_change_an_earlier_output(options: dict[str, object]) -> None:
    options = {"heads": 3, **options}
    layer, x = SelfAttention(12, attend=Attend(mask=Causal()), **options).double(), batch()
    changed = x.detach().clone()
    changed[:, 4:] = 100.0
    assert torch.equal(layer(x)[:, :4], layer(changed)[:, :4])
    assert not torch.equal(layer(x)[:, 4:], layer(changed)[:, 4:])


def test_rotated_attention_depends_on_distance_alone() -> None:
    layer, x = SelfAttention(12, 3, Attend(mask=Causal()), positions=RoPE()).double(), batch()
    cache = KVCache()
    layer(torch.randn(3, 9, 12, dtype=torch.float64), cache=cache)
    shifted = layer(x, mask=Causal() & ~Padding(torch.full((3,), 9)), cache=cache)
    torch.testing.assert_close(shifted, layer(x))


@pytest.mark.parametrize(
    "attend",
    [
        Attend(normalizer=sparsemax),
        Attend(score=ScaledDot(scale=2.0)),
        Attend(score=Additive(4, 4, 5)),
        Attend(mask=SlidingWindow(1)),
    ],
)
def test_the_chosen_parts_are_used_and_their_weights_learn(attend: Attend) -> None:
    layer, x = MultiHeadAttention(12, 3, attend).double(), batch()
    plain = MultiHeadAttention(12, 3).double()
    plain.load_state_dict(layer.state_dict(), strict=False)
    output = layer(x)
    assert not torch.allclose(output, plain(x))
    output.square().sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in attend.parameters())
    weights = layer.weights(x, rows=[0, -1], heads=2)
    assert weights.shape == (3, 1, 2, 6)
    torch.testing.assert_close(weights, layer.weights(x)[:, 2:, [0, -1]])


def test_beams_are_queries_of_one_memory() -> None:
    layer, memory = CrossAttention(12, 3).double(), batch(5)
    x, mask = torch.randn(12, 2, 12, dtype=torch.float64), Padding(torch.tensor([5, 2, 3]))
    together = layer(x, memory, mask)
    repeated = Padding(torch.tensor([5, 2, 3]).repeat_interleave(4))
    torch.testing.assert_close(together, layer(x, memory.repeat_interleave(4, 0), repeated))
    torch.testing.assert_close(together, layer(x, mask=mask, cache=layer.precompute_kv(memory)))


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        ((10, 3), {}, "embed_dim 10 is not divisible by num_heads 3"),
        ((12, 0), {}, "Heads needs num_heads >= 1, got 0"),
        ((12, 3), {"kv_dim": 0}, "MultiHeadAttention needs kv_dim >= 1, got 0"),
    ],
)
def test_sizes_that_do_not_fit_are_named(
    arguments: tuple[int, int], options: dict[str, object], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        MultiHeadAttention(*arguments, **options)


def test_inputs_that_do_not_fit_are_named() -> None:
    layer = CrossAttention(12, 3, kv_dim=8)
    with pytest.raises(ValueError, match=r"key must have shape .* 8\], got .*12\]"):
        layer(torch.randn(2, 5, 12), torch.randn(2, 5, 12))
    with pytest.raises(ValueError, match=r"query must have shape .* 12\], got .*8\]"):
        layer(torch.randn(2, 5, 8), torch.randn(2, 5, 8))
    with pytest.raises(ValueError, match="3 rows, no multiple of the 2"):
        layer(torch.randn(3, 5, 12), torch.randn(2, 5, 8))
    with pytest.raises(ValueError, match="nothing to look at"):
        layer(torch.randn(3, 5, 12))


SIZED: dict[str, Callable[..., nn.Module]] = {
    "SelfAttention": lambda n: SelfAttention(n(8), Heads(n(4), n(2), n(3))),
    "CrossAttention": lambda n: CrossAttention(n(8), n(4), kv_dim=n(6), value_dim=n(5)),
    "AttentionPool": lambda n: AttentionPool(n(8), queries=n(3)),
    "AttentionPool, asked": lambda n: AttentionPool(n(8), query_dim=n(3)),
    "FeedForward": lambda n: FeedForward(n(8), n(16)),
    "GatedFeedForward": lambda n: GatedFeedForward(n(8), n(16)),
    "Stack": lambda n: Stack.shared(nn.Linear(4, 4), n(2)),
    "universal": lambda n: universal(nn.Linear(4, 4), n(2)),
    "Halting": lambda n: Halting(Stack.shared(nn.Linear(4, 4), 2), n(4)),
    "StackedLSTM": lambda n: StackedLSTM(n(3), n(5), n(2)),
    "GRU": lambda n: GRU(n(3), n(5), n(2)),
}


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("layer", SIZED)
def test_numpys_integers_are_sizes_and_booleans_fractions_and_zero_are_not(layer: str) -> None:
    build = SIZED[layer]
    for kind in (np.int64, np.int32, np.uint8):
        wanted, found = build(int).state_dict(), build(kind).state_dict()
        assert {k: t.shape for k, t in found.items()} == {k: t.shape for k, t in wanted.items()}
    for wrong in (bool, np.bool_, float, str, torch.tensor):
        with pytest.raises(TypeError, match="to be an int, got"):
            build(wrong)
    with pytest.raises(ValueError, match=">= 1, got 0"):
        build(lambda n: 0)


@pytest.mark.parametrize("kind", [SelfAttention, CrossAttention, MultiHeadAttention])
def test_a_misspelled_argument_is_blamed_on_the_class_that_was_called(kind: type) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(kind).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    with pytest.raises(TypeError, match="unexpected keyword argument 'postions'"):
        kind(8, 2, postions=RoPE())


@pytest.mark.usefixtures("as_users_have_it")
def test_values_that_do_not_fit_are_named() -> None:
    x, memory = torch.randn(2, 5, 12), torch.randn(2, 7, 8)
    layer = MultiHeadAttention(12, 3, kv_dim=8)
    with pytest.raises(ValueError, match=r"value must have shape .* 8\], got .*12\]"):
        layer(x, memory, torch.randn(2, 7, 12))
    with pytest.raises(ValueError, match=r"same batch and length, got \[2, 7\] and \[2, 6\]"):
        layer(x, memory, torch.randn(2, 6, 8))
    with pytest.raises(ValueError, match=r"same batch and length, got \[2, 7\] and \[3, 7\]"):
        layer.precompute_kv(memory, torch.randn(3, 7, 8))
    with pytest.raises(ValueError, match="query has batch 2 but key has batch 3"):
        layer(x, torch.randn(3, 7, 8))
    apart = CrossAttention(12, 3, kv_dim=8, value_dim=10)
    with pytest.raises(ValueError, match=r"value must be given: .* width 10 and keys of width 8"):
        apart(x, memory)
    with pytest.raises(ValueError, match="value must be given"):
        apart.precompute_kv(memory)
    with pytest.raises(ValueError, match=r"value must have shape .* 10\], got .*8\]"):
        apart(x, memory, value=memory)
    with pytest.raises(ValueError, match=r"key must have shape .* 8\]"):
        apart.precompute_kv(x, torch.randn(2, 5, 10))


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace", "error::torch.jit.TracerWarning")
def test_a_traced_layer_serves_other_batches_and_lengths() -> None:
    layer = SelfAttention(8, 2)
    traced = torch.jit.trace(layer, torch.randn(2, 3, 8))
    x = torch.randn(5, 7, 8)
    torch.testing.assert_close(traced(x), layer(x))

"""Layers compile as one graph and own their tensors in it, at any length."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import nn

from regard.layers import (
    Attend,
    CrossAttention,
    Dropout,
    EncoderBlock,
    FeedForward,
    Heads,
    MultiHeadAttention,
    PostNorm,
    SelfAttention,
    universal,
)
from regard.layers.dynamic_int8 import round_linear
from regard.masks import Causal, Dense, Padding
from regard.normalizers import softmax_one
from regard.positions import Learned, RoPE, sinusoidal
from regard.score_mods import Bias, Chain, SoftCap
from regard.scores import Cosine

LENGTH = 6
PARTS: dict[str, Callable[[], Attend]] = {
    "Bias": lambda: Attend(score_mod=Bias(nn.Parameter(torch.randn(LENGTH, LENGTH)))),
    "masks": lambda: Attend(mask=Causal() & ~Dense(torch.eye(LENGTH).bool())),
    "Chain": lambda: Attend(
        score_mod=Chain(SoftCap(3.0), Bias(nn.Parameter(torch.randn(LENGTH, LENGTH))))
    ),
    "Cosine": lambda: Attend(score=Cosine(nn.Parameter(torch.tensor(0.5)))),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_compiled_layer_trains_the_tensors_of_its_parts(part: str) -> None:
    layer, x = SelfAttention(8, 2, PARTS[part]()), torch.randn(2, LENGTH, 8)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        torch.testing.assert_close(compiled(x), layer(x))
        wanted = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
        found = torch.autograd.grad(compiled(x).square().sum(), list(layer.parameters()))
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.mul_(1.1)
        layer.load_state_dict({k: t.clone() for k, t in layer.state_dict().items()})


def test_a_calls_own_parts_are_compiled_with_it() -> None:
    attend, inputs = Attend(mask=Causal()), [torch.randn(2, 2, LENGTH, 8) for _ in range(3)]
    bias, mask = nn.Parameter(torch.randn(LENGTH, LENGTH)), Padding(torch.tensor([LENGTH, 2]))

    def call(*inputs: torch.Tensor) -> torch.Tensor:
        return attend(*inputs, mask, score_mod=Bias(bias), normalizer=softmax_one)

    compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*inputs), call(*inputs))
    (wanted,) = torch.autograd.grad(call(*inputs).square().sum(), bias)
    (found,) = torch.autograd.grad(compiled(*inputs).square().sum(), bias)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "build",
    [
        lambda: SelfAttention(8, 2),
        lambda: SelfAttention(8, Heads(4, kv_heads=2), positions=RoPE()),
        lambda: CrossAttention(8, 2, kv_dim=8, value_dim=8),
        lambda: MultiHeadAttention(8, 2),
        lambda: universal(
            EncoderBlock(
                SelfAttention(8, 2), FeedForward(8, 12), lambda: PostNorm(nn.LayerNorm(8))
            ),
            2,
        ),
    ],
    ids=["self", "rope", "three inputs", "heads", "universal"],
)
def test_one_graph_serves_every_length(build: Callable[[], nn.Module]) -> None:
    layer = build()
    seen: list[object] = []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        seen.append(graph)
        return graph.forward

    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend=backend)
    for length in (5, 64, 100, 101):
        x = torch.randn(2, length, 8)
        given = (x, x[:, :4]) if isinstance(layer, CrossAttention) else (x,)
        torch.testing.assert_close(compiled(*given), layer(*given))
    assert len(seen) <= 2


def test_dropout_is_random_in_a_graph() -> None:
    dropout, x = Dropout(0.5), torch.ones(1000)
    compiled = torch.compile(dropout, fullgraph=True, backend="aot_eager")
    one, other = compiled(x), compiled(x)
    assert set(one.tolist()) == {0.0, 2.0} and not torch.equal(one, other)


def test_positions_are_exact_in_a_graph() -> None:
    compiled = torch.compile(
        lambda x, at: RoPE()(x, at), fullgraph=True, dynamic=True, backend="eager"
    )
    for length in (3, 9):
        x, at = torch.randn(2, 3, length, 8), 10**6 + torch.arange(length)
        assert torch.equal(compiled(x, at), RoPE()(x, at))
    waves = torch.compile(lambda x: x + sinusoidal(x.shape[0], 4), fullgraph=True, backend="eager")
    for length in (3, 9, 11):
        x = torch.zeros(length, 4)
        assert torch.equal(waves(x), sinusoidal(length, 4))
    learned = Learned(20, 4)
    rows = torch.compile(learned.at, fullgraph=True, backend="eager")
    assert torch.equal(rows(torch.tensor([[0, 19]])), learned.at(torch.tensor([[0, 19]])))


def test_an_exported_layer_serves_other_lengths() -> None:
    layer, length = SelfAttention(8, 2, positions=RoPE()).eval(), torch.export.Dim("length")
    x = torch.randn(2, LENGTH, 8)
    exported = torch.export.export(layer, (x,), dynamic_shapes=({1: length},)).module()
    for longer in (2, 9, 100):
        x = torch.randn(2, longer, 8)
        torch.testing.assert_close(exported(x), layer(x))


def test_a_layer_that_is_large_enough_for_loops_of_our_own_is_one_graph_all_the_same() -> None:
    layer, x = FeedForward(512, 1024).eval(), torch.randn(1, 2, 512)
    for network in (layer, round_linear(deepcopy(layer))):
        with torch.no_grad():
            wanted = network(x)
            compiled = torch.compile(network, fullgraph=True, backend="eager")(x)
            exported = torch.export.export(network, (x,)).module()(x)
        torch.testing.assert_close(compiled, wanted, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(exported, wanted, rtol=1e-4, atol=1e-4)

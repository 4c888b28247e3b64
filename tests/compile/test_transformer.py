"""Whole networks are one graph, and compiled they answer the same."""

from typing import Any

import pytest
import torch
from torch import nn

from regard.layers import Attend, Dropout, Heads, SelfAttention
from regard.masks import Causal, SlidingWindow
from regard.positions import RoPE
from tests.models.transformer.small import CLASSIFIER, CONFIG, LM, ragged_batch, small_model


def given(config: Any) -> tuple[Any, ...]:
    source, target = ragged_batch()
    return {CONFIG: (source, target), CLASSIFIER: (source,), LM: (target,)}[config]


@pytest.mark.parametrize(
    ("config", "positions"), [(CONFIG, "sinusoidal"), (CLASSIFIER, "none"), (LM, "rope")]
)
def test_a_transformer_is_one_graph_with_the_same_gradients(config: Any, positions: str) -> None:
    model = small_model(config=config, positions=positions)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    weights, found = list(model.parameters()), []
    for network in (model, compiled):
        logits = network(*given(config))
        found.append([logits, *torch.autograd.grad(logits.square().sum(), weights)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_dropout_is_traced_whole_and_still_drops() -> None:
    model = small_model(config=LM, dropout=0.5).train()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert not torch.equal(compiled(*given(LM)), compiled(*given(LM)))
    dropped = torch.compile(Dropout(0.5), fullgraph=True, backend="aot_eager")(torch.ones(1000))
    assert set(dropped.tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("mask", [Causal(), SlidingWindow(2)])
def test_a_layer_with_options_is_one_graph(mask: Any) -> None:
    layer: nn.Module = SelfAttention(16, Heads(4, kv_heads=2), Attend(mask=mask), positions=RoPE())
    x = torch.randn(2, 6, 16)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), layer(x))

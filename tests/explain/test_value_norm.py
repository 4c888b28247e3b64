"""The length of what a key adds to a query, computed by adding it."""

import numpy as np
import pytest
import torch
from torch import nn

from regard.explain import value_norm, value_norm_of_heads
from regard.layers import MultiHeadAttention
from tests.explain.drawn import weights


def drawn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(2, 2, 5, 3, generator=generator, dtype=torch.float64)
    output = torch.randn(7, 12, generator=generator, dtype=torch.float64)
    return weights(2, 4, 4, 5), value, output


def test_each_vector_is_weighed_projected_and_measured() -> None:
    layer, value, output = drawn()
    found, plain = value_norm(layer, value, output), value_norm(layer, value)
    together = value_norm_of_heads(layer, value, output).values
    side_by_side = value_norm_of_heads(layer, value).values
    assert found.axes == ("batch", "head", "query", "key")
    for b, q, k in np.ndindex(2, 4, 5):
        total, squares = np.zeros(7), 0.0
        for h in range(4):
            # Heads 0 and 1 share the first value head.
            vector = layer[b, h, q, k].item() * value[b, h // 2, k].numpy()
            brought = output[:, 3 * h : 3 * h + 3].numpy() @ vector
            assert found.values[b, h, q, k].item() == pytest.approx(np.linalg.norm(brought))
            assert plain.values[b, h, q, k].item() == pytest.approx(np.linalg.norm(vector))
            total, squares = total + brought, squares + vector @ vector
        assert together[b, q, k].item() == pytest.approx(np.linalg.norm(total))
        assert side_by_side[b, q, k].item() == pytest.approx(np.sqrt(squares))


def test_of_a_layer_with_one_key_it_is_the_length_of_its_output() -> None:
    layer = MultiHeadAttention(8, 2, bias=False).double()
    query, key = torch.randn(1, 3, 8).double(), torch.randn(1, 1, 8).double()
    _, _, value = layer._heads(query, key, key, None)
    found = value_norm_of_heads(layer.weights(query, key), value, layer.output.weight)
    torch.testing.assert_close(found.values[..., 0], layer(query, key).norm(dim=-1))


def test_opposite_heads_cancel_and_nothing_is_below_zero() -> None:
    layer = torch.full((1, 2, 1, 1), 0.5)
    value = torch.randn(1, 1, 1, 3).expand(1, 2, 1, 3)
    output = torch.cat([torch.eye(3), -torch.eye(3)], 1)
    assert value_norm_of_heads(layer, value, output).values.item() == 0.0
    assert (value_norm(layer, value, output).values > 0).all()


def test_what_does_not_fit_is_refused() -> None:
    layer, value, output = drawn()
    with pytest.raises(ValueError, match=r"a batch of 2 and 5 keys.*got \[2, 2, 4, 3\]"):
        value_norm(layer, value[:, :, :4])
    with pytest.raises(ValueError, match="4 heads of weights are no multiple of 3 of value"):
        value_norm(layer, torch.ones(2, 3, 5, 3))
    with pytest.raises(ValueError, match=r"\[embed_dim, 12\], 4 heads of 3.*got \[7, 9\]"):
        value_norm_of_heads(layer, value, output[:, :9])
    with pytest.raises(ValueError, match="value_norm reads one layer"):
        value_norm(layer[None], value)
    nn.Linear(12, 7)  # whose weight is what `output` is
    value_norm(layer, value, nn.Linear(12, 7).weight)

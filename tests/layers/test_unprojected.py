"""Attention without weights is the formula of the papers."""

import numpy as np
import pytest
import torch

from regard.layers import Attend, UnprojectedAttention
from regard.masks import Causal, Padding
from regard.normalizers import sparsemax


def test_without_projections_it_is_the_formula() -> None:
    layer = UnprojectedAttention()
    assert not list(layer.parameters())
    x = np.random.default_rng(0).normal(size=(5, 8))
    scores = x @ x.T / np.sqrt(8)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    found = layer(torch.from_numpy(x)[None])[0]
    np.testing.assert_allclose(found.numpy(), weights @ x, atol=1e-12)
    np.testing.assert_allclose(layer.weights(torch.from_numpy(x)[None])[0, 0].numpy(), weights)


def test_heads_are_slices() -> None:
    x, memory, value = (torch.randn(2, n, 12, dtype=torch.float64) for n in (5, 4, 4))
    whole = UnprojectedAttention(3)(x, memory, value)
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        alone = UnprojectedAttention()(x[..., part], memory[..., part], value[..., part])
        torch.testing.assert_close(whole[..., part], alone)


def test_its_parts_and_masks_are_the_operators() -> None:
    x, mask = torch.randn(2, 5, 12, dtype=torch.float64), Padding(torch.tensor([5, 3]))
    layer = UnprojectedAttention(3, Attend(mask=Causal(), normalizer=sparsemax))
    weights = layer.weights(x, mask=mask)
    assert not weights.triu(1).any() and not weights[1, :, :, 3:].any()
    heads = x.unflatten(-1, (3, 4)).transpose(1, 2)
    wanted = (weights @ heads).transpose(1, 2).flatten(2)
    torch.testing.assert_close(layer(x, mask=mask), wanted)
    assert torch.equal(layer.weights(x, mask=mask, rows=[-1], heads=1), weights[:, 1:2, -1:])


def test_a_width_that_cannot_be_cut_is_named() -> None:
    with pytest.raises(ValueError, match="width 10 cannot be cut into 3 heads: choose"):
        UnprojectedAttention(3)(torch.randn(1, 2, 10))
    with pytest.raises(ValueError, match="needs num_heads >= 1, got 0"):
        UnprojectedAttention(0)

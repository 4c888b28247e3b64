"""Reading in pieces with a cache equals reading at once, at every position."""

import pytest
import torch
from torch import nn

from regard.layers import (
    Attend,
    CrossAttention,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    Heads,
    KVCache,
    PreNorm,
    SelfAttention,
    Stack,
    StaticKVCache,
)
from regard.masks import Causal, Padding, SlidingWindow
from regard.positions import RoPE
from regard.score_mods import ALiBi

PARTS = {
    "causal": (Attend(mask=Causal()), {}),
    "window": (Attend(mask=SlidingWindow(3)), {}),
    "rope": (Attend(mask=Causal()), {"positions": RoPE()}),
    "alibi": (Attend(mask=Causal(), score_mod=ALiBi(4)), {}),
    "grouped": (Attend(mask=Causal()), {"heads": Heads(4, kv_heads=2), "positions": RoPE()}),
}


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 11])
@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("padded", [False, True])
def test_cached_equals_chunked_equals_full(parts: str, chunk: int, padded: bool) -> None:
    attend, options = PARTS[parts]
    layer = SelfAttention(16, attend=attend, **{"heads": 4, **options}).double()
    x = torch.randn(3, 11, 16, dtype=torch.float64)
    mask = Padding(torch.tensor([11, 4, 7])) if padded else None
    cache, found = KVCache(), []
    for start in range(0, 11, chunk):
        piece = x[:, start : start + chunk]
        seen = layer.weights(piece, mask, cache)
        found.append(layer(piece, mask, cache))
        whole = layer.weights(x, mask)[:, :, start : start + chunk, : seen.shape[-1]]
        torch.testing.assert_close(seen, whole)
        assert cache.length == min(start + chunk, 11)
    torch.testing.assert_close(torch.cat(found, 1), layer(x, mask))


def test_gradients_flow_through_a_cache() -> None:
    layer, cache = SelfAttention(16, 4, Attend(mask=Causal())).double(), KVCache()
    x = torch.randn(2, 6, 16, dtype=torch.float64, requires_grad=True)
    pieces = torch.cat([layer(x[:, :4], cache=cache), layer(x[:, 4:], cache=cache)], 1)
    (found,) = torch.autograd.grad(pieces.square().sum(), x)
    (wanted,) = torch.autograd.grad(layer(x).square().sum(), x)
    torch.testing.assert_close(found, wanted)


def test_a_copy_goes_its_own_way() -> None:
    cache, x = KVCache(), torch.randn(2, 1, 3, 4)
    cache.append(x, x)
    copy = cache.copy()
    copy.append(x, x)
    assert (cache.length, copy.length) == (3, 6)


def test_reordered_rows_continue_their_own_past() -> None:
    layer, cache = SelfAttention(16, 4, Attend(mask=Causal())).double(), KVCache()
    x = torch.randn(3, 5, 16, dtype=torch.float64)
    layer(x[:, :4], cache=cache)
    order = torch.tensor([2, 0, 0, 1])
    found = layer(x[order, 4:], cache=cache.reorder(order))
    torch.testing.assert_close(found, layer(x)[order, 4:])
    assert KVCache().reorder(order).length == 0


def test_a_batch_of_another_size_is_refused() -> None:
    cache = KVCache()
    cache.append(torch.randn(2, 1, 3, 4), torch.randn(2, 1, 3, 4))
    with pytest.raises(ValueError, match="holds 2 rows but 3"):
        cache.append(torch.randn(3, 1, 3, 4), torch.randn(3, 1, 3, 4))


def test_a_constant_cache_follows_its_rows() -> None:
    layer, memory = CrossAttention(16, 4).double(), torch.randn(3, 5, 16, dtype=torch.float64)
    x, order = torch.randn(2, 1, 16, dtype=torch.float64), torch.tensor([2, 0])
    cache = layer.precompute_kv(memory)
    assert isinstance(cache, StaticKVCache)
    torch.testing.assert_close(layer(x, cache=cache.reorder(order)), layer(x, memory[order]))


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_a_stack_of_decoder_blocks_writes_as_it_was_taught(chunk: int) -> None:
    stack = Stack(
        DecoderBlock(
            SelfAttention(16, 4),
            CrossAttention(16, 4),
            FeedForward(16, 24),
            lambda: PreNorm(nn.LayerNorm(16)),
        )
        for _ in range(3)
    ).double()
    x, memory = torch.randn(2, 7, 16).double(), torch.randn(2, 5, 16).double()
    padding = Padding(torch.tensor([5, 2]))
    caches, found = [block.precompute_kv(memory) for block in stack], []
    for start in range(0, 7, chunk):
        piece = x[:, start : start + chunk]
        found.append(stack(piece, mask=Causal(), memory_mask=padding, caches=caches))
    torch.testing.assert_close(torch.cat(found, 1), stack(x, memory, Causal(), padding))


def test_weights_of_a_block_are_those_its_layer_used() -> None:
    block = EncoderBlock(
        SelfAttention(16, 4), FeedForward(16, 24), lambda: PreNorm(nn.LayerNorm(16))
    )
    x = torch.randn(2, 5, 16)
    wanted = block.attention.weights(block.attention_residual.norm(x), Causal())
    assert torch.equal(block.weights(x, Causal()), wanted)

"""Reading in pieces with a cache equals reading at once, at every position."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from regard.layers import (
    Attend,
    CrossAttention,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    FixedKVCache,
    Heads,
    KVCache,
    PreNorm,
    SelfAttention,
    Stack,
    StaticKVCache,
    WindowKVCache,
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


KINDS = {
    "growing": KVCache,
    "fixed": partial(FixedKVCache, 13),
    "window": partial(WindowKVCache, 3),
}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
chunked = pytest.mark.parametrize("sizes", [[3, 2, 2], [1] * 7, [7], [1, 6], [5, 1, 1]], ids=str)


def windowed(window: int = 3) -> Any:
    return SelfAttention(16, 4, Attend(mask=SlidingWindow(window)), positions=RoPE()).double()


def in_pieces(layer: Any, x: torch.Tensor, cache: Any, sizes: list[int]) -> torch.Tensor:
    found = []
    for piece in x.split(sizes, dim=1):
        seen = layer.weights(piece, None, cache)
        found.append(layer(piece, None, cache))
        torch.testing.assert_close(seen.sum(-1), torch.ones_like(seen[..., 0]))
    return torch.cat(found, dim=1)


@kinds
@chunked
@pytest.mark.parametrize("graph", [True, False])
def test_every_cache_reads_in_pieces_as_at_once(kind: Any, sizes: list[int], graph: bool) -> None:
    layer, x = windowed(), torch.randn(2, 7, 16).double()
    cache = kind()
    with torch.set_grad_enabled(graph):
        found = in_pieces(layer, x, cache, sizes)
    torch.testing.assert_close(found, layer(x))
    assert cache.length == 7


@kinds
@chunked
@pytest.mark.parametrize("graph", [True, False])
def test_padding_in_front_is_seen_by_no_query(kind: Any, sizes: list[int], graph: bool) -> None:
    layer, starts = windowed(), torch.tensor([0, 4, 2])
    rows = [torch.randn(1, 7 - int(start), 16).double() for start in starts]
    padded = [nn.functional.pad(row, (0, 0, 7 - row.shape[1], 0), value=9.0) for row in rows]
    with torch.set_grad_enabled(graph):
        cache, found = kind(starts=starts), []
        for piece in torch.cat(padded).split(sizes, dim=1):
            found.append(layer(piece, None, cache))
    for row, start, found_row in zip(rows, starts, torch.cat(found, 1), strict=True):
        torch.testing.assert_close(found_row[start:], layer(row)[0])


@pytest.mark.parametrize("graph", [True, False])
def test_a_window_cache_keeps_exactly_what_its_window_sees(graph: bool) -> None:
    x, window = torch.randn(1, 9, 16).double(), 4
    with torch.set_grad_enabled(graph):
        for back in (window - 1, window, window + 1):
            layer, cache = windowed(back), WindowKVCache(window)
            found, wanted = in_pieces(layer, x, cache, [1] * 9), layer(x)
            assert cache.key is not None and cache.key.shape[2] == window
            torch.testing.assert_close(found[:, : window + 1], wanted[:, : window + 1])
            # A query that looks one further back than what is kept misses exactly that key.
            assert torch.allclose(found, wanted) == (back <= window)


def test_a_window_cache_does_not_keep_a_long_prompt() -> None:
    cache, x = WindowKVCache(3), torch.randn(1, 2, 500, 8)
    with torch.no_grad():
        cache.append(x, x)
        assert cache.key is not None and cache.key.untyped_storage().nbytes() == 4 * 2 * 3 * 8
        for _ in range(100):
            keys, _ = cache.append(x[:, :, :1], x[:, :, :1])
            assert keys.shape[2] == 4
        assert cache.key.untyped_storage().nbytes() <= 4 * 2 * 16 * 8
    assert cache.length == 600


@kinds
@pytest.mark.parametrize("graph", [True, False])
def test_copies_and_rows_go_their_own_way(kind: Any, graph: bool) -> None:
    layer, x = windowed(), torch.randn(3, 5, 16).double()
    ways = torch.randn(4, 3, 2, 16).double()
    order = torch.tensor([2, 0, 0])
    with torch.set_grad_enabled(graph):
        cache = kind()
        layer(x, None, cache)
        one, two = cache.copy(), cache.copy()
        mixed = cache.reorder(order)
        for way, each in ((0, one), (1, two), (2, cache), (3, mixed)):
            past = x[order] if each is mixed else x
            whole = layer(torch.cat([past, ways[way]], 1))[:, 5:]
            first = layer(ways[way, :, :1], None, each)
            branch = each.copy()
            torch.testing.assert_close(first, whole[:, :1])
            torch.testing.assert_close(layer(ways[way, :, 1:], None, each), whole[:, 1:])
            torch.testing.assert_close(layer(ways[way, :, 1:], None, branch), whole[:, 1:])


def test_growing_copies_each_key_a_constant_number_of_times() -> None:
    cache, x = KVCache(), torch.randn(1, 1, 1, 4)
    places = set()
    with torch.no_grad():
        for _ in range(1000):
            key, _ = cache.append(x, x)
            places.add(key.untyped_storage().data_ptr())
    assert len(places) <= 12 and cache.length == 1000


def test_rows_in_their_order_are_not_copied() -> None:
    cache, x = KVCache(), torch.randn(3, 1, 2, 4)
    with torch.no_grad():
        key, _ = cache.append(x, x)
    again = cache.reorder(torch.arange(3))
    assert again.key is not None and again.key.data_ptr() == key.data_ptr()


def test_a_cache_filled_without_a_graph_goes_on_within_one() -> None:
    layer, x = windowed(), torch.randn(2, 7, 16).double()
    for outer in (torch.no_grad, torch.inference_mode):
        cache = KVCache()
        with outer():
            layer(x[:, :3], None, cache)
            layer(x[:, 3:4], None, cache)
        with torch.no_grad():
            copy = cache.copy()
            torch.testing.assert_close(layer(x[:, 4:], None, copy), layer(x)[:, 4:])
    cache = KVCache()
    with torch.no_grad():
        layer(x[:, :4], None, cache)
    layer(x[:, 4:], None, cache).sum().backward()


@kinds
def test_half_precision_joins_the_kind_of_the_prompt(kind: Any) -> None:
    cache, x = kind(), torch.randn(1, 1, 2, 4)
    with torch.no_grad():
        cache.append(x.bfloat16(), x.bfloat16())
        key, value = cache.append(x, x)
    assert key.dtype == value.dtype == torch.float32


def test_a_full_cache_says_how_many_places_are_needed() -> None:
    cache, x = FixedKVCache(5), torch.randn(1, 1, 3, 4)
    cache.append(x, x)
    with pytest.raises(ValueError, match="has 5 places but 6 are needed"):
        cache.append(x, x)
    for make in (FixedKVCache, WindowKVCache):
        with pytest.raises(ValueError, match=">= 1, got 0"):
            make(0)

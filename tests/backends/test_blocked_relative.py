"""Products of queries and distances in the loops of `blocked`: the definition's, and nothing more.

Where they are not read by tiles they are written out, and equal all the same.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _memo, _rates, _relative
from regard._kernels.installed import has_loops
from regard.masks import Causal, Document, Padding, SlidingWindow
from regard.normalizers import Softmax, sigmoid, softmax
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap
from tests.backends.test_blocked_between import SIZES, close, compared, doubled, second_derivatives
from tests.backends.test_memory import Largest
from tests.parts import Sizes, shown, tensors
from tests.probe import assert_same, evaluate

needs_loops = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

KEYS: dict[str, Callable[[Sizes], tuple[int, int, int, int]]] = {
    "of all heads": lambda s: (1, s.heads, s.q_len + s.k_len, s.k_len),
    "shared": lambda s: (1, 1, s.q_len + s.k_len, s.k_len),
    "of each sequence": lambda s: (s.batch, s.heads, s.q_len + s.k_len + 5, s.k_len + 4),
    "clipped": lambda s: (1, s.heads, 7, 3),
    "ahead": lambda s: (1, s.heads, 4, -2),
}
"""Batch, heads and distances of the table, and the distance that it begins with."""


def relative(s: Sizes, keys: str = "of all heads", width: int = 19, **given: Any) -> RelativeDot:
    batch, heads, distances, farthest = KEYS[keys](s)
    query = torch.randn(s.batch, s.heads, s.q_len, width)
    rows = torch.randn(batch, heads, distances, width) / 2  # so that the sum of scores is not large
    return RelativeDot(query, rows, farthest, **given)


MASKS: dict[str, Callable[[Sizes], Any]] = {
    "none": lambda s: None,
    "causal": lambda s: Causal(),
    "padding": lambda s: Padding(torch.tensor([s.k_len, 0])[: s.batch]),
    "window": lambda s: SlidingWindow(40, 9),
    "documents": lambda s: Document(torch.arange(s.q_len) // 40, torch.arange(s.k_len) // 40),
}
BESIDE: dict[str, Callable[[Sizes, Any], Any]] = {
    "alone": lambda s, mod: mod,
    "a bias by distance": lambda s, mod: Chain(ALiBi(s.heads), mod, RelativeBias(s.heads, 16, 60)),
    "a bias by pairs": lambda s, mod: Chain(mod, Bias(torch.randn(s.q_len, s.k_len))),
    "a bias of each head": lambda s, mod: Chain(
        Bias(torch.randn(s.batch, s.heads, 1, s.k_len)), mod
    ),
    "a cap before": lambda s, mod: Chain(SoftCap(1.5), mod),
    "a cap and a bias": lambda s, mod: Chain(
        mod, Bias(torch.randn(s.q_len, s.k_len)), SoftCap(2.0)
    ),
}


@needs_loops
@pytest.mark.parametrize("normalizer", [softmax, sigmoid, Softmax(0.7)], ids=shown)
@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_output_and_gradients_are_the_definitions(sizes: Sizes, keys: str, normalizer: Any) -> None:
    inputs, mod = tensors(sizes, dtype=torch.float32), relative(sizes, keys)
    for mask, make in MASKS.items():
        parts = {"mask": make(sizes), "normalizer": normalizer}
        if mask in ("causal", "window"):
            parts["q_offset"] = 3
        found = evaluate(*inputs, score_mod=mod, **parts, backend="blocked")
        close(found, inputs, {**parts, "score_mod": doubled(mod)}, score_mod=mod, **parts)


@needs_loops
@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_biases_and_caps_stand_beside_them(sizes: Sizes, beside: str) -> None:
    for keys in ("of all heads", "of each sequence", "shared"):
        mod = BESIDE[beside](sizes, relative(sizes, keys, scale=0.4))
        inputs = tensors(sizes, dtype=torch.float32)
        for normalizer in (softmax, sigmoid):
            for mask in ("none", "window", "padding"):
                parts = {"mask": MASKS[mask](sizes), "normalizer": normalizer}
                for one, other in compared(inputs, mod, **parts):
                    torch.testing.assert_close(one, other, rtol=1e-4, atol=4e-5)


@needs_loops
@pytest.mark.parametrize("keys", KEYS)
def test_gradients_sum_over_sequences_heads_and_pieces(keys: str) -> None:
    sizes = Sizes(2, 2, 1, 1100, 90, 8, 8)  # so long that heads are cut into pieces
    mod, inputs = relative(sizes, keys, width=33), tensors(sizes, dtype=torch.float32)
    for mask in (None, SlidingWindow(60, 30)):
        for one, other in compared(inputs, mod, mask=mask):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", [1, 2, 64])
@pytest.mark.parametrize("keys", KEYS)
def test_written_out_they_are_the_same(
    keys: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_relative, "BLOCK", block)
    sizes = Sizes(2, 4, 2, 5, 7, 8, 9)
    inputs = tensors(sizes, dtype=torch.float64)
    for offset in (None, 0, 4, torch.tensor([1, 2])):
        for beside in ("alone", "a bias by distance", "a bias by pairs"):
            mod = doubled(BESIDE[beside](sizes, relative(sizes, keys)))
            for mask in (None, Causal() & ~SlidingWindow(0), Padding(torch.tensor([7, 0]))):
                parts = {"score_mod": mod, "q_offset": offset, "mask": mask}
                found = evaluate(*inputs, **parts, backend="sdpa")
                assert_same(found, evaluate(*inputs, **parts, backend="reference"))


@needs_loops
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype: torch.dtype) -> None:
    sizes = Sizes(2, 4, 2, 65, 70, 24, 24)
    inputs, mod = [x.to(dtype) for x in tensors(sizes)], relative(sizes)
    found = evaluate(*inputs, mask=Causal(), score_mod=mod, backend="blocked")
    parts = {"mask": Causal(), "score_mod": doubled(mod)}
    close({"output": found["output"]}, inputs, parts, mask=Causal(), score_mod=mod)
    halves = RelativeDot(mod.query.to(dtype), mod.keys.to(dtype), mod.farthest)
    wide = RelativeDot(halves.query.float(), halves.keys.float(), mod.farthest)
    one, other = (
        regard.attention(*inputs, score_mod=each, backend="blocked") for each in (halves, wide)
    )
    assert torch.equal(one, other)


@needs_loops
def test_vectors_need_not_lie_in_order_nor_hold_their_own_sign() -> None:
    sizes = Sizes(2, 2, 2, 40, 70, 8, 8)
    inputs, mod = tensors(sizes, dtype=torch.float32), relative(sizes)
    wanted = evaluate(*inputs, score_mod=mod, backend="blocked")
    query, keys = (x.detach().transpose(1, 3).contiguous().transpose(1, 3) for x in _held(mod))
    for given in (RelativeDot(query, keys, 70), RelativeDot(*map(_negated, _held(mod)), 70)):
        assert_same(evaluate(*inputs, score_mod=given, backend="blocked"), wanted, 1e-5)


def _held(mod: RelativeDot) -> tuple[Tensor, Tensor]:
    return mod.query, mod.keys


def _negated(x: Tensor) -> Tensor:
    return torch._neg_view(-x.detach())


@needs_loops
def test_nothing_has_the_size_of_all_pairs() -> None:
    sizes = Sizes(1, 2, 2, 900, 900, 16, 16)
    inputs, mod = tensors(sizes, dtype=torch.float32), relative(sizes)
    with Largest() as seen:
        evaluate(*inputs, score_mod=mod, backend="blocked")
    assert seen.elements < sizes.q_len * sizes.k_len / 4


@needs_loops
def test_second_derivatives_and_numbers_that_overflow_are_the_definitions() -> None:
    sizes = Sizes(1, 2, 2, 9, 6, 4, 4)
    inputs, mod = tensors(sizes, dtype=torch.float32), relative(sizes)
    for one, other in zip(*second_derivatives(inputs, mod), strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-4)
    large = RelativeDot(mod.query.detach() * 1e19, mod.keys.detach() * 1e19, 6, scale=1e-38)
    query, key, value = inputs
    one, other = (
        regard.attention(query, key, value, score_mod=large, backend=name)
        for name in ("blocked", "reference")
    )
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@needs_loops
def test_a_row_that_sees_nothing_gives_zeros_whatever_comes_to_it() -> None:
    sizes = Sizes(2, 2, 2, 9, 6, 4, 4)
    inputs = [x.requires_grad_() for x in tensors(sizes, dtype=torch.float32)]
    mod = relative(sizes)
    mask, learned = Padding(torch.tensor([6, 0])), [x.requires_grad_() for x in _held(mod)]
    output = regard.attention(*inputs, score_mod=mod, mask=mask, backend="blocked")
    assert output[1].eq(0).all() and output[0].ne(0).all()
    upstream = torch.ones_like(output)
    upstream[1] = math.nan
    for gradient in torch.autograd.grad(output, [*inputs, *learned], upstream):
        assert gradient.isfinite().all() and (len(gradient) == 1 or gradient[1].eq(0).all())


@needs_loops
@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"q_offset": torch.tensor([1, 0])}, "begin at one position"),
        ({"mask": ~SlidingWindow(1)}, "one run of keys"),
    ],
    ids=["offsets", "gaps"],
)
def test_what_is_not_served_is_refused_with_the_reason(parts: dict[str, Any], reason: str) -> None:
    sizes = Sizes(2, 2, 2, 5, 7, 4, 4)
    mod = relative(sizes)
    with pytest.raises(regard.UnsupportedByBackend, match=reason):
        regard.attention(*tensors(sizes), score_mod=mod, **parts, backend="blocked")


def test_flex_has_no_product_for_them() -> None:
    sizes = Sizes(1, 2, 2, 5, 7, 4, 4)
    with pytest.raises(regard.UnsupportedByBackend, match="no dot product within a score_mod"):
        regard.attention(
            *tensors(sizes, dtype=torch.float32), score_mod=relative(sizes), backend="flex"
        )


@needs_loops
def test_the_planner_takes_the_loops_where_they_are_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = Sizes(2, 4, 4, 256, 256, 64, 64)
    inputs, mod = tensors(sizes, dtype=torch.float32), relative(sizes, width=64)
    known = _rates.RATES["AuthenticAMD AVX512"][torch.float32]
    for tiles, name in ((known.tiles, "blocked"), (0.0, "sdpa")):
        rates = {torch.float32: replace(known, tiles=tiles)}
        monkeypatch.setattr(_rates, "rates_of_cpu", lambda rates=rates: rates)
        _memo.forget()
        assert regard.plan(*inputs, score_mod=mod).backend == name
    _memo.forget()


def test_no_distance_is_enough_for_no_pair_and_too_few_for_one() -> None:
    mod = RelativeDot(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 0, 2), farthest=0)
    query, nothing = torch.randn(1, 1, 3, 2), torch.randn(1, 1, 0, 2)
    assert not regard.attention(query, nothing, nothing, score_mod=mod).any()
    with pytest.raises(ValueError, match="0 distances, and the call has 3 queries and 2 keys"):
        regard.attention(query, query[:, :, :2], query[:, :, :2], score_mod=mod)

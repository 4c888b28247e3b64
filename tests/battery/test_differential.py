"""Two evaluations of one drawn call agree: every backend with the reference, or it says why not."""

import math
import random
from typing import Any

import pytest
import torch
from hypothesis import given, note
from hypothesis import strategies as st
from torch import Tensor

import regard
from regard._backends import _plan, chunked
from regard.masks import Block, Causal, Dense, Document, Padding, Prefix, SlidingWindow
from regard.normalizers import (
    Entmax,
    LocalGaussian,
    Softmax,
    TopK,
    divide_by_sum,
    sigmoid,
    softmax,
    softmax_one,
    sparsemax,
)
from regard.score_mods import ALiBi, Bias, RelativeBias, SoftCap
from regard.scores import (
    Additive,
    Bilinear,
    Cosine,
    Dot,
    FeatureMapDot,
    InverseDistance,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.contracts.test_operator import LAYOUTS
from tests.parts import Sizes, tensors
from tests.probe import assert_same, evaluate, run_flex_eagerly

LENGTHS = st.integers(0, 9)
WIDTHS = st.integers(1, 9) | st.sampled_from([63, 64, 65])


@st.composite
def shapes(draw: st.DrawFn) -> Sizes:
    kv_heads, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    long = draw(st.integers(0, 19)) == 0
    lengths = st.sampled_from([63, 64, 65, 127, 128, 129]) if long else LENGTHS
    return Sizes(
        draw(st.integers(0, 3)), kv_heads * groups, kv_heads, draw(lengths), draw(lengths),
        draw(WIDTHS), draw(WIDTHS),
    )  # fmt: skip


@st.composite
def broadcast(draw: st.DrawFn, sizes: Sizes) -> list[int]:
    full = (sizes.batch, sizes.heads, sizes.q_len, sizes.k_len)
    shape = [size if draw(st.booleans()) else 1 for size in full]
    return shape[draw(st.integers(0, 2)) :]


@st.composite
def masks(draw: st.DrawFn, sizes: Sizes, offset: int, depth: int = 2) -> Any:
    reach = st.integers(0, 5)
    longest = max(sizes.k_len, sizes.q_len + max(offset, 0)) + 1
    kind = draw(st.integers(0, 8 if depth == 0 else 11))
    match kind:
        case 0:
            return Causal()
        case 1 | 2:
            return SlidingWindow(draw(reach), draw(reach))
        case 3:
            return Block(draw(st.integers(1, 5)))
        case 4:
            return Prefix(draw(reach))
        case 5:
            return Padding(torch.randint(0, sizes.k_len + 1, (sizes.batch,)))
        case 6 if offset >= 0:
            return Document(torch.randint(0, 3, (sizes.batch, longest)))
        case 6 | 7:
            return Padding(keep=torch.rand(sizes.batch, sizes.k_len) < 0.6)
        case 8:
            return Dense(torch.rand(draw(broadcast(sizes))) < 0.6)
        case 9:
            return ~draw(masks(sizes, offset, 0))
        case 10:
            return draw(masks(sizes, offset, depth - 1)) & draw(masks(sizes, offset, depth - 1))
        case _:
            return draw(masks(sizes, offset, depth - 1)) | draw(masks(sizes, offset, depth - 1))


@st.composite
def score_mods(draw: st.DrawFn, sizes: Sizes) -> Any:
    match draw(st.integers(0, 5)):
        case 0:
            return ALiBi(sizes.heads)
        case 1 | 2:
            return Bias(torch.randn(draw(broadcast(sizes)), dtype=torch.float64))
        case 3:
            both_ways = draw(st.booleans())
            # The shape hook looks at one item of a tuple, which it draws; hypothesis forbids that.
            before = random.getstate()
            mod = RelativeBias(sizes.heads, 8, 5, both_ways).double()
            random.setstate(before)
            return mod
        case 4:
            return SoftCap(draw(st.sampled_from([0.5, 2.0])))
        case _:
            return None


@st.composite
def scores_and_normalizers(draw: st.DrawFn, sizes: Sizes) -> tuple[Any, Any]:
    width = sizes.width
    if draw(st.integers(0, 4)) == 0:
        return FeatureMapDot(), divide_by_sum
    score = draw(
        st.sampled_from(
            [
                ScaledDot(), ScaledDot(), ScaledDot(0.3), ScaledDot(-1.0), ScaledDot(0.0), Dot(),
                Cosine(0.5), NegativeSquaredDistance(), FeatureMapDot(), InverseDistance(),
                Additive(), Bilinear(width, width).double(),
            ]
        )
    )  # fmt: skip
    center = torch.rand(1, sizes.heads, sizes.q_len, dtype=torch.float64) * 9
    normalizer = draw(
        st.sampled_from(
            [
                softmax, softmax, softmax, Softmax(0.5), Softmax(3.0), softmax_one, sparsemax,
                Entmax(1.5), sigmoid, TopK(3), LocalGaussian(center, 2.0),
            ]
        )
    )  # fmt: skip
    return score, normalizer


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[Tensor], dict[str, Any]]:
    torch.manual_seed(draw(st.integers(0, 9)))
    sizes = draw(shapes())
    q_offset = draw(st.none() | st.integers(-3, 9))
    offset = sizes.k_len - sizes.q_len if q_offset is None else q_offset
    score, normalizer = draw(scores_and_normalizers(sizes))
    layout = LAYOUTS[draw(st.sampled_from([*LAYOUTS]))]
    size = draw(st.sampled_from([1.0, 1.0, 1e-3, 5.0]))
    inputs = [size * layout(x) for x in tensors(sizes)]
    parts = {
        "score": score,
        "score_mod": draw(score_mods(sizes)) if draw(st.booleans()) else None,
        "mask": draw(masks(sizes, offset)) if draw(st.integers(0, 3)) else None,
        "normalizer": normalizer,
        "q_offset": q_offset,
    }
    note(f"{sizes} {parts} {[x.stride() for x in inputs]}")
    return inputs, parts


@given(call=calls(), pieces=st.integers(1, 4))
def test_every_backend_agrees_with_the_reference_or_says_why_not(
    call: tuple[list[Tensor], dict[str, Any]], pieces: int
) -> None:
    inputs, parts = call
    wanted = evaluate(*inputs, **parts, backend="reference")
    scale = max([1.0, *(x.abs().max().item() for x in wanted.values() if x.numel())])
    assert all(x.isfinite().all() for x in wanted.values()), scale
    served = {None, *_plan.BACKENDS} - {"reference", "flex"}
    for backend in served:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chunked, "chunk_rows", lambda call: -(-call.q_len // pieces) or 1)
            try:
                found = evaluate(*inputs, **parts, backend=backend)
            except regard.UnsupportedByBackend as refusal:
                assert refusal.reasons[backend]
                continue
        assert_same(found, wanted, 1e-10)


@given(call=calls())
def test_flex_agrees_with_the_reference_or_says_why_not(
    call: tuple[list[Tensor], dict[str, Any]],
) -> None:
    inputs, parts = call
    inputs = [x.float() for x in inputs]
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        run_flex_eagerly(patch)
        try:
            found = regard.attention(*inputs, **parts, backend="flex")
        except regard.UnsupportedByBackend as refusal:
            assert refusal.reasons["flex"]
            return
        wanted = regard.attention(*inputs, **parts, backend="reference")
    assert_same({"output": found}, {"output": wanted}, 3e-4)


@given(call=calls(), data=st.data())
def test_weights_explain_the_output_and_any_part_of_them_may_be_asked_for(
    call: tuple[list[Tensor], dict[str, Any]], data: st.DataObject
) -> None:
    inputs, parts = call
    query, key, value = inputs
    with torch.no_grad():
        weights = regard.attention_weights(query, key, **parts)
        output = regard.attention(*inputs, **parts)
    groups = query.shape[1] // key.shape[1]
    assert_same({"it": weights @ value.repeat_interleave(groups, 1)}, {"it": output}, 1e-10)
    count = st.lists(st.integers(-query.shape[2], query.shape[2] - 1), max_size=3)
    rows = data.draw(count) if query.shape[2] else []
    heads = data.draw(st.lists(st.integers(-query.shape[1], query.shape[1] - 1), max_size=3))
    with torch.no_grad():
        some = regard.attention_weights(query, key, **parts, rows=rows, heads=heads)
    at_heads, at_rows = (torch.tensor(x, dtype=torch.long) for x in (heads, rows))
    assert_same({"it": some}, {"it": weights[:, at_heads][:, :, at_rows]}, 1e-12)


@given(call=calls(), garbage=st.sampled_from([math.nan, math.inf, -math.inf, 1e200, -1e38]))
def test_what_no_query_sees_may_be_anything(
    call: tuple[list[Tensor], dict[str, Any]], garbage: float
) -> None:
    inputs, parts = call
    query, key, value = inputs
    groups = query.shape[1] // key.shape[1]
    hidden = torch.rand(key.shape[:3]) < 0.4
    here = Dense(~hidden.repeat_interleave(groups, 1).unsqueeze(2))
    parts["mask"] = here if parts["mask"] is None else here & parts["mask"]
    clean = evaluate(*inputs, **parts)
    key, value = (x.masked_fill(hidden.unsqueeze(-1), garbage) for x in (key, value))
    assert_same(evaluate(query, key, value, **parts), clean, 1e-10)

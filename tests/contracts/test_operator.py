"""The twelve contracts of the operator, each as laws over backends and parts."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.masks import Block, Causal, Dense, Padding, Prefix, SlidingWindow
from regard.normalizers import (
    GumbelSoftmax,
    Sample,
    Softmax,
    divide_by_sum,
    softmax,
    softmax_one,
    sparsemax,
)
from regard.score_mods import ALiBi, Bias, RelativeBias, SoftCap
from regard.scores import Additive, Cosine, FeatureMapDot, NegativeSquaredDistance, ScaledDot
from tests.one_by_one import all_in_one
from tests.parts import NORMALIZERS, Sizes, tensors
from tests.probe import assert_same, evaluate, slope

BACKENDS = ["reference", "chunked", "sdpa", "banded"]
MASKED = {
    "padding": Padding(torch.tensor([3, 0])),
    "causal": Causal(),
    "window": SlidingWindow(1, 1),
    "dense": Dense(torch.arange(2 * 2 * 5 * 6).reshape(2, 2, 5, 6) % 3 == 0),
    "block": Block(2) & ~Prefix(1),
}
BOUNDED = ("window", "block")


def serves(backend: str, mask: str) -> bool:
    return backend != "banded" or mask in BOUNDED


SERVED = [
    (backend, mask)
    for backend, mask in itertools.product(BACKENDS, MASKED)
    if serves(backend, mask)
]


def qkv(q_len: int = 5, k_len: int = 6, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [x.to(dtype) for x in tensors(Sizes(2, 2, 2, q_len, k_len, 3, 4))]


def allowed(mask: Any, q_len: int = 5, k_len: int = 6) -> Tensor:
    b, h = torch.arange(2).view(2, 1, 1, 1), torch.arange(2).view(1, 2, 1, 1)
    q, k = torch.arange(q_len).view(-1, 1) + k_len - q_len, torch.arange(k_len)
    bound = mask.aligned(k_len - q_len)
    return bound(b, h, q[None, None], k[None, None, None]).expand(2, 2, q_len, k_len)


# 1 and 2: what may be seen, exactly


@all_in_one(("backend", "mask"), SERVED)
def test_exactly_the_permitted_values_reach_the_output(backend: str, mask: str) -> None:
    query, key, _ = qkv()
    spelled = torch.eye(6, dtype=torch.float64).expand(2, 2, 6, 6)
    seen = regard.attention(query, key, spelled, mask=MASKED[mask], backend=backend)
    assert torch.equal(seen != 0, allowed(MASKED[mask]))


@all_in_one("normalizer", NORMALIZERS)
@pytest.mark.parametrize("mask", MASKED)
def test_a_forbidden_pair_has_weight_zero_under_every_normalizer(
    mask: str, normalizer: str
) -> None:
    sizes = Sizes(2, 2, 2, 5, 6)
    query, key, _ = tensors(sizes)
    part = NORMALIZERS[normalizer](sizes)[0]
    parts = {"mask": MASKED[mask], "normalizer": part, "score": FeatureMapDot()}
    weights = regard.attention_weights(query, key, **parts).detach()
    assert not weights[~allowed(MASKED[mask])].any()
    dead = ~allowed(MASKED[mask]).any(-1)
    assert weights[dead].count_nonzero() == 0


GARBAGE = [math.nan, math.inf, -math.inf, 1e38, -1e300]


@all_in_one("garbage", GARBAGE)
@all_in_one(("backend", "mask"), [row for row in SERVED if row[1] not in ("causal", "window")])
def test_what_lies_under_the_mask_never_comes_out(backend: str, mask: str, garbage: float) -> None:
    """Keys, values and queries without a partner may hold anything: it is as if they were gone."""
    query, key, value = qkv()
    visible = allowed(MASKED[mask])
    clean = evaluate(query, key, value, mask=MASKED[mask], backend=backend)
    unseen, blind = ~visible.any(-2), ~visible.any(-1)
    assert unseen.any() or blind.any()
    key, value = (x.masked_fill(unseen.unsqueeze(-1), garbage) for x in (key, value))
    query = query.masked_fill(blind.unsqueeze(-1), garbage)
    assert_same(evaluate(query, key, value, mask=MASKED[mask], backend=backend), clean)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf])
@all_in_one(("backend", "mask"), SERVED)
def test_a_bad_key_reaches_the_queries_that_see_it_and_no_other(
    backend: str, mask: str, garbage: float
) -> None:
    query, key, value = qkv()
    visible = allowed(MASKED[mask])
    clean = evaluate(query, key, value, mask=MASKED[mask], backend=backend)
    for spoiled in ("key", "value"):
        for at in (0, 2, 5):
            wild = {"query": query, "key": key.clone(), "value": value.clone()}
            wild[spoiled][1, 0, at] = garbage
            output = regard.attention(**wild, mask=MASKED[mask], backend=backend)
            touched = visible[1, 0, :, at]
            if math.isnan(garbage):
                assert output[1, 0, touched].isnan().all()
            elif spoiled == "value":
                assert not output[1, 0, touched].isfinite().all(-1).any()
            assert_same({"it": output[1, 0, ~touched]}, {"it": clean["output"][1, 0, ~touched]})
            assert_same({"it": output[:, 1]}, {"it": clean["output"][:, 1]})
            assert_same({"it": output[0]}, {"it": clean["output"][0]})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e38, -3e38])
@pytest.mark.parametrize("backend", [None, "reference", "chunked", "sdpa"])
def test_a_later_bad_token_spoils_no_earlier_output_or_gradient(
    backend: str | None, garbage: float, dtype: torch.dtype
) -> None:
    """Under a causal mask some queries see it; a loss of the others knows nothing of it."""
    query, key, value = qkv(6, 6, dtype)
    upstream = slope(value)
    upstream[:, :, 4:] = 0
    clean = evaluate(query, key, value, upstream, mask=Causal(), backend=backend)
    for spoiled in range(3):
        inputs = [x.clone() for x in (query, key, value)]
        inputs[spoiled][:, :, 4] = garbage
        try:
            found = evaluate(*inputs, upstream, mask=Causal(), backend=backend)
        except regard.UnsupportedByBackend as refusal:
            assert backend == "sdpa"
            assert "'chunked' keeps them apart" in str(refusal)
            continue
        tolerance = 1e-5 if dtype == torch.float32 else 1e-11
        early = {"output": found.pop("output")[:, :, :4]}
        assert_same(early, {"output": clean["output"][:, :, :4]}, tolerance)
        if not math.isfinite(garbage):  # finite numbers that overflow in a permitted pair do spoil
            assert_same(found, {name: clean[name] for name in found}, tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa"])
def test_garbage_stays_hidden_in_every_dtype(backend: str, dtype: torch.dtype) -> None:
    query, key, value = qkv(5, 6, dtype)
    mask = Padding(torch.tensor([3, 0]))
    clean = evaluate(query, key, value, mask=mask, backend=backend)
    for garbage in (math.nan, math.inf, torch.finfo(dtype).max):
        key[0, :, 3:], value[0, :, 3:], key[1], value[1] = garbage, garbage, garbage, garbage
        assert_same(evaluate(query, key, value, mask=mask, backend=backend), clean, 0.0)


@pytest.mark.parametrize(
    "normalizer", ["softmax", "sparsemax", "Entmax", "sigmoid", "TopK", "Hard"]
)
def test_garbage_stays_hidden_under_every_normalizer(normalizer: str) -> None:
    query, key, value = qkv()
    part = NORMALIZERS[normalizer](Sizes(2, 2, 2, 5, 6))[0]
    parts = {"mask": Causal() & Padding(torch.tensor([3, 0])), "normalizer": part}
    clean = evaluate(query, key, value, **parts)
    for garbage in GARBAGE:
        key[0, :, 3:], value[0, :, 3:], key[1], value[1] = garbage, garbage, garbage, garbage
        assert_same(evaluate(query, key, value, **parts), clean)


# 3: no permitted key


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_without_a_permitted_key_gives_zeros_and_no_gradient(backend: str) -> None:
    query, key, value = qkv()
    nothing = Dense(torch.zeros(1, 1, dtype=torch.bool)) & SlidingWindow(9, 9)
    for name, found in evaluate(query, key, value, mask=nothing, backend=backend).items():
        assert not found.any(), name
    some = torch.ones(5, 6, dtype=torch.bool)
    some[2] = False
    found = evaluate(query, key, value, mask=Dense(some) & SlidingWindow(9, 9), backend=backend)
    assert not found["output"][:, :, 2].any()
    assert not found["gradient of query"][:, :, 2].any()
    assert found["output"][:, :, 1].all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_queries_before_the_first_key_are_dead(backend: str) -> None:
    """More queries than keys: the last aligns with the last, the first have nothing to see."""
    query, key, value = qkv(9, 6)
    output = regard.attention(query, key, value, mask=Causal() & SlidingWindow(2), backend=backend)
    assert not output[:, :, :3].any()
    assert output[:, :, 3:].all()


# 4: the order of the steps


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa"])
def test_a_bias_is_added_after_scaling_and_counts_like_copies_of_a_key(backend: str) -> None:
    query, key, value = qkv()
    bias = torch.zeros(5, 6, dtype=torch.float64)
    bias[:, 2] = math.log(3)
    biased = regard.attention(
        query, key, value, score=ScaledDot(0.2), score_mod=Bias(bias), backend=backend
    )
    copied = [torch.cat([x, x[:, :, 2:3], x[:, :, 2:3]], 2) for x in (key, value)]
    expected = regard.attention(query, *copied, score=ScaledDot(0.2), backend=backend)
    assert_same({"output": biased}, {"output": expected})


@pytest.mark.parametrize("backend", ["reference", "chunked"])
def test_the_mask_comes_after_the_score_mod(backend: str) -> None:
    """A cap would lift minus infinity back to a finite score."""
    query, key, _ = qkv()
    spelled = torch.eye(6, dtype=torch.float64).expand(2, 2, 6, 6)
    seen = regard.attention(
        query, key, spelled, score_mod=SoftCap(0.5), mask=Causal(), backend=backend
    )
    assert torch.equal(seen != 0, allowed(Causal()))


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa"])
def test_dropout_acts_on_weights_after_normalizing(backend: str) -> None:
    query, key, _ = qkv()
    spelled = torch.eye(6, dtype=torch.float64).expand(2, 2, 6, 6)
    weights = regard.attention_weights(query, key)
    dropped = regard.attention(query, key, spelled, dropout=0.25, backend=backend)
    kept = dropped != 0
    assert_same({"kept": dropped[kept]}, {"kept": (weights / 0.75)[kept]})
    assert 0.55 < kept.double().mean() < 0.92


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa", "banded"])
def test_dropout_keeps_the_mean_and_everything_or_nothing_at_the_ends(backend: str) -> None:
    query, key, value = (torch.randn(64, 8, 4, 3) for _ in range(3))
    value = value + 5
    mask = SlidingWindow(9, 9)
    plain = regard.attention(query, key, value, mask=mask, backend=backend)
    dropped = regard.attention(query, key, value, mask=mask, dropout=0.3, backend=backend)
    assert not torch.equal(plain, dropped)
    assert abs((dropped.mean() / plain.mean()).item() - 1) < 0.02
    none = regard.attention(query, key, value, mask=mask, dropout=1.0, backend=backend)
    assert not none.any()
    again = regard.attention(query, key, value, mask=mask, dropout=0.0, backend=backend)
    assert torch.equal(plain, again)


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa", "tiny"])
def test_the_backward_pass_drops_what_the_forward_pass_dropped(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "tiny":
        from regard._backends import chunked

        monkeypatch.setattr(chunked, "chunk_rows", lambda call: 2)
        backend = "chunked"
    normalizers = [softmax] if backend == "sdpa" else [softmax, Sample(), GumbelSoftmax(0.5)]
    for normalizer in normalizers:
        query, key, _ = qkv()
        value = torch.eye(6, dtype=torch.float64).repeat(2, 2, 1, 1).requires_grad_()
        weights = regard.attention(
            query, key, value, normalizer=normalizer, dropout=0.5, backend=backend
        )
        upstream = slope(weights)
        (gradient,) = torch.autograd.grad(weights, value, upstream)
        assert_same({"value": gradient}, {"value": weights.detach().mT @ upstream})


def test_weights_are_those_before_dropout() -> None:
    query, key, _ = qkv()
    weights = regard.attention_weights(query, key)
    assert_same({"sum": weights.sum(-1)}, {"sum": torch.ones(2, 2, 5, dtype=torch.float64)})


# 5: numbers


@all_in_one("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_the_dtype_of_the_query_comes_back(backend: str | None, dtype: torch.dtype) -> None:
    query, key, value = qkv(dtype=dtype)
    for given in (
        {}, {"score": NegativeSquaredDistance()}, {"score": Cosine()},
        {"score_mod": Bias(torch.randn(5, 6))}, {"score_mod": ALiBi(2)},
    ):  # fmt: skip
        if backend == "banded" and "score_mod" in given:
            continue
        given["mask"] = SlidingWindow(2, 2)
        found = evaluate(query, key, value, **given, backend=backend)
        assert found["output"].dtype == found["gradient of key"].dtype == dtype
        assert regard.attention_weights(query, key, **given).dtype == dtype


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_scores_beyond_half_precision_do_not_overflow(backend: str, dtype: torch.dtype) -> None:
    query = torch.full((1, 1, 1, 64), 60.0, dtype=dtype)
    key = torch.stack([torch.full((64,), x, dtype=dtype) for x in (60.0, 59.0)])[None, None]
    value = torch.tensor([[1.0], [5.0]], dtype=dtype)[None, None]
    for score in (ScaledDot(1.0), NegativeSquaredDistance(), Cosine(0.1)):
        output = regard.attention(query, key, value, score=score, backend=backend)
        wanted = 3.0 if isinstance(score, Cosine) else 1.0
        assert abs(output.item() - wanted) < 0.02, score


def test_a_bias_in_half_precision_keeps_positions_apart() -> None:
    """Positions beyond 256 merge in bfloat16: penalties must be computed before rounding."""
    key = torch.zeros(1, 1, 2000, 4, dtype=torch.bfloat16)
    query, value = key[:, :, :1], torch.arange(2000.0).view(1, 1, -1, 1).bfloat16()
    exact = regard.attention(
        query.double(), key.double(), value.double(), score_mod=ALiBi(1), q_offset=1000
    )
    for backend in ("reference", "sdpa", "chunked"):
        found = regard.attention(
            query, key, value, score_mod=ALiBi(1), q_offset=1000, backend=backend
        )
        assert abs(found.item() / exact.item() - 1) < 0.01


# 6: positions


@pytest.mark.parametrize("backend", BACKENDS)
def test_decoding_step_by_step_equals_the_whole(backend: str) -> None:
    query, key, value = qkv(9, 9)
    mask = Causal() & SlidingWindow(4)
    whole = regard.attention(query, key, value, mask=mask, backend=backend)
    for t in range(9):
        step = regard.attention(
            query[:, :, t : t + 1], key[:, :, : t + 1], value[:, :, : t + 1],
            mask=mask, backend=backend,
        )  # fmt: skip
        assert_same({"step": step}, {"step": whole[:, :, t : t + 1]})


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa"])
def test_prefill_in_chunks_equals_the_whole(backend: str) -> None:
    query, key, value = qkv(7, 7)
    bias = RelativeBias(2, 8, 4)
    for parts in (
        {"mask": Causal()},
        {"mask": Causal() | Prefix(3), "score_mod": ALiBi(2)},
        {"mask": SlidingWindow(2), "score_mod": bias},
    ):
        whole = regard.attention(query, key, value, **parts, backend=backend)
        done = 0
        for length in (3, 2, 2):
            stop = done + length
            chunk = regard.attention(
                query[:, :, done:stop], key[:, :, :stop], value[:, :, :stop], **parts,
                backend=backend,
            )  # fmt: skip
            assert_same({"chunk": chunk.detach()}, {"chunk": whole[:, :, done:stop].detach()})
            done = stop


def test_a_single_late_query_sees_every_key_under_causal() -> None:
    query, key, _ = qkv(1, 5)
    spelled = torch.eye(5, dtype=torch.float64).expand(2, 2, 5, 5)
    for backend in ("reference", "chunked", "sdpa"):
        assert regard.attention(query, key, spelled, mask=Causal(), backend=backend).all()


# 7: one type


def test_no_option_changes_what_is_returned() -> None:
    query, key, value = qkv()
    for parts in ({}, {"dropout": 0.5}, {"mask": Causal()}, {"normalizer": sparsemax}):
        assert type(regard.attention(query, key, value, **parts)) is Tensor
    for some in ({}, {"rows": 0}, {"heads": 1}, {"rows": [0], "heads": slice(0, 1)}):
        weights = regard.attention_weights(query, key, **some)
        assert type(weights) is Tensor
        assert weights.ndim == 4


# 9: groups


@pytest.mark.parametrize("backend", BACKENDS)
def test_grouped_heads_are_repeat_interleave(backend: str) -> None:
    sizes = Sizes(2, 6, 2, 5, 6)
    query, key, value = tensors(sizes)
    mask = Dense(torch.rand(6, 5, 6) < 0.7) & SlidingWindow(9, 9)
    grouped = evaluate(query, key, value, mask=mask, backend=backend)
    repeated = [x.repeat_interleave(3, 1) for x in (key, value)]
    single = evaluate(query, *repeated, mask=mask, backend=backend)
    for name in ("key", "value"):
        gradient = single[f"gradient of {name}"].unflatten(1, (2, 3)).sum(2)
        single[f"gradient of {name}"] = gradient
    assert_same(grouped, single)


# 10: anything with a shape


@pytest.mark.parametrize("backend", [None, *BACKENDS])
@all_in_one("batch", [0, 2])
@all_in_one("q_len", [0, 1, 4])
@all_in_one("k_len", [0, 1, 3])
def test_empty_batches_queries_and_keys_work(
    backend: str | None, batch: int, q_len: int, k_len: int
) -> None:
    query, key, value = tensors(Sizes(batch, 4, 2, q_len, k_len, 3, 5))
    for mask in (SlidingWindow(1, 1), SlidingWindow(1) & Causal()):
        found = evaluate(query, key, value, mask=mask, backend=backend)
        assert found["output"].shape == (batch, 4, q_len, 5)
        assert all(x.isfinite().all() for x in found.values())
        assert k_len or not found["output"].any()
    if backend != "banded":
        found = evaluate(query, key, value, backend=backend)
        assert found["output"].shape == (batch, 4, q_len, 5)
        assert k_len or not found["output"].any()
    assert regard.attention_weights(query, key).shape == (batch, 4, q_len, k_len)


def test_linear_attention_serves_empty_tensors() -> None:
    for q_len, k_len in ((0, 0), (0, 3), (3, 0)):
        inputs = tensors(Sizes(2, 4, 2, q_len, k_len))
        for mask in (None, Padding(torch.tensor([0, k_len]))):
            parts = {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": mask}
            output = regard.attention(*inputs, **parts)
            assert output.shape == (2, 4, q_len, 4)
            assert not output.any() or k_len


LAYOUTS = {
    "transposed": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
    "last axis first": lambda x: x.mT.contiguous().mT,
    "strided": lambda x: torch.stack([x, -x], -1).flatten(-2)[..., ::2],
    "every other row": lambda x: x.repeat_interleave(2, 2)[:, :, ::2],
    "flipped twice": lambda x: x.flip(2).flip(2),
    "offset": lambda x: torch.cat([x.new_full((1,), 9.0), x.flatten()])[1:].view(x.shape),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_in_memory_does_not_matter(layout: str, backend: str) -> None:
    inputs = tensors(Sizes(2, 4, 2, 70, 70))
    mask = SlidingWindow(3, 1)
    moved = [LAYOUTS[layout](x) for x in inputs]
    wanted = evaluate(*inputs, mask=mask, backend=backend)
    assert_same(evaluate(*moved, mask=mask, backend=backend), wanted)


@pytest.mark.parametrize("backend", BACKENDS)
def test_expanded_keys_and_masks_work(backend: str) -> None:
    query, key, value = tensors(Sizes(2, 2, 2, 5, 5))
    key, value = key[:1].expand(2, -1, -1, -1), value[:, :1].expand(-1, 2, -1, -1)
    mask = (torch.rand(5, 1) < 0.8).expand(5, 5)
    parts = {"mask": Dense(mask) & SlidingWindow(3, 3)}
    wanted = evaluate(query, key.clone(), value.clone(), **parts, backend=backend)
    assert_same(evaluate(query, key, value, **parts, backend=backend), wanted)


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_inputs_are_never_modified(backend: str | None) -> None:
    query, key, value = qkv()
    tensor = torch.rand(2, 2, 5, 6) < 0.5
    bias = torch.randn(5, 6, dtype=torch.float64)
    parts = {"mask": Dense(tensor) & SlidingWindow(3, 3)}
    if backend != "banded":
        parts["score_mod"] = Bias(bias)
    key[0, 0, 0] = math.nan
    inputs = [query, key, value, tensor, bias]
    before = [x.clone() for x in inputs]
    versions = [x._version for x in inputs]
    evaluate(query, key, value, **parts, backend=backend)
    regard.attention_weights(query, key, **parts)
    for x, copy, version in zip(inputs, before, versions, strict=True):
        assert x._version == version
        assert torch.equal(x.nan_to_num(7.0) if x.is_floating_point() else x,
                           copy.nan_to_num(7.0) if copy.is_floating_point() else copy)  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_call_gives_the_same_bits(backend: str) -> None:
    query, key, value = (torch.randn(2, 4, 130, 16) for _ in range(3))
    mask = SlidingWindow(20)
    first = evaluate(query, key, value, mask=mask, backend=backend)
    for _ in range(20):
        again = evaluate(query, key, value, mask=mask, backend=backend)
        assert all(torch.equal(again[name], first[name]) for name in first)
    output = first["output"]
    with torch.no_grad():
        for _ in range(100):
            found = regard.attention(query, key, value, mask=mask, backend=backend)
            assert torch.equal(found, output)


# 11: derivatives


DIFFERENTIABLE = [
    {},
    {"mask": Causal()},
    {"score": Cosine(0.4), "mask": Dense(torch.eye(2, 3, dtype=torch.bool))},
    {"score": NegativeSquaredDistance(), "score_mod": SoftCap(1.5)},
    {"score": Additive(), "normalizer": softmax_one},
    {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": Padding(torch.tensor([2, 0]))},
    {"normalizer": sparsemax, "mask": SlidingWindow(1)},
    {"score_mod": ALiBi(2), "normalizer": Softmax(0.5), "mask": ~Prefix(1)},
]


@pytest.mark.parametrize("parts", DIFFERENTIABLE, ids=lambda parts: "-".join(parts) or "plain")
@pytest.mark.parametrize("backend", ["reference", "chunked", "tiny"])
def test_first_and_second_derivatives_are_those_of_the_function(
    backend: str, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = backend == "tiny"
    if fast:
        from regard._backends import chunked

        monkeypatch.setattr(chunked, "chunk_rows", lambda call: 1)
        backend = "chunked"
    inputs = [x.requires_grad_() for x in tensors(Sizes(2, 2, 1, 2, 3, 2, 1))]

    def attend(*inputs: Tensor) -> Tensor:
        return regard.attention(*inputs, **parts, backend=backend)

    assert torch.autograd.gradcheck(attend, inputs, fast_mode=fast)
    assert torch.autograd.gradgradcheck(attend, inputs, fast_mode=fast)


def test_weights_have_derivatives_too() -> None:
    query, key, _ = (x.requires_grad_() for x in tensors(Sizes(1, 2, 1, 2, 3, 2, 1)))

    def weigh(query: Tensor, key: Tensor) -> Tensor:
        return regard.attention_weights(query, key, mask=Causal(), rows=[1], heads=[0])

    assert torch.autograd.gradcheck(weigh, (query, key))
    assert torch.autograd.gradgradcheck(weigh, (query, key))


def test_no_gradient_is_asked_no_graph_is_kept() -> None:
    query, key, value = qkv()
    for backend in BACKENDS:
        output = regard.attention(query, key, value, mask=SlidingWindow(2), backend=backend)
        assert not output.requires_grad
        with torch.no_grad():
            output = regard.attention(
                query.clone().requires_grad_(), key, value, mask=SlidingWindow(2), backend=backend
            )
        assert not output.requires_grad


# 12: autocast


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_autocast_casts_as_the_kernel_of_torch_does(
    backend: str | None, dtype: torch.dtype
) -> None:
    query, key, value = qkv(dtype=torch.float32)
    mask = SlidingWindow(9, 9)
    with torch.autocast("cpu", dtype):
        found = regard.attention(query, key, value, mask=mask, backend=backend)
        native = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        weights = regard.attention_weights(query, key)
        mixed = regard.attention(query.to(dtype), key, value, mask=mask, backend=backend)
    assert found.dtype == native.dtype == weights.dtype == mixed.dtype == dtype
    low = [x.to(dtype) for x in (query, key, value)]
    assert torch.equal(found, regard.attention(*low, mask=mask, backend=backend))
    assert torch.equal(found, mixed)


def test_autocast_leaves_float64_alone() -> None:
    query, key, value = qkv()
    with torch.autocast("cpu", torch.bfloat16):
        found = regard.attention(query, key, value)
    assert torch.equal(found, regard.attention(query, key, value))


def test_autocast_gives_gradients_in_the_dtype_of_the_leaves() -> None:
    query, key, value = qkv(dtype=torch.float32)
    score = Additive(3, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = evaluate(query, key, value, score=score)
    assert found["gradient of key"].dtype == torch.float32
    assert found["gradient of score.v"].dtype == torch.float32


# attention_weights


@pytest.mark.parametrize("normalizer", [name for name in NORMALIZERS if name != "divide_by_sum"])
def test_some_rows_and_heads_are_the_same_as_in_all_weights(normalizer: str) -> None:
    sizes = Sizes(2, 6, 2, 5, 7)
    query, key, _ = tensors(sizes)
    parts = {
        "normalizer": NORMALIZERS[normalizer](sizes)[0],
        "score_mod": Bias(torch.randn(2, 6, 5, 7)),
        "mask": Dense(torch.rand(2, 6, 5, 7) < 0.6) & Causal(),
    }
    whole = regard.attention_weights(query, key, **parts)
    everything = torch.arange(6)
    for rows, heads in [
        (None, 3), (2, None), (-1, -1), ([4, 0, 0], [5, 1]), (slice(1, 4, 2), slice(None, None, 2)),
        (torch.tensor([3, 1]), torch.tensor(2)), ([], None), (slice(0, 0), slice(0, 0)),
    ]:  # fmt: skip
        some = regard.attention_weights(query, key, **parts, rows=rows, heads=heads)
        at_rows = everything[:5] if rows is None else everything[:5][rows].reshape(-1)
        at_heads = everything if heads is None else everything[heads].reshape(-1)
        wanted = whole[:, at_heads][:, :, at_rows]
        assert_same({"weights": some.detach()}, {"weights": wanted.detach()})


def test_weights_times_values_are_the_output_whatever_kernel_ran() -> None:
    query, key, value = tensors(Sizes(2, 4, 2, 90, 90))
    for parts in (
        {}, {"mask": SlidingWindow(4)}, {"score_mod": ALiBi(4), "normalizer": Softmax(0.5)},
        {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": Causal()},
        {"score": NegativeSquaredDistance()}, {"normalizer": sparsemax},
    ):  # fmt: skip
        weights = regard.attention_weights(query, key, **parts)
        output = regard.attention(query, key, value, **parts)
        assert_same({"output": output}, {"output": weights @ value.repeat_interleave(2, 1)})


def test_a_bad_key_shows_in_the_weights_of_the_queries_that_see_it() -> None:
    query, key, _ = qkv()
    key[1, 0, 2] = math.nan
    weights = regard.attention_weights(query, key, mask=Causal())
    touched = allowed(Causal())[1, 0, :, 2]
    assert weights[1, 0, touched].isnan().all()
    assert weights[1, 0, ~touched].isfinite().all()
    assert weights[0].isfinite().all()
    some = regard.attention_weights(query, key, mask=Causal(), rows=[0, -1], heads=0)
    assert torch.equal(some.isnan(), weights[:, :1, [0, -1]].isnan())

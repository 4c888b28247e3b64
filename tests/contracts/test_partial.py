"""The logarithm of what a softmax divides by, and contributions of keys that are joined by it."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.masks import Causal, Dense, SlidingWindow
from regard.normalizers import Sink, Softmax, sparsemax
from regard.score_mods import ALiBi, SoftCap
from tests.contracts.test_masks import MASKS
from tests.contracts.test_score_mods import MODS
from tests.one_by_one import all_in_one
from tests.parts import SCORES, Sizes, mask_and_rule, mod_and_rule, tensors

SIZES = Sizes(2, 4, 2, 5, 7, 3, 4)
CASES = [
    *[("score", name) for name in SCORES],
    *[("mask", name) for name in MASKS],
    *[("score_mod", name) for name in MODS],
]


def parts_of(role: str, name: str) -> dict[str, Any]:
    offset = SIZES.k_len - SIZES.q_len
    if role == "score":
        return {"score": SCORES[name](SIZES)[0]}
    made = mask_and_rule if role == "mask" else mod_and_rule
    return {role: made(name, SIZES, offset)[0]}


def written_out(
    query: Tensor, key: Tensor, score: Any, score_mod: Any, mask: Any, temperature: float
) -> Tensor:
    """`log Σ exp` of permitted scores, as the reference scores them."""
    call = regard.plan(query, key, key, score=score, score_mod=score_mod, mask=mask).call
    key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
    scores = call.modified(score(query, key), *call.indices) / temperature
    if call.mask is not None:
        scores = scores.masked_fill(~call.permitted(*call.indices), -torch.inf)
    return torch.logsumexp(scores, -1)


@all_in_one(("role", "name"), CASES, ids=str)
@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_it_is_the_attention_and_its_logsumexp(role: str, name: str, temperature: float) -> None:
    parts = {"score": regard.scores.ScaledDot(), "score_mod": None, "mask": None}
    parts |= parts_of(role, name)
    query, key, value = (x.requires_grad_() for x in tensors(SIZES))
    normalizer = Softmax(temperature)
    part = regard.attention_partial(query, key, value, **parts, normalizer=normalizer)
    output = regard.attention(query, key, value, **parts, normalizer=normalizer)
    torch.testing.assert_close(part.output, output, rtol=1e-10, atol=1e-11)
    wanted = written_out(query, key, **parts, temperature=temperature)
    torch.testing.assert_close(part.logsumexp, wanted, rtol=1e-10, atol=1e-11)
    finite = wanted.isfinite()
    upstream = torch.randn_like(wanted)[finite]
    for one, other in zip(
        torch.autograd.grad(part.logsumexp[finite], (query, key), upstream, allow_unused=True),
        torch.autograd.grad(wanted[finite], (query, key), upstream, allow_unused=True),
        strict=True,
    ):
        if other is not None:
            torch.testing.assert_close(one, other.nan_to_num(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("cuts", [(0, 7), (0, 3, 7), (0, 1, 2, 7), (0, 0, 4, 7, 7)], ids=str)
@pytest.mark.parametrize("mask", [None, Causal(), SlidingWindow(1, 1)], ids=str)
def test_merged_pieces_are_the_whole_with_its_gradients(mask: Any, cuts: tuple[int, ...]) -> None:
    given = [x.requires_grad_() for x in tensors(SIZES)]
    query, key, value = given
    offset = SIZES.k_len - SIZES.q_len
    options = {"mask": mask, "score_mod": ALiBi(4)}
    pieces = [
        regard.attention_partial(
            query, key[:, :, a:b], value[:, :, a:b], **options, q_offset=offset - a
        )
        for a, b in itertools.pairwise(cuts)
    ]
    whole = regard.attention_partial(*given, **options)
    merged = regard.merge(pieces)
    upstream = torch.randn_like(whole.output), torch.randn_like(whole.logsumexp)
    for one, other in zip(merged, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-11)
    finite = whole.logsumexp.isfinite()
    sums = [
        (part.output * upstream[0]).sum() + (part.logsumexp[finite] * upstream[1][finite]).sum()
        for part in (merged, whole)
    ]
    for one, other in zip(*(torch.autograd.grad(x, given) for x in sums), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def test_pieces_merge_in_any_order_and_in_groups() -> None:
    query, key, value = tensors(SIZES)
    pieces = [
        regard.attention_partial(query, key[:, :, n : n + 1], value[:, :, n : n + 1], q_offset=0)
        for n in range(4)
    ]
    together = regard.merge(pieces)
    grouped = regard.merge([regard.merge(pieces[2:]), regard.merge(pieces[:2])])
    for one, other in zip(grouped, together, strict=True):
        torch.testing.assert_close(one, other)


def test_a_row_without_keys_has_no_weight_and_no_gradient() -> None:
    query, key, value = (x.requires_grad_() for x in tensors(SIZES))
    seen = torch.ones(5, 7, dtype=torch.bool)
    seen[2] = False
    part = regard.attention_partial(query, key, value, mask=Dense(seen))
    assert (part.output[:, :, 2] == 0).all()
    assert (part.logsumexp[:, :, 2] == -torch.inf).all()
    merged = regard.merge([part, part])
    assert (merged.output[:, :, 2] == 0).all() and merged.output.isfinite().all()
    gradients = torch.autograd.grad(merged.output.sum(), (query, key, value))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert (gradients[0][:, :, 2] == 0).all()


def test_an_attention_sink_is_a_part_without_keys() -> None:
    query, key, value = tensors(SIZES)
    sink = Sink(4).double()
    torch.nn.init.normal_(sink.sink)
    nothing = regard.Partial(
        torch.zeros(2, 4, 5, 4, dtype=torch.float64), sink.sink.view(1, 4, 1).expand(2, 4, 5)
    )
    merged = regard.merge([regard.attention_partial(query, key, value), nothing])
    wanted = regard.attention(query, key, value, normalizer=sink)
    torch.testing.assert_close(merged.output, wanted)


def test_half_precision_keeps_the_logsumexp_in_float32() -> None:
    query, key, value = (x.bfloat16() for x in tensors(SIZES))
    part = regard.attention_partial(query, key, value)
    assert (part.output.dtype, part.logsumexp.dtype) == (torch.bfloat16, torch.float32)
    exact = regard.attention_partial(query.double(), key.double(), value.double())
    torch.testing.assert_close(part.logsumexp, exact.logsumexp.float(), rtol=1e-5, atol=1e-5)


def test_what_is_hidden_reaches_neither_output_nor_logsumexp() -> None:
    query, key, value = tensors(SIZES)
    seen = torch.ones(5, 7, dtype=torch.bool)
    seen[:, 3] = False
    clean = regard.attention_partial(query, key, value, mask=Dense(seen))
    key[:, :, 3], value[:, :, 3] = torch.nan, torch.inf
    found = regard.attention_partial(query, key, value, mask=Dense(seen))
    for one, other in zip(found, clean, strict=True):
        torch.testing.assert_close(one, other)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given = tensors(SIZES)
    whole = regard.attention_partial(*given, mask=Causal(), score_mod=SoftCap(2.0))
    monkeypatch.setattr("regard._backends.chunked.chunk_rows", lambda call: 2)
    for one, other in zip(
        regard.attention_partial(*given, mask=Causal(), score_mod=SoftCap(2.0)), whole, strict=True
    ):
        torch.testing.assert_close(one, other)


def test_wrong_calls_are_answered_in_a_sentence() -> None:
    query, key, value = tensors(SIZES)
    with pytest.raises(ValueError, match="normalizer=softmax or a Softmax.*got sparsemax"):
        regard.attention_partial(query, key, value, normalizer=sparsemax)
    with pytest.raises(ValueError, match="at least one part, got 0"):
        regard.merge([])
    part = regard.attention_partial(query, key, value)
    other = regard.attention_partial(query[:, :, :3], key, value)
    with pytest.raises(ValueError, match=r"\[2, 4, 3, 4\].*beside output \[2, 4, 5, 4\]"):
        regard.merge([part, other])


def test_the_order_of_parts_decides_nothing_not_even_the_dtype() -> None:
    given = tensors(SIZES)
    double = regard.attention_partial(*given)
    single = regard.attention_partial(*(x.float() for x in given))
    for one, other in zip(
        regard.merge([single, double]), regard.merge(iter([double, single])), strict=True
    ):
        assert one.dtype == other.dtype == torch.float64
        torch.testing.assert_close(one, other)
    with pytest.raises(TypeError, match=r"needs Partial\(output, logsumexp\), not tuple"):
        regard.merge([double, tuple(double)])

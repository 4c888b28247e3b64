"""A chunk meets the keys that it may see and few others, whatever part is asked of them."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import regard
from regard._backends import _spans, chunked
from regard._backends._bind import bind
from regard._backends._call import Call
from regard.masks import Block, Causal, Dense, Document, Mask, Padding, Prefix, SlidingWindow
from regard.normalizers import LocalGaussian, softmax
from regard.scores import ScaledDot
from tests.parts import MODS, NORMALIZERS, SCORES, Sizes, mod_and_rule, suits, tensors
from tests.probe import assert_same, evaluate

KEEP = torch.tensor([[True, False, True] * 3, [False] * 8 + [True], [False] * 9])
IDS = torch.tensor([[0, 0, 1, 1, 1, 2, 2, 2, 3], [4] * 9, [1, 0, 1, 0, 3, 3, 3, 3, 9]])
MASKS: list[Any] = [
    Causal(),
    SlidingWindow(2),
    SlidingWindow(0, 3),
    SlidingWindow(10**18, 1),
    Block(3),
    Prefix(4),
    Prefix(torch.tensor([1, 0, 5])),
    Prefix(0),
    Padding(torch.tensor([9, 4, 0])),
    Padding(keep=KEEP),
    Padding(ignore=~KEEP),
    Document(IDS),
    Document(IDS[2]),
    Document(IDS[:, :6], IDS.flip(1)),
    Causal() & Prefix(3),
    Causal() & Document(IDS) & SlidingWindow(4, 4),
    SlidingWindow(1, 1) | Prefix(2),
    Block(2) | SlidingWindow(0),
    ~Causal(),
    Dense(torch.ones(6, 9, dtype=torch.bool)),
    Dense(torch.rand(6, 9) < 0.5) & Block(4),
    lambda b, h, q, k: q == k,
]
OFFSETS = [0, 3, -4, 7, 20, torch.tensor([3, -2, 8])]


def bound(mask: Any, q_offset: int | Tensor, **lengths: int) -> Call:
    inputs = tensors(Sizes(**{"batch": 3, "q_len": 6, "k_len": 9, **lengths}))
    return bind(*inputs, ScaledDot(), None, mask, softmax, 0.0, q_offset)


def known(mask: Any, q_offset: Any) -> bool:
    """Whether the positions of all queries have an id."""
    first = int(torch.as_tensor(q_offset).min())
    last = int(torch.as_tensor(q_offset).max())
    return "Document" not in str(mask) or "key_ids" in str(mask) or 0 <= first <= last <= 3


def shown(mask: object) -> str:
    """A name for a mask that is the same in every process."""
    return re.sub(" at 0x[0-9a-f]+", "", str(mask))


@pytest.mark.parametrize("q_offset", OFFSETS, ids=str)
@pytest.mark.parametrize("mask", MASKS, ids=shown)
def test_no_query_sees_a_key_outside_its_interval(mask: Mask, q_offset: int | Tensor) -> None:
    if not known(mask, q_offset):
        return
    call = bound(mask, q_offset)
    seen = call.permitted(*call.indices).expand(3, 4, 6, 9).flatten(0, 1).any(0).numpy()
    found = _spans.intervals(call)
    if found is None:
        return
    low, high = found
    for row, first, last in zip(seen, low, high, strict=True):
        assert not row[:first].any() and not row[last:].any()


@pytest.mark.parametrize(
    ("mask", "width"),
    [
        (SlidingWindow(2, 3), 6),
        (Causal() & SlidingWindow(2), 3),
        (Block(5), 5),
        (Document(torch.arange(60) // 4), 4),
        (Document(torch.arange(60) // 4, torch.arange(60).flip(0) // 4), 4),
        (Prefix(7) & SlidingWindow(9, 9), 7),
        (Padding(torch.tensor([11, 3, 2])), 11),
        (Padding(keep=torch.arange(60).expand(3, 60) > 50), 9),
    ],
    ids=str,
)
def test_an_interval_is_no_wider_than_the_mask(mask: Mask, width: int) -> None:
    found = _spans.intervals(bound(mask, 0, q_len=60, k_len=60))
    assert found is not None
    assert (found[1] - found[0]).max() == width


def test_pieces_follow_one_another_and_hold_what_their_queries_see() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        length, keys = generator.integers(1, 300, 2)
        ends = np.sort(generator.integers(0, keys + 1, (2, length)), 0)
        low, high = (np.sort(end) if generator.random() < 0.5 else end for end in ends)
        low, high = np.where(low < high, low, keys), np.where(low < high, high, 0)
        most = int(generator.integers(1, 4000))
        found = list(_spans.pieces(low, high, int(generator.integers(1, 1 << 16)), most))
        assert [one.start for one in found] == [0, *(one.stop for one in found[:-1])]
        assert found[-1].stop == length
        for one in found:
            rows = slice(one.start, one.stop)
            sees = low[rows] < high[rows]
            assert (low[rows][sees] >= one.first).all() and (high[rows][sees] <= one.last).all()
            assert one.pairs <= most or one.stop - one.start == 1


def test_a_piece_ends_where_a_document_ends() -> None:
    call = bound(Document(torch.arange(3000) // 300), 0, q_len=3000, k_len=3000)
    found = _spans.intervals(call)
    assert found is not None
    cut = [(one.start, one.stop) for one in _spans.pieces(*found, 12, 1 << 40)]
    assert cut == [(start, start + 300) for start in range(0, 3000, 300)]


# What chunks of some keys give is what the whole gives.


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meet hardly a pair in vain, however short the call is."""
    monkeypatch.setattr(chunked, "SPARE", 0)
    monkeypatch.setattr(_spans, "SPARE", 4 * 8)


def assert_narrow(sizes: Sizes, **parts: Any) -> None:
    """Fail unless the call is cut, and what comes out, gradients included, is the reference's."""
    __tracebackhide__ = True
    inputs = tensors(sizes)
    call = bind(
        *inputs, parts.get("score", ScaledDot()), parts.get("score_mod"), parts["mask"],
        parts.get("normalizer", softmax), 0.0, parts.get("q_offset"),
    )  # fmt: skip
    met = sum(piece.pairs for piece in chunked.cut(call))
    assert (met < 0.7 * call.q_len * call.k_len) == _spans.may_narrow(call)
    wanted = evaluate(*inputs, **parts, backend="reference")
    assert_same(evaluate(*inputs, **parts, backend="chunked"), wanted)


@pytest.mark.parametrize("again", [True, False], ids=["computed again", "kept"])
@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_every_normalizer_is_right_where_chunks_meet_some_keys(
    normalizer: str, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if again:
        monkeypatch.setattr(chunked, "CHUNK_BYTES", 2 * 30 * 2 * 4 * 8)
    sizes = Sizes(2, 4, 2, 25, 30)
    part = NORMALIZERS[normalizer](sizes)[0]
    score = SCORES["FeatureMapDot" if normalizer == "divide_by_sum" else "ScaledDot"](sizes)[0]
    for mask in (SlidingWindow(2, 3), Causal() & Block(7), Document(torch.arange(30) // 4)):
        assert_narrow(sizes, score=score, mask=mask, normalizer=part)


@pytest.mark.parametrize("score", SCORES)
def test_every_score_is_right_where_chunks_meet_some_keys(score: str) -> None:
    sizes = Sizes(2, 4, 2, 25, 30)
    part = SCORES[score](sizes)[0]
    for normalizer in ("softmax", "Entmax"):
        assert suits(score, normalizer)
        normal = NORMALIZERS[normalizer](sizes)[0]
        assert_narrow(sizes, score=part, mask=SlidingWindow(3, 1), normalizer=normal)


@pytest.mark.parametrize("mod", MODS)
def test_every_score_mod_is_right_where_chunks_meet_some_keys(mod: str) -> None:
    sizes = Sizes(2, 4, 2, 25, 30)
    for offset in (0, 5):
        part = mod_and_rule(mod, sizes, offset)[0]
        assert_narrow(sizes, score_mod=part, mask=SlidingWindow(3, 1), q_offset=offset)


@pytest.mark.parametrize("mask", [
    SlidingWindow(2) & Padding(torch.tensor([30, 4])), Block(6) & Dense(torch.rand(25, 30) < 0.5),
    Prefix(torch.tensor([2, 5])), SlidingWindow(1) | Prefix(3), Prefix(0),
    Document(torch.arange(30) // 3) & ~SlidingWindow(0), Padding(torch.tensor([3, 0])),
    Causal() & SlidingWindow(2) & (lambda b, h, q, k: (q + k + b + h) % 3 > 0),
], ids=shown)  # fmt: skip
def test_every_mask_is_right_where_chunks_meet_some_keys(mask: Any) -> None:
    for q_offset in (0, 5, torch.tensor([5, 0])):
        if isinstance(q_offset, Tensor) and isinstance(mask, Block):
            continue
        assert_narrow(Sizes(2, 4, 2, 25, 30), mask=mask, q_offset=q_offset)


def test_a_part_that_knows_where_keys_stand_sees_all_of_them() -> None:
    center = torch.rand(2, 4, 25, dtype=torch.float64) * 30
    for parts in (
        {"normalizer": LocalGaussian(center, 2.0)},
        {"score": SCORES["Location"](Sizes(2, 4, 2, 25, 30))[0]},
        {"score": lambda query, key: query @ key.mT},
        {"normalizer": lambda scores, where: scores.where(where, 0.0)},
    ):
        call = bound(SlidingWindow(1), 5, batch=2, q_len=25, k_len=30).where(**parts)
        assert not _spans.may_narrow(call)
        assert {(one.first, one.last) for one in chunked.cut(call)} == {(0, 30)}


def test_dropout_and_a_second_derivative_work_on_some_keys() -> None:
    x = torch.randn(1, 2, 12, 3, dtype=torch.float64, requires_grad=True)
    parts = {"mask": SlidingWindow(2), "normalizer": regard.normalizers.sigmoid}

    def run(x: Tensor) -> Tensor:
        return regard.attention(x, x, x, **parts, backend="chunked")

    assert torch.autograd.gradcheck(run, x) and torch.autograd.gradgradcheck(run, x)
    torch.manual_seed(0)
    kept = regard.attention(x, x, x, **parts, dropout=0.5, backend="chunked")
    assert (kept != run(x)).any() and kept.isfinite().all()


def test_parts_with_weights_learn_from_the_pairs_that_are_met() -> None:
    score = regard.scores.Additive(3, 3, 4).double()
    assert_narrow(Sizes(1, 2, 2, 25, 30), score=score, mask=SlidingWindow(4) & Causal())
    assert all(isinstance(weight, nn.Parameter) for weight in score.parameters())

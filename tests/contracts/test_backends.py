"""What every backend owes: the reference's output and every gradient, or a reason why not.

The table says what each backend serves; a backend that serves more adds rows, and one that serves
less fails here. Comparisons are in float64; float32 and the half types are in test_precision.py.
"""

import ast
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _plan, chunked
from regard.masks import Block, Causal, Dense, Document, Padding, Prefix, SlidingWindow
from regard.normalizers import (
    Entmax,
    Hard,
    Sample,
    Softmax,
    TopK,
    divide_by_count,
    divide_by_sum,
    hard,
    sigmoid,
    softmax,
    softmax_one,
    sparsemax,
    unnormalized,
)
from regard.score_mods import ALiBi, Bias, RelativeBias, SoftCap
from regard.scores import (
    Additive,
    ConcatTanhSum,
    Cosine,
    Dot,
    FeatureMapDot,
    GATv2,
    InverseDistance,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.one_by_one import all_in_one
from tests.parts import (
    LEARNED,
    MASKS_AND_MODS,
    NORMALIZERS,
    SCORES,
    Sizes,
    mask_and_rule,
    mod_and_rule,
    suits,
    tensors,
)
from tests.probe import assert_same, evaluate, run_flex_eagerly

DOTS = [
    "Dot", "ScaledDot", "ScaledDot given", "ScaledDot negative", "Bilinear", "Cosine",
    "ConcatLinear", "Location", "NegativeSquaredDistance", "FeatureMapDot",
]  # fmt: skip
ALL = sorted(_plan.BACKENDS)
HERE = [name for name in ALL if name != "triton"]  # which tests/interpreted asks the same


@pytest.fixture
def tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave room for two queries at a time at most, so that chunking is no empty word."""
    monkeypatch.setattr(chunked, "chunk_rows", lambda call: 2 if call.q_len > 2 else 1)


@pytest.fixture
def eager_flex(monkeypatch: pytest.MonkeyPatch) -> None:
    run_flex_eagerly(monkeypatch)


def call(
    sizes: Sizes,
    score: str = "ScaledDot",
    normalizer: str = "softmax",
    mod: str | None = None,
    mask: str | None = None,
    q_offset: int | None = None,
) -> tuple[tuple[Tensor, Tensor, Tensor], dict[str, Any]]:
    """Make the tensors and the parts of a call from rows of the tables."""
    offset = sizes.k_len - sizes.q_len if q_offset is None else q_offset
    return tensors(sizes), {
        "score": SCORES[score](sizes)[0],
        "normalizer": NORMALIZERS[normalizer](sizes)[0],
        "score_mod": mod_and_rule(mod, sizes, offset)[0] if mod else None,
        "mask": mask_and_rule(mask, sizes, offset)[0] if mask else None,
        "q_offset": q_offset,
    }


def assert_equals_reference(backend: str, sizes: Sizes, **named: Any) -> None:
    """Fail unless the backend's output and gradients are the reference's."""
    __tracebackhide__ = True
    inputs, parts = call(sizes, **named)
    wanted = evaluate(*inputs, **parts, backend="reference")
    assert_same(evaluate(*inputs, **parts, backend=backend), wanted)


# chunked: any part


@pytest.mark.usefixtures("tiny_chunks")
@all_in_one("normalizer", NORMALIZERS)
@pytest.mark.parametrize("score", ["ScaledDot", "FeatureMapDot", "Additive"])
def test_chunks_equal_the_whole_for_every_normalizer(score: str, normalizer: str) -> None:
    if suits(score, normalizer):
        named = {"score": score, "normalizer": normalizer}
        assert_equals_reference("chunked", Sizes(), **named, mask="Causal")


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize("score", SCORES)
def test_chunks_equal_the_whole_for_every_score(score: str) -> None:
    assert_equals_reference("chunked", Sizes(), score=score, mod="Bias", mask="Dense")
    assert_equals_reference("chunked", Sizes(), score=score, normalizer="Entmax")


@pytest.mark.usefixtures("tiny_chunks")
@all_in_one(("mask", "mod"), MASKS_AND_MODS)
def test_chunks_equal_the_whole_for_every_mask_and_score_mod(
    mask: str | None, mod: str | None
) -> None:
    offset = [None, 0, 2][len(f"{mask}{mod}") % 3]
    assert_equals_reference("chunked", Sizes(), mask=mask, mod=mod, q_offset=offset)


def test_the_planner_itself_chunks_long_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(2, 2, 1, 40, 30)
    monkeypatch.setattr(chunked, "CHUNK_BYTES", 3 * 2 * 2 * 30 * 8 * 7)
    inputs, parts = call(sizes, "InverseDistance", "sparsemax", "ALiBi", "Causal")
    plan = regard.plan(*inputs, **parts)
    assert plan.backend == "chunked"
    assert 1 < chunked.chunk_rows(plan.call) < 20
    wanted = evaluate(*inputs, **parts, backend="reference")
    assert_same(evaluate(*inputs, **parts), wanted)


# sdpa: every dot product under softmax, every mask, every added bias


@pytest.mark.parametrize("normalizer", ["softmax", "Softmax"])
@pytest.mark.parametrize("score", DOTS)
def test_sdpa_equals_the_reference_for_every_dot_product(score: str, normalizer: str) -> None:
    for mask, mod in ((None, None), ("Causal", None), ("Not", "Bias")):
        named = {"score": score, "normalizer": normalizer, "mask": mask, "mod": mod}
        assert_equals_reference("sdpa", Sizes(), **named)
        assert_equals_reference("sdpa", Sizes(1, 2, 2, 5, 5, 6, 2), **named)


@all_in_one(("mask", "mod"), [pair for pair in MASKS_AND_MODS if "cap" not in str(pair[1]).lower()])
def test_sdpa_equals_the_reference_for_every_mask_and_bias(
    mask: str | None, mod: str | None
) -> None:
    offset = [None, 0, 3][len(f"{mask}{mod}") % 3]
    assert_equals_reference("sdpa", Sizes(), mask=mask, mod=mod, q_offset=offset)


# banded: windows, at every place a block can lie

WINDOWS = {
    "window": lambda _: SlidingWindow(3),
    "both sides": lambda _: SlidingWindow(2, 5),
    "itself": lambda _: SlidingWindow(0),
    "wide": lambda _: SlidingWindow(70),
    "causal and window": lambda _: Causal() & SlidingWindow(5, 9),
    "block": lambda _: Block(6),
    "causal block": lambda _: Causal() & Block(50),
    "a window or a block": lambda _: SlidingWindow(1) | Block(4),
    "window without itself": lambda _: SlidingWindow(4, 4) & ~SlidingWindow(0),
    "padding": lambda s: SlidingWindow(4, 2) & Padding(torch.tensor([s.k_len, s.k_len // 3])),
    "dense": lambda s: Dense(torch.rand(1, s.heads, s.q_len, s.k_len) < 0.7) & SlidingWindow(9, 3),
    "prefix": lambda _: Prefix(9) & SlidingWindow(12, 1),
}
LENGTHS = [(200, 200), (129, 129), (150, 300), (70, 200), (300, 150), (65, 64), (64, 190), (1, 99)]


@all_in_one("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("make", WINDOWS.values(), ids=WINDOWS)
def test_banded_equals_the_reference_wherever_the_blocks_lie(
    make: Callable[[Sizes], Any], lengths: tuple[int, int]
) -> None:
    sizes = Sizes(2, 2, 1, *lengths, 2, 2)
    inputs, mask = tensors(sizes), make(sizes)
    for q_offset in (None, (0, 37, -5)[(lengths[0] + len(str(mask))) % 3]):
        parts = {"mask": mask, "q_offset": q_offset}
        wanted = evaluate(*inputs, **parts, backend="reference")
        assert_same(evaluate(*inputs, **parts, backend="banded"), wanted)


@pytest.mark.parametrize("normalizer", ["softmax", "Softmax"])
@pytest.mark.parametrize("score", DOTS)
def test_banded_equals_the_reference_for_every_dot_product(score: str, normalizer: str) -> None:
    sizes = Sizes(2, 4, 2, 150, 150, 3, 5)
    named = {"score": score, "normalizer": normalizer, "mask": "SlidingWindow both"}
    assert_equals_reference("banded", sizes, **named)


# packed: documents, in every order and number

IDS = {
    "three": [[0] * 5 + [1] * 2 + [2] * 6, [0] * 1 + [1] * 11 + [2]],
    "of one length": [[4] * 3 + [2] * 3 + [9] * 3 + [7] * 4, [0] * 13],
    "in pieces": [[0, 1, 0, 1, 2, 2, 0, 5, 5, 5, 1, 0, 2], [3, 3, 2, 2, 3, 3, 1, 0, 0, 1, 3, 2, 1]],
    "single tokens": [[*range(13)], [*range(12, -1, -1)]],
    "for all": [0] * 3 + [1] * 3 + [0] * 3 + [6] * 4,
}
WITHIN: dict[str, Callable[[], Any]] = {
    "alone": lambda: None,
    "causal": Causal,
    "causal twice": lambda: Causal() & Causal(),
    "window": lambda: SlidingWindow(2, 1) & Causal(),
    "padding": lambda: Padding(torch.tensor([13, 7])),
    "dense": lambda: Dense(torch.rand(2, 4, 13, 13) < 0.6),
    "documents again": lambda: Document(torch.arange(13) // 4),
    "first tokens": lambda: Prefix(4) | ~Causal(),
}


def documents(ids: list[Any], within: Any = None, dtype: torch.dtype = torch.long) -> Any:
    mask = Document(torch.tensor(ids, dtype=dtype))
    return mask if within is None else within & mask


@all_in_one("mod", [None, "ALiBi", "Bias", "RelativeBias both ways"])
@all_in_one("within", WITHIN.values(), ids=WITHIN)
@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_packed_equals_the_reference_wherever_the_documents_lie(
    ids: list[Any], within: Callable[[], Any], mod: str | None
) -> None:
    sizes = Sizes(2, 4, 2, 13, 13, 3, 5)
    inputs, parts = call(sizes, mod=mod)
    parts["mask"] = documents(ids, within())
    wanted = evaluate(*inputs, **parts, backend="reference")
    assert_same(evaluate(*inputs, **parts, backend="packed"), wanted)


@pytest.mark.parametrize("normalizer", ["softmax", "Softmax"])
@pytest.mark.parametrize("score", DOTS)
def test_packed_equals_the_reference_for_every_dot_product(score: str, normalizer: str) -> None:
    inputs, parts = call(Sizes(2, 4, 2, 13, 13, 3, 5), score, normalizer)
    for mask in (documents(IDS["three"]), documents(IDS["in pieces"], Causal())):
        parts["mask"] = mask
        wanted = evaluate(*inputs, **parts, backend="reference")
        assert_same(evaluate(*inputs, **parts, backend="packed"), wanted)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.int64])
def test_packed_reads_ids_of_every_kind_and_more_than_the_call_has(dtype: torch.dtype) -> None:
    inputs, _ = call(Sizes(2, 2, 2, 9, 9))
    mask = documents(IDS["three"], dtype=dtype)
    wanted = evaluate(*inputs, mask=mask, q_offset=0, backend="reference")
    assert_same(evaluate(*inputs, mask=mask, q_offset=0, backend="packed"), wanted)


@pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
def test_packed_serves_no_sequences_and_no_tokens(shape: tuple[int, int]) -> None:
    x = torch.randn(shape[0], 2, shape[1], 4)
    mask = Document(torch.zeros(shape, dtype=torch.long))
    for within in (mask, mask & Causal()):
        assert regard.attention(x, x, x, mask=within, backend="packed").shape == x.shape


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("ids", ["three", "in pieces"])
@pytest.mark.parametrize("within", [None, Causal()], ids=str)
def test_what_one_document_holds_never_reaches_another(ids: str, bad: float, within: Any) -> None:
    query, key, value = (torch.randn(2, 2, 13, 4) for _ in range(3))
    mask = documents(IDS[ids], within)
    # Numbers whose products overflow go to a backend that masks first.
    backend = None if bad == 1e30 else "packed"
    clean = evaluate(query, key, value, mask=mask, backend=backend)
    own = torch.tensor(IDS[ids]) == torch.tensor(IDS[ids])[:, :1]  # the first token's document
    for tensor in (query, key, value):
        tensor[own[:, None].expand(-1, 2, -1)] = bad
    found = evaluate(query, key, value, mask=mask, backend=backend)
    others = ~own[:, None, :, None].expand(-1, 2, -1, 4)
    assert_same(
        {k: v[others] for k, v in found.items()}, {k: v[others] for k, v in clean.items()}, 1e-5
    )


def test_what_is_hidden_within_a_document_stays_hidden() -> None:
    query, key, value = (torch.randn(2, 2, 13, 4) for _ in range(3))
    mask = documents(IDS["three"], Dense(torch.arange(13)[None] != 3))
    wanted = regard.attention(query, key, value, mask=mask, backend="reference")
    key[:, :, 3], value[:, :, 3] = math.nan, math.inf
    found = regard.attention(query, key, value, mask=mask, backend="packed")
    assert_same({"output": found}, {"output": wanted}, 1e-5)


# linear: feature maps and sums


@pytest.mark.parametrize("lengths", [(1, 1), (5, 7), (63, 63), (64, 64), (65, 130), (200, 200)])
@pytest.mark.parametrize("mask", [None, "causal", "padding", "both"])
def test_linear_equals_the_reference(mask: str | None, lengths: tuple[int, int]) -> None:
    sizes = Sizes(2, 4, 2, *lengths)
    padding = Padding(torch.tensor([lengths[1], lengths[1] // 2]))
    masks = {None: None, "causal": Causal(), "padding": padding, "both": padding & Causal()}
    inputs = tensors(sizes)
    for feature_map in (regard.scores.elu_plus_one, torch.exp):
        score = FeatureMapDot(feature_map)
        parts = {"score": score, "normalizer": divide_by_sum, "mask": masks[mask]}
        wanted = evaluate(*inputs, **parts, backend="reference")
        assert_same(evaluate(*inputs, **parts, backend="linear"), wanted)


@all_in_one("lengths", [(1, 1), (5, 7), (64, 64), (65, 130)])
@all_in_one("mask", [None, "causal", "padding", "both"])
@all_in_one(
    "score",
    [Dot(), ScaledDot(), ScaledDot(LEARNED), FeatureMapDot()],
    ids=["dot", "scaled", "learned", "mapped"],
)
@all_in_one("normalizer", [unnormalized, divide_by_count])
def test_linear_serves_dot_products_whose_weights_may_be_negative(
    normalizer: Any, score: Any, mask: str | None, lengths: tuple[int, int]
) -> None:
    padding = Padding(torch.tensor([lengths[1], lengths[1] // 2]))
    masks = {None: None, "causal": Causal(), "padding": padding, "both": padding & Causal()}
    parts = {"score": score, "normalizer": normalizer, "mask": masks[mask]}
    inputs = tensors(Sizes(2, 4, 2, *lengths))
    if normalizer is divide_by_count and mask in ("causal", "both"):
        with pytest.raises(regard.UnsupportedByBackend, match="number of keys of its own"):
            regard.attention(*inputs, **parts, backend="linear")
        return
    wanted = evaluate(*inputs, **parts, backend="reference")
    assert_same(evaluate(*inputs, **parts, backend="linear"), wanted)


# flex: forward only on a CPU


@pytest.mark.usefixtures("eager_flex")
@all_in_one(("mask", "mod"), MASKS_AND_MODS)
def test_flex_equals_the_reference_for_every_mask_and_score_mod(
    mask: str | None, mod: str | None
) -> None:
    offset = [None, 0, 2][len(f"{mask}{mod}") % 3]
    inputs, parts = call(Sizes(), mask=mask, mod=mod, q_offset=offset)
    if (mod or "").startswith("RelativeDot"):
        with pytest.raises(regard.UnsupportedByBackend, match="no dot product within a score_mod"):
            regard.attention(*inputs, **parts, backend="flex")
        return
    inputs = [x.float() for x in inputs]
    with torch.no_grad():
        found = regard.attention(*inputs, **parts, backend="flex")
        wanted = regard.attention(*inputs, **parts, backend="reference")
    assert_same({"output": found}, {"output": wanted}, 1e-5)


@pytest.mark.usefixtures("eager_flex")
@pytest.mark.parametrize("normalizer", ["softmax", "Softmax"])
@pytest.mark.parametrize("score", DOTS)
def test_flex_equals_the_reference_for_every_dot_product(score: str, normalizer: str) -> None:
    # A cap sees what softmax alone would not: the term of the query that a rewriting leaves out.
    mod = "ALiBi" if score == "NegativeSquaredDistance" else "SoftCap"
    inputs, parts = call(Sizes(), score, normalizer, mask="Causal", mod=mod)
    inputs = [x.float() for x in inputs]
    with torch.no_grad():
        found = regard.attention(*inputs, **parts, backend="flex")
        wanted = regard.attention(*inputs, **parts, backend="reference")
    assert_same({"output": found}, {"output": wanted}, 1e-5)


# reasons

X = torch.zeros(2, 2, 6, 4)
Reason = tuple[str, dict[str, Any], str]
REASONS: list[Reason] = [
    *(
        (backend, {"score": score}, "not a dot product")
        for backend, score in itertools.product(
            ("sdpa", "flex"),
            (InverseDistance(), Additive(), LuongConcat(4, 4, 3), ConcatTanhSum(4, 4, 3), GATv2()),
        )
    ),
    *(
        (backend, {"normalizer": normalizer}, "softmax only")
        for backend, normalizer in itertools.product(
            ("sdpa", "flex"),
            (sigmoid, hard, sparsemax, softmax_one, divide_by_sum, Entmax(1.0), Sample()),
        )
    ),
    ("sdpa", {"score_mod": SoftCap(3.0)}, "not a bias added"),
    ("sdpa", {"score_mod": lambda score, b, h, q, k: 2 * score}, "not a bias added"),
    ("sdpa", {"score": lambda q, k: q @ k.mT}, "not a dot product"),
    ("banded", {}, "no mask bounds"),
    ("banded", {"mask": Causal()}, "no mask bounds"),
    ("banded", {"mask": ~SlidingWindow(2)}, "no mask bounds"),
    ("banded", {"mask": SlidingWindow(2) | Causal()}, "no mask bounds"),
    ("banded", {"mask": SlidingWindow(2) | Prefix(1)}, "no mask bounds"),
    ("banded", {"mask": SlidingWindow(2), "score_mod": ALiBi(2)}, "not cut into blocks"),
    ("banded", {"mask": SlidingWindow(2), "normalizer": sigmoid}, "softmax only"),
    ("banded", {"mask": SlidingWindow(2), "score": Additive()}, "not a dot product"),
    ("packed", {}, "no mask keeps documents apart"),
    ("packed", {"mask": Document(torch.zeros(6).long()) | Causal()}, "no mask keeps"),
    (
        "packed",
        {"mask": Document(torch.zeros(6).long(), torch.zeros(6).long())},
        "numbered apart",
    ),
    ("packed", {"mask": Document(torch.zeros(6).long()), "q_len": 5}, "numbered apart"),
    *(
        ("packed", {"mask": Document(torch.zeros(6).long()), **more}, reason)
        for more, reason in (
            ({"normalizer": sigmoid}, "softmax only"),
            ({"score": Additive()}, "not a dot product"),
            ({"score_mod": SoftCap(3.0)}, "not a bias added"),
        )
    ),
    ("sparse", {}, "it normalizes by sparsemax"),
    *(
        ("sparse", {"normalizer": sparsemax, **more}, reason)
        for more, reason in (
            ({"score": Additive()}, "not a dot product"),
            ({"normalizer": sigmoid}, "it normalizes by sparsemax"),
            ({"normalizer": Entmax(2.5)}, "Entmax of alpha above 1 up to 2"),
            ({"normalizer": Hard(straight_through=True)}, "it normalizes by sparsemax"),
            ({"normalizer": TopK(6)}, "fewer keys than there are"),
            ({"dropout": 0.1}, "no dropout"),
            ({"dtype": torch.float64}, "in float32"),
            (
                {"score": NegativeSquaredDistance(), "score_mod": SoftCap(1.0)},
                "the query alone",
            ),
            (
                {"score_mod": lambda score, b, h, q, k: score, "requires_grad": True},
                "cannot be known",
            ),
        )
    ),
    ("linear", {}, "not a FeatureMapDot"),
    ("linear", {"score": FeatureMapDot()}, "the normalizer is softmax, not divide_by_sum"),
    *(
        ("linear", {"score": FeatureMapDot(), "normalizer": divide_by_sum, **more}, reason)
        for more, reason in (
            ({"score_mod": ALiBi(2)}, "every single score"),
            ({"dropout": 0.1}, "every single weight"),
            ({"mask": SlidingWindow(2)}, "neither Causal nor Padding"),
            ({"mask": Causal() | Padding(torch.tensor([1, 2]))}, "neither Causal nor Padding"),
            ({"mask": Causal(), "q_offset": 1}, "last query at the last key"),
        )
    ),
    ("flex", {"score": NegativeSquaredDistance(), "score_mod": SoftCap(1.0)}, "the query alone"),
    ("flex", {"dropout": 0.1}, "no dropout"),
    ("flex", {"dtype": torch.float64}, "no float64"),
    ("flex", {"requires_grad": True}, "no backward pass on the CPU"),
    ("flex", {"score_mod": RelativeBias(2)}, "no backward pass on the CPU"),
    ("flex", {"q_len": 0}, "no empty tensors"),
]


@all_in_one(("backend", "given", "reason"), REASONS)
def test_a_backend_that_cannot_serve_gives_the_reason(
    backend: str, given: dict[str, Any], reason: str
) -> None:
    given = dict(given)
    x = X.to(given.pop("dtype", X.dtype)).requires_grad_(given.pop("requires_grad", False))
    query = x[:, :, : given.pop("q_len", 6)]
    with pytest.raises(regard.UnsupportedByBackend, match=reason) as caught:
        regard.attention(query, x, x, **given, backend=backend)
    assert caught.value.backend == backend
    assert any(reason in why for why in caught.value.reasons[backend])
    plan = regard.plan(query, x, x, **given)
    assert plan.backend != backend
    assert any(reason in why for why in plan.refused[backend])
    with torch.no_grad():
        assert regard.attention(query, x, x, **given).shape == query.shape


_FOUR = Document(torch.tensor([0, 0, 1, 1, 1, 1]))


def _menu() -> Iterator[dict[str, Any]]:
    roles = {
        "score": (ScaledDot(), NegativeSquaredDistance(), FeatureMapDot(), Additive()),
        "score_mod": (None, Bias(torch.randn(1, 2, 6, 6)), SoftCap(2.0)),
        "mask": (None, Causal(), SlidingWindow(1, 1), Dense(torch.rand(6, 6) < 0.6), _FOUR),
        "normalizer": (softmax, sparsemax, divide_by_sum),
        "dropout": (0.0, 0.4),
    }
    for choice in itertools.product(*roles.values()):
        yield dict(zip(roles, choice, strict=True))


@pytest.mark.usefixtures("eager_flex")
@pytest.mark.parametrize("backend", HERE)
def test_a_named_backend_obeys_or_raises_for_every_combination(backend: str) -> None:
    query, key, value = (torch.randn(2, 2, 6, 4) for _ in range(3))
    served = 0
    with torch.no_grad():
        for parts in _menu():
            try:
                torch.manual_seed(0)
                output = regard.attention(query, key, value, **parts, backend=backend)
            except regard.UnsupportedByBackend as refusal:
                assert refusal.reasons[backend]
                continue
            served += 1
            if parts["dropout"] == 0 and not (
                parts["normalizer"] is divide_by_sum and type(parts["score"]) is not FeatureMapDot
            ):
                wanted = regard.attention(query, key, value, **parts, backend="reference")
                assert_same({"output": output}, {"output": wanted}, 1e-4)
    everything = sum(1 for _ in _menu())
    assert served == everything if backend in ("chunked", "reference") else 0 < served < everything


@pytest.mark.usefixtures("eager_flex")
@pytest.mark.parametrize("backend", HERE)
def test_nothing_asked_for_is_dropped(backend: str) -> None:
    """Each option, added to a call the backend serves, changes the output or is refused."""
    query, key, value = (torch.randn(2, 2, 9, 4) for _ in range(3))
    plain: dict[str, Any] = {"mask": SlidingWindow(6)} if backend == "banded" else {}
    if backend == "linear":
        plain = {"score": FeatureMapDot(), "normalizer": divide_by_sum}
    apart = Document(torch.arange(9) // 5)
    if backend == "packed":
        plain = {"mask": apart}
    if backend == "additive":
        plain = {"score": Additive(4, 4, 6)}
    if backend == "sparse":
        plain = {"normalizer": Entmax(1.7)}
    options: dict[str, list[Any]] = {
        "score": [Dot(), ScaledDot(0.1), Cosine(), NegativeSquaredDistance(), Additive()],
        "score_mod": [
            ALiBi(2), Bias(torch.randn(9, 9)), SoftCap(0.5), _randomized(RelativeBias(2)),
        ],
        "mask": [
            Causal(), SlidingWindow(1), Block(2), Prefix(3), Padding(torch.tensor([4, 2])),
            Dense(torch.rand(2, 2, 9, 9) < 0.5), torch.rand(2, 2, 9, 9) < 0.5,
            SlidingWindow(6) & Dense(torch.rand(2, 1, 1, 9) < 0.5),
            apart & Causal(), apart & Dense(torch.rand(2, 1, 1, 9) < 0.5),
        ],
        "normalizer": [Softmax(2.0), sparsemax, sigmoid, softmax_one, Entmax(1.3)],
        "dropout": [0.5, 1.0],
    }  # fmt: skip
    with torch.no_grad():
        base = regard.attention(query, key, value, **plain, backend=backend)
        for name, values in options.items():
            for option in values:
                given = {**plain, name: option}
                try:
                    changed = regard.attention(query, key, value, **given, backend=backend)
                except regard.UnsupportedByBackend:
                    continue
                assert not torch.allclose(changed, base, atol=1e-3), (name, option)


def _randomized(module: torch.nn.Module) -> torch.nn.Module:
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module


@pytest.mark.usefixtures("eager_flex")
@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa", "banded", "flex"])
def test_the_offset_reaches_masks_and_score_mods(backend: str) -> None:
    query, key, value = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 9, 4), torch.randn(1, 2, 9, 4)
    bias = _randomized(RelativeBias(2, 8, 5))
    options = [{"mask": SlidingWindow(2)}, {"mask": SlidingWindow(3) & Block(4)}]
    if backend != "banded":
        options += [{"score_mod": ALiBi(2)}, {"score_mod": bias}, {"mask": Causal()}]
    with torch.no_grad():
        for parts in options:
            outputs = [
                regard.attention(query, key, value, **parts, q_offset=at, backend=backend)
                for at in (0, 2, 6)
            ]
            default = regard.attention(query, key, value, **parts, backend=backend)
            assert torch.equal(default, outputs[-1])
            for one, other in itertools.combinations(outputs, 2):
                assert not torch.allclose(one, other, atol=1e-3), parts


# attributes instead of names

SOURCES = sorted(Path(_plan.__file__).parent.glob("*.py"))


def _imported(tree: ast.AST) -> set[str]:
    """The last names of all that a module imports."""
    return {
        alias.name.split(".")[-1]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    } | {
        (node.module or "").split(".")[-1]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }


@pytest.mark.parametrize("backend", ALL)
def test_no_backend_imports_another(backend: str) -> None:
    tree = ast.parse(Path(_plan.__file__).with_name(f"{backend}.py").read_text())
    assert not _imported(tree) & set(ALL)


@all_in_one("path", SOURCES, ids=lambda path: path.stem)
def test_backends_are_named_in_one_table_only(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    attributes = {  # of score_mods, one of which shares its name with a backend
        node.args[1]
        for node in nodes
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr")
    }
    strings = [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and node.value in ALL and node not in attributes
    ]
    assert sorted(strings) == (ALL if path.stem == "_plan" else [])


@pytest.mark.parametrize("backend", ALL)
def test_a_backend_says_all_that_the_protocol_asks(backend: str) -> None:
    module = _plan.BACKENDS[backend]
    assert isinstance(module, _plan.Backend)
    for attribute in _plan.Backend.__annotations__:
        assert type(getattr(module, attribute)) is bool

"""Few keys with weight: as exact as the definition, in every place and with every mask and bias."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

import regard
from regard._backends import _loops, _rates
from regard._kernels import slices
from regard._kernels.installed import has_loops
from regard.masks import Block, Causal, Dense, Document, Padding, SlidingWindow
from regard.normalizers import Entmax, Hard, TopK, hard, sparsemax
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, SoftCap
from regard.scores import Bilinear, Cosine, NegativeSquaredDistance, ScaledDot
from tests.parts import MASKS_AND_MODS, SCORES, Sizes, mask_and_rule, mod_and_rule, shown, tensors
from tests.probe import assert_same, evaluate, slope
from tests.tolerance import assert_close_to_golden

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

NORMALIZERS: list[Any] = [
    sparsemax, Entmax(2.0), Entmax(1.5), Entmax(1.2), Entmax(1.001), hard, Hard(), TopK(1), TopK(9),
]  # fmt: skip
SMOOTH = [sparsemax, Entmax(1.5), Entmax(1.2)]
# batch, heads, kv_heads, q_len, k_len, width, value_dim
SHAPES = [
    (1, 1, 1, 1, 11, 1, 1), (2, 4, 2, 2, 17, 7, 3), (1, 2, 2, 5, 63, 21, 64),
    (2, 2, 1, 17, 64, 63, 1), (1, 4, 1, 113, 203, 64, 63), (1, 2, 2, 127, 129, 111, 5),
    (1, 1, 1, 129, 128, 257, 65),
]  # fmt: skip
INPUTS = {"unit": 1.0, "wide": 5.0, "faint": 0.05}


def drawn(shape: tuple[int, ...], size: float, dtype: torch.dtype) -> list[Tensor]:
    batch, heads, kv_heads, q_len, k_len, width, value_dim = shape
    made = torch.randn(batch, heads, q_len, width), torch.randn(batch, kv_heads, k_len, width)
    return [(x * size).to(dtype) for x in (*made, torch.randn(batch, kv_heads, k_len, value_dim))]


def check(given: list[Tensor], **parts: Any) -> None:
    """Fail unless output and gradients are as near the golden ones as a plain evaluation's.

    Which of two, entry by entry, is worse: products may be summed in any order.
    """
    __tracebackhide__ = True
    golden = evaluate(*[x.double() for x in given], **parts, backend="reference")
    upstream = slope(golden["output"]).to(given[0].dtype)
    naive = evaluate(*given, upstream, **parts, backend="reference")
    turned = [*(x.flip(-1) for x in given[:2]), given[2]]
    other = evaluate(*turned, upstream, **parts, backend="reference")
    found = evaluate(*given, upstream, **parts, backend="sparse")
    for name, wanted in golden.items():
        one, two = naive[name], other[name]
        two = two.flip(-1) if name in ("gradient of query", "gradient of key") else two
        further = (two.double() - wanted).abs() > (one.double() - wanted).abs()
        assert_close_to_golden(
            found[name], wanted, torch.where(further, two, one), what=name,
            gradient=name != "output", least=2e-6 * max(1.0, float(wanted.abs().max())),
        )  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=shown)
def test_it_is_as_exact_as_the_definition(normalizer: Any, shape: tuple[int, ...]) -> None:
    for size in INPUTS.values():
        check(drawn(shape, size, torch.float32), normalizer=normalizer)
        check(drawn(shape, size, torch.float32), normalizer=normalizer, mask=Causal())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_either_product_of_scores_is_as_exact(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for by_tiles in (False, True):
        monkeypatch.setattr("regard._backends._few_keys.has_faster_tiles", lambda _, b=by_tiles: b)
        for parts in ({}, {"mask": Causal()}, {"mask": SlidingWindow(20, 9)}):
            check(drawn(shape, 1.0, torch.float32), normalizer=sparsemax, **parts)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("normalizer", SMOOTH, ids=shown)
def test_half_precision_is_float32_inside(normalizer: Any, dtype: torch.dtype) -> None:
    check(drawn(SHAPES[4], 1.0, dtype), normalizer=normalizer, mask=SlidingWindow(90, 90))


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=shown)
def test_what_has_weight_is_what_has_in_float64(normalizer: Any) -> None:
    query, key, _ = drawn((2, 3, 3, 50, 150, 16, 1), 2.0, torch.float32)
    eye = torch.eye(150).expand(2, 3, 150, 150)
    found = regard.attention(query, key, eye, normalizer=normalizer, backend="sparse")
    wanted = regard.attention_weights(query.double(), key.double(), normalizer=normalizer)
    clear = (wanted == 0) | (wanted > 1e-5)
    assert torch.equal((found > 0)[clear], (wanted > 0)[clear])
    assert (found.sum(-1) - 1).abs().max() < 1e-6


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=shown)
def test_equal_scores_share_or_the_first_wins(normalizer: Any) -> None:
    query, key = torch.ones(1, 1, 3, 4), torch.ones(1, 1, 100, 4)
    value = torch.eye(100).expand(1, 1, 100, 100)
    mask = Dense((torch.arange(100) % 3 > 0).expand(3, 100))
    weights = regard.attention(
        query, key, value, mask=mask, normalizer=normalizer, backend="sparse"
    )
    if normalizer in (hard, Hard()):
        assert (weights[..., 1] == 1).all() and weights.sum() == 3
    elif isinstance(normalizer, TopK):
        assert ((weights > 0).sum(-1) == normalizer.k).all()
        assert (weights[..., ::3] == 0).all() and torch.allclose(weights.sum(-1), torch.ones(1))
    else:
        wanted = regard.attention_weights(query, key, mask=mask, normalizer=normalizer)
        torch.testing.assert_close(weights, wanted)


@pytest.mark.parametrize(("mask", "mod"), MASKS_AND_MODS)
@pytest.mark.parametrize("normalizer", [Entmax(1.5), TopK(2)], ids=shown)
def test_every_mask_and_score_mod_is_served(
    normalizer: Any, mask: str | None, mod: str | None
) -> None:
    sizes, offset = Sizes(), [None, 0, 2][len(f"{mask}{mod}") % 3]
    at = sizes.k_len - sizes.q_len if offset is None else offset
    parts = {
        "mask": mask_and_rule(mask, sizes, at)[0] if mask else None,
        "score_mod": mod_and_rule(mod, sizes, at)[0] if mod else None,
        "normalizer": normalizer, "q_offset": offset,
    }  # fmt: skip
    given = [x.float() for x in tensors(sizes)]
    wanted = evaluate(*given, **parts, backend="reference")
    assert_same(evaluate(*given, **parts, backend="sparse"), wanted, 1e-5)


@pytest.mark.parametrize("score", ["Dot", "ScaledDot negative", "ScaledDot learned", "Bilinear",
    "Cosine", "Cosine learned", "ConcatLinear", "Location", "NegativeSquaredDistance",
    "FeatureMapDot"])  # fmt: skip
def test_every_dot_product_is_served(score: str) -> None:
    sizes = Sizes(2, 4, 2, 25, 30)
    part = SCORES[score](sizes)[0]
    part = part.float() if isinstance(part, torch.nn.Module) else part
    given = [x.float() for x in tensors(sizes)]
    for normalizer in (sparsemax, hard):
        parts = {"score": part, "normalizer": normalizer, "mask": SlidingWindow(4, 4)}
        wanted = evaluate(*given, **parts, backend="reference")
        assert_same(evaluate(*given, **parts, backend="sparse"), wanted, 1e-5)


@pytest.mark.parametrize("small", [1, 1 << 20])
@pytest.mark.parametrize("normalizer", [sparsemax, TopK(3), hard], ids=shown)
def test_pieces_and_offsets_do_not_matter(
    normalizer: Any, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regard._backends._few_keys.SCORES", 40 * small)
    monkeypatch.setattr("regard._kernels.sparse_rows.SCORES", 40 * small)
    monkeypatch.setattr("regard._backends._spans.SPARE", 40)
    given = drawn((2, 4, 2, 41, 53, 8, 5), 1.0, torch.float32)
    masks = (
        None, SlidingWindow(3, 2), Block(7), Document(torch.arange(53) // 6),
        Causal() & Padding(torch.tensor([53, 9])), Dense(torch.rand(2, 4, 41, 53) < 0.2),
    )  # fmt: skip
    for mask in masks:
        for q_offset in (None, torch.tensor([3, 12])):
            if isinstance(q_offset, Tensor) and isinstance(mask, Dense):
                continue
            parts = {"mask": mask, "normalizer": normalizer, "q_offset": q_offset}
            wanted = evaluate(*given, **parts, backend="reference")
            assert_same(evaluate(*given, **parts, backend="sparse"), wanted, 1e-5)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e38, -1e38])
@pytest.mark.parametrize("normalizer", NORMALIZERS[:7], ids=shown)
def test_what_a_mask_hides_never_comes_out(normalizer: Any, bad: float) -> None:
    given = drawn((1, 2, 1, 20, 30, 8, 4), 1.0, torch.float32)
    parts = {"mask": Padding(torch.tensor([19])) & Block(5), "normalizer": normalizer}
    wanted = evaluate(*given, **parts, q_offset=5, backend="sparse")
    given[1][:, :, 19:], given[2][:, :, 19:] = bad, bad
    found = evaluate(*given, **parts, q_offset=5, backend="sparse")
    assert_same(found, wanted, 1e-6)
    assert (found["output"][:, :, 15:] == 0).all()


def test_nan_and_infinity_that_are_seen_show() -> None:
    query, key, value = drawn((1, 1, 1, 4, 70, 8, 4), 1.0, torch.float32)
    for bad in (torch.nan, -torch.nan, torch.inf):
        broken = query.clone()
        broken[0, 0, 2] = bad
        for normalizer in (sparsemax, Entmax(1.3), TopK(3)):
            found = regard.attention(broken, key, value, normalizer=normalizer, backend="sparse")
            assert found[0, 0, 2].isnan().all() and found[0, 0, [0, 1, 3]].isfinite().all()


def test_vectors_may_lie_anywhere_and_there_may_be_none() -> None:
    query, key, value = drawn((2, 4, 2, 12, 30, 8, 6), 1.0, torch.float32)
    parts: dict[str, Any] = {"normalizer": sparsemax, "backend": "sparse"}
    wanted = evaluate(query, key, value, **parts)
    apart = (query.mT.contiguous().mT, key.flip(2).flip(2)[:, :, :], value[..., [*range(6)]].mT)
    assert_same(evaluate(*apart[:2], apart[2].contiguous().mT, **parts), wanted, 1e-6)
    for shape in ((0, 4, 2, 3, 5, 2, 2), (1, 2, 2, 0, 5, 2, 2), (1, 2, 2, 3, 0, 2, 2),
                  (1, 2, 2, 3, 5, 0, 2), (1, 2, 2, 3, 5, 2, 0)):  # fmt: skip
        given = drawn(shape, 1.0, torch.float32)
        for mask in (None, Causal()):
            wanted = evaluate(*given, mask=mask, normalizer=sparsemax, backend="reference")
            assert_same(evaluate(*given, mask=mask, **parts), wanted, 1e-6)


@pytest.mark.parametrize(
    "mod", [None, ALiBi(2), SoftCap(2.0), Chain(SoftCap(3.0), ALiBi(2))], ids=str
)
@pytest.mark.parametrize("normalizer", SMOOTH + [TopK(3), hard], ids=shown)
def test_a_recorded_gradient_has_a_gradient(normalizer: Any, mod: Any) -> None:
    given = drawn((1, 2, 1, 7, 9, 4, 3), 1.0, torch.float32)
    found = []
    for backend in ("sparse", "chunked"):
        leaves = [x.clone().requires_grad_() for x in given]
        output = regard.attention(
            *leaves, normalizer=normalizer, score_mod=mod, mask=Causal(), backend=backend
        )
        first = torch.autograd.grad(
            output.square().sum(), leaves, create_graph=True, allow_unused=True
        )
        total = sum(x.square().sum() for x in first if x is not None)
        second = torch.autograd.grad(total, leaves, allow_unused=True)
        found.append([torch.zeros(1) if x is None else x for x in (*first, *second)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("held", ["table", "bias"])
def test_a_score_mod_that_learns_and_is_changed_in_between_is_an_error(held: str) -> None:
    relative, bias = RelativeBias(2), torch.randn(2, 12, 30, requires_grad=True)
    mod, weight = (relative, relative.weight) if held == "table" else (Bias(bias), bias)
    given = drawn((1, 2, 2, 12, 30, 8, 6), 1.0, torch.float32)
    output = regard.attention(*given, score_mod=mod, normalizer=sparsemax, backend="sparse")
    with torch.no_grad():
        weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.filterwarnings("ignore:.*jit.script.*:DeprecationWarning")
def test_what_is_recorded_or_transformed_is_left_to_the_definition() -> None:
    x = torch.randn(3, 1, 2, 9, 4)
    run = lambda x: regard.attention(x, x, x, normalizer=sparsemax)  # noqa: E731
    assert torch.allclose(torch.func.vmap(run)(x), torch.stack([run(one) for one in x]), atol=1e-6)
    named = lambda x: regard.attention(x, x, x, normalizer=sparsemax, backend="sparse")  # noqa: E731
    with pytest.raises(regard.UnsupportedByBackend, match="under a transform of torch.func"):
        torch.func.vmap(named)(x)
    with pytest.raises(regard.UnsupportedByBackend, match="under a transform of torch.func"):
        torch.func.jvp(named, (x[0],), (x[0],))


@pytest.mark.parametrize("spread", [0.1, 1.0, 8.0, 1e4])
@pytest.mark.parametrize("alpha", [1.0005, 1.05, 1.3, 1.5, 1.7, 1.999])
def test_any_alpha_is_what_bisection_finds_in_float64(alpha: float, spread: float) -> None:
    """With the weights as output, and the gradient of the definition: p^(2 - alpha) on each key."""
    query, key = torch.randn(1, 2, 40, 8) * spread, torch.randn(1, 2, 130, 8)
    leaves, values = (
        [query.requires_grad_(), key.requires_grad_()],
        torch.eye(130).expand(1, 2, -1, -1),
    )
    scores = (query.double() @ key.double().mT * 8**-0.5).detach()
    low = (alpha - 1) * scores.amax(-1, keepdim=True) - 1.0
    high = low + 1.0
    for _ in range(200):
        middle = (low + high) / 2
        total = ((alpha - 1) * scores - middle).clamp(min=0).pow(1 / (alpha - 1)).sum(-1, True)
        low, high = torch.where(total >= 1, middle, low), torch.where(total >= 1, high, middle)
    weights = ((alpha - 1) * scores - low).clamp(min=0).pow(1 / (alpha - 1))
    output = regard.attention(*leaves, values, normalizer=Entmax(alpha), backend="sparse")
    # A score in float32 is off by its rounding, and a weight by that times its slope.
    rounding = 4e-7 * max(1.0, float(scores.abs().max()))
    assert (output.double() - weights).abs().max() <= 2e-6 + rounding
    assert (output.sum(-1) - 1).abs().max() <= 2e-6
    if spread <= 1.0:
        upstream = slope(output)
        change = torch.where(weights > 0, weights.pow(2 - alpha), 0.0)
        mean = (change * upstream).sum(-1, True) / change.sum(-1, True)
        to_scores = change * (upstream - mean) * 8**-0.5
        wanted = to_scores @ key.double(), to_scores.mT @ query.double()
        for found, one in zip(torch.autograd.grad(output, leaves, upstream), wanted, strict=True):
            torch.testing.assert_close(found.double(), one, rtol=1e-4, atol=2e-5)


def test_the_planner_knows_what_powers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rates, "rates_of_cpu", lambda: _rates.RATES["GenuineIntel AVX512 AMX"])
    x = torch.randn(1, 8, 512, 64)
    for alpha in (1.1, 1.3, 1.5, 1.7):
        assert regard.plan(x, x, x, normalizer=Entmax(alpha)).backend == "sparse"


@pytest.mark.parametrize("normalizer", [sparsemax, hard, TopK(5)], ids=shown)
def test_shapes_are_told_without_numbers_and_without_symbols(normalizer: Any) -> None:
    with FakeTensorMode():
        x = torch.empty(4, 8, 512, 64, requires_grad=True)
        assert regard.plan(x, x, x, normalizer=normalizer).backend == "sparse"
        output = regard.attention(x, x, x, normalizer=normalizer)
        assert output.shape == x.shape
        output.sum().backward()


def test_without_numba_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loops, "has_loops", lambda: False)
    x = torch.zeros(2, 4, 512, 8)
    plan = regard.plan(x, x, x, normalizer=sparsemax)
    assert plan.backend == "chunked" and 'pip install "regard[cpu]"' in plan.refused["sparse"][0]


# Threads and processes


@pytest.fixture
def many_slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(slices, "LEAST", 64)
    yield
    torch.set_num_threads(1)


PARTS: dict[str, Any] = {"normalizer": Entmax(1.5), "mask": Causal(), "score_mod": SoftCap(4.0)}


def evaluated() -> dict[str, Tensor]:
    torch.manual_seed(0)
    given = drawn((2, 6, 3, 70, 90, 16, 12), 1.0, torch.float32)
    return evaluate(*given, **PARTS, backend="sparse")


def test_the_number_of_threads_changes_no_bit(many_slices: None) -> None:
    wanted = evaluated()
    for threads in (2, 16):
        torch.set_num_threads(threads)
        found = evaluated()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_scores_that_are_no_dot_products_are_left_to_others() -> None:
    x = torch.zeros(1, 8, 512, 16)
    for parts in ({"score": Cosine()}, {"score": Bilinear(16, 16)}, {"score": ScaledDot(2.0)},
                  {"score": NegativeSquaredDistance()}):  # fmt: skip
        assert regard.plan(x, x, x, **parts, normalizer=sparsemax).backend == "sparse"
    additive = regard.plan(x, x, x, score=regard.scores.Additive(), normalizer=sparsemax)
    assert additive.backend in ("additive", "chunked")

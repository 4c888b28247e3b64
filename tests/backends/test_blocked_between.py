"""Biases, caps and sigmoids in the loops of `blocked`: the definition's numbers and gradients."""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard._backends import _memo, _rates, blocked
from regard._backends._held import tensors_of
from regard._kernels.installed import has_loops
from regard._kernels.slices import LEAST
from regard.masks import Causal, Document, Padding, Prefix, SlidingWindow
from regard.models.t5 import T5Encoder, T5EncoderConfig
from regard.normalizers import Softmax, sigmoid, softmax
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap
from regard.scores import Cosine, NegativeSquaredDistance
from regard.sequences import Sequences
from tests.backends.test_memory import Largest
from tests.parts import Sizes, tensors
from tests.probe import assert_same, evaluate, slope
from tests.tolerance import UNIT_NORMAL_CAP, assert_close_to_golden

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

SIZES = [
    Sizes(1, 1, 1, 1, 1, 1, 1),
    Sizes(2, 4, 2, 5, 7, 21, 9),
    Sizes(2, 2, 2, 113, 203, 21, 40),
    Sizes(1, 2, 1, 129, 127, 8, 33),
    Sizes(1, 1, 1, 300, 300, 32, 32),
]


def table(s: Sizes, bidirectional: bool = True) -> RelativeBias:
    mod = RelativeBias(s.heads, 16, 60, bidirectional)
    nn.init.normal_(mod.weight)
    return mod


def constant(s: Sizes) -> Bias:
    return Bias(torch.randn(s.batch, s.heads, 1, 1))


BY_DISTANCE: dict[str, Callable[[Sizes], Any]] = {
    "alibi": lambda s: ALiBi(s.heads),
    "table": table,
    "one-way table": lambda s: table(s, False),
    "constant": constant,
    "two": lambda s: Chain(ALiBi(s.heads), table(s)),
}
MODS: dict[str, Callable[[Sizes], Any]] = {
    **BY_DISTANCE,
    "cap": lambda s: SoftCap(1.5),
    "wide cap": lambda s: SoftCap(50.0),
    "cap, alibi": lambda s: Chain(SoftCap(2.0), ALiBi(s.heads)),
    "alibi, cap": lambda s: Chain(ALiBi(s.heads), SoftCap(2.0)),
}
DENSE: dict[str, Callable[[Sizes], Tensor]] = {
    "every pair": lambda s: torch.randn(s.batch, s.heads, s.q_len, s.k_len),
    "one head": lambda s: torch.randn(s.q_len, s.k_len),
    "keys": lambda s: torch.randn(s.batch, 1, 1, s.k_len),
    "queries": lambda s: torch.randn(1, s.heads, s.q_len, 1),
    "turned": lambda s: torch.randn(1, s.heads, s.k_len, s.q_len).mT,
    "halves": lambda s: torch.randn(s.q_len, s.k_len).bfloat16(),
}
MASKS: dict[str, Callable[[Sizes], Any]] = {
    "none": lambda s: None,
    "causal": lambda s: Causal(),
    "padding": lambda s: Padding(torch.tensor([s.k_len, 0])[: s.batch]),
    "window": lambda s: SlidingWindow(40, 9),
    "documents": lambda s: (
        Document(torch.arange(s.q_len) // 40, torch.arange(s.k_len) // 40) & Causal()
    ),
}
NORMALIZERS = {"softmax": softmax, "colder": Softmax(0.7), "sigmoid": sigmoid}


def close(
    found: dict[str, Tensor], inputs: Any, in_float64: dict[str, Any], cap: float | None = None,
    **parts: Any,
) -> None:  # fmt: skip
    """Fail unless all are as near the definition in float64 as the rule asks."""
    __tracebackhide__ = True
    golden = evaluate(*(x.double() for x in inputs), **in_float64, backend="reference")
    naive = evaluate(*inputs, **parts, backend="reference")
    query, key, _ = inputs
    pairs = query.shape[0] * query.shape[2] * key.shape[2]
    for what, actual in found.items():
        gradient = what != "output"
        # What is learned sums over pairs, and the errors of so many, which cancel in part.
        least = 4e-7 * math.sqrt(pairs) if "score_mod" in what else 3e-6 if gradient else 1e-6
        assert_close_to_golden(
            actual, golden[what].double(), naive[what], what=what, gradient=gradient,
            cap=None if gradient else cap, least=max(3e-6, least) if gradient else least,
        )  # fmt: skip


def second_derivatives(inputs: Sequence[Tensor], mod: Any) -> list[tuple[Tensor, ...]]:
    """Those by `blocked` and by the definition in float64, to the inputs and what it holds."""
    found = []
    for exact, backend in ((torch.float32, "blocked"), (torch.float64, "reference")):
        own = mod if backend == "blocked" else doubled(mod)
        leaves = [x.to(exact).requires_grad_() for x in inputs]
        leaves += [x.requires_grad_() for x in tensors_of(own)]
        output = regard.attention(*leaves[:3], score_mod=own, mask=Causal(), backend=backend)
        first = torch.autograd.grad(output.sin().sum(), leaves, create_graph=True)
        squares = torch.stack([x.square().sum() for x in first]).sum()
        found.append(torch.autograd.grad(squares, leaves))
    return found


def doubled(mod: Any) -> Any:
    """The same modification, what it learns in float64."""
    if isinstance(mod, nn.Module):
        exact = RelativeBias(
            mod.num_heads, mod.num_buckets, mod.max_distance, mod.bidirectional
        ).double()
        exact.load_state_dict(mod.state_dict())
        return exact
    if isinstance(mod, Chain):
        return Chain(*map(doubled, mod.mods))
    if isinstance(mod, RelativeDot):
        held = (x.detach().double() for x in (mod.query, mod.keys))
        return RelativeDot(*held, mod.farthest, mod.scale)
    if isinstance(mod, SoftCap) and isinstance(mod.cap, Tensor):
        return SoftCap(mod.cap.detach().double())
    return Bias(mod.tensor.detach().double(), mod.first_query) if isinstance(mod, Bias) else mod


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("name", MODS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_output_and_gradients_are_the_definitions(sizes: Sizes, name: str, normalizer: str) -> None:
    inputs, mod = tensors(sizes, dtype=torch.float32), MODS[name](sizes)
    for mask, make in MASKS.items():
        parts = {"mask": make(sizes), "normalizer": NORMALIZERS[normalizer]}
        if mask in ("causal", "window"):
            parts["q_offset"] = 3
        found = evaluate(*inputs, score_mod=mod, **parts, backend="blocked")
        exact = {**parts, "score_mod": doubled(mod)}
        cap = None if normalizer == "sigmoid" else UNIT_NORMAL_CAP
        close(found, inputs, exact, cap, score_mod=mod, **parts)


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_sigmoid_of_scores_alone_is_the_definitions(sizes: Sizes, normalizer: str) -> None:
    inputs = tensors(sizes, dtype=torch.float32)
    for make in MASKS.values():
        parts = {"mask": make(sizes), "normalizer": NORMALIZERS[normalizer]}
        found = evaluate(*inputs, **parts, backend="blocked")
        close(found, inputs, parts, **parts)


CAPPED: dict[str, Callable[[Any], Any]] = {
    "alone": lambda mod: mod,
    "after a cap": lambda mod: Chain(SoftCap(1.5), mod),
    "before a cap": lambda mod: Chain(mod, SoftCap(1.5)),
}


def compared(inputs: Any, mod: Any, **parts: Any) -> list[tuple[Tensor, Tensor]]:
    """Output and every gradient, what is learned included, beside the definition's in float64."""
    found = []
    for exact, backend in ((torch.float32, "blocked"), (torch.float64, "reference")):
        own = mod if exact == torch.float32 else doubled(mod)
        leaves = [x.detach().to(exact).requires_grad_() for x in inputs]
        leaves += [x.requires_grad_() for x in tensors_of(own)]
        output = regard.attention(*leaves[:3], score_mod=own, **parts, backend=backend)
        gradients = torch.autograd.grad(output, leaves, slope(output))
        found.append([output, *gradients])
    return [(one, other.to(one.dtype)) for one, other in zip(*found, strict=True)]


@pytest.mark.parametrize("how", CAPPED)
@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_tensor_of_biases_is_read_by_tiles_and_learns(sizes: Sizes, name: str, how: str) -> None:
    inputs, mod = tensors(sizes, dtype=torch.float32), CAPPED[how](Bias(DENSE[name](sizes)))
    for normalizer in [softmax, sigmoid, Softmax(0.7)]:
        for mask in ("none", "causal", "padding", "window"):
            parts = {"mask": MASKS[mask](sizes), "normalizer": normalizer}
            for one, other in compared(inputs, mod, **parts):
                rounding = max(1e-5, torch.finfo(one.dtype).eps)
                torch.testing.assert_close(one, other, rtol=rounding, atol=2e-5)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1100, 90), (2, 1, 1100, 90), (1, 4, 1, 90), (2, 4, 1100, 1), (1, 1, 1, 90)]
)
def test_a_bias_that_learns_is_summed_over_all_that_share_it(shape: tuple[int, ...]) -> None:
    sizes = Sizes(2, 4, 2, 1100, 90, 8, 8)  # so long that heads are cut into pieces
    inputs, mod = tensors(sizes, dtype=torch.float32), Bias(torch.randn(shape))
    for one, other in compared(inputs, mod, mask=SlidingWindow(60, 30)):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("how", CAPPED)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_table_learns_with_a_cap_beside_it(sizes: Sizes, how: str) -> None:
    inputs, mod = tensors(sizes, dtype=torch.float32), CAPPED[how](table(sizes))
    for normalizer in (softmax, sigmoid, Softmax(0.7)):
        for mask in ("none", "window", "documents"):
            parts = {"mask": MASKS[mask](sizes), "normalizer": normalizer}
            for one, other in compared(inputs, mod, **parts):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


def test_rows_of_a_whole_sequence_are_those_of_the_calls_queries() -> None:
    query, key, value = tensors(Sizes(2, 2, 2, 30, 70, 8, 8), dtype=torch.float32)
    for mod in (Bias(torch.randn(80, 70), first_query=0), Bias(torch.randn(2, 2, 30, 70))):
        for offset in (None, 50, torch.tensor([7, 40])):
            parts = {"score_mod": mod, "q_offset": offset, "mask": Causal()}
            if isinstance(offset, Tensor) and mod.first_query is not None:
                with pytest.raises(regard.UnsupportedByBackend, match="rows of their own"):
                    regard.attention(query, key, value, **parts, backend="blocked")
                continue
            found = regard.attention(query, key, value, **parts, backend="blocked")
            wanted = regard.attention(query, key, value, **parts, backend="reference")
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BY_DISTANCE)
def test_each_sequence_may_begin_elsewhere(name: str) -> None:
    sizes = Sizes(2, 4, 2, 33, 140, 12, 9)
    inputs, mod = tensors(sizes, dtype=torch.float32), BY_DISTANCE[name](sizes)
    parts = {"score_mod": mod, "q_offset": torch.tensor([107, -20]), "mask": Causal()}
    found = evaluate(*inputs, **parts, backend="blocked")
    assert_same(found, evaluate(*inputs, **parts, backend="reference"), 2e-5)


def test_a_tables_gradient_sums_over_sequences_heads_that_share_keys_and_pieces() -> None:
    sizes = Sizes(3, 2, 1, 1100, 1100, 8, 8)  # so long that heads are cut into pieces
    inputs, mod = tensors(sizes, dtype=torch.float32), table(sizes)
    for mask in (None, SlidingWindow(100, 20)):
        parts = {"mask": mask}
        found = evaluate(*inputs, score_mod=mod, **parts, backend="blocked")
        close(found, inputs, {**parts, "score_mod": doubled(mod)}, score_mod=mod, **parts)
        assert found["gradient of score_mod.weight"].abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["large", "tiny", "shifted", "uneven"])
@pytest.mark.parametrize(
    "parts",
    [
        {"score_mod": SoftCap(50.0)}, {"score_mod": SoftCap(0.3)}, {"normalizer": sigmoid},
        {"score_mod": ALiBi(2)}, {"score_mod": SoftCap(4.0), "normalizer": sigmoid},
    ],
    ids=["wide cap", "cap", "sigmoid", "alibi", "capped sigmoid"],
)  # fmt: skip
def test_hard_inputs_are_as_near_as_the_formula_itself(kind: str, parts: dict[str, Any]) -> None:
    query, key, value = tensors(Sizes(1, 2, 2, 150, 150, 64, 64), dtype=torch.float32)
    inputs = {
        "large": (9 * query, 9 * key, value), "tiny": (query * 1e-3, key, value),
        "shifted": (query + 5, key + 5, value + 3),
        "uneven": (query, key * torch.logspace(-3, 1.5, 150).view(-1, 1), value),
    }[kind]  # fmt: skip
    close(evaluate(*inputs, **parts, backend="blocked"), inputs, parts, **parts)


def test_a_bias_of_a_very_long_distance_is_exact() -> None:
    query, key = torch.randn(1, 4, 40, 16), torch.randn(1, 4, 9000, 16)
    value = torch.randn(1, 4, 9000, 16)
    for offset in (None, 20):
        parts = {"score_mod": ALiBi(4), "q_offset": offset}
        found = evaluate(query, key, value, **parts, backend="blocked")
        close(found, (query, key, value), parts, **parts)


@pytest.mark.parametrize("normalizer", [softmax, sigmoid])
def test_sums_over_many_keys_lose_no_more_than_the_formula_itself(normalizer: Any) -> None:
    query, key, value = tensors(Sizes(1, 1, 1, 40, 8000, 32, 32), dtype=torch.float32)
    parts = {"normalizer": normalizer}
    for given in (value, value + 1):
        inputs = (query, key, given)
        close(evaluate(*inputs, **parts, backend="blocked"), inputs, parts, **parts)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["alibi", "table", "cap"])
def test_half_precision_is_summed_in_float32(name: str, dtype: torch.dtype) -> None:
    sizes = Sizes(2, 4, 2, 65, 70, 24, 24)
    inputs, mod = [x.to(dtype) for x in tensors(sizes)], MODS[name](sizes)
    found = evaluate(*inputs, mask=Causal(), score_mod=mod, backend="blocked")
    parts = {"mask": Causal(), "score_mod": doubled(mod)}
    output = {"output": found["output"]}
    close(output, inputs, parts, mask=Causal(), score_mod=mod)
    for normalizer in (softmax, sigmoid):
        parts = {"normalizer": normalizer, "mask": Causal()}
        close(evaluate(*inputs, **parts, backend="blocked"), inputs, parts, **parts)


def test_a_table_in_half_precision_is_added_in_float32() -> None:
    sizes = Sizes(1, 2, 2, 40, 40, 8, 8)
    inputs, mod = tensors(sizes, dtype=torch.bfloat16), table(sizes).bfloat16()
    wide = RelativeBias(2, 16, 60)
    wide.load_state_dict(mod.state_dict())
    found, wanted = (
        regard.attention(*inputs, score_mod=one, backend="blocked") for one in (mod, wide)
    )
    assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"score_mod": lambda s, b, h, q, k: s + 1}, "in any order, and not"),
        ({"score_mod": Chain(SoftCap(2.0), lambda s, b, h, q, k: s + 1)}, "in any order, and not"),
        (
            {"score": NegativeSquaredDistance(), "normalizer": sigmoid},
            "leaves out a term of the query",
        ),
        (
            {"score": NegativeSquaredDistance(), "score_mod": SoftCap(2.0)},
            "leaves out a term of the query",
        ),
    ],
)  # fmt: skip
def test_what_is_not_served_is_refused_with_the_reason(parts: dict[str, Any], reason: str) -> None:
    x = torch.randn(1, 2, 5, 4)
    with pytest.raises(regard.UnsupportedByBackend, match=reason):
        regard.attention(x, x, x, **parts, backend="blocked")


def test_a_call_that_learns_a_tensor_of_biases_is_served_otherwise_whatever_came_before() -> None:
    x, tensor = torch.randn(1, 8, 512, 64), torch.zeros(512, 512)
    with torch.no_grad():
        regard.attention(x, x, x, score_mod=Bias(nn.Parameter(tensor)))
    regard.attention(x, x, x, score_mod=Bias(tensor))
    learned = nn.Parameter(tensor.clone())
    regard.attention(x, x, x, score_mod=Bias(learned)).square().sum().backward()
    assert learned.grad is not None and learned.grad.abs().max() > 0


@pytest.mark.parametrize("learned", [False, True])
def test_a_temperature_divides_biases_and_caps_too(learned: bool) -> None:
    sizes = Sizes(2, 2, 2, 40, 50, 12, 12)
    inputs = tensors(sizes, dtype=torch.float32)
    normalizer = Softmax(nn.Parameter(torch.tensor(0.4)) if learned else 0.4)
    for mod in (
        table(sizes),
        SoftCap(1.0),
        Chain(SoftCap(nn.Parameter(torch.tensor(2.0))), table(sizes)),
    ):
        parts = {"score_mod": mod, "normalizer": normalizer, "score": Cosine()}
        found = evaluate(*inputs, **parts, backend="blocked")
        assert_same(found, evaluate(*inputs, **parts, backend="reference"), 2e-5)


def test_minus_infinity_closes_a_pair_and_a_row_of_it_is_zero() -> None:
    inputs = [
        x.requires_grad_() for x in tensors(Sizes(1, 2, 2, 40, 70, 8, 8), dtype=torch.float32)
    ]
    tensor = torch.randn(40, 70)
    tensor[3], tensor[:, 60:], tensor[5, :50] = -math.inf, -math.inf, -math.inf
    for normalizer in (softmax, sigmoid):
        found = []
        for backend in ("blocked", "reference"):
            output = regard.attention(
                *inputs, score_mod=Bias(tensor), normalizer=normalizer, backend=backend
            )
            found.append([output, *torch.autograd.grad(output.sin().sum(), inputs)])
        assert found[0][0][:, :, 3].eq(0).all()
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


BETWEEN: dict[str, Callable[[], dict[str, Any]]] = {
    "sigmoid": lambda: {"normalizer": sigmoid},
    "cap": lambda: {"score_mod": SoftCap(1.5)},
    "table": lambda: {"score_mod": table(Sizes(heads=2))},
    "sigmoid, table": lambda: {"score_mod": table(Sizes(heads=2)), "normalizer": sigmoid},
    "sigmoid, cap, alibi": lambda: {
        "score_mod": Chain(SoftCap(1.5), ALiBi(2)), "normalizer": sigmoid,
    },
    "tensor": lambda: {"score_mod": Bias(torch.randn(2, 2, 9, 6))},
}  # fmt: skip


@pytest.mark.parametrize("name", BETWEEN)
def test_a_row_that_sees_nothing_gives_zeros_whatever_comes_to_it(name: str) -> None:
    inputs = [x.requires_grad_() for x in tensors(Sizes(2, 2, 2, 9, 6, 4, 4), dtype=torch.float32)]
    parts = BETWEEN[name]()
    learned = list(parts["score_mod"].parameters()) if "table" in name else []
    output = regard.attention(
        *inputs, **parts, mask=Padding(torch.tensor([6, 0])), backend="blocked"
    )
    assert output[1].eq(0).all() and output[0].ne(0).all()
    upstream = torch.ones_like(output)
    upstream[1] = math.nan
    *found, last = torch.autograd.grad(output, [*inputs, *learned], upstream)
    for gradient in (*found, last):
        assert gradient.isfinite().all()
        assert gradient.ndim < 4 or gradient[1].eq(0).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e38])
@pytest.mark.parametrize("name", [name for name in BETWEEN if name != "tensor"])
def test_what_a_mask_hides_never_comes_out(name: str, bad: float) -> None:
    parts = BETWEEN[name]()
    for mask in (Padding(torch.tensor([70, 33])), Causal() & Prefix(33)):
        sizes = Sizes(2, 2, 1, 30, 70, 8, 8)
        query, key, value = tensors(sizes, dtype=torch.float32)
        backend = "blocked" if type(mask) is Padding else None
        given = {**parts, "mask": mask, "q_offset": 0, "backend": backend}
        wanted = evaluate(query, key, value, **given)
        rows = slice(1, 2) if type(mask) is Padding else slice(None)
        key[rows, :, 33:], value[rows, :, 33:] = bad, -bad
        assert_same(evaluate(query, key, value, **given), wanted, 1e-5)


@pytest.mark.parametrize("name", BETWEEN)
def test_not_a_number_stays_what_it_is(name: str) -> None:
    query, key, value = (torch.randn(2, 2, n, 4) for n in (9, 6, 6))
    query[0, 0, 2] = math.nan
    output = regard.attention(query, key, value, **BETWEEN[name](), backend="blocked")
    assert output[0, 0, 2].isnan().all() and int(output.isnan().sum()) == 4


@pytest.mark.parametrize("name", BETWEEN)
def test_second_derivatives_are_the_definitions(name: str) -> None:
    parts = BETWEEN[name]()
    mask = Padding(torch.tensor([6, 4])) & Causal()
    inputs = [torch.randn(2, 2, n, 3) for n in (9, 6, 6)]

    def second(backend: str) -> list[Tensor]:
        exact = torch.float64 if backend == "reference" else torch.float32
        mod = doubled(parts.get("score_mod")) if backend == "reference" else parts.get("score_mod")
        given = {"normalizer": softmax, **parts, "score_mod": mod, "mask": mask}
        leaves = [x.to(exact).requires_grad_() for x in inputs]
        leaves += list(mod.parameters()) if isinstance(mod, nn.Module) else []
        output = regard.attention(*leaves[:3], **given, q_offset=0, backend=backend)
        first = torch.autograd.grad(output.sin().sum(), leaves, create_graph=True)
        return list(torch.autograd.grad(sum(x.square().sum() for x in first), leaves))

    for found, wanted in zip(second("blocked"), second("reference"), strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [2, 16])
@pytest.mark.parametrize("name", ["sigmoid, table", "cap", "table"])
def test_any_number_of_threads_gives_the_same_bits(
    name: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regard._kernels.slices.LEAST", LEAST >> 10)
    parts, inputs = BETWEEN[name](), [torch.randn(1, 2, 700, 16) for _ in range(3)]
    found = []
    for threads in (1, count):
        torch.set_num_threads(threads)
        try:
            found.append(evaluate(*inputs, **parts, mask=Causal(), backend="blocked"))
        finally:
            torch.set_num_threads(1)
    assert all(torch.equal(found[0][what], found[1][what]) for what in found[0])


@pytest.mark.parametrize("name", ["sigmoid", "cap", "table", "sigmoid, table"])
def test_nothing_has_the_size_of_all_pairs(name: str) -> None:
    length = 1024
    inputs = [torch.randn(1, 2, length, 8).requires_grad_() for _ in range(3)]
    with Largest() as seen:
        call = regard.attention(*inputs, **BETWEEN[name](), backend="blocked")
        call.sum().backward()
    assert seen.elements <= 8 * 2 * 32 * length  # a column of a product for eight pieces of a head


@pytest.mark.parametrize("shape", [(0, 2, 3, 4), (1, 2, 0, 4)])
@pytest.mark.parametrize("name", ["sigmoid", "cap", "table"])
def test_empty_calls_are_served(name: str, shape: tuple[int, ...]) -> None:
    x, parts = torch.randn(shape, requires_grad=True), BETWEEN[name]()
    output = regard.attention(x, x, x, **parts, backend="blocked")
    assert output.shape == shape
    output.sum().backward()
    assert x.grad is not None and x.grad.shape == shape


@pytest.mark.parametrize("name", ["sigmoid", "cap", "table"])
def test_no_keys_give_zeros(name: str) -> None:
    q, k = torch.randn(1, 2, 3, 4, requires_grad=True), torch.randn(1, 2, 0, 4)
    output = regard.attention(q, k, k, **BETWEEN[name](), backend="blocked")
    assert output.eq(0).all()
    output.sum().backward()
    assert q.grad is not None and q.grad.eq(0).all()


def test_the_planner_takes_the_loops_where_they_were_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.randn(1, 8, 512, 64)
    monkeypatch.setattr(_rates, "rates_of_cpu", lambda: _rates.RATES["AuthenticAMD AVX512"])
    calls: list[dict[str, Any]] = [
        {"score_mod": ALiBi(8), "mask": Causal()}, {"score_mod": RelativeBias(8)},
        {"score_mod": Bias(torch.zeros(512, 512))}, {"score_mod": SoftCap(50.0)},
        {"normalizer": sigmoid}, {"normalizer": sigmoid, "mask": SlidingWindow(64)},
        {"normalizer": sigmoid, "score_mod": Bias(torch.full((1, 1), -6.0))},
    ]  # fmt: skip
    for parts in calls:
        assert regard.plan(x, x, x, **parts).backend == "blocked"
    few = x[:, :, :8]
    for parts in ({"score_mod": ALiBi(8)}, {"normalizer": sigmoid}):
        assert regard.plan(few, few, few, **parts).backend != "blocked"
    monkeypatch.setattr(_rates, "rates_of_cpu", lambda: _rates.RATES["AuthenticAMD AVX2"])
    for parts in calls:
        assert regard.plan(x, x, x, **parts).backend != "blocked"


def test_t5_is_served_with_its_table_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    config = T5EncoderConfig(vocab=50, embed_dim=512, layers=2, num_heads=8)
    network = T5Encoder(config).eval()  # in training no two ways drop the same weights
    ids = torch.randint(1, 50, (1, 512))
    ran: list[bool] = []
    attend = blocked.attend

    def counted(*given: Any, **named: Any) -> Tensor:
        ran.append(given[3] is not None)
        return attend(*given, **named)

    monkeypatch.setattr(blocked, "attend", counted)
    found = []
    for kind in ("AuthenticAMD AVX2", "AuthenticAMD AVX512"):
        monkeypatch.setattr(_rates, "rates_of_cpu", lambda kind=kind: _rates.RATES[kind])
        _memo.forget()
        network.zero_grad()
        output = network(Sequences(ids))
        output.square().sum().backward()
        found.append([output, *(x.grad for x in network.parameters())])
        assert ran == ([] if kind.endswith("AVX2") else [True, True])
    ran.clear()
    network.zero_grad()  # what was found stays as it is
    network.train()(Sequences(ids)).sum().backward()
    assert ran == [True, True]
    _memo.forget()
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("features", ["+sse2,+avx,+avx2,+fma", "+sse2"])
def test_shorter_vectors_give_the_same_numbers(features: str) -> None:
    code = (
        "import torch, regard; torch.manual_seed(0)\n"
        "from regard._kernels import vectors; assert vectors.LANES == 8\n"
        "from regard.normalizers import sigmoid\n"
        "from regard.score_mods import *\n"
        "from regard.masks import Causal\n"
        "bias = RelativeBias(2, 16, 60); torch.nn.init.normal_(bias.weight)\n"
        "x = [torch.randn(2, 2, n, 21, requires_grad=True) for n in (113, 131, 131)]\n"
        "calls = [{'score_mod': bias}, {'normalizer': sigmoid}, {'score_mod': SoftCap(2.0)},\n"
        "    {'normalizer': sigmoid, 'score_mod': bias},\n"
        "    {'score_mod': Bias(torch.randn(2, 2, 113, 131))}]\n"
        "for parts in calls:\n"
        "    found = []\n"
        "    for backend in ('blocked', 'reference'):\n"
        "        y = regard.attention(*x, mask=Causal(), **parts, backend=backend)\n"
        "        leaves = [*x, bias.weight] if parts.get('score_mod') is bias else x\n"
        "        found.append((y, *torch.autograd.grad(y.sin().sum(), leaves)))\n"
        "    for one, two in zip(*found):\n"
        "        assert torch.allclose(one, two, atol=2e-5), (parts, (one - two).abs().max())\n"
    )
    environment = {
        **os.environ, "NUMBA_CPU_NAME": "x86-64-v3" if "avx2" in features else "x86-64",
        "NUMBA_CPU_FEATURES": features,
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)

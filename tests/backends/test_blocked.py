"""Attention by blocks of our own: the definition's numbers, whoever calls it and how often."""

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _loops, _memo, blocked
from regard._backends._bind import bind
from regard._backends._call import Call
from regard._kernels.installed import has_loops
from regard._kernels.slices import LEAST
from regard.masks import (
    Block,
    Causal,
    Dense,
    Document,
    KeyCounts,
    Padding,
    Prefix,
    SlidingWindow,
)
from regard.normalizers import Softmax, softmax, sparsemax
from regard.scores import Additive, Bilinear, Cosine, Dot, NegativeSquaredDistance, ScaledDot
from tests.parts import Sizes, tensors
from tests.probe import assert_same, evaluate
from tests.tolerance import UNIT_NORMAL_CAP, assert_close_to_golden

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

SIZES = [
    Sizes(1, 1, 1, 1, 1, 1, 1),
    Sizes(2, 4, 2, 2, 5, 7, 21),
    Sizes(1, 2, 1, 17, 17, 63, 64),
    Sizes(2, 2, 2, 113, 203, 21, 111),
    Sizes(1, 3, 3, 127, 128, 64, 64),
    Sizes(1, 2, 2, 129, 127, 257, 1),
    Sizes(1, 1, 1, 300, 300, 32, 32),
]


def keep(s: Sizes) -> Tensor:
    """Real keys from a fourth on, and none in the second sequence."""
    places = torch.arange(s.k_len)
    return torch.stack([places * 4 >= s.k_len, places < 0])[: s.batch]


def ids(s: Sizes, count: int) -> Tensor:
    """Documents of uneven lengths, cut elsewhere in each sequence, the last one repeated."""
    places = torch.arange(count).sqrt().mul(1.7).int()
    return torch.stack([places, (places + 1) // 2])[: s.batch]


MASKS: dict[str, Callable[[Sizes], Any]] = {
    "none": lambda s: None,
    "causal": lambda s: Causal(),
    "padding": lambda s: Padding(torch.tensor([s.k_len, s.k_len // 2])[: s.batch]),
    "both": lambda s: Causal() & Padding(torch.tensor([s.k_len // 2 + 1, 0])[: s.batch]),
    "window": lambda s: SlidingWindow(7, 20),
    "narrow window": lambda s: SlidingWindow(0, 0) | SlidingWindow(1, 0),
    "causal window": lambda s: Causal() & SlidingWindow(70, 70),
    "window from afar": lambda s: SlidingWindow(10**18, -0) & Padding(keep=keep(s)),
    "block": lambda s: Block(50),
    "prefix": lambda s: Prefix(s.k_len // 2),
    "prefixes": lambda s: Prefix(torch.tensor([s.k_len // 3, 0])[: s.batch]),
    "prefix LM": lambda s: Causal() | Prefix(torch.tensor([s.k_len // 3, 0])[: s.batch]),
    "keep": lambda s: Padding(keep=keep(s)),
    "ignore": lambda s: Padding(ignore=~keep(s)) & SlidingWindow(40, 40),
    "documents": lambda s: Document(ids(s, s.q_len), ids(s, s.k_len)),
    "causal documents": lambda s: (
        Causal() & Document(ids(s, s.q_len)[0].flip(0), ids(s, s.k_len)) & SlidingWindow(90, 30)
    ),
    "counts": lambda s: KeyCounts(torch.arange(s.q_len).flip(0) * 2),
    "later": lambda s: ~Causal() & ~Prefix(3),
}
INPUTS: dict[str, Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]] = {
    "unit": lambda q, k, v: (q, k, v),
    "wide": lambda q, k, v: (5 * q, 5 * k, 5 * v),
    "equal": lambda q, k, v: (q, k[:, :, :1].expand_as(k), v),
    "shifted": lambda q, k, v: (q + 8, k + 8, v + 3),
    "uneven": lambda q, k, v: (q, k * torch.logspace(-3, 1.5, k.shape[2]).view(-1, 1), v),
}


def close(found: dict[str, Tensor], inputs: Any, cap: float | None = None, **parts: Any) -> None:
    """Fail unless all are as near the definition in float64 as the rule asks."""
    __tracebackhide__ = True
    golden = evaluate(*(x.double() for x in inputs), **parts, backend="reference")
    naive = evaluate(*inputs, **parts, backend="reference")
    for what, actual in found.items():
        gradient = what != "output"
        # Products are summed one by one. Of a query that sees few keys the change of a weight and
        # the mean of all cancel, which are summed in two orders.
        assert_close_to_golden(
            actual, golden[what], naive[what], what=what, gradient=gradient,
            cap=None if gradient else cap, least=3e-6 if gradient else 1e-6,
        )  # fmt: skip


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_output_and_gradients_are_the_definitions(sizes: Sizes, mask: str) -> None:
    inputs = tensors(sizes, dtype=torch.float32)
    offsets = (None, 0, -3, 5) if mask in ("none", "causal", "window") else (None, 2)
    for offset in offsets:
        parts = {"mask": MASKS[mask](sizes), "q_offset": offset}
        found = evaluate(*inputs, **parts, backend="blocked")
        close(found, inputs, UNIT_NORMAL_CAP, **parts)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("mask", ["none", "causal", "window"])
def test_hard_inputs_are_as_near_as_the_formula_itself(mask: str, kind: str) -> None:
    sizes = Sizes(1, 2, 2, 150, 150, 64, 64)
    inputs = INPUTS[kind](*tensors(sizes, dtype=torch.float32))
    parts = {"mask": MASKS[mask](sizes)}
    close(evaluate(*inputs, **parts, backend="blocked"), inputs, **parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"score": Dot()}, {"score": ScaledDot(-0.3)}, {"score": ScaledDot(0.0)},
        {"score": Cosine(0.2)}, {"score": NegativeSquaredDistance()},
        {"normalizer": Softmax(2.0)}, {"score": Cosine(torch.tensor(0.5))},
        {"q_offset": torch.tensor([3, -2]), "mask": Causal()},
        {"q_offset": torch.tensor([3, 9]), "mask": SlidingWindow(4, 9) & Prefix(30)},
        {"q_offset": torch.tensor([0, 7]), "mask": Document(torch.arange(40) // 11)},
    ],
    ids=str,
)  # fmt: skip
def test_every_dot_product_is_served(parts: dict[str, Any]) -> None:
    inputs = tensors(Sizes(2, 4, 2, 33, 40, 12, 9), dtype=torch.float32)
    found = evaluate(*inputs, **parts, backend="blocked")
    close({"output": found["output"]}, inputs, **parts)
    assert_same(found, evaluate(*inputs, **parts, backend="reference"), 2e-5)


def test_a_score_with_weights_gets_its_gradients() -> None:
    inputs = tensors(Sizes(2, 2, 2, 9, 9, 8, 8), dtype=torch.float32)
    score = Bilinear(8, 8)
    assert_same(
        evaluate(*inputs, score=score, backend="blocked"),
        evaluate(*inputs, score=score, backend="reference"), 1e-5,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype: torch.dtype) -> None:
    inputs = [x.to(dtype) for x in tensors(Sizes(2, 4, 2, 65, 70, 24, 24))]
    close(evaluate(*inputs, mask=Causal(), backend="blocked"), inputs, mask=Causal())


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"score": Additive()}, "no dot product|is not a dot product"),
        ({"normalizer": sparsemax}, "softmax and sigmoid only"),
        ({"mask": Causal() & ~SlidingWindow(3)}, "one run of keys, not ~SlidingWindow"),
        ({"mask": SlidingWindow(0) | Prefix(2)}, "one run of keys, not SlidingWindow.* | Prefix"),
        ({"mask": Document(torch.tensor([0, 0, 1, 0, 0]))}, "one run of keys, not Document"),
        ({"mask": lambda b, h, q, k: q >= k}, "one run of keys"),
        ({"mask": Dense(torch.ones(5, 5, dtype=torch.bool)) & Causal()}, "Dense"),
        ({"mask": Padding(keep=torch.arange(5)[None] != 2)}, "one run of keys, not Padding"),
        ({"mask": KeyCounts(torch.ones(1, 2, 5).int())}, "one run of keys, not KeyCounts"),
    ],
)
def test_what_it_does_not_serve_is_refused_with_the_reason(
    parts: dict[str, Any], reason: str
) -> None:
    x = torch.randn(1, 2, 5, 4)
    with pytest.raises(regard.UnsupportedByBackend, match=reason):
        regard.attention(x, x, x, **parts, backend="blocked")


def test_float64_other_devices_and_no_numba_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(1, 2, 5, 4)
    with pytest.raises(regard.UnsupportedByBackend, match="round float64"):
        regard.attention(x.double(), x.double(), x.double(), backend="blocked")
    other = x.as_subclass(type("Labelled", (Tensor,), {}))
    with pytest.raises(regard.UnsupportedByBackend, match="not subclasses"):
        regard.attention(x, other, x, backend="blocked")
    with pytest.raises(regard.UnsupportedByBackend, match="not on meta"):
        regard.attention(*[x.to("meta")] * 3, backend="blocked")
    monkeypatch.setattr(_loops, "has_loops", lambda: False)
    with pytest.raises(regard.UnsupportedByBackend, match=r'pip install "regard\[cpu\]"'):
        regard.attention(x, x, x, backend="blocked")


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e38])
@pytest.mark.parametrize(
    "part",
    [
        Padding(torch.tensor([70, 33])), Padding(torch.tensor([70, 33])) & Causal(),
        Padding(keep=torch.arange(70) < torch.tensor([[70], [33]])),
        SlidingWindow(9, 3) & Prefix(33),
        Prefix(torch.tensor([70, 33])), Document(torch.arange(70) // torch.tensor([[70], [33]])),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_mask_hides_never_comes_out(part: Any, bad: float) -> None:
    sizes = Sizes(2, 2, 1, 30, 70, 8, 8)
    query, key, value = tensors(sizes, dtype=torch.float32)
    apart = blocked.keeps_apart(bound(query, key, value, part))
    backend = "blocked" if apart else None
    wanted = evaluate(query, key, value, mask=part, q_offset=0, backend=backend)
    key[1, :, 33:], value[1, :, 33:] = bad, -bad
    found = evaluate(query, key, value, mask=part, q_offset=0, backend=backend)
    assert_same(found, wanted, 1e-5)


def bound(query: Tensor, key: Tensor, value: Tensor, mask: Any) -> Call:
    return bind(query, key, value, ScaledDot(), None, mask, softmax, 0.0, 0)


@pytest.mark.parametrize(
    ("mask", "least"),
    [
        (SlidingWindow(100), 3_200 * 132), (Document(torch.arange(3200) // 320), 3200 * 320),
        (Block(64), 3200 * 64), (Padding(torch.tensor([5])), 3200 * 5),
    ],
    ids=str,
)  # fmt: skip
def test_the_pairs_that_are_counted_are_those_that_are_met(mask: Any, least: int) -> None:
    x = torch.empty(1, 1, 3200, 4)
    assert 0.9 * least < blocked._pairs(bound(x, x, x, mask)) <= least


def test_a_call_of_a_known_form_whose_keys_lie_apart_is_served_otherwise() -> None:
    _memo.forget()
    x = torch.randn(1, 8, 600, 64)
    near, apart = torch.arange(600) // 200, torch.arange(600) % 3
    for first, second in ((near, apart), (apart, near)):
        for ids_of in (first, second, first):
            mask = Document(ids_of)
            torch.testing.assert_close(
                regard.attention(x, x, x, mask=mask),
                regard.attention(x, x, x, mask=mask, backend="reference"), rtol=1e-4, atol=1e-5,
            )  # fmt: skip
        _memo.forget()


@pytest.mark.parametrize("score", [Cosine(), Bilinear(4, 4), NegativeSquaredDistance()])
def test_what_padding_hides_reaches_no_gradient_of_what_a_score_does_first(score: Any) -> None:
    key, value = (torch.randn(2, 1, 6, 4) for _ in range(2))
    query, mask = torch.randn(2, 1, 6, 4), Padding(torch.tensor([0, 3]))
    wanted = evaluate(query, key, value, score=score, mask=mask, backend="blocked")
    query[0], key[:, :, 3:] = math.inf, math.nan
    found = evaluate(query, key, value, score=score, mask=mask, backend="blocked")
    for name, one in wanted.items():
        torch.testing.assert_close(found[name], one, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("scale", [-2.0, 0.0])
def test_a_scale_may_be_negative_or_nothing(scale: float) -> None:
    x = 10 * torch.randn(1, 2, 9, 8)
    found = regard.attention(x, x, x, score=ScaledDot(scale), backend="blocked")
    wanted = regard.attention(x, x, x, score=ScaledDot(scale), backend="reference")
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_of_two_paddings_the_shorter_counts() -> None:
    x = torch.randn(3, 1, 6, 4)
    mask = Padding(torch.tensor([4, 2, 6])) & Padding(torch.tensor([3, 5, 6]))
    found = regard.attention(x, x, x, mask=mask, backend="blocked")
    wanted = regard.attention(x, x, x, mask=mask, backend="reference")
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_row_that_sees_nothing_gives_zeros_whatever_comes_to_it() -> None:
    inputs = [x.requires_grad_() for x in tensors(Sizes(2, 2, 2, 9, 6, 4, 4), dtype=torch.float32)]
    output = regard.attention(*inputs, mask=Padding(torch.tensor([6, 0])), backend="blocked")
    assert output[1].eq(0).all() and output[0].ne(0).all()
    upstream = torch.ones_like(output)
    upstream[1] = math.nan
    for gradient in torch.autograd.grad(output, inputs, upstream):
        assert gradient.isfinite().all() and gradient[1].eq(0).all()


@pytest.mark.parametrize("shape", [(0, 2, 3, 4), (2, 0, 3, 4), (1, 2, 0, 4)])
def test_empty_calls_are_served(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, requires_grad=True)
    output = regard.attention(x, x, x, backend="blocked")
    assert output.shape == shape
    output.sum().backward()
    assert x.grad is not None and x.grad.shape == shape


def test_no_keys_give_zeros() -> None:
    q, k = torch.randn(1, 2, 3, 4, requires_grad=True), torch.randn(1, 2, 0, 4)
    output = regard.attention(q, k, k, backend="blocked")
    assert output.eq(0).all()
    output.sum().backward()
    assert q.grad is not None and q.grad.eq(0).all()


def test_vectors_may_lie_anywhere_and_inputs_stay_as_they_are() -> None:
    shape = (2, 3, 50, 20)
    x = torch.randn(3, *shape)
    plain = evaluate(*x, mask=Causal(), backend="blocked")
    forms = (
        lambda y: y.transpose(1, 2).contiguous().transpose(1, 2),
        lambda y: y.mT.contiguous().mT,
        lambda y: torch.stack([y, y], -1)[..., 0],
        lambda y: torch.cat([y, y], 2)[:, :, 50:],
    )
    for form in forms:
        given = [form(one) for one in x]
        before = [one.clone() for one in given]
        found = evaluate(*given, mask=Causal(), backend="blocked")
        assert all(torch.equal(found[name], plain[name]) for name in plain)
        assert all(torch.equal(one, was) for one, was in zip(given, before, strict=True))
    one = x[0, :, :1].expand(shape)
    assert torch.equal(
        regard.attention(x[0], one, one, backend="blocked"),
        regard.attention(x[0], one.contiguous(), one.contiguous(), backend="blocked"),
    )


@pytest.mark.parametrize("width", [63, 64])
def test_queries_may_overlap(width: int) -> None:
    signal = torch.randn(1, 2, 40 + width - 1)
    key, value = torch.randn(1, 2, 90, width), torch.randn(1, 2, 90, 64)

    def found(backend: str, exact: torch.dtype) -> dict[str, Tensor]:
        x = signal.to(exact).requires_grad_()
        query = x.unfold(-1, width, 1)
        output = regard.attention(query, key.to(exact), value.to(exact), backend=backend)
        return {"output": output, "gradient": torch.autograd.grad(output.square().sum(), x)[0]}

    actual, naive = found("blocked", torch.float32), found("reference", torch.float32)
    golden = found("reference", torch.float64)
    for what, one in actual.items():
        assert_close_to_golden(
            one, golden[what], naive[what], what=what, gradient=what == "gradient"
        )


def test_numbers_that_are_negated_when_read_are_read_so() -> None:
    x = torch.randn(3, 1, 2, 5, 16)
    for at in range(3):
        given = [torch._neg_view(-one) if i == at else one for i, one in enumerate(x)]
        found = regard.attention(*given, backend="blocked")
        assert torch.equal(found, regard.attention(*x, backend="blocked"))
    inputs = [one.clone().requires_grad_() for one in x]
    upstream = torch.randn(1, 2, 5, 16)
    output = regard.attention(*inputs, backend="blocked")
    wanted = torch.autograd.grad(output, inputs, upstream, retain_graph=True)
    actual = torch.autograd.grad(output, inputs, torch._neg_view(-upstream))
    assert all(torch.equal(a, b) for a, b in zip(actual, wanted, strict=True))


def test_an_upstream_gradient_may_have_any_strides() -> None:
    inputs = [torch.randn(1, 2, 33, 8, requires_grad=True) for _ in range(3)]
    output = regard.attention(*inputs, backend="blocked")
    upstream = torch.randn(1, 2, 8, 33).mT
    found = torch.autograd.grad(output, inputs, upstream, retain_graph=True)
    wanted = torch.autograd.grad(output, inputs, upstream.contiguous(), retain_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    total = torch.autograd.grad(output.sum(), inputs)
    ones = torch.autograd.grad(
        regard.attention(*inputs, backend="blocked"), inputs, torch.ones(1, 2, 33, 8)
    )
    assert all(torch.equal(a, b) for a, b in zip(total, ones, strict=True))


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    yield torch.set_num_threads
    torch.set_num_threads(1)


@pytest.mark.parametrize("mask", [Causal(), SlidingWindow(90, 30)], ids=str)
@pytest.mark.parametrize("heads", [1, 5])
def test_any_number_of_threads_gives_the_same_bits(
    threads: Callable[[int], None], heads: int, mask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regard._kernels.slices.LEAST", LEAST >> 10)
    inputs = [torch.randn(1, heads, 1100, 16) for _ in range(3)]
    found = []
    for count in (1, 2, 16):
        threads(count)
        found.append(evaluate(*inputs, mask=mask, backend="blocked"))
    for other in found[1:]:
        assert all(torch.equal(other[name], found[0][name]) for name in other)


@pytest.mark.parametrize(
    "mask", [None, Causal() & Padding(torch.tensor([4])), SlidingWindow(1, 1)], ids=str
)
def test_second_derivatives_are_the_definitions(mask: Any) -> None:
    inputs = [torch.randn(1, 2, 5, 3, requires_grad=True) for _ in range(3)]

    def second(backend: str) -> list[Tensor]:
        exact = torch.float64 if backend == "reference" else torch.float32
        leaves = [x.detach().to(exact).requires_grad_() for x in inputs]
        output = regard.attention(*leaves, mask=mask, backend=backend)
        first = torch.autograd.grad(output.sin().sum(), leaves, create_graph=True)
        return list(torch.autograd.grad(sum(x.square().sum() for x in first), leaves))

    for found, wanted in zip(second("blocked"), second("reference"), strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-4)


def test_several_gradients_at_once_are_the_definitions() -> None:
    inputs = [torch.randn(1, 2, 33, 4, requires_grad=True) for _ in range(3)]
    upstream = torch.randn(3, 1, 2, 33, 4)
    output = regard.attention(*inputs, mask=Causal(), backend="blocked")
    found = torch.autograd.grad(output, inputs, upstream, True, is_grads_batched=True)
    for n, one in enumerate(upstream):
        wanted = torch.autograd.grad(output, inputs, one, retain_graph=True)
        for several, alone in zip(found, wanted, strict=True):
            torch.testing.assert_close(several[n], alone)


def test_a_change_between_the_passes_is_an_error() -> None:
    inputs = [torch.randn(1, 2, 5, 4, requires_grad=True) for _ in range(3)]
    output = regard.attention(*inputs, backend="blocked")
    with torch.no_grad():
        inputs[1].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_under_a_transform_it_is_refused_and_the_plan_serves() -> None:
    x = torch.randn(3, 1, 2, 5, 4)

    def one(y: Tensor) -> Tensor:
        return regard.attention(y, y, y, backend="blocked")

    with pytest.raises(regard.UnsupportedByBackend, match="vmap"):
        torch.func.vmap(one)(x)
    with pytest.raises(regard.UnsupportedByBackend, match="torch.func"):
        torch.func.grad(lambda y: one(y).sum())(x[0])


@pytest.mark.slow
def test_without_a_folder_for_compiled_loops_they_are_compiled_each_time(tmp_path: Any) -> None:
    code = (
        "import torch, regard; x = torch.randn(1, 2, 40, 8, requires_grad=True)\n"
        "y = regard.attention(x, x, x, backend='blocked'); y.sum().backward()\n"
        "assert torch.allclose(y, regard.attention(x, x, x, backend='reference'), atol=1e-5)\n"
    )
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(nowhere / "below"), "HOME": str(nowhere)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("features", ["+sse2,+avx,+avx2,+fma", "+sse2"])
def test_shorter_vectors_give_the_same_numbers(features: str) -> None:
    code = (
        "import torch, regard; torch.manual_seed(0)\n"
        "from regard._kernels import vectors; assert vectors.LANES == 8\n"
        "x = [torch.randn(2, 2, n, 21, requires_grad=True) for n in (113, 131, 131)]\n"
        "y = regard.attention(*x, mask=regard.masks.Causal(), backend='blocked')\n"
        "y.sum().backward()\n"
        "g = [one.grad.clone() for one in x]\n"
        "for one in x: one.grad = None\n"
        "z = regard.attention(*x, mask=regard.masks.Causal(), backend='reference')\n"
        "z.sum().backward(); assert torch.allclose(y, z, atol=1e-5)\n"
        "assert all(torch.allclose(a, b.grad, atol=1e-5) for a, b in zip(g, x))\n"
    )
    environment = {
        **os.environ, "NUMBA_CPU_NAME": "x86-64-v3" if "avx2" in features else "x86-64",
        "NUMBA_CPU_FEATURES": features,
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_a_plan_is_made_without_looking_at_numbers_and_small_calls_are_left_to_pytorch() -> None:
    small, large = torch.randn(1, 2, 8, 16), torch.full((1, 8, 512, 64), math.nan)
    assert regard.plan(small, small, small).backend == "sdpa"
    plan = regard.plan(large, large, large)
    assert plan.seconds.get("blocked", math.inf) > 0


def test_all_combinations_of_lengths_agree_with_the_reference() -> None:
    for q_len, k_len in itertools.product((1, 31, 33, 128), (1, 63, 65)):
        inputs = tensors(Sizes(1, 1, 1, q_len, k_len, 5, 3), dtype=torch.float32)
        for mask in (None, Causal()):
            assert_same(
                evaluate(*inputs, mask=mask, backend="blocked"),
                evaluate(*inputs, mask=mask, backend="reference"), 1e-5,
            )  # fmt: skip

"""Every part compiled, exported and traced: at lengths on both sides of every switch of backend.

A compiled call may be compiled three times over all lengths and numbers: for the first, for those
that differ, and once more where another backend takes over. An exported one serves every length.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend

import regard
from regard.layers.part_module import own
from regard.masks import Block, Causal, Padding, Prefix, SlidingWindow
from regard.normalizers import (
    Entmax,
    GumbelSoftmax,
    Hard,
    LearnedEntmax,
    LocalGaussian,
    Sample,
    Sink,
    Softmax,
    TopK,
    divide_by_sum,
    hard,
    sigmoid,
    softmax_one,
    sparsemax,
)
from regard.score_mods import ALiBi, Chain, RelativeBias, SoftCap
from regard.scores import (
    MLP,
    Additive,
    Bilinear,
    ConcatLinear,
    ConcatTanhSum,
    Cosine,
    Dot,
    FeatureMapDot,
    GATv2,
    InverseDistance,
    Location,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.contracts.test_modes import CASES, Parts, attend, close, parts_of
from tests.parts import Sizes, tensors

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

HEADS, WIDTH, LONGEST = 4, 8, 2000
GRAPHS = 3

PARTS: dict[str, Parts] = {
    "plain": {},
    "Causal": {"mask": Causal()},
    "SlidingWindow": {"mask": SlidingWindow(3)},
    "SlidingWindow both": {"mask": SlidingWindow(2, 2)},
    "SlidingWindow and": {"mask": Causal() & SlidingWindow(9, 9)},
    "Block": {"mask": Block(4)},
    "Prefix": {"mask": Causal() | Prefix(3)},
    "Padding": {"mask": Padding(torch.tensor([4, 3]))},
    "Padding window": {"mask": Padding(torch.tensor([4, 3])) & SlidingWindow(2, 5)},
    "ALiBi": {"score_mod": ALiBi(HEADS)},
    "RelativeBias": {"score_mod": RelativeBias(HEADS)},
    "SoftCap": {"score_mod": SoftCap(2.0)},
    "Chain": {"score_mod": Chain(SoftCap(2.0), ALiBi(HEADS)), "mask": Causal()},
    **{
        name: {"score": score}
        for name, score in {
            "Dot": Dot(), "ScaledDot": ScaledDot(0.3), "ScaledDot negative": ScaledDot(-0.3),
            "ScaledDot learned": ScaledDot(nn.Parameter(torch.tensor(0.3))),
            "Bilinear": Bilinear(WIDTH, WIDTH), "Cosine": Cosine(0.3),
            "Additive": Additive(WIDTH, WIDTH, 5), "Additive bare": Additive(),
            "LuongConcat": LuongConcat(WIDTH, WIDTH, 5),
            "ConcatLinear": ConcatLinear(WIDTH, WIDTH, LONGEST),
            "ConcatTanhSum": ConcatTanhSum(WIDTH, WIDTH, 5),
            "GATv2": GATv2(WIDTH, WIDTH, 5),
            "Location": Location(WIDTH, LONGEST), "MLP": MLP(WIDTH, WIDTH, (4,)),
            "NegativeSquaredDistance": NegativeSquaredDistance(),
            "InverseDistance": InverseDistance(), "FeatureMapDot": FeatureMapDot(),
        }.items()
    },
    **{
        name: {"normalizer": normalizer, "mask": Causal()}
        for name, normalizer in {
            "Softmax": Softmax(0.5), "softmax_one": softmax_one, "Sink": Sink(HEADS),
            "sparsemax": sparsemax, "Entmax 1.5": Entmax(1.5), "Entmax 1.3": Entmax(1.3),
            "LearnedEntmax": LearnedEntmax(HEADS), "sigmoid": sigmoid, "hard": hard,
            "Hard": Hard(straight_through=True), "TopK": TopK(3), "Sample": Sample(seed=3),
            "GumbelSoftmax": GumbelSoftmax(0.7, seed=3),
            "LocalGaussian": LocalGaussian(torch.tensor([3.0]), 2.0),
        }.items()
    },
    "linear": {"score": FeatureMapDot(), "normalizer": divide_by_sum},
    "linear causal": {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": Causal()},
    "an offset for each row": {"mask": Causal(), "q_offset": torch.tensor([2, -1])},
}  # fmt: skip


def qkv(length: int, grad: bool = False) -> list[Tensor]:
    return [torch.randn(2, HEADS, length, WIDTH).requires_grad_(grad) for _ in range(3)]


SEARCHED = ("sparsemax", "Entmax 1.5", "Entmax 1.3", "LearnedEntmax")
"""These unroll a search; their compiled gradients are in test_normalizers.py."""


@pytest.mark.parametrize("name", PARTS)
def test_lengths_on_both_sides_of_every_switch_compile_at_most_thrice(name: str) -> None:
    counter = CompileCounterWithBackend("eager" if name in SEARCHED else "aot_eager")
    eager = attend(PARTS[name])
    run = torch.compile(eager, fullgraph=True, backend=counter)
    for length in (5, 64, 100, 101, 300):
        inputs = qkv(length, grad=True)
        found, wanted = run(*inputs), eager(*inputs)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        if wanted.requires_grad:
            upstream = torch.randn_like(wanted)
            for one, other in zip(
                torch.autograd.grad(found, inputs, upstream, materialize_grads=True),
                torch.autograd.grad(wanted, inputs, upstream, materialize_grads=True),
                strict=True,
            ):
                torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    for length in (7, 2000) if "Additive" not in name else (7,):
        run(*qkv(length))
    assert counter.frame_count <= GRAPHS + 2  # without gradients there are two more


NUMBERS: dict[str, tuple[Callable[[Any], Parts], Iterable[Any]]] = {
    "SlidingWindow": (lambda n: {"mask": SlidingWindow(n)}, range(3, 12)),
    "Block": (lambda n: {"mask": Block(n)}, range(3, 12)),
    "Prefix": (lambda n: {"mask": Prefix(n)}, range(3, 12)),
    "SoftCap": (lambda c: {"score_mod": SoftCap(c)}, (1.0, 2.0, 3.5, 4.0, 5.0)),
    "Sample": (lambda s: {"normalizer": Sample(seed=s)}, range(1, 12)),
    "GumbelSoftmax seed": (lambda s: {"normalizer": GumbelSoftmax(0.5, seed=s)}, range(1, 12)),
    "GumbelSoftmax tau": (lambda t: {"normalizer": GumbelSoftmax(t, seed=4)}, (0.9, 0.8, 0.7, 0.6)),
    "Softmax": (lambda t: {"normalizer": Softmax(t)}, (0.9, 0.8, 0.7, 0.6, 0.5)),
    "Entmax": (lambda a: {"normalizer": Entmax(a)}, (1.2, 1.3, 1.4, 1.6, 1.7)),
    "Entmax above 2": (lambda a: {"normalizer": Entmax(a)}, (2.2, 2.5, 3.0, 4.0)),
    "TopK": (lambda k: {"normalizer": TopK(k)}, range(2, 9)),
    "Cosine": (lambda t: {"score": Cosine(t)}, (0.1, 0.2, 0.3, 0.4)),
    "ScaledDot": (lambda s: {"score": ScaledDot(s)}, (0.1, 0.2, 0.3, -0.4, 0.5)),
    "InverseDistance": (lambda e: {"score": InverseDistance(e)}, (0.1, 0.2, 0.3, 0.4)),
    "LocalGaussian": (
        lambda s: {"normalizer": LocalGaussian(torch.tensor([3.0]), s)}, (1.0, 1.5, 2.0, 2.5)),
    "q_offset": (lambda n: {"mask": Causal() & SlidingWindow(3, 3), "q_offset": n}, range(6)),
}  # fmt: skip


@pytest.mark.parametrize("made", ["outside", "inside"])
@pytest.mark.parametrize("length", [9, 300])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_changes_compiles_at_most_thrice(name: str, length: int, made: str) -> None:
    make, numbers = NUMBERS[name]
    if length == 300 and name not in ("SlidingWindow", "Block", "q_offset", "TopK"):
        pytest.skip("its length changes no backend")
    counter = CompileCounterWithBackend("eager")

    def inside(query: Tensor, key: Tensor, value: Tensor, number: Any) -> Tensor:
        return regard.attention(query, key, value, **make(number))

    def outside(query: Tensor, key: Tensor, value: Tensor, parts: Parts) -> Tensor:
        return regard.attention(query, key, value, **parts)

    eager = inside if made == "inside" else outside
    run = torch.compile(eager, fullgraph=True, backend=counter)
    for number in numbers:
        given = number if made == "inside" else make(number)
        inputs = qkv(length)
        found, wanted = run(*inputs, given), eager(*inputs, given)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert counter.frame_count <= GRAPHS + 1


class Module(nn.Module):
    """The call as a module that owns its weights, as exporting wants them."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = {k: v if isinstance(v, Tensor) else own(v) for k, v in parts.items()}
        self.owned = nn.ModuleList([x for x in self.parts.values() if isinstance(x, nn.Module)])

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key, value, **self.parts)


STRICT = (
    *("plain", "SlidingWindow and", "Padding window", "RelativeBias", "Additive", "LearnedEntmax"),
    *("TopK", "linear causal", "an offset for each row"),
)
"""Some parts of each role: strict export is the capture of `torch.compile`, asked of all above, and
then what other exports are made by."""


@pytest.mark.parametrize(
    ("name", "strict"), [*((name, False) for name in PARTS), *((name, True) for name in STRICT)]
)
def test_an_exported_call_serves_every_length(name: str, strict: bool) -> None:
    length = {2: torch.export.Dim("length", min=2, max=LONGEST - 1)}
    exported = torch.export.export(
        Module(PARTS[name]), tuple(qkv(50)), dynamic_shapes=(length,) * 3, strict=strict
    ).module()
    for other in (5, 50, 100, 333):
        inputs = qkv(other)
        found, wanted = exported(*inputs), attend(PARTS[name])(*inputs)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


class SelfAttention(nn.Module):
    """Query, key and value from one input, which is how most exported models call."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.call = Module(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x, x, x)


@pytest.mark.parametrize("name", ["plain", "Causal", "SlidingWindow", "TopK", "linear causal"])
def test_an_exported_self_attention_serves_every_length_and_batch(name: str) -> None:
    shapes = {0: torch.export.Dim("batch"), 2: torch.export.Dim("length", max=LONGEST)}
    model = SelfAttention(PARTS[name])
    exported = torch.export.export(model, (qkv(50)[0],), dynamic_shapes=(shapes,)).module()
    for batch, length in ((3, 7), (5, 200)):
        x = torch.randn(batch, HEADS, length, WIDTH)
        torch.testing.assert_close(exported(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("role", "part"), CASES, ids=str)
def test_jit_trace_records_what_holds_for_other_numbers(role: str, part: str) -> None:
    sizes = Sizes(2, 4, 2, 5, 7, 3, 4)
    parts = parts_of(role, part)
    traced = torch.jit.trace(Module(parts), tensors(sizes), check_trace=False)
    inputs = tensors(sizes)
    close(traced(*inputs), attend(parts)(*inputs))


@pytest.mark.parametrize("name", PARTS)
def test_jit_trace_records_what_holds_for_other_lengths(name: str) -> None:
    traced = torch.jit.trace(Module(PARTS[name]), tuple(qkv(6)), check_trace=False)
    for length in (5, 200):
        inputs = qkv(length)
        found = traced(*inputs)
        torch.testing.assert_close(found, attend(PARTS[name])(*inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("first", "other"), [(300, 100), (100, 600)])
def test_jit_trace_holds_for_lengths_that_eager_calls_would_cut(first: int, other: int) -> None:
    traced = torch.jit.trace(Module(PARTS["Prefix"]), tuple(qkv(first)), check_trace=False)
    inputs = qkv(other)
    wanted = attend(PARTS["Prefix"])(*inputs)
    torch.testing.assert_close(traced(*inputs), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rows", [[0, -1], 0, slice(1, 3), torch.tensor([1, -1])], ids=str)
def test_chosen_rows_and_heads_compile_into_one_graph(rows: Any) -> None:
    def weigh(query: Tensor, key: Tensor) -> Tensor:
        return regard.attention_weights(query, key, mask=Causal(), rows=rows, heads=[1, -1])

    query, key, _ = qkv(9)
    found = torch.compile(weigh, fullgraph=True, backend="aot_eager")(query, key)
    torch.testing.assert_close(found, weigh(query, key))

"""Few weights in recorded graphs: one opaque node with its gradients, at any length."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

import regard
from regard._backends import _few_keys
from regard._kernels.installed import has_loops
from regard.masks import Causal, Dense, Document, Padding, Prefix, SlidingWindow
from regard.normalizers import Entmax, TopK, hard, sparsemax
from regard.score_mods import ALiBi, Bias, SoftCap
from regard.scores import Bilinear
from tests.parts import shown

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

LENGTHS = torch.tensor([3, 5])
NORMALIZERS = [sparsemax, Entmax(1.5), Entmax(1.2), hard, TopK(4)]
PARTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"mask": Causal()},
    "padded": {"mask": Causal() & Padding(LENGTHS)},
    "a window and a prefix": {"mask": SlidingWindow(3, 2) | Prefix(2)},
    "keys that are kept": {"mask": Padding(keep=torch.rand(2, 90) < 0.7) & SlidingWindow(30)},
    "ALiBi": {"mask": Causal(), "score_mod": ALiBi(4)},
    "offsets": {"mask": Causal(), "q_offset": torch.tensor([2, -1])},
    "a bilinear score": {"score": Bilinear(8, 8)},
}


def results(run: Any, inputs: list[Tensor]) -> list[Tensor]:
    """Return output and gradients, zeros where there are none."""
    leaves = [one.clone().requires_grad_() for one in inputs]
    output = run(*leaves)
    loss = output.sin().sum()
    return [output, *torch.autograd.grad(loss, leaves, materialize_grads=True)]


def agree(run: Any, compiled: Any, lengths: tuple[int, ...] = (5, 33, 70)) -> None:
    """Fail unless both give the same at every length, with and without gradients."""
    __tracebackhide__ = True
    for length in lengths:
        inputs = [torch.randn(2, heads, length, 8) for heads in (4, 2, 2)]
        for found, wanted in zip(results(compiled, inputs), results(run, inputs), strict=True):
            torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(compiled(*inputs), run(*inputs))


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=shown)
def test_one_graph_serves_every_length_with_gradients(normalizer: Any) -> None:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return regard.attention(q, k, v, mask=Causal(), normalizer=normalizer, backend="sparse")

    counter = CompileCounterWithBackend("aot_eager")
    agree(attend, torch.compile(attend, backend=counter, fullgraph=True, dynamic=True))
    assert counter.frame_count <= 4  # with gradients, without, and once more for a number


def test_numbers_that_change_compile_at_most_thrice() -> None:
    for numbers, make in (((1.2, 1.3, 1.4, 1.6, 1.7), Entmax), (range(2, 9), TopK)):

        def attend(x: Tensor, number: Any, make: Any = make) -> Tensor:
            return regard.attention(x, x, x, normalizer=make(number), backend="sparse")

        counter = CompileCounterWithBackend("eager")
        compiled = torch.compile(attend, fullgraph=True, backend=counter)
        for number in numbers:
            x = torch.randn(2, 2, 20, 8)
            torch.testing.assert_close(compiled(x, number), attend(x, number))
        assert counter.frame_count <= 3


@pytest.mark.parametrize("name", PARTS)
def test_masks_biases_and_offsets_are_those_of_the_call(name: str) -> None:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        parts = dict(PARTS[name])
        if name == "keys that are kept":
            mask = parts["mask"]
            parts["mask"] = Padding(keep=mask.left.keep[:, : k.shape[2]]) & mask.right
        return regard.attention(q, k, v, **parts, normalizer=sparsemax, backend="sparse")

    agree(attend, torch.compile(attend, backend="aot_eager", fullgraph=True, dynamic=True))


@pytest.mark.parametrize("part", ["Dense", "Document", "Bias"])
def test_a_tensor_of_pairs_is_read_where_it_is(part: str) -> None:
    mask, bias = torch.rand(2, 1, 40, 40) < 0.3, torch.randn(4, 40, 40)
    parts: dict[str, Any] = {
        "Dense": {"mask": Dense(mask) & Causal()},
        "Document": {"mask": Document(torch.arange(40) // 7)},
        "Bias": {"score_mod": Bias(bias)},
    }[part]

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return regard.attention(q, k, v, **parts, normalizer=Entmax(1.5), backend="sparse")

    agree(attend, torch.compile(attend, backend="aot_eager", fullgraph=True), (40,))


@pytest.mark.parametrize("normalizer", [sparsemax, hard, TopK(4)], ids=shown)
def test_the_planner_takes_it_where_there_are_many_pairs(normalizer: Any) -> None:
    seen: list[str] = []

    def keep(graph: torch.fx.GraphModule, _: object) -> object:
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    def attend(x: Tensor) -> Tensor:
        return regard.attention(x, x, x, mask=Causal(), normalizer=normalizer)

    for length, dynamic, taken in ((64, False, False), (512, False, True), (64, True, True)):
        torch._dynamo.reset()
        seen.clear()
        torch.compile(attend, backend=keep, fullgraph=True, dynamic=dynamic)(
            torch.randn(1, 8, length, 16)
        )
        assert any("few_keys" in name for name in seen) == taken


def test_what_is_learned_or_capped_is_left_to_chunks() -> None:
    bias = torch.randn(4, 300, 300, requires_grad=True)
    for mod in (SoftCap(2.0), Bias(bias)):
        with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True):
            x = torch.randn(1, 4, 300, 8)
            plan = regard.plan(x, x, x, normalizer=sparsemax, score_mod=mod)
        assert plan.backend == "chunked" and "a recorded graph" in plan.refused["sparse"][0]


class Attends(torch.nn.Module):
    """Attention of an input to itself, as somebody exports it."""

    def __init__(self, backend: str | None) -> None:
        super().__init__()
        self.backend = backend

    def forward(self, x: Tensor) -> Tensor:
        """Attend under a causal mask."""
        return regard.attention(
            x, x, x, mask=Causal(), normalizer=Entmax(1.5), backend=self.backend
        )


@pytest.mark.parametrize("backend", [None, "sparse"])
def test_a_program_for_others_has_the_loops_where_they_are_named(backend: str | None) -> None:
    length = torch.export.Dim("length", min=2, max=4096)
    shapes = ({2: length},)
    program = torch.export.export(
        Attends(backend), (torch.randn(2, 2, 9, 8),), dynamic_shapes=shapes
    )
    assert ("few_keys" in str(program.graph)) == (backend is not None)
    longer = torch.randn(2, 2, 77, 8)
    torch.testing.assert_close(program.module()(longer), Attends(backend)(longer))


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=shown)
def test_keys_with_weight_are_looked_for_once(
    normalizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[bool] = []
    search = _few_keys.forward

    def counted(*given: Any, keeps: bool) -> Any:
        searched.append(keeps)
        return search(*given, keeps=keeps)

    monkeypatch.setattr(_few_keys, "forward", counted)

    @partial(torch.compile, backend="aot_eager", fullgraph=True)
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return regard.attention(q, k, v, normalizer=normalizer, backend="sparse")

    inputs = [torch.randn(2, heads, 9, 8, requires_grad=True) for heads in (4, 2, 2)]
    attend(*inputs).sum().backward()
    assert searched == [True]
    with torch.no_grad():
        attend(*inputs)
    assert searched == [True, False]


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("given", [(2.0, 0), (0.0, 3), (0.0, 0)])
def test_the_operation_is_what_pytorch_asks_of_one(given: tuple[float, int], keeps: bool) -> None:
    learns = [keeps and given != (0.0, 0), keeps and given != (0.0, 0), keeps]
    inputs = [
        torch.randn(2, 4 if i == 0 else 2, n, 8, requires_grad=one)
        for i, (n, one) in enumerate(zip((5, 7, 7), learns, strict=True))
    ]
    ends = torch.tensor([1, 6], dtype=torch.int32).view(2, 1, 1)
    mask, bias = torch.rand(2, 1, 5, 7) < 0.7, torch.randn(1, 4, 1, 7)
    torch.library.opcheck(
        torch.ops.regard.few_keys,
        (*inputs, 0.3, torch.tensor(given[0]), given[1], ends, mask, bias, keeps),
    )

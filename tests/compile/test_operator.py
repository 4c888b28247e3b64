"""The operator inside `torch.compile(fullgraph=True)`: one graph, the same numbers, few recompiles.

These run without the shape hook (`make test-compile`). Most trace with `aot_eager`, which captures
forward and backward as the real compiler does and is quick; a few go through inductor.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend

import regard
from regard.masks import Block, Causal, Dense, Padding, Prefix, SlidingWindow
from regard.normalizers import Entmax, LearnedEntmax, Softmax, divide_by_sum, hard, sparsemax
from regard.score_mods import ALiBi, Bias, RelativeBias
from regard.scores import Additive, Bilinear, FeatureMapDot
from tests.parts import shown

# Torch's compiler imports a part of torch that warns of its own age.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")


def qkv(length: int = 9, grad: bool = True) -> list[Tensor]:
    return [torch.randn(2, 4, length, 8).requires_grad_(grad) for _ in range(3)]


def same(compiled: Callable[..., Tensor], eager: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Compare output and gradients."""
    __tracebackhide__ = True
    found, wanted = compiled(*inputs), eager(*inputs)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    if wanted.requires_grad:
        upstream = torch.randn_like(wanted)
        asked = [x for x in inputs if x.requires_grad]
        gradients = [
            torch.autograd.grad(x, asked, upstream, allow_unused=True) for x in (found, wanted)
        ]
        for one, other in zip(*gradients, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def compiled(eager: Callable[..., Tensor], backend: str = "aot_eager") -> Callable[..., Tensor]:
    return torch.compile(eager, fullgraph=True, backend=backend)


PARTS: dict[str, dict[str, Any]] = {
    "plain": {},
    **{
        str(mask): {"mask": mask}
        for mask in (
            Causal(), Causal() & ~Prefix(2) | Block(2), Dense(torch.rand(2, 4, 9, 9) < 0.6),
        )
    },
    "a boolean tensor": {"mask": torch.rand(9, 9) < 0.6},
    "Bias": {"score_mod": Bias(torch.randn(4, 9, 9))},
    **{
        getattr(normalizer, "__name__", str(normalizer)): {"normalizer": normalizer}
        for normalizer in (hard, sparsemax, Entmax(), Entmax(1.3), LearnedEntmax(4))
    },
    "linear causal": {"score": FeatureMapDot(), "normalizer": divide_by_sum, "mask": Causal()},
    "banded": {"mask": SlidingWindow(2), "backend": "banded"},
    "chunked": {"mask": SlidingWindow(2), "backend": "chunked"},
    "reference": {"mask": SlidingWindow(2), "backend": "reference"},
    "an offset": {"mask": Causal(), "q_offset": 3},
}  # fmt: skip
"""What test_modes.py does not compile with its gradients: every other part is there."""


@pytest.mark.parametrize("name", PARTS)
def test_a_part_compiles_into_one_graph(name: str) -> None:
    parts = PARTS[name]

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key, value, **parts)

    same(compiled(attend), attend, *qkv())


def test_chunks_compile_into_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    from regard._backends import chunked

    monkeypatch.setattr(chunked, "CHUNK_BYTES", 2 * 4 * 9 * 4 * 2)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key, value, mask=Causal(), backend="chunked")

    same(compiled(attend), attend, *qkv())


def test_a_long_window_compiles_into_one_graph() -> None:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key, value, mask=SlidingWindow(20) & Causal())

    inputs = qkv(300)
    assert regard.plan(*inputs, mask=SlidingWindow(20) & Causal()).backend == "banded"
    same(compiled(attend), attend, *inputs)


def test_weights_compile_into_one_graph() -> None:
    def weigh(query: Tensor, key: Tensor) -> Tensor:
        return regard.attention_weights(query, key, mask=Causal())

    def some(query: Tensor, key: Tensor) -> Tensor:
        return regard.attention_weights(query, key, mask=Causal(), rows=slice(0, 3), heads=1)

    same(compiled(weigh), weigh, *qkv()[:2])
    same(compiled(some), some, *qkv()[:2])


class Layer(nn.Module):
    """A module that holds its parts, as models do."""

    def __init__(self) -> None:
        super().__init__()
        self.score, self.bias = Bilinear(8, 8), RelativeBias(4)
        self.normalizer = LearnedEntmax(4)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        return regard.attention(
            query, key, value, score=self.score, score_mod=self.bias,
            mask=Padding(lengths) & Causal(), normalizer=self.normalizer,
        )  # fmt: skip


def test_a_module_with_its_parts_compiles_and_learns() -> None:
    layer = Layer()
    inputs = [*qkv(), torch.tensor([9, 5])]
    same(compiled(layer), layer, *inputs)
    gradients = []
    for run in (compiled(layer), layer):
        layer.zero_grad()
        run(*inputs).square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in layer.named_parameters()})
    for name, gradient in gradients[1].items():
        assert gradient.any(), name
        torch.testing.assert_close(gradients[0][name], gradient, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("grad", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize(
    "parts",
    [
        {}, {"mask": Causal()}, {"mask": Causal() & SlidingWindow(3)}, {"score_mod": ALiBi(4)},
        {"normalizer": sparsemax}, {"score": Additive(), "mask": Causal()},
    ],
    ids=shown,
)  # fmt: skip
def test_b9_lengths_do_not_recompile(parts: dict[str, Any], grad: bool) -> None:
    counter = CompileCounterWithBackend("aot_eager")

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key, value, **parts)

    run = torch.compile(attend, fullgraph=True, backend=counter)
    for length in range(5, 65):
        inputs = qkv(length, grad)
        found = run(*inputs)
        if length % 20 == 5:
            torch.testing.assert_close(found, attend(*inputs), rtol=1e-4, atol=1e-5)
    assert counter.frame_count <= 2


def test_decoding_does_not_recompile_with_every_step() -> None:
    counter = CompileCounterWithBackend("aot_eager")

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key, value, mask=Causal())

    run = torch.compile(attend, fullgraph=True, backend=counter)
    query, key, value = qkv(64, grad=False)
    whole = attend(query, key, value)
    for t in range(5, 63):  # the last step's slice is contiguous, which is another graph
        step = run(query[:, :, t : t + 1], key[:, :, : t + 1], value[:, :, : t + 1])
        torch.testing.assert_close(step, whole[:, :, t : t + 1], rtol=1e-4, atol=1e-5)
    assert counter.frame_count <= 2


def test_equal_parts_made_anew_do_not_recompile() -> None:
    counter = CompileCounterWithBackend("aot_eager")

    def attend(query: Tensor, key: Tensor, value: Tensor, mask: Any, lengths: Tensor) -> Tensor:
        return regard.attention(query, key, value, mask=mask & Padding(lengths))

    run = torch.compile(attend, fullgraph=True, backend=counter)
    for n in range(5):
        mask = Causal() & SlidingWindow(3)
        run(*qkv(9, grad=False), mask, torch.tensor([9, n + 1]))
    assert counter.frame_count <= 2


def test_padding_stays_hidden_in_a_compiled_graph() -> None:
    """Nothing can be asked of numbers there, so padding is always set to zero."""

    def attend(query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        return regard.attention(query, key, value, mask=Padding(lengths) & Causal())

    query, key, value = qkv(9, grad=False)
    lengths = torch.tensor([9, 4])
    clean = attend(query, key, value, lengths)
    key[1, :, 4:], value[1, :, 4:] = float("nan"), float("inf")
    key, value = key.requires_grad_(), value.requires_grad_()
    found = compiled(attend)(query, key, value, lengths)
    torch.testing.assert_close(found, clean)
    for gradient in torch.autograd.grad(found.sum(), (key, value)):
        assert gradient.isfinite().all()


def test_autocast_compiles() -> None:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return regard.attention(query, key, value, mask=Causal())

    inputs = qkv(grad=False)
    found = compiled(attend)(*inputs)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, attend(*inputs), rtol=2e-2, atol=2e-2)


def test_a_wrong_call_says_so_while_compiling() -> None:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key[:, :, :, :5], value)

    with pytest.raises(Exception, match="head_dim 8 and key has 5"):
        compiled(attend)(*qkv())


@pytest.mark.parametrize("name", ["Causal()", "linear causal", "sparsemax"])
def test_inductor_computes_the_same(name: str) -> None:
    parts = PARTS[name]

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return regard.attention(query, key, value, **parts)

    same(compiled(attend, "inductor"), attend, *qkv())


def test_the_flex_backend_compiles_its_own_kernel() -> None:
    query, key, value = (torch.randn(1, 2, 130, 16) for _ in range(3))
    parts = {
        "mask": Causal() & SlidingWindow(40),
        "score_mod": ALiBi(2),
        "normalizer": Softmax(2.0),
    }
    with torch.no_grad():
        found = regard.attention(query, key, value, **parts, backend="flex")
        wanted = regard.attention(query, key, value, **parts, backend="reference")
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "mask",
    [
        Padding(torch.tensor([256, 3])),
        Padding(torch.tensor([0, 3])),
        Dense(torch.tensor([True, False]).view(1, 2, 1, 1)) & Prefix(128),
    ],
    ids=shown,
)
def test_no_sequence_or_head_borrows_the_blocks_of_the_first(mask: Any) -> None:
    """Where the first sees everything or nothing, the kernel asks no mask, or skips the block."""
    query, key, value = torch.randn(3, 2, 2, 256, 16).unbind()
    with torch.no_grad():
        found = regard.attention(query, key, value, mask=mask, backend="flex")
        wanted = regard.attention(query, key, value, mask=mask, backend="reference")
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mask", [None, Causal()], ids=shown)
def test_a_compiled_call_is_the_kernel_and_nothing_else(mask: Any) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Tensor]:
        graphs.append(graph)
        return graph.forward

    torch.compile(
        lambda *inputs: regard.attention(*inputs, mask=mask), fullgraph=True, backend=keep
    )(*qkv(grad=False))
    (graph,) = graphs
    called = [str(node.target) for node in graph.graph.nodes if node.op.startswith("call")]
    assert len(called) == 1 and "scaled_dot_product_attention" in called[0]

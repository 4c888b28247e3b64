"""One call of every kind of loop: what it gives, all gradients included if they are recorded."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import regard
from regard._backends._held import tensors_of
from regard._kernels.few_rows import float32_product, int8_product
from regard.masks import Causal, SlidingWindow
from regard.normalizers import Entmax, TopK, hard, sigmoid, sparsemax
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap
from regard.scores import Additive, GATv2

Q, K = 300, 150


def _links() -> Any:
    table = RelativeBias(4, 16, 60)
    nn.init.normal_(table.weight)
    dot = RelativeDot(torch.randn(2, 4, Q, 8), torch.randn(1, 4, Q + K, 8) / 2, K)
    biases = Bias(torch.randn(1, 1, Q, K)), Bias(torch.randn(2, 1, 1, K))
    return Chain(dot, table, SoftCap(torch.tensor(4.0)), *biases, ALiBi(4), SoftCap(9.0))


def _call(q_len: int = Q, **parts: Any) -> Callable[[], list[Tensor]]:
    """Attention of eight query heads that share four."""
    heads = 2 if parts["backend"] != "additive" else 4
    inputs = [torch.randn(2, n, m, 16) for n, m in ((4, q_len), (heads, K), (heads, K))]
    held = [x for part in parts.values() for x in tensors_of(part)]
    leaves = [x.requires_grad_() for x in (*inputs, *held) if x.is_floating_point()]

    def run() -> list[Tensor]:
        torch.manual_seed(2)
        output = regard.attention(*inputs, **parts)
        if not torch.is_grad_enabled():
            return [output]
        found = torch.autograd.grad(output.sin().sum(), leaves, allow_unused=True)
        return [output, *(x for x in found if x is not None)]

    return run


@torch.no_grad()
def _products(x: Tensor, weight: Tensor, whole: Tensor, added: Tensor) -> list[Tensor]:
    found = float32_product(x, weight, added), int8_product(x, whole, added.abs(), None)
    return [one for one in found if one is not None]


def _rows() -> Callable[[], list[Tensor]]:
    whole = torch.randint(-127, 128, (513, 512), dtype=torch.int8)
    given = torch.randn(3, 512), torch.randn(513, 512), whole, torch.randn(513)
    assert len(_products(*given)) == 2
    return lambda: _products(*given)


CALLS: dict[str, Callable[[], Callable[[], list[Tensor]]]] = {
    "softmax": lambda: _call(backend="blocked"),
    "window": lambda: _call(mask=SlidingWindow(40, 9), backend="blocked"),
    "sigmoid": lambda: _call(normalizer=sigmoid, mask=Causal(), backend="blocked"),
    "links": lambda: _call(score_mod=_links(), mask=Causal(), backend="blocked"),
    "links, dropout": lambda: _call(score_mod=_links(), dropout=0.2, backend="blocked"),
    "sparsemax": lambda: _call(normalizer=sparsemax, backend="sparse"),
    "entmax": lambda: _call(normalizer=Entmax(1.5), mask=Causal(), backend="sparse"),
    "hard": lambda: _call(normalizer=hard, backend="sparse"),
    "top-k": lambda: _call(normalizer=TopK(5), backend="sparse"),
    "additive": lambda: _call(score=Additive(16, 16, 24), backend="additive"),
    "additive step": lambda: _call(1, score=Additive(16, 16, 24), backend="additive"),
    "additive sparsemax": lambda: _call(
        score=Additive(16, 16, 24), normalizer=sparsemax, backend="additive"
    ),
    "GATv2": lambda: _call(score=GATv2(16, 16, 24), backend="additive"),
    "GATv2 step": lambda: _call(1, score=GATv2(16, 16, 24), backend="additive"),
    "entmax of powers": lambda: _call(normalizer=Entmax(1.3), backend="sparse"),
    "few rows": _rows,
}  # fmt: skip
DRAWS = {"links, dropout"}


def are_same(found: list[Tensor], wanted: list[Tensor]) -> bool:
    """Whether all bits are, without PyTorch's threads, which do not live through a fork."""
    return all(
        one.detach().contiguous().numpy().tobytes() == other.detach().contiguous().numpy().tobytes()
        for one, other in zip(found, wanted, strict=True)
    )

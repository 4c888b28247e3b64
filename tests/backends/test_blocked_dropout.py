"""Weights dropped within the loops of `blocked`: the same in both passes, and kept nowhere."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import regard
from regard._backends._blocked_grad import Dropped
from regard._backends._held import tensors_of
from regard._backends._kept import draw_seed, kept_of
from regard._kernels import blocked
from regard._kernels.blocked import OUT_OF, Dropping
from regard._kernels.installed import has_loops
from regard._kernels.slices import LEAST
from regard.masks import Causal, Padding, SlidingWindow
from regard.normalizers import Softmax, sigmoid, softmax
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, SoftCap
from tests.backends.test_blocked_between import doubled
from tests.backends.test_memory import Largest
from tests.parts import Sizes, shown, tensors
from tests.probe import slope

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

P = 0.3
SIZES = [
    Sizes(1, 1, 1, 1, 1, 1, 1),
    Sizes(2, 4, 2, 5, 7, 21, 9),
    Sizes(1, 2, 1, 129, 203, 8, 33),
    Sizes(1, 1, 1, 300, 150, 32, 32),
]


def philox(counter: list[int], key: list[int], rounds: int = 7) -> list[int]:
    """Philox4x32 of Salmon et al. (2011), as in the paper."""
    c, k = list(counter), list(key)
    for _ in range(rounds):
        one, two = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(two >> 32) ^ c[1] ^ k[0], two % 2**32, (one >> 32) ^ c[3] ^ k[1], one % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def kept(heads: int, q_len: int, k_len: int, dropping: Dropping) -> Tensor:
    return blocked.kept_pairs(torch.empty(1, heads, q_len, 1), k_len, dropping)[0]


def test_the_bits_are_those_of_philox() -> None:
    # The first vector of its authors' `kat_vectors` for 7 rounds.
    assert philox([0] * 4, [0] * 2) == [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]
    seed, likely = 0x1234567_89ABCDEF, 30_000
    found = kept(3, 150, 203, Dropping(seed, likely))
    for head, query, key in ((0, 0, 0), (2, 149, 202), (1, 17, 63), (1, 16, 64), (2, 128, 7)):
        words = philox([query, key // 8, head, 0], [seed % 2**32, seed >> 32])
        drawn = words[key % 8 // 2] >> 16 * (key % 2) & 0xFFFF
        assert bool(found[head, query, key]) == (drawn < likely)


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_as_many_are_kept_as_were_asked_for_and_none_tells_of_another(p: float) -> None:
    share = kept_of(p) / OUT_OF
    found = kept(8, 256, 256, Dropping(7, kept_of(p))).double()
    spread = (share * (1 - share)) ** 0.5
    assert abs(found.mean() - share) < 5 * spread / found.numel() ** 0.5
    for axis in range(3):
        rows = found.mean([i for i in range(3) if i != axis])
        assert (rows - share).abs().max() < 6 * spread / (found.numel() / len(rows)) ** 0.5
        for step in (1, 2, 8, 16):
            left = found.shape[axis] - step
            if left > 0:
                one, other = found.narrow(axis, step, left), found.narrow(axis, 0, left)
                together = ((one - share) * (other - share)).mean() / spread**2
                assert abs(together) < 5 / one.numel() ** 0.5


PARTS: dict[str, Callable[[Sizes], dict[str, Any]]] = {
    "plain": lambda s: {"mask": SlidingWindow(40, 9)},
    "table": lambda s: {"score_mod": RelativeBias(s.heads, 16, 60), "mask": Causal()},
    "tensor": lambda s: {"score_mod": Bias(torch.randn(1, s.heads, s.q_len, s.k_len))},
    "colder": lambda s: {"normalizer": Softmax(0.7), "score_mod": ALiBi(s.heads)},
    "capped": lambda s: {"score_mod": Chain(SoftCap(2.0), RelativeBias(s.heads, 16, 60))},
    "sigmoid": lambda s: {
        "normalizer": sigmoid, "mask": Padding(torch.tensor([s.k_len, 0])[: s.batch]),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_output_and_gradients_are_the_definitions_with_those_weights(
    sizes: Sizes, name: str
) -> None:
    inputs, parts = tensors(sizes, dtype=torch.float32), PARTS[name](sizes)
    torch.manual_seed(5)
    dropping = Dropping(int(draw_seed()), kept_of(P))
    stays = blocked.kept_pairs(inputs[0], sizes.k_len, dropping)
    mod, normalizer = parts.pop("score_mod", None), parts.pop("normalizer", softmax)
    found = []
    for exact, own, more in (
        (torch.float32, mod, {"normalizer": normalizer, "dropout": P, "backend": "blocked"}),
        (torch.float64, doubled(mod), {
            "normalizer": Dropped(normalizer, stays, dropping.larger), "backend": "reference",
        }),
    ):  # fmt: skip
        torch.manual_seed(5)
        leaves = [x.detach().to(exact).requires_grad_() for x in inputs]
        leaves += [x.requires_grad_() for x in tensors_of(own)]
        output = regard.attention(*leaves[:3], score_mod=own, **parts, **more)
        found.append([output, *torch.autograd.grad(output, leaves, slope(output))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-5, atol=1e-4)


def test_a_seed_gives_the_same_weights_again_and_the_next_call_others() -> None:
    inputs = [torch.randn(1, 2, 50, 8) for _ in range(3)]

    def run() -> Tensor:
        return regard.attention(*inputs, dropout=P, backend="blocked")

    torch.manual_seed(1)
    first, second = run(), run()
    torch.manual_seed(1)
    assert torch.equal(run(), first)
    assert not torch.equal(first, second)


def test_what_is_computed_again_for_a_checkpoint_drops_the_same_weights() -> None:
    inputs = [torch.randn(1, 2, 50, 8, requires_grad=True) for _ in range(3)]
    run = lambda *x: regard.attention(*x, dropout=P, backend="blocked").sin()  # noqa: E731
    found = []
    for apply in (run, lambda *x: checkpoint(run, *x, use_reentrant=False)):
        torch.manual_seed(2)
        found.append(torch.autograd.grad(apply(*inputs).sum(), inputs))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_all_weights_may_be_dropped() -> None:
    inputs = [torch.randn(1, 2, 20, 8, requires_grad=True) for _ in range(3)]
    output = regard.attention(*inputs, dropout=1.0, backend="blocked")
    assert not output.any()
    assert not any(x.any() for x in torch.autograd.grad(output.sum(), inputs))


def test_weights_are_dropped_after_they_were_normalized() -> None:
    query, key = torch.randn(2, 2, 6, 8), torch.randn(2, 2, 6, 8)
    weights = regard.attention_weights(query, key)
    eye = torch.eye(6).expand(2, 2, 6, 6)
    found = regard.attention(query, key, eye, dropout=0.25, backend="blocked")
    stays = found != 0
    torch.testing.assert_close(found[stays], (weights / 0.75)[stays])
    assert 0.55 < stays.double().mean() < 0.92


@pytest.mark.parametrize("learned", [False, True])
def test_derivatives_of_a_recorded_gradient_drop_the_same_weights(learned: bool) -> None:
    inputs = [torch.randn(1, 2, n, 3, requires_grad=True) for n in (9, 6, 6)]
    mod = RelativeBias(2, 4, 6) if learned else None
    leaves = [*inputs, *([mod.weight] if mod is not None else [])]

    def run() -> Tensor:
        torch.manual_seed(4)
        return regard.attention(*inputs, score_mod=mod, dropout=P, backend="blocked")

    first = torch.autograd.grad(run().sin().sum(), leaves)
    again = torch.autograd.grad(run().sin().sum(), leaves, create_graph=True)
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    second = torch.autograd.grad(sum(x.square().sum() for x in again), leaves)
    assert all(x.isfinite().all() and x.any() for x in second)
    upstream = torch.randn(3, 1, 2, 9, 3)
    several = torch.autograd.grad(run(), leaves, upstream, is_grads_batched=True)
    for at, one in enumerate(upstream):
        for found, wanted in zip(several, torch.autograd.grad(run(), leaves, one), strict=True):
            torch.testing.assert_close(found[at], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [2, 16])
def test_any_number_of_threads_gives_the_same_bits(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regard._kernels.slices.LEAST", LEAST >> 10)
    mod = Bias(nn.Parameter(torch.randn(1, 1, 700, 700)))
    inputs = [torch.randn(2, 2, 700, 16, requires_grad=True) for _ in range(3)]
    found = []
    for threads in (1, count):
        torch.manual_seed(3)
        torch.set_num_threads(threads)
        try:
            output = regard.attention(*inputs, score_mod=mod, dropout=P, backend="blocked")
            leaves = [*inputs, mod.tensor]
            found.append([output, *torch.autograd.grad(output, leaves, slope(output))])
        finally:
            torch.set_num_threads(1)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_nothing_has_the_size_of_all_pairs() -> None:
    length, mod = 1024, RelativeBias(2)
    inputs = [torch.randn(1, 2, length, 8).requires_grad_() for _ in range(3)]
    with Largest() as seen:
        output = regard.attention(*inputs, score_mod=mod, dropout=P, backend="blocked")
        output.sum().backward()
    assert seen.elements <= 8 * 2 * 32 * length


@pytest.mark.parametrize("parts", [{}, {"mask": Causal()}, {"score_mod": ALiBi(2)}], ids=shown)
def test_a_graph_drops_what_an_eager_call_drops(parts: dict[str, Any]) -> None:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return regard.attention(q, k, v, **parts, dropout=P, backend="blocked")

    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True, dynamic=True)
    for length in (9, 40):
        found = []
        inputs = [torch.randn(1, 2, length, 8, requires_grad=True) for _ in range(3)]
        for run in (attend, compiled):
            torch.manual_seed(8)
            output = run(*inputs)
            found.append([output, *torch.autograd.grad(output.sin().sum(), inputs)])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("features", ["+sse2,+avx,+avx2,+fma", "+sse2"])
def test_shorter_vectors_drop_the_same_weights(features: str) -> None:
    code = (
        "import torch\n"
        "from regard._kernels import blocked, vectors\n"
        "assert vectors.LANES == 8\n"
        "like = torch.empty(1, 2, 150, 1)\n"
        "print(blocked.kept_pairs(like, 203, blocked.Dropping(12345, 30000)).nonzero().sum(0))\n"
    )
    environment = {
        **os.environ, "NUMBA_CPU_NAME": "x86-64-v3" if "avx2" in features else "x86-64",
        "NUMBA_CPU_FEATURES": features,
    }  # fmt: skip
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    like = torch.empty(1, 2, 150, 1)
    wanted = blocked.kept_pairs(like, 203, Dropping(12345, 30000)).nonzero().sum(0)
    assert found.stdout.strip() == str(wanted)

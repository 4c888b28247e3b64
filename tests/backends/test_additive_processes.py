"""Additive attention by loops where threads share it, processes fork, and nothing can be kept."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _pair_scores
from regard._kernels import slices
from regard._kernels.installed import has_loops
from regard.scores import Additive, GATv2

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")

CALLS = [(Additive, 40), (Additive, 1), (GATv2, 40), (GATv2, 1)]
"""Scores and numbers of queries; the second is a decoder's step."""


def drawn(kind: Any, q_len: int, seed: int) -> tuple[Any, list[Tensor]]:
    torch.manual_seed(seed)
    inputs = [torch.randn(2, 2, n, 24, requires_grad=True) for n in (q_len, 30, 30)]
    return kind(24, 24, 50), inputs


def answered(score: Any, inputs: list[Tensor]) -> list[Tensor]:
    """The output and all gradients."""
    output = regard.attention(*inputs, score=score, backend="additive")
    return [output, *torch.autograd.grad(output.square().sum(), [*inputs, *score.parameters()])]


def are_same(found: list[Tensor], wanted: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def test_one_query_of_a_sum_of_tanh_is_a_step() -> None:
    for kind, q_len in CALLS:
        score, inputs = drawn(kind, q_len, 0)
        plan = regard.plan(*inputs, score=score, backend="additive")
        assert _pair_scores.is_step(plan.call) == (kind is Additive and q_len == 1)


@pytest.mark.parametrize(("kind", "q_len"), CALLS)
def test_eight_threads_at_once_get_the_bits_of_one(
    kind: Any, q_len: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LEAST", 1)
    given = [drawn(kind, q_len, n) for n in range(8)]
    wanted = [answered(*one) for one in given]
    wrong: list[object] = []
    gate = threading.Barrier(8)

    def work(n: int) -> None:
        gate.wait()
        try:
            wrong.extend(n for _ in range(20) if not are_same(answered(*given[n]), wanted[n]))
        except Exception as error:  # it would end the thread and not the test
            wrong.append(error)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
@pytest.mark.parametrize(("kind", "q_len"), CALLS)
def test_a_forked_process_has_its_parents_bits(
    kind: Any, q_len: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of PyTorch's own threads its products need those of the parent, so that it has one here."""
    monkeypatch.setattr(slices, "LEAST", 1)
    monkeypatch.setattr(slices, "torch", SimpleNamespace(get_num_threads=lambda: 2))
    score, inputs = drawn(kind, q_len, 0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():  # a forked process has none of autograd's threads, either
            wanted = regard.attention(*inputs, score=score, backend="additive")
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                code = 1
                try:
                    found = regard.attention(*inputs, score=score, backend="additive")
                    code = 0 if torch.equal(found, wanted) else 2
                finally:
                    os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        torch.set_num_threads(threads)


SCRIPT = """
import torch
import regard
from regard._kernels import by_address
from regard.scores import Additive, GATv2

torch.set_num_threads(1)
for kind, q_len in ((Additive, 40), (Additive, 1), (GATv2, 40)):
    inputs = [torch.randn(2, 2, n, 24, requires_grad=True) for n in (q_len, 30, 30)]
    score = kind(24, 24, 50)
    both = []
    for backend in ("additive", "reference"):
        output = regard.attention(*inputs, score=score, backend=backend)
        gradients = torch.autograd.grad(output.square().sum(), [*inputs, *score.parameters()])
        both.append([output, *gradients])
    for found, wanted in zip(*both, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
print(regard.__file__, *sorted({type(made._cache).__name__ for made in by_address._KEPT}))
"""


@pytest.mark.slow
def test_where_no_folder_may_be_written_the_loops_are_compiled_and_not_kept(
    tmp_path: Path,
) -> None:
    """Nobody may write below a file, not even root."""
    package, ours = tmp_path / "regard", Path(regard.__file__).parent
    package.mkdir()
    for each in ours.iterdir():
        if each.name not in ("_kernels", "__pycache__"):
            (package / each.name).symlink_to(each)
    shutil.copytree(ours / "_kernels", package / "_kernels", ignore=lambda *_: {"__pycache__"})
    (package / "_kernels" / "__pycache__").write_text("a file where the folder would be")
    nowhere = str(package / "_kernels" / "__pycache__" / "below")
    places = ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
    surroundings = os.environ | dict.fromkeys(places, nowhere)
    surroundings |= {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=surroundings, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(package / "__init__.py"), "NullCache"]

"""What all loops owe wherever they run: the bits of one thread on any number, from several callers
at once, in a process that was forked, and where nothing can be kept on a disk.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

import regard
from regard._kernels import slices
from regard._kernels.installed import has_loops
from tests.kernels import calls

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set how many threads loops have; however little there is to do, each gets a slice.

    PyTorch's own keep theirs: bits of its products depend on how many there are.
    """
    monkeypatch.setattr(slices, "LEAST", 1)

    def use(count: int) -> None:
        monkeypatch.setattr(slices, "torch", SimpleNamespace(get_num_threads=lambda: count))

    return use


@pytest.mark.parametrize("name", calls.CALLS)
def test_any_number_of_threads_gives_the_same_bits(
    name: str, threads: Callable[[int], None]
) -> None:
    run, found = calls.CALLS[name](), []
    for count in (1, 2, 4, 16):
        threads(count)
        found.append(run())
    for other in found[1:]:
        assert calls.are_same(found[0], other)


@pytest.mark.parametrize("name", calls.CALLS)
def test_eight_callers_at_once_get_the_bits_of_one(
    name: str, threads: Callable[[int], None]
) -> None:
    if name in calls.DRAWS:
        pytest.skip("callers share the numbers that it draws from")
    threads(2)
    runs = [calls.CALLS[name]() for _ in range(8)]
    wanted = [run() for run in runs]
    found: list[list[Tensor] | Exception] = [ValueError("nothing")] * 8
    gate = threading.Barrier(8)

    def work(n: int) -> None:
        # A new thread has as many of PyTorch's as there are processors, whatever the first one has.
        torch.set_num_threads(1)
        gate.wait()
        try:
            found[n] = [x for _ in range(3) for x in runs[n]()]
        except Exception as error:  # it would end the thread and not the test
            found[n] = error

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for mine, one in zip(found, wanted, strict=True):
        assert not isinstance(mine, Exception), mine
        assert calls.are_same(mine, one * 3)


def run_script(script: str, path: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | environment, cwd=path,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


FORKED = """
import os, signal, types, torch
from regard._kernels import slices
from tests.kernels import calls
slices.LEAST, slices.torch = 1, types.SimpleNamespace(get_num_threads=lambda: 2)
torch.set_num_threads(1)
torch.set_grad_enabled(False)
runs = {name: make() for name, make in calls.CALLS.items()}
wanted = {name: run() for name, run in runs.items()}
child = os.fork()
if not child:
    signal.alarm(120)
    wrong = [name for name, run in runs.items() if not calls.are_same(run(), wanted[name])]
    print(*wrong, flush=True)
    os._exit(len(wrong))
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_forked_process_has_threads_of_its_own_and_its_parents_bits() -> None:
    """In a process of its own: PyTorch's threads, if it ever had any, do not survive a fork."""
    root = Path(__file__).parents[2]
    assert not run_script(FORKED, root, PYTHONPATH=str(root)).split()


KEPT_NOWHERE = """
import regard
from regard._kernels import by_address
from tests.kernels import calls
for make in calls.CALLS.values():
    make()()
print(regard.__file__, *sorted({type(made._cache).__name__ for made in by_address._KEPT}))
"""


@pytest.mark.slow
def test_where_no_folder_may_be_written_they_are_compiled_and_not_kept(tmp_path: Path) -> None:
    """Nobody may write below a file, not even root."""
    package, ours = tmp_path / "regard", Path(regard.__file__).parent
    package.mkdir()
    for each in ours.iterdir():
        if each.name not in ("_kernels", "__pycache__"):
            (package / each.name).symlink_to(each)
    (tmp_path / "tests").symlink_to(Path(__file__).parents[1])
    shutil.copytree(ours / "_kernels", package / "_kernels", ignore=lambda *_: {"__pycache__"})
    (package / "_kernels" / "__pycache__").write_text("a file where the folder would be")
    nowhere = str(package / "_kernels" / "__pycache__" / "below")
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), nowhere)
    said = run_script(
        KEPT_NOWHERE, tmp_path, **places, PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="1"
    )
    assert said.split() == [str(package / "__init__.py"), "NullCache"]

"""Numba that is there and does not work is as none: calls are served, plans say why."""

import subprocess
import sys

from tests.patience import PATIENCE

BROKEN = """
import importlib.abc, importlib.machinery, os, sys
class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "numba" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        raise error
sys.meta_path.insert(0, Broken())
import torch, regard
for error in (ImportError("Numba needs NumPy 1.0"), OSError("libLLVM.so: cannot open")):
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        continue
    from regard.scores import Additive
    x = torch.randn(1, 4, 512, 64)
    for parts in ({}, {"score": Additive()}):
        small = x[:, :, :64]
        assert regard.attention(x, x, x).isfinite().all()
        assert regard.attention(small, small, small, **parts).isfinite().all()
        print(regard.plan(small, small, small, **parts), flush=True)
    os._exit(0)
"""


def test_a_broken_numba_is_named_and_not_used() -> None:
    told = subprocess.run(
        [sys.executable, "-c", BROKEN], capture_output=True, text=True, timeout=PATIENCE
    )
    assert told.returncode == 0, told.stderr
    for what in ("ImportError: Numba needs NumPy 1.0", "OSError: libLLVM.so: cannot open"):
        assert f"which cannot be imported ({what})" in told.stdout
    assert told.stdout.count('pip install "regard[cpu]"') >= 2

"""Numba that is there and does not work is as none: calls are served, plans say why."""

import subprocess
import sys

import pytest

BROKEN = """
import importlib.abc, importlib.machinery, sys
class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "numba" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        raise {error}
sys.meta_path.insert(0, Broken())
import torch, regard
from regard.scores import Additive
x = torch.randn(1, 4, 512, 64)
for parts in ({{}}, {{"score": Additive()}}):
    small = x[:, :, :64]
    assert regard.attention(x, x, x).isfinite().all()
    assert regard.attention(small, small, small, **parts).isfinite().all()
    print(regard.plan(small, small, small, **parts))
"""


@pytest.mark.parametrize(
    "error", ['ImportError("Numba needs NumPy 1.0")', 'OSError("libLLVM.so: cannot open")']
)
def test_a_broken_numba_is_named_and_not_used(error: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", BROKEN.format(error=error)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    what, why = error[:-2].split('("')
    assert f"which cannot be imported ({what}: {why})" in told.stdout
    assert 'pip install "regard[cpu]"' in told.stdout

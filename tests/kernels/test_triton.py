"""What Triton's kernels compute: tests/interpreted, in a process of its own.

Triton reads TRITON_INTERPRET as it is imported, and PyTorch's compiler imports it: no other test
may see the variable. `TRITON_INTERPRET=1 python -m pytest -o addopts="--import-mode=importlib"
tests/interpreted` runs the same by hand.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import regard
from regard._kernels.triton_installed import HAS_TRITON
from regard.errors import UnsupportedByBackend
from regard.scores import Additive

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed")
@pytest.mark.parametrize("which", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_kernels_pass_their_tests_in_the_interpreter(which: str) -> None:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", which,
         "tests/interpreted", "-o", "addopts=--import-mode=importlib --strict-markers"],
        cwd=ROOT, env=variables | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_without_a_gpu_it_is_refused_with_a_sentence() -> None:
    inputs = [torch.randn(1, 1, 3, 4) for _ in range(3)]
    with pytest.raises(UnsupportedByBackend, match="for CUDA devices, not for cpu|pip install"):
        regard.attention(*inputs, score=Additive(), backend="triton")

"""Triton's kernels, compiled for two GPUs that need not be there: no slow divisions.

The interpreter computes with NumPy and accepts what the compiler does not; here everything is
compiled down to what the device would run.
"""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")

NOTHING = dict.fromkeys(["q_ids", "k_ids", "mask", "bias"])
FLOATS = """
    eq ek a c v value out lse inner weights change x own passing e_own e_passing out_v bias
    top tau mean
"""
TYPES = {
    **dict.fromkeys(FLOATS.split(), "*fp32"),
    **dict.fromkeys(["fq", "fk", "far", "f_own", "f_passing", "alive"], "*i8"),
    **{"q_ids": "*i64", "k_ids": "*i64", "mask": "*u8", "scale": "fp32"},
}
HALVES = dict.fromkeys("query key value upstream d_query d_key d_value".split(), "*bf16")
SPARSE = {"S": 0.5, "BQ": 64, "BK": 64, "BD": 64, "BV": 128, **NOTHING}
SUMS = {"BR": 32, "BD": 64, "BP": 8}

Row = tuple[str, str, dict[str, Any], int]
KERNELS: dict[str, Row] = {  # fmt: skip
    "exponentials": ("triton_exponentials", "_exponentials", {"ROWS": 32, "COLUMNS": 32}, 4),
    "additive": ("triton_additive", "_forward", {**NOTHING, "BQ": 64, "BK": 64, "BV": 64}, 8),
    "additive, masked": ("triton_additive", "_forward", {"BQ": 16, "BK": 64, "BV": 128}, 4),
    "weights": ("triton_additive_backward", "_weights", {"BQ": 32, "BK": 64}, 4),
    "sums": ("triton_additive_backward", "_sums", {"WITH_V": False, **SUMS}, 4),
    "entmax": ("triton_entmax", "_forward", SPARSE, 8),
    "entmax, any alpha": ("triton_entmax", "_forward", {**SPARSE, "S": 0.3}, 8),
    "entmax, masked": (
        "triton_entmax",
        "_forward",
        {"S": 1.0, "BQ": 32, "BK": 32, "BD": 64, "BV": 32},
        4,
    ),
    "entmax, queries": ("triton_entmax_backward", "_of_queries", SPARSE, 8),
    "entmax, keys": ("triton_entmax_backward", "_of_keys", SPARSE, 8),
    "sums, v": ("triton_additive_backward", "_sums", {"WITH_V": True, **SUMS}, 4),
}
"""The module, the kernel, the sizes that it is compiled for, and its warps."""
OLDER_ALONE = {"additive", "sums", "entmax", "entmax, masked"}
"""Kernels of which another row compiles more for the newer device, with the same operations."""
CASES = [
    *(pytest.param(row, 90, id=f"{name}-90") for name, row in KERNELS.items()
      if name not in OLDER_ALONE),
    *(pytest.param(row, 80, id=f"{name}-80", marks=pytest.mark.slow)
      for name, row in KERNELS.items()),
]  # fmt: skip


def compiled(kernel: Any, constants: dict[str, Any], warps: int, capability: int) -> Any:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types = TYPES | (HALVES if "S" in constants else {})
    signature = {
        name: "constexpr" if name in constants else types.get(name, "i32")
        for name in kernel.arg_names
    }
    source = ASTSource(kernel, signature, constants)
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options={"num_warps": warps})


@pytest.mark.parametrize(("row", "capability"), CASES)
def test_kernels_compile_for_a_device_that_is_not_there(
    row: Row, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    module, kernel, constants, warps = row
    found = getattr(import_module(f"regard._kernels.{module}"), kernel)
    made = compiled(found, constants, warps, capability)
    assert f".target sm_{capability}" in made.asm["ptx"] and made.asm["cubin"]
    # A division that is guarded, or a tanh, would cost several times the reciprocal.
    assert not re.search(r"\bdiv\.rn|\btanh\.", made.asm["ptx"])

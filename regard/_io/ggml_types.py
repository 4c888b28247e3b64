"""The forms that weights have in GGUF files, and the numbers that they stand for.

Weights are cut along each row into blocks of 32, each with a scale `d` (and a least value `m`) in
half precision:

    Q8_0   d q             q a signed byte
    Q4_0   d (q - 8)       q of 4 bits: byte i holds those of places i (low) and i + 16 (high)
    Q4_1   d q + m

References:
    ggml's quantization of blocks: https://github.com/ggml-org/ggml
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

Bytes = UInt8[np.ndarray, "blocks bytes"]
Numbers = Float32[np.ndarray, "blocks weights"]


@dataclass(frozen=True)
class GgmlType:
    """How a block of weights is written.

    Args:
        block: how many weights it has.
        size: how many bytes it takes.
        numbers: what the bytes of some blocks stand for.
    """

    name: str
    block: int
    size: int
    numbers: Callable[[Bytes], Numbers]


def _f32(blocks: Bytes) -> Numbers:
    return blocks.view("<f4").astype(np.float32, copy=False)


def _f16(blocks: Bytes) -> Numbers:
    return _half(blocks)


def _bf16(blocks: Bytes) -> Numbers:
    """The upper half of a number in single precision."""
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _q8_0(blocks: Bytes) -> Numbers:
    return _half(blocks[:, :2]) * blocks[:, 2:].view(np.int8)


def _q4_0(blocks: Bytes) -> Numbers:
    found = _nibbles(blocks[:, 2:])
    found -= 8
    found *= _half(blocks[:, :2])
    return found


def _q4_1(blocks: Bytes) -> Numbers:
    found = _nibbles(blocks[:, 4:])
    found *= _half(blocks[:, :2])
    found += _half(blocks[:, 2:4])
    return found


def _half(raw: Bytes) -> Numbers:
    return np.ascontiguousarray(raw).view("<f2").astype(np.float32)


def _nibbles(raw: Bytes) -> Numbers:
    """The low halves of the bytes, then the high ones."""
    found = np.empty((len(raw), 2 * raw.shape[1]), np.float32)
    found[:, : raw.shape[1]] = raw & 15
    found[:, raw.shape[1] :] = raw >> 4
    return found


GGML_TYPES = {
    0: GgmlType("F32", 1, 4, _f32),
    1: GgmlType("F16", 1, 2, _f16),
    2: GgmlType("Q4_0", 32, 18, _q4_0),
    3: GgmlType("Q4_1", 32, 20, _q4_1),
    8: GgmlType("Q8_0", 32, 34, _q8_0),
    30: GgmlType("BF16", 1, 2, _bf16),
}
"""Number in a file → form."""

KNOWN_ELSEWHERE = {
    6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K",
    15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
    34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip
"""Forms that are not read, so that a message can name them."""

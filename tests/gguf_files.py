"""GGUF files written by hand: the format spelled out once more, in as few lines as it takes."""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

KINDS = {
    "u1": 0, "i1": 1, "u2": 2, "i2": 3, "u4": 4, "i4": 5, "f4": 6, "truth": 7, "text": 8,
    "list": 9, "u8": 10, "i8": 11, "f8": 12,
}  # fmt: skip
FORMATS = {
    "u1": "B", "i1": "b", "u2": "H", "i2": "h", "u4": "I", "i4": "i", "f4": "f", "truth": "?",
    "u8": "Q", "i8": "q", "f8": "d",
}  # fmt: skip
F32, F16, Q4_0, Q4_1, Q8_0, BF16 = 0, 1, 2, 3, 8, 30


class Said(NamedTuple):
    """A value of one of `KINDS`; of a list, `of` says the kind of what is in it."""

    kind: str
    value: Any
    of: str = ""


class Held(NamedTuple):
    """A tensor: its sizes with the rows first, its form and its bytes."""

    shape: Sequence[int]
    form: int
    content: bytes
    offset: int | None = None


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value(said: Said) -> bytes:
    if said.kind == "text":
        return text(said.value)
    if said.kind == "list":
        inner = b"".join(
            value(each if isinstance(each, Said) else Said(said.of, each)) for each in said.value
        )
        return struct.pack("<IQ", KINDS[said.of], len(said.value)) + inner
    return struct.pack("<" + FORMATS[said.kind], said.value)


def gguf(
    values: Sequence[tuple[str, Said]] = (),
    tensors: Sequence[tuple[str, Held]] = (),
    version: int = 3,
    alignment: int = 32,
    magic: bytes = b"GGUF",
) -> bytes:
    """A whole file."""
    head = [magic, struct.pack("<IQQ", version, len(tensors), len(values))]
    for key, said in values:
        head += [text(key), struct.pack("<I", KINDS[said.kind]), value(said)]
    body = b""
    for name, held in tensors:
        offset = len(body) if held.offset is None else held.offset
        sizes = list(held.shape)[::-1]
        head += [text(name), struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)]
        head.append(struct.pack("<IQ", held.form, offset))
        body += held.content + b"\0" * (-len(held.content) % alignment)
    begin = b"".join(head)
    return begin + b"\0" * (-len(begin) % alignment) + body


def held(tensor: Tensor, form: int = F32) -> Held:
    """A tensor in one of the forms that are exact for it, or as near as blocks are."""
    numbers = tensor.detach().float().contiguous()
    shape = list(numbers.shape)
    if form == F32:
        return Held(shape, form, numbers.numpy().tobytes())
    if form == F16:
        return Held(shape, form, numbers.half().numpy().tobytes())
    if form == BF16:
        raw = numbers.to(torch.bfloat16).view(torch.int16).numpy().tobytes()
        return Held(shape, form, raw)
    blocks = numbers.numpy().reshape(-1, 32)
    return Held(shape, form, b"".join(BLOCKS[form](block) for block in blocks))


def q8_0(block: np.ndarray) -> bytes:
    scale = np.float16(np.abs(block).max() / 127)
    return scale.tobytes() + np.round(block / (float(scale) or 1)).astype(np.int8).tobytes()


def q4_0(block: np.ndarray) -> bytes:
    scale = np.float16(np.abs(block).max() / 7)
    steps = np.round(block / (float(scale) or 1)).astype(int) + 8
    return scale.tobytes() + halves(steps.clip(0, 15))


def q4_1(block: np.ndarray) -> bytes:
    least = np.float16(block.min())
    scale = np.float16((block.max() - float(least)) / 15)
    steps = np.round((block - float(least)) / (float(scale) or 1)).astype(int)
    return scale.tobytes() + least.tobytes() + halves(steps.clip(0, 15))


def halves(steps: np.ndarray) -> bytes:
    return bytes(
        int(low) | int(high) << 4 for low, high in zip(steps[:16], steps[16:], strict=True)
    )


BLOCKS = {Q8_0: q8_0, Q4_0: q4_0, Q4_1: q4_1}


def numbers_of(form: int, content: bytes) -> list[float]:
    """What bytes stand for, number by number, as the format says."""
    half = struct.Struct("<e").unpack
    found: list[float] = []
    if form == F32:
        return [number for (number,) in struct.iter_unpack("<f", content)]
    if form == F16:
        return [number for (number,) in struct.iter_unpack("<e", content)]
    if form == BF16:
        pairs = [content[i : i + 2] for i in range(0, len(content), 2)]
        return [struct.unpack("<f", b"\0\0" + pair)[0] for pair in pairs]
    size = {Q4_0: 18, Q4_1: 20, Q8_0: 34}[form]
    for start in range(0, len(content), size):
        block = content[start : start + size]
        (d,) = half(block[:2])
        if form == Q8_0:
            found += [d * q for (q,) in struct.iter_unpack("<b", block[2:])]
            continue
        packed = block[2:] if form == Q4_0 else block[4:]
        steps = [byte % 16 for byte in packed] + [byte // 16 for byte in packed]
        if form == Q4_0:
            found += [d * (q - 8) for q in steps]
        else:
            (m,) = half(block[2:4])
            found += [d * q + m for q in steps]
    return found

"""GGUF files (llama.cpp's), read with suspicion: every count, length and offset before its bytes.

    "GGUF" version | counts of tensors and values | values: key, type, value |
    tensors: name, dimensions, type, offset | padding | the tensors, each from a multiple of
    `general.alignment`

All that says how much is to come is compared with what is there before anything is made of it. The
words of a vocabulary stay bytes of the header until they are asked for.
"""

import math
import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from regard._io.files import open_file
from regard._io.ggml_types import GGML_TYPES, KNOWN_ELSEWHERE, GgmlType
from regard._printable import shown

MAX_HEADER_BYTES = 32 * 2**20
MAX_VALUES, MAX_TENSORS = 10_000, 100_000
MAX_WORDS = 1_000_000
"""Strings in all lists together."""
MAX_TEXT = 2**20
"""Bytes of one string."""
MAX_DEPTH = 4
"""Lists within each other."""
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 2**16

_NUMBERS = {
    0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4",
    7: "?", 10: "<u8", 11: "<i8", 12: "<f8",
}  # fmt: skip
_TRUTH, _TEXT, _LIST = 7, 8, 9


@dataclass(frozen=True, eq=False)
class Words(Sequence[str]):
    """A list of strings that are decoded when they are asked for."""

    content: memoryview
    starts: Sequence[int]
    stops: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return Words(self.content, self.starts[index], self.stops[index])
        return _decoded(self.content[self.starts[index] : self.stops[index]])


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in a file, and what it is; `shape` has the rows first, as PyTorch does.

    Args:
        start: its first byte, counted from the beginning of the file.
    """

    kind: GgmlType
    shape: list[int]
    start: int

    @property
    def taken(self) -> int:
        """How many bytes it takes."""
        return math.prod(self.shape) // self.kind.block * self.kind.size


@dataclass(frozen=True)
class GGUF:
    """What a file says of itself.

    Args:
        values: key → a number, a truth value, a text, an array of numbers, `Words` or a list.
        tensors: name → where it lies.
    """

    path: Path
    version: int
    values: dict[str, Any]
    tensors: dict[str, Entry]

    def read(self, names: Sequence[str]) -> Iterator[Tensor]:
        """These tensors one after the other, as numbers in float32.

        Raises `ValueError` when the file has become shorter meanwhile.
        """
        with open_file(self.path) as file:
            for name in names:
                yield _read(file, self.path, name, self.tensors[name])


def _read(file: BufferedReader, path: Path, name: str, at: Entry) -> Tensor:
    file.seek(at.start)
    content = bytearray(at.taken)
    if file.readinto(content) != at.taken:
        raise ValueError(f"{path} changed while {shown(name)} was read")
    blocks = np.frombuffer(content, np.uint8).reshape(-1, at.kind.size)
    return torch.from_numpy(at.kind.numbers(blocks).reshape(at.shape))


def read_gguf(path: Path) -> GGUF:
    """What a GGUF file of version 2 or 3 holds; no tensor has been read.

    Raises `FileNotFoundError` when there is none, and `ValueError` with its path for one that is
    damaged, of another make or larger than any that is honest.
    """
    with open_file(path) as file:
        total = os.fstat(file.fileno()).st_size
        head = memoryview(file.read(MAX_HEADER_BYTES))
    try:
        return _parsed(path, head, total)
    except ValueError as error:
        raise ValueError(f"{path} is damaged or no GGUF file: {error}") from None


def _parsed(path: Path, head: memoryview, total: int) -> GGUF:
    start = _Cursor(head, total)
    if bytes(start.take(4, "its name")) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    version = start.number("<u4", "its version")
    if version not in (2, 3):
        turned = int.from_bytes(int(version).to_bytes(4, "little"), "big")
        why = "is written with the greatest byte first" if turned in (2, 3) else f"is {version}"
        raise ValueError(f"its version {why}; 2 and 3 of little-endian machines are read")
    tensors = start.count("tensors", MAX_TENSORS, 24)
    values = start.values(start.count("values", MAX_VALUES, 13))
    parts = values.get("split.count", 1)
    if parts != 1:
        raise ValueError(f"it is one of {shown(parts)} parts; join them with llama-gguf-split")
    entries = [start.entry() for _ in range(tensors)]
    found: dict[str, Entry] = {}
    for name, entry in entries:
        if name in found:
            raise ValueError(f"the tensor {shown(name)} stands twice")
        found[name] = entry
    return GGUF(path, version, values, _placed(found, start.place, _alignment(values), total))


def _alignment(values: dict[str, Any]) -> int:
    found = values.get("general.alignment", 32)
    if type(found) is not int or not 8 <= found <= MAX_ALIGNMENT or found & (found - 1):
        raise ValueError(
            f"its general.alignment is {shown(found)}; it must be a power of two from 8 to "
            f"{MAX_ALIGNMENT:,}"
        )
    return found


def _placed(found: dict[str, Entry], end: int, alignment: int, total: int) -> dict[str, Entry]:
    """The tensors with offsets from the beginning of the file.

    Raises `ValueError` unless they stand one after the other from the end of the header on.
    """
    body = end = -(-end // alignment) * alignment
    placed: dict[str, Entry] = {}
    for name, entry in sorted(found.items(), key=lambda each: each[1].start):
        start = body + entry.start
        if start != end:
            raise ValueError(
                f"{shown(name)} begins at byte {start:,}, but the one before it ends so that it "
                f"must begin at {end:,}"
            )
        if start + entry.taken > total:
            raise ValueError(
                f"{shown(name)} ends at byte {start + entry.taken:,} of a file of {total:,}"
            )
        placed[name] = Entry(entry.kind, entry.shape, start)
        end = -(-(start + entry.taken) // alignment) * alignment
    if total > max(end, body):
        raise ValueError(f"{total - end:,} bytes stand behind the last tensor")
    return {name: placed[name] for name in found}


@dataclass
class _Cursor:
    """A place in a header, which moves over what is read."""

    head: memoryview
    total: int
    place: int = 0
    words: int = 0

    def take(self, count: int, what: str) -> memoryview:
        """So many bytes; raises `ValueError` where they are not there."""
        stop = self.place + count
        if stop > len(self.head):
            if stop <= self.total:
                raise ValueError(f"its header has more than {MAX_HEADER_BYTES:,} bytes")
            raise ValueError(
                f"{what} takes {count:,} bytes from byte {self.place:,} of a file of {self.total:,}"
            )
        self.place = stop
        return self.head[stop - count : stop]

    def number(self, kind: str, what: str) -> Any:
        kind_of = np.dtype(kind)
        return np.frombuffer(self.take(kind_of.itemsize, what), kind_of)[0].item()

    def count(self, what: str, most: int, least_bytes: int) -> int:
        """How many of something come, each of which takes at least so many bytes."""
        found = int(self.number("<u8", f"the number of {what}"))
        left = self.total - self.place
        if found > most or found * least_bytes > left:
            raise ValueError(
                f"it claims {found:,} {what}, with {left:,} bytes left"
                + (f"; at most {most:,} are read" if found > most else "")
            )
        return found

    def text(self, what: str, most: int = MAX_TEXT) -> str:
        return _decoded(self.take(self.count(f"bytes of {what}", most, 1), what))

    def values(self, count: int) -> dict[str, Any]:
        """The keys and their values."""
        found: dict[str, Any] = {}
        for _ in range(count):
            key = self.text("a key", 65_535)
            if key in found:
                raise ValueError(f"the key {shown(key)} stands twice")
            found[key] = self.value(self.number("<u4", "a type"), shown(key))
        return found

    def value(self, kind: int, key: str, depth: int = 0) -> Any:
        if kind == _TEXT:
            return self.text(key)
        if kind == _LIST:
            return self.array(key, depth)
        if kind not in _NUMBERS:
            raise ValueError(f"the value of {key} has type {kind}, which there is not")
        return self.numbers(kind, 1, key)[0].item()

    def numbers(self, kind: int, count: int, key: str) -> Any:
        """So many numbers or truth values."""
        each = np.dtype(_NUMBERS[kind])
        raw = self.take(count * each.itemsize, key)
        if kind == _TRUTH and count and np.frombuffer(raw, np.uint8).max() > 1:
            raise ValueError(f"a truth value of {key} is neither 0 nor 1")
        return np.frombuffer(raw, each)

    def array(self, key: str, depth: int) -> Any:
        kind = self.number("<u4", f"the type of the list {key}")
        if kind in _NUMBERS:
            size = np.dtype(_NUMBERS[kind]).itemsize
            count = self.count(f"numbers of {key}", MAX_HEADER_BYTES, size)
            return self.numbers(kind, count, key)
        if kind == _TEXT:
            return self.strings(key)
        if kind != _LIST:
            raise ValueError(f"the list {key} has type {kind}, which there is not")
        if depth == MAX_DEPTH:
            raise ValueError(f"the lists of {key} stand more than {MAX_DEPTH} deep")
        count = self.held(self.count(f"lists of {key}", MAX_VALUES, 12), key)
        return [self.array(key, depth + 1) for _ in range(count)]

    def strings(self, key: str) -> Words:
        """A list of them, none of which is made yet."""
        count = self.held(self.count(f"strings of {key}", MAX_WORDS, 8), key)
        head, place, end = self.head, self.place, len(self.head)
        starts, stops, length_at = array("q"), array("q"), struct.Struct("<Q").unpack_from
        for _ in range(count):
            start = place + 8
            if start > end or (place := start + length_at(head, place)[0]) > end:
                self.place = min(start, end)
                self.take(end - self.place + 1, f"a string of {key}")
            starts.append(start)
            stops.append(place)
        self.place = place
        return Words(head, starts, stops)

    def held(self, count: int, key: str) -> int:
        """So many more in lists; raises `ValueError` where that is too much altogether."""
        self.words += count
        if self.words > MAX_WORDS:
            raise ValueError(f"with {key} its lists hold more than {MAX_WORDS:,}")
        return count

    def entry(self) -> tuple[str, Entry]:
        """A tensor's name, and what it is; `start` is counted from the first tensor yet."""
        name = self.text("a tensor's name", 65_535)
        dimensions = self.number("<u4", "a number of dimensions")
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise ValueError(
                f"{shown(name)} has {dimensions:,} dimensions; 1 to {MAX_DIMENSIONS} are read"
            )
        sizes = [int(self.number("<u8", "a dimension")) for _ in range(dimensions)]
        kind, start = self.number("<u4", "a type"), int(self.number("<u8", "an offset"))
        if kind not in GGML_TYPES:
            known = ", ".join(each.name for each in GGML_TYPES.values())
            said = KNOWN_ELSEWHERE.get(kind, f"of type {kind}")
            raise ValueError(f"{shown(name)} is {said}; {known} are read")
        block = GGML_TYPES[kind].block
        if not all(1 <= size < 2**31 for size in sizes) or sizes[0] % block:
            raise ValueError(
                f"{shown(name)} has the dimensions {sizes}; each is at least 1 and less than 2^31, "
                f"the first a multiple of {block}"
            )
        if math.prod(sizes) > self.total * 16:
            raise ValueError(f"{shown(name)} of {math.prod(sizes):,} numbers is not in this file")
        return name, Entry(GGML_TYPES[kind], sizes[::-1], start)


def _decoded(raw: memoryview) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown(bytes(raw[:60]))} is no UTF-8 at byte {error.start}") from None

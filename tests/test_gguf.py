"""GGUF files: read as the format says, or refused in one sentence before anything is made of them.

Files are written by `tests/gguf_files.py`, which shares nothing with the reader.
"""

import os
import resource
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regard._io.gguf import read_gguf
from tests.gguf_files import (
    BF16,
    F16,
    F32,
    Q4_0,
    Q4_1,
    Q8_0,
    Held,
    Said,
    gguf,
    held,
    numbers_of,
)
from tests.hostile.laws import soon

FORMS = {"F32": F32, "F16": F16, "BF16": BF16, "Q4_0": Q4_0, "Q4_1": Q4_1, "Q8_0": Q8_0}
SIZES = {F32: (1, 4), F16: (1, 2), BF16: (1, 2), Q4_0: (32, 18), Q4_1: (32, 20), Q8_0: (32, 34)}
VALUES = [
    ("u1", Said("u1", 255)),
    ("i1", Said("i1", -128)),
    ("u2", Said("u2", 65_535)),
    ("i2", Said("i2", -32_768)),
    ("u4", Said("u4", 2**32 - 1)),
    ("i4", Said("i4", -(2**31))),
    ("u8", Said("u8", 2**64 - 1)),
    ("i8", Said("i8", -(2**63))),
    ("f4", Said("f4", 0.5)),
    ("f8", Said("f8", 0.1)),
    ("yes", Said("truth", True)),
    ("no", Said("truth", False)),
    ("text", Said("text", "Straße 🎈")),
    ("empty", Said("text", "")),
    ("numbers", Said("list", [3, 1, 2], "i4")),
    ("truths", Said("list", [True, False], "truth")),
    ("texts", Said("list", ["Ġt", "", "ß"], "text")),
    ("nothing", Said("list", [], "text")),
    ("lists", Said("list", [Said("list", [1], "u1"), Said("list", ["a"], "text")], "list")),
]
SMALL = [
    ("a.weight", held(torch.arange(6.0).reshape(2, 3))),
    ("b.weight", held(torch.arange(64.0).reshape(2, 32), Q8_0)),
    ("c.weight", held(torch.tensor([1.5]), F16)),
]


def plain(found: Any) -> Any:
    if isinstance(found, np.ndarray):
        return found.tolist()
    return found if isinstance(found, (str, int, float)) else [plain(each) for each in found]


def refusal(path: Path, content: bytes) -> str:
    """What is said of a file, soon, and within 100 MB."""
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with soon(), pytest.raises(ValueError, match="is damaged or no GGUF file") as caught:
        read_gguf(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    said = str(caught.value)
    assert said.startswith(str(path)) and "\n" not in said and len(said) < 500
    return said


@pytest.mark.parametrize("version", [2, 3])
def test_every_kind_of_value_is_read(version: int, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf(VALUES, version=version))
    found = read_gguf(path)
    assert found.version == version and not found.tensors
    wanted = {key: said.value for key, said in VALUES} | {"lists": [[1], ["a"]]}
    assert {key: plain(each) for key, each in found.values.items()} == wanted
    assert found.values["yes"] is True and type(found.values["u8"]) is int
    assert list(found.values["texts"][1:]) == ["", "ß"] and found.values["texts"][-1] == "ß"


@pytest.mark.parametrize("name", FORMS)
def test_numbers_are_those_of_the_definition(name: str, tmp_path: Path) -> None:
    form, path = FORMS[name], tmp_path / "a.gguf"
    block, size = SIZES[form]
    generator = np.random.default_rng(0)
    content = generator.integers(0, 256, 3 * 5 * size * 32 // block, np.uint8)
    content = content.reshape(-1, size)
    # Scales are finite, as those of any weights are.
    for place in {Q4_1: (1, 3), F16: (1,), BF16: (1,), F32: (3,)}.get(form, (1,)):
        content[:, place] &= 0b1011_1111
    raw = content.tobytes()
    path.write_bytes(gguf(tensors=[("first", held(torch.ones(3))),
                                   ("w", Held((3, 5, 32), form, raw))]))  # fmt: skip
    found = read_gguf(path)
    assert found.tensors["w"].kind.name == name and found.tensors["w"].shape == [3, 5, 32]
    (numbers,) = found.read(["w"])
    assert numbers.dtype == torch.float32 and numbers.shape == (3, 5, 32)
    wanted = torch.tensor(numbers_of(form, raw), dtype=torch.float64).reshape(3, 5, 32)
    torch.testing.assert_close(
        numbers.double(), wanted, rtol=1e-6, atol=1e-6 * float(wanted.abs().max())
    )


def test_tensors_are_read_in_any_order_from_where_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf([("general.alignment", Said("u4", 64))], SMALL, alignment=64))
    c, a = read_gguf(path).read(["c.weight", "a.weight"])
    assert c.tolist() == [1.5] and a.tolist() == [[0, 1, 2], [3, 4, 5]]


def with_value(key: str, said: Said) -> bytes:
    return gguf([(key, said)], SMALL)


DAMAGED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "its name takes 4 bytes from byte 0 of a file of 0"),
    "another make": (gguf(magic=b"GGML"), "does not begin with GGUF"),
    "version 1": (gguf(version=1), "its version is 1; 2 and 3"),
    "version 4": (gguf(version=4), "its version is 4; 2 and 3"),
    "big-endian": (gguf(version=0x0300_0000), "written with the greatest byte first"),
    "many tensors": (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "claims 9,223,372,036,854,775"),
    "more tensors": (b"GGUF" + struct.pack("<IQQ", 3, 9, 0), "claims 9 tensors, with 8 bytes left"),
    "many values": (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40), "claims 1,099,511,627,776 values"),
    "a long key": (gguf([("k" * 70_000, Said("u1", 0))]), "claims 70,000 bytes of a key"),
    "a key twice": (gguf([("k", Said("u1", 0))] * 2), "the key 'k' stands twice"),
    "a key of bytes": (gguf([(b"\xff\xfe", Said("u1", 0))]), "is no UTF-8"),  # type: ignore[list-item]
    "a text of bytes": (with_value("k", Said("text", b"ab\xff")), "is no UTF-8 at byte 2"),
    "a tensor twice": (gguf(tensors=[SMALL[0], SMALL[0]]), "the tensor 'a.weight' stands twice"),
    "overlapping": (
        gguf(tensors=[("a", held(torch.ones(32))), ("b", held(torch.ones(4))._replace(offset=32))]),
        "'b' begins at byte .* must begin at",
    ),
    "a hole": (
        gguf(tensors=[("a", held(torch.ones(4))), ("b", held(torch.ones(4))._replace(offset=64))]),
        "'b' begins at byte .* must begin at",
    ),
    "not aligned": (
        gguf(tensors=[("a", held(torch.ones(4))), ("b", held(torch.ones(4))._replace(offset=16))]),
        "'b' begins at byte .* must begin at",
    ),
    "an offset beyond": (
        gguf(tensors=[("a", held(torch.ones(4))._replace(offset=2**62))]),
        "'a' begins at byte",
    ),
    "more behind": (gguf(tensors=SMALL) + b"\0" * 40, "40 bytes stand behind the last tensor"),
    "alignment 0": (with_value("general.alignment", Said("u4", 0)), "general.alignment is 0"),
    "alignment 48": (with_value("general.alignment", Said("u4", 48)), "alignment is 48; .*power"),
    "alignment of a text": (with_value("general.alignment", Said("text", "32")), "is '32'"),
    "a large alignment": (with_value("general.alignment", Said("u4", 2**31)), "alignment is 2147"),
    "one of several files": (with_value("split.count", Said("u2", 3)), "it is one of 3 parts"),
    "no dimension": (gguf(tensors=[("a", Held((), F32, b"\0" * 4))]), "'a' has 0 dimensions"),
    "five": (gguf(tensors=[("a", Held((1,) * 5, F32, b"\0" * 4))]), "'a' has 5 dimensions"),
    "a dimension 0": (gguf(tensors=[("a", Held((2, 0), F32, b""))]), "each is at least 1"),
    "a large one": (gguf(tensors=[("a", Held((2**62,), F32, b""))]), "less than 2\\^31"),
    "large ones": (
        gguf(tensors=[("a", Held((2**30, 2**30, 2**30), F32, b"\0" * 4))]),
        "numbers is not in this file",
    ),
    "cut blocks": (gguf(tensors=[("a", Held((2, 16), Q8_0, b"\0" * 34))]), "a multiple of 32"),
    "Q6_K": (gguf(tensors=[("a", Held((256,), 14, b"\0" * 210))]), "'a' is Q6_K; F32, F16, Q4_0"),
    "no form": (gguf(tensors=[("a", Held((256,), 4, b"\0" * 99))]), "'a' is of type 4"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_wrong_is_said_in_one_sentence(name: str, tmp_path: Path) -> None:
    import re

    content, wanted = DAMAGED[name]
    said = refusal(tmp_path / "a.gguf", content)
    assert re.search(wanted, said), said


def raw_value(kind: int, content: bytes) -> bytes:
    """A file of one value, whatever it is."""
    return b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<I", kind) + content


NESTED = b"".join(struct.pack("<IQ", 9, 1) for _ in range(1000))
CLAIMS: dict[str, tuple[bytes, str]] = {
    "a type there is not": (raw_value(13, b"\0" * 9), "has type 13, which there is not"),
    "a list of none": (raw_value(9, struct.pack("<IQ", 77, 1)), "has type 77"),
    "a text without end": (raw_value(8, struct.pack("<Q", 2**64 - 1)), "bytes of 'k', with 0"),
    "a longer text": (raw_value(8, struct.pack("<Q", 5) + b"abcd"), "claims 5 bytes of 'k'"),
    "numbers": (raw_value(9, struct.pack("<IQ", 12, 2**61)), "numbers of 'k', with 0 bytes left"),
    "strings": (raw_value(9, struct.pack("<IQ", 8, 2**60)), "strings of 'k', with 0 bytes left"),
    "a string beyond": (
        raw_value(9, struct.pack("<IQQ", 8, 1, 2**62) + b"abc"),
        "a string of 'k' takes",
    ),
    "deep lists": (raw_value(9, NESTED), "stand more than 4 deep"),
    "a truth of 2": (raw_value(7, b"\2" * 14), "neither 0 nor 1"),
    "truths of 2": (raw_value(9, struct.pack("<IQ", 7, 3) + b"\1\0\2"), "neither 0 nor 1"),
    "too many strings": (
        raw_value(9, struct.pack("<IQ", 8, 1_000_001) + b"\0" * 8 * 1_000_001),
        "at most 1,000,000 are read",
    ),
    "as many as are read, then nothing": (
        raw_value(9, struct.pack("<IQ", 8, 1_000_000) + b"\0" * (8 * 1_000_000 - 3)),
        "strings of 'k', with",
    ),
    "a header of 40 MB": (
        raw_value(9, struct.pack("<IQ", 8, 3) + (struct.pack("<Q", 2**24) + b"a" * 2**24) * 3),
        "header has more than 33,554,432 bytes",
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_claimed_is_compared_with_what_is_there(name: str, tmp_path: Path) -> None:
    content, wanted = CLAIMS[name]
    assert wanted in refusal(tmp_path / "a.gguf", content)


def test_a_file_that_ends_anywhere_is_refused(tmp_path: Path) -> None:
    whole = gguf(VALUES, SMALL)
    (tmp_path / "whole.gguf").write_bytes(whole)
    last = read_gguf(tmp_path / "whole.gguf").tensors["c.weight"]
    for length in range(last.start + last.taken):
        refusal(tmp_path / "a.gguf", whole[:length])


@pytest.mark.slow
def test_a_changed_bit_is_refused_or_changes_no_more_than_a_value(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.gguf", gguf(VALUES, SMALL)
    path.write_bytes(whole)
    start = min(each.start for each in read_gguf(path).tensors.values())
    for bit in range(8 * start):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            found = read_gguf(path)
            for each in found.values.values():
                plain(each)
            for numbers in found.read(list(found.tensors)):
                assert numbers.numel() <= len(whole)
        except ValueError as error:
            assert "\n" not in str(error) and len(str(error)) < 500


def test_a_list_of_texts_is_decoded_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(with_value("k", Said("list", ["fine", b"\xff"], "text")))
    found = read_gguf(path).values["k"]
    assert found[0] == "fine"
    with pytest.raises(ValueError, match="is no UTF-8"):
        found[1]


def test_a_file_that_shrinks_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf(tensors=SMALL))
    found = read_gguf(path)
    os.truncate(path, found.tensors["b.weight"].start + 5)
    with pytest.raises(ValueError, match="changed while 'b.weight' was read"):
        list(found.read(["b.weight"]))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_gguf(tmp_path / "none.gguf")
    with pytest.raises(ValueError, match="Is a directory"):
        read_gguf(tmp_path)

"""A file of tensors is believed only when its header accounts for every byte of it."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from regard.training.tensor_file import DTYPES, read_header, read_tensors, size, write_tensors


def entry(shape: list[int], start: int, stop: int, dtype: str = "U8") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_every_dtype_and_layout_comes_back(tmp_path: Path, dtype: torch.dtype) -> None:
    grid = torch.arange(12).reshape(3, 4).to(dtype)
    tensors = {
        "plain": grid,
        "turned": grid.T,
        "spread": grid[:1].expand(5, 4),
        "every other": grid[:, ::2],
        "one": grid[2, 1],
        "none": grid[:0],
    }
    path = tmp_path / "x.safetensors"
    vouched = write_tensors(path, tensors)
    assert vouched["bytes"] == path.stat().st_size == size(tensors)
    assert vouched["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    read = read_tensors(path, str(vouched["sha256"]))
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == dtype and read[name].shape == tensor.shape
        assert torch.equal(read[name], tensor)


def test_files_of_the_safetensors_library_are_read(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(3), "a": torch.rand(2, 2), "c": torch.tensor([True])}
    content = save(tensors, metadata={"by": "another"})
    (tmp_path / "x").write_bytes(content)
    read = read_tensors(tmp_path / "x", hashlib.sha256(content).hexdigest())
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_tensors(tmp_path / "x", {})
    assert (tmp_path / "x").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "header",
    [
        [],
        {"a": 1},
        {"a": {"dtype": "U8", "shape": [4]}},
        {"a": entry([4], 0, 4) | {"more": 1}},
        {"a": entry([4], 0, 4, "U9")},
        {"a": entry([5], 0, 4)},
        {"a": entry([2], 0, 2)},
        {"a": entry([2], 2, 4)},
        {"a": entry([3], 0, 3), "b": entry([2], 2, 4)},
        {"a": entry([1], 0, 1), "b": entry([2], 2, 4)},
        {"a": entry([-4], 0, 4)},
        {"a": entry([True, 4], 0, 4)},
        {"a": entry([0, 2**62], 0, 0), "b": entry([4], 0, 4)},
        {"a": entry([2**40], 0, 2**40)},
    ],
)
def test_a_header_that_lies_is_refused(header: object) -> None:
    with pytest.raises(ValueError):
        read_header(json.dumps(header).encode(), body=4)


@given(st.binary(max_size=60))
def test_noise_is_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    for content in (noise, struct.pack("<Q", len(noise)) + noise):
        path.write_bytes(content)
        if content[8:].strip() == b"{}":
            continue
        with pytest.raises(ValueError):
            read_tensors(path, hashlib.sha256(content).hexdigest())

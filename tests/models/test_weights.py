"""A weights file is believed only when every byte of it is accounted for."""

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from regard.errors import CheckpointMismatch
from regard.models.weights import read_weights, weight_shapes, write_weights


def packed(header: object, data: bytes = b"", text: str | None = None) -> bytes:
    head = (json.dumps(header) if text is None else text).encode()
    return struct.pack("<Q", len(head)) + head + data


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def saved(module: nn.Module, folder: Path) -> Path:
    path = folder / "model.safetensors"
    write_weights(module, path)
    return path


def test_what_was_written_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    module, other = nn.Linear(5, 3), nn.Linear(5, 3, device="meta")
    read_weights(other, saved(module, tmp_path))
    assert all(torch.equal(other.get_parameter(n), p) for n, p in module.named_parameters())


def test_every_offender_is_named_at_once(tmp_path: Path) -> None:
    path = saved(nn.ModuleDict({"a": nn.Linear(2, 3), "b": nn.Linear(2, 2)}), tmp_path)
    wanted = nn.ModuleDict({"a": nn.Linear(2, 4), "c": nn.Linear(2, 2)})
    before = {name: weight.clone() for name, weight in wanted.state_dict().items()}
    with pytest.raises(CheckpointMismatch) as caught:
        read_weights(wanted, path)
    assert caught.value.missing == ["c.bias", "c.weight"]
    assert caught.value.unexpected == ["b.bias", "b.weight"]
    assert caught.value.wrong_shaped == {
        "a.bias": ([3], [4]),
        "a.weight": ([3, 2], [4, 2]),
    }
    assert str(path) in str(caught.value)
    assert all(torch.equal(w, before[name]) for name, w in wanted.state_dict().items())


@pytest.mark.parametrize("kept", [0, 3, 7, 8, 40, -1])
def test_a_truncated_file_is_named_and_changes_nothing(tmp_path: Path, kept: int) -> None:
    module = nn.Linear(5, 3)
    path = saved(module, tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    before = module.weight.clone()
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        read_weights(module, path)
    assert torch.equal(module.weight, before)


class Counted(nn.Module):
    """A weight, and numbers that are none."""

    def __init__(self, dtype: torch.dtype = torch.long) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("kinds", torch.tensor([3, 2**40 + 1, -1]).to(dtype))


def test_whole_numbers_are_read_where_the_module_has_some_and_nowhere_else(tmp_path: Path) -> None:
    path, again = saved(Counted(), tmp_path), Counted()
    again.kinds.zero_()
    read_weights(again, path)
    assert again.kinds.tolist() == [3, 2**40 + 1, -1]
    with pytest.raises(ValueError, match="'kinds' is torch.int64; only floating-point weights"):
        read_weights(Counted(torch.float32), path)
    path = saved(Counted(torch.float64), tmp_path)
    with pytest.raises(ValueError, match="'kinds' is torch.float64, but it holds whole numbers"):
        read_weights(Counted(), path)


def test_a_tensor_that_stands_elsewhere_is_taken_from_there_if_it_fits(tmp_path: Path) -> None:
    path, wanted = saved(nn.ParameterDict({"weight": torch.zeros(2)}), tmp_path), Counted()
    read_weights(wanted, path, beside={"kinds": torch.tensor([7, 8, 9])})
    assert wanted.kinds.tolist() == [7, 8, 9] and wanted.weight.tolist() == [0, 0]
    with pytest.raises(CheckpointMismatch) as caught:
        read_weights(wanted, path, beside={"kinds": torch.tensor([7, 8])})
    assert caught.value.wrong_shaped == {"kinds": ([2], [3])}


@given(st.binary(max_size=60))
def test_noise_is_refused_with_a_sentence(noise: bytes) -> None:
    with pytest.raises(ValueError):
        weight_shapes(noise)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_of_the_header_is_refused_or_harmless(place: int, change: int) -> None:
    content = bytearray(packed({"a": entry([2], 0, 8), "b": entry([1, 3], 8, 20)}, bytes(20)))
    content[place % (len(content) - 20)] ^= change
    try:
        shapes = weight_shapes(bytes(content))
    except ValueError:
        return
    assert len(shapes) <= 2
    assert all(all(0 <= size <= 3 for size in shape) for shape in shapes.values())


@pytest.mark.parametrize(
    "content",
    [
        packed([]),
        packed({"a": 3}),
        packed({"a": {"dtype": "F32", "shape": [1]}}),
        packed({"a": entry([1], 0, 4) | {"extra": 1}}, bytes(4)),
        packed({"a": entry([1], 0, 4, "I99")}, bytes(4)),
        packed({"a": entry([1], 0, 4, dtype=["F32"])}, bytes(4)),  # type: ignore[arg-type]
        packed({"a": entry([2], 0, 4)}, bytes(4)),
        packed({"a": entry([-1], 0, 4)}, bytes(4)),
        packed({"a": entry([True], 0, 4)}, bytes(4)),
        packed({"a": entry([1.0], 0, 4)}, bytes(4)),  # type: ignore[list-item]
        packed({"a": entry([0, 2**62], 4, 4)}, bytes(4)),
        packed({"a": entry([1], 0, 4)}, bytes(5)),
        packed({"a": entry([1], 4, 8)}, bytes(8)),
        packed({"a": entry([2], 0, 8), "b": entry([1], 4, 8)}, bytes(8)),
        packed({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
        packed({}, text='{"a": %s, "a": %s}' % ((json.dumps(entry([1], 0, 4)),) * 2)) + bytes(4),
        packed({}, text="[" * 100_000),
        packed({}, text='{"a": NaN}'),
        packed({}, text="\udc00".encode("utf-8", "surrogatepass").decode("latin1")),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**20) + b"{}",
    ],
)
def test_a_header_that_lies_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        weight_shapes(content)


def test_an_honest_header_is_read() -> None:
    content = packed(
        {"__metadata__": {"format": "pt"}, "b": entry([3], 8, 20), "a": entry([2, 1], 0, 8)},
        bytes(20),
    )
    assert weight_shapes(content) == {"a": [2, 1], "b": [3]}


def test_what_was_shared_is_shared_in_a_module_that_would_not(tmp_path: Path) -> None:
    shared = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2, bias=False)])
    shared[1].weight = shared[0].weight
    path = saved(shared, tmp_path)
    assert len({saved(shared, tmp_path).read_bytes() for _ in range(9)}) == 1
    apart = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2, bias=False)])
    read_weights(apart, path)
    assert apart[1].weight is apart[0].weight
    assert torch.equal(apart[0].weight, shared[0].weight)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('{"1.weight": "1.weight"}', "1.weight"),
        ('{"1.weight": "0.weight", "0.weight": "1.weight"}', "1.weight"),
        ('{"1.weight": "0.bias"}', "1.weight"),
        ('{"1.weight": 3}', "not a table of names"),
        ("[]", "not a table of names"),
        ("{", "is damaged"),
    ],
)
def test_what_cannot_be_shared_is_missing_or_damaged(said: str, why: str, tmp_path: Path) -> None:
    header = {
        "__metadata__": {"shared": said},
        "0.weight": entry([1, 1], 0, 4),
        "0.bias": entry([1], 4, 8),
    }
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed(header, bytes(8)))
    module = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1, bias=False)])
    with pytest.raises((ValueError, CheckpointMismatch), match=why):
        read_weights(module, path)

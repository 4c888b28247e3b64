"""One offset for each sequence of the batch is the same call for each sequence with its own."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import regard
from regard.masks import Causal, Dense, Document, KeyCounts, SlidingWindow
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap
from tests.parts import Sizes, tensors

SIZES = Sizes(3, 4, 2, 4, 9, 3, 4)
OFFSETS = torch.tensor([5, 0, 2])

ids = torch.tensor([[0, 0, 0, 1, 1, 1, 2, 2, 2], [0] * 9, [0, 1, 1, 1, 1, 2, 2, 3, 3]])
PARTS: dict[str, dict[str, Any]] = {
    "causal": {"mask": Causal()},
    "window": {"mask": SlidingWindow(1, 2)},
    "alibi": {"score_mod": ALiBi(4), "mask": Causal()},
    "relative": {"score_mod": RelativeBias(4, 8, 9).double()},
    "by distance": {
        "score_mod": RelativeDot(
            torch.randn(3, 4, 4, 3).double(), torch.randn(1, 4, 9, 3).double(), 5
        )
    },
    "documents": {"mask": Document(ids)},
    "rows of the call": {"mask": Dense(torch.rand(4, 9) < 0.7)},
    "rows of the sequence": {"mask": Dense(torch.rand(9, 9) < 0.7, first_query=0)},
    "bias of the call": {"score_mod": Bias(torch.randn(4, 9).double())},
    "bias of the sequence": {"score_mod": Bias(torch.randn(9, 9).double(), first_query=0)},
    "counts": {"mask": KeyCounts(torch.tensor([3, 9, 0, 5])) & Causal()},
    "chain": {"score_mod": Chain(SoftCap(2.0), ALiBi(4)), "mask": ~SlidingWindow(0)},
    "a function": {"mask": lambda b, h, q, k: (q + k) % 3 > 0},
}


def alone(part: Any, row: int) -> Any:
    """The part of one sequence: ids of documents, and vectors of queries, are given for each."""
    if isinstance(part, RelativeDot):
        return RelativeDot(part.query[row : row + 1], part.keys, part.farthest)
    return Document(part.ids[row : row + 1]) if isinstance(part, Document) else part


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("backend", [None, "chunked", "reference"])
def test_each_sequence_stands_where_its_offset_says(name: str, backend: str | None) -> None:
    given = [x.requires_grad_() for x in tensors(SIZES)]
    parts = PARTS[name]
    found = regard.attention(*given, **parts, q_offset=OFFSETS, backend=backend)
    rows = regard.attention_weights(*given[:2], **parts, q_offset=OFFSETS, rows=[0, -1])
    for row, offset in enumerate(OFFSETS.tolist()):
        single = {role: alone(part, row) for role, part in parts.items()}
        one = [x[row : row + 1] for x in given]
        wanted = regard.attention(*one, **single, q_offset=offset)
        torch.testing.assert_close(found[row : row + 1], wanted)
        weights = regard.attention_weights(*one[:2], **single, q_offset=offset, rows=[0, -1])
        torch.testing.assert_close(rows[row : row + 1], weights)


@pytest.mark.parametrize("backend", ["banded", "linear", "flex"])
def test_a_backend_for_one_offset_says_so(backend: str) -> None:
    given = [x.float() for x in tensors(SIZES)]
    with pytest.raises(regard.UnsupportedByBackend, match="one q_offset|one for each sequence"):
        parts = {"mask": Causal() & SlidingWindow(2)} if backend != "linear" else {
            "mask": Causal(), "score": regard.scores.FeatureMapDot(),
            "normalizer": regard.normalizers.divide_by_sum,
        }  # fmt: skip
        regard.attention(*given, **parts, q_offset=OFFSETS, backend=backend)


@pytest.mark.parametrize(
    ("q_offset", "pieces"),
    [
        (torch.tensor([1, 2]), ("q_offset", "batch 2", "batch 3")),
        (torch.tensor([1.0, 2.0, 3.0]), ("q_offset", "float32[3]", "[batch]")),
        (torch.zeros(3, 4, dtype=torch.long), ("q_offset", "int64[3, 4]")),
        (torch.zeros(3, dtype=torch.long, device="meta"), ("q_offset", "meta", "cpu")),
    ],
    ids=str,
)
def test_a_wrong_offset_is_answered_in_one_sentence(
    q_offset: Tensor, pieces: tuple[str, ...]
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        regard.attention(*tensors(SIZES), mask=Causal(), q_offset=q_offset)
    assert all(piece in str(caught.value) for piece in pieces), caught.value


@pytest.mark.parametrize("number", [np.int64(3), np.int32(3), np.uint8(3)], ids=repr)
def test_numpys_integers_count_as_pythons_do(number: Any) -> None:
    given = tensors(SIZES)
    found = regard.attention(*given, mask=Causal(), q_offset=number)
    torch.testing.assert_close(found, regard.attention(*given, mask=Causal(), q_offset=3))
    query, key, _ = given
    rows = regard.attention_weights(query, key, rows=number, heads=[number, np.int64(-1)])
    assert torch.equal(rows, regard.attention_weights(query, key, rows=3, heads=[3, -1]))
    assert regard.attention(*given, dropout=np.float32(0.0)).shape == found.shape


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_offsets_count_alike_in_every_integer_dtype(dtype: torch.dtype) -> None:
    given = tensors(SIZES)
    mask = Dense(torch.rand(13, 9) < 0.7, first_query=-3)
    found = regard.attention(*given, mask=mask, q_offset=OFFSETS.to(dtype))
    torch.testing.assert_close(found, regard.attention(*given, mask=mask, q_offset=OFFSETS))


def test_an_offset_beyond_every_position_is_refused() -> None:
    with pytest.raises(ValueError, match="needs q_offset <= "):
        regard.attention(*tensors(SIZES), mask=Causal(), q_offset=2**63 - 1)


def test_a_window_without_a_limit_has_none_under_a_transform() -> None:
    given = tensors(SIZES)
    mask = SlidingWindow(1, sys.maxsize)
    wanted = regard.attention(*given, mask=mask)
    found = torch.func.vmap(lambda *x: regard.attention(*x, mask=mask))(*(x[None] for x in given))
    torch.testing.assert_close(found[0], wanted)

"""Parts that users write: what they give for all heads and rows, they give for some of them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.masks import Causal
from regard.normalizers import softmax
from tests.one_by_one import all_in_one
from tests.parts import Sizes, tensors
from tests.probe import assert_same, evaluate

SIZES = Sizes(2, 4, 2, 5, 5, 3, 4)


class Warmth(nn.Module):
    """A normalizer of a user's with a temperature for each head, and no `at`."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor([0.5, 1.0, 2.0, 4.0]).double())

    def forward(self, scores: Tensor, where: Tensor | None = None) -> Tensor:
        return softmax(scores / self.temperature.view(-1, 1, 1), where)


class WarmthAt(Warmth):
    """The same, which says what it is for some heads."""

    def at(self, heads: Any, rows: Any) -> Any:
        chosen = self.temperature[heads].view(-1, 1, 1)
        return lambda scores, where=None: softmax(scores / chosen, where)


def by_row(scores: Tensor, where: Tensor | None = None) -> Tensor:
    """A temperature that grows from row to row, which only the whole matrix shows."""
    warmth = torch.arange(1, scores.shape[-2] + 1, dtype=scores.dtype).view(-1, 1)
    return softmax(scores / warmth, where)


class PerHead(nn.Module):
    """A score of a user's with a weight for each head."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3).double())

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return (query * self.weight.unsqueeze(1)) @ key.mT


PARTS: dict[str, dict[str, Any]] = {
    "normalizer per head": {"normalizer": Warmth()},
    "normalizer per head with at": {"normalizer": WarmthAt()},
    "normalizer per row": {"normalizer": by_row},
    "score per head": {"score": PerHead()},
    "score and normalizer": {"score": PerHead(), "normalizer": Warmth()},
    "a mod per head": {"score_mod": lambda s, b, h, q, k: s * (1 + h)},
}


@pytest.mark.parametrize("name", PARTS)
@all_in_one(
    ("heads", "rows"), [(None, [0, -1]), ([1, -1], None), (2, 3), (slice(1, 3), slice(0, 5, 2))],
    ids=str,
)  # fmt: skip
def test_some_weights_are_those_of_all(name: str, heads: Any, rows: Any) -> None:
    query, key, _ = tensors(SIZES)
    parts = {**PARTS[name], "mask": Causal()}
    whole = regard.attention_weights(query, key, **parts)
    some = regard.attention_weights(query, key, **parts, heads=heads, rows=rows)
    index = [torch.arange(n)[slice(None) if x is None else x].reshape(-1) for n, x in
             ((4, heads), (5, rows))]  # fmt: skip
    torch.testing.assert_close(some, whole[:, index[0]][:, :, index[1]])


@pytest.mark.parametrize("name", PARTS)
def test_chunks_give_what_the_whole_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard._backends.chunked.CHUNK_BYTES", 2 * 2 * 4 * 5 * 8)
    given = tensors(SIZES)
    parts = {**PARTS[name], "mask": Causal()}
    wanted = evaluate(*given, **parts, backend="reference")
    assert_same(evaluate(*given, **parts, backend="chunked"), wanted)
    assert_same(evaluate(*given, **parts), wanted)


def test_a_mask_may_answer_with_one_boolean() -> None:
    given = tensors(SIZES)
    for backend in (None, "sdpa", "chunked", "reference"):
        found = regard.attention(
            *given, mask=lambda b, h, q, k: torch.tensor(True), backend=backend
        )
        torch.testing.assert_close(found, regard.attention(*given))
        found = regard.attention(
            *given, mask=lambda b, h, q, k: torch.tensor(False), backend=backend
        )
        assert (found == 0).all()


def test_a_part_in_double_precision_serves_a_call_in_single() -> None:
    given = [x.float() for x in tensors(SIZES)]
    table = torch.randn(5).double()

    def mod(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return score + table[k]

    wanted = regard.attention(*given, score_mod=mod, backend="reference")
    assert wanted.dtype == torch.float32
    for backend in (None, "chunked"):
        found = regard.attention(*given, score_mod=mod, backend=backend)
        torch.testing.assert_close(found, wanted)


WRONG_SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "a mod that sums": ({"score_mod": lambda s, b, h, q, k: s.sum(-1)}, "score_mod"),
    "a mod of another batch": (
        {"score_mod": lambda s, b, h, q, k: s + torch.zeros(5, 1, 1, 1)}, "score_mod"),
    "a normalizer that sums": ({"normalizer": lambda s, where=None: s.sum(-1)}, "normalizer"),
    "a normalizer of one key": ({"normalizer": lambda s, where=None: s[..., :1]}, "normalizer"),
    "a mask of another batch": (
        {"mask": lambda b, h, q, k: torch.ones(5, 1, 1, 1, dtype=torch.bool)}, "mask"),
    "a mask of other heads": (
        {"mask": lambda b, h, q, k: torch.ones(1, 3, 1, 1, dtype=torch.bool)}, "mask"),
}  # fmt: skip


@pytest.mark.parametrize("backend", [None, "chunked", "reference"])
@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_a_part_that_answers_in_another_shape_is_refused(name: str, backend: str | None) -> None:
    parts, role = WRONG_SHAPES[name]
    sizes = SIZES._replace(batch=1)
    with pytest.raises(ValueError, match=rf"{role} .*gave shape .*return one"):
        regard.attention(*tensors(sizes), **parts, backend=backend)
    with pytest.raises(ValueError, match=rf"{role} .*gave shape .*return one"):
        regard.attention_weights(*tensors(sizes)[:2], **parts)


def test_a_mod_that_ignores_its_head_is_refused_where_some_heads_are_asked_for() -> None:
    of_heads = torch.randn(1, 4, 1, 1).double()
    query, key, _ = tensors(SIZES)
    parts = {"score_mod": lambda s, b, h, q, k: s + of_heads}
    assert regard.attention_weights(query, key, **parts).shape == (2, 4, 5, 5)
    with pytest.raises(ValueError, match=r"score_mod .*\[2, 4, 5, 5\].*\[2, 1, 5, 5\]"):
        regard.attention_weights(query, key, **parts, heads=[1])

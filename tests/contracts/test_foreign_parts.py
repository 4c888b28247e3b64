"""Parts that users write: what they give for all heads and rows, they give for some of them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.masks import Causal
from regard.normalizers import softmax
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
@pytest.mark.parametrize(
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

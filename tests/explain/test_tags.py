"""Heads that do one thing have its tag and no other; scores are what the table says."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.explain import THRESHOLDS, HeadTags, head_tags
from tests.explain.drawn import weights

TOKENS = "[ a b c d . a b c d .".split()
"""Something said twice, behind a token for the beginning; a full stop parts the two."""
N = len(TOKENS)
SEGMENTS = [0] * 6 + [1] * 5


def pointing(target: Any) -> Tensor:
    """A head in which each query has all its weight on one key."""
    found = torch.zeros(N, N)
    for q in range(N):
        found[q, target(q)] = 1.0
    return found


def after_earlier(q: int) -> int:
    """The place behind the last earlier occurrence of a token; else one that no pattern names."""
    before = [k for k in range(q) if TOKENS[k] == TOKENS[q]]
    return before[-1] + 1 if before else (q + 4) % N


def earlier(q: int) -> int:
    before = [k for k in range(q) if TOKENS[k] == TOKENS[q]]
    return before[-1] if before else (q + 4) % N


def even(allowed: Tensor) -> Tensor:
    return allowed.float() / allowed.sum(-1, keepdim=True)


HEADS: dict[str, Tensor] = {
    "previous": pointing(lambda q: max(q - 1, 0)),
    "next": pointing(lambda q: min(q + 1, N - 1)),
    "self": torch.eye(N),
    "sink": pointing(lambda q: 0),
    "separator": pointing(lambda q: 5),
    "broad": even(torch.ones(N, N)),
    "block": even(torch.tensor([[a == b for b in SEGMENTS] for a in SEGMENTS])),
    "induction": pointing(after_earlier),
    "duplicate": pointing(earlier),
}
"""The purest head of each tag."""


def found_in(stack: Tensor, **more: Any) -> HeadTags:
    return head_tags(stack, TOKENS, separators=["."], **more)


def test_every_tag_has_a_head_here() -> None:
    assert set(HEADS) == set(THRESHOLDS)


@pytest.mark.parametrize("tag", HEADS)
def test_a_pure_head_has_its_tag_and_no_other(tag: str) -> None:
    # With the broad head beside it, so that every key is one that may be seen.
    layer = torch.stack([HEADS[tag], HEADS["broad"]])[None, None]
    found = found_in(layer)
    assert found.of(0, 0).tags == (tag,)
    assert found.of(0, 0).scores[tag] == pytest.approx(1.0)
    assert found.of(0, 1).tags == ("broad",)
    if tag != "broad":
        assert found.named(tag) == (found.of(0, 0),)


def test_causal_heads_are_told_apart_too() -> None:
    causal = torch.ones(N, N).tril()
    heads = {
        "previous": HEADS["previous"],
        "self": HEADS["self"],
        "sink": HEADS["sink"],
        "broad": even(causal),
        "block": even(causal * (HEADS["block"] > 0)),
        "induction": pointing(lambda q: min(after_earlier(q), max(q - 3, 0))),
        "duplicate": pointing(lambda q: min(earlier(q), max(q - 3, 0))),
    }
    for name, each in heads.items():
        assert torch.equal(each, each.tril()), name
    found = found_in(torch.stack([*heads.values()])[None, None])
    # Where nothing was said before, the last two look three back, at the first token at times.
    assert [each.tags for each in found.heads] == [(name,) for name in heads]


def test_scores_are_those_of_the_table() -> None:
    given = weights(2, 2, 3, N, N).float()
    found = found_in(given, item=1, sinks=[0, 1])
    for layer, head in np.ndindex(2, 3):
        a, heads = given[layer, 1, head].tolist(), given[layer, 1]
        scores = found.of(layer, head).scores

        def mean(values: list[float]) -> Any:
            return pytest.approx(sum(values) / len(values), abs=1e-6)

        assert scores["previous"] == mean([a[q][q - 1] for q in range(1, N)])
        assert scores["next"] == mean([a[q][q + 1] for q in range(N - 1)])
        assert scores["self"] == mean([a[q][q] for q in range(1, N)])
        assert scores["sink"] == mean([a[q][0] + a[q][1] for q in range(2, N)])
        parting = [k for k in range(N) if TOKENS[k] == "."]
        others = [q for q in range(N) if q not in parting]
        assert scores["separator"] == mean([sum(a[q][k] for k in parting) for q in others])
        spread = [sum(-w * math.log(w) for w in row if w) for row in a]
        assert (heads > 0).any(0).all()
        assert scores["broad"] == mean([each / math.log(N) for each in spread])
        blocks = []
        for q in range(N):
            own = [k for k in range(N) if SEGMENTS[k] == SEGMENTS[q]]
            mass = sum(a[q][k] for k in own)
            rows = [a[q][k] / mass for k in own]
            blocks.append(mass * sum(-w * math.log(w) for w in rows if w) / math.log(len(own)))
        assert scores["block"] == mean(blocks)
        same = {q: [k for k in range(q) if TOKENS[k] == TOKENS[q]] for q in range(N)}
        said = [q for q in range(N) if same[q]]
        assert scores["duplicate"] == mean([sum(a[q][k] for k in same[q]) for q in said])
        after = {q: [k + 1 for k in same[q] if k + 1 < q] for q in range(N)}
        said = [q for q in range(N) if after[q]]
        assert scores["induction"] == mean([sum(a[q][k] for k in after[q]) for q in said])


def test_what_is_not_known_has_no_score() -> None:
    given = weights(1, 1, 1, 5, 5).float()
    bare = head_tags(given).of(0, 0).scores
    assert set(bare) == {"previous", "next", "self", "sink", "broad"}
    named = head_tags(given, "abcde", separators=["e"]).of(0, 0).scores
    assert "induction" not in named and "separator" in named and "block" not in named
    parted = head_tags(given, segments=[0, 0, 1, 1, 1]).of(0, 0).scores
    assert "block" in parted and "separator" not in parted
    cross = head_tags(weights(1, 1, 1, 3, 5).float(), "abcde", separators=["e"]).of(0, 0).scores
    assert set(cross) == {"sink", "separator", "broad"}
    assert head_tags(weights(1, 1, 1, 1, 1)).of(0, 0).scores == {}


def test_padding_does_not_count() -> None:
    given = weights(1, 1, 2, N, N).float()
    padded = torch.zeros(1, 1, 2, N + 3, N + 3)
    padded[..., :N, :N] = given
    padded[..., N:, 0] = 1.0
    alone = found_in(given)
    assert found_in(padded, length=N).heads == alone.heads
    longer = head_tags(padded, [*TOKENS, "x", "x", "x"], separators=["."], length=N)
    assert longer.heads == alone.heads


def test_thresholds_are_ones_own() -> None:
    mixed = 0.3 * HEADS["sink"] + 0.7 * HEADS["previous"]
    layer = torch.stack([mixed, HEADS["broad"]])[None, None]
    assert head_tags(layer).of(0, 0).tags == ("previous",)
    both = head_tags(layer, thresholds={"sink": 0.3})
    assert both.of(0, 0).tags == ("previous", "sink")
    assert both.thresholds["sink"] == 0.3 and both.thresholds["next"] == THRESHOLDS["next"]
    assert [each.head for each in both.named("sink")] == [0] and both.named("next") == ()


def test_layers_may_differ_and_are_counted() -> None:
    found = head_tags([HEADS["self"][None, None], weights(1, 2, 4, 4).float()])
    assert [(each.layer, each.head) for each in found.heads] == [(0, 0), (1, 0), (1, 1)]
    with pytest.raises(IndexError, match="no head 2 in layer 1"):
        found.of(1, 2)


def test_what_does_not_fit_is_refused() -> None:
    given = weights(1, 1, 1, 5, 5).float()
    with pytest.raises(ValueError, match="tokens is of 4 tokens, and layer 0 has 5 keys"):
        head_tags(given, "abcd")
    with pytest.raises(ValueError, match="segments is of 2 tokens, and layer 0 has 5 keys"):
        head_tags(given, segments=[0, 1])
    with pytest.raises(ValueError, match="length is of 6 tokens, and layer 0 has 5 keys"):
        head_tags(given, length=6)
    with pytest.raises(ValueError, match="finds separators among tokens; give tokens too"):
        head_tags(given, separators=["."])
    with pytest.raises(ValueError, match="no tag 'sinks': did you mean sink"):
        head_tags(given, thresholds={"sinks": 0.1})
    with pytest.raises(ValueError, match="no tag 'sinks'"):
        head_tags(given).named("sinks")
    with pytest.raises(IndexError, match="sinks has 5, and there are 5"):
        head_tags(given, sinks=[5])
    with pytest.raises(IndexError, match="item has 1, and there are 1"):
        head_tags(given, item=1)

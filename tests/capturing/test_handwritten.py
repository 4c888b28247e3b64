"""Attention written by hand, in the ways that people write it, and softmaxes that are none."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard
from regard.capturing import Maps
from regard.errors import UsageError

Q, K, V = (
    torch.randn(2, 3, n, 4, generator=torch.Generator().manual_seed(s))
    for s, n in ((0, 5), (1, 7), (2, 7))
)
KEEP = []


def kept(weights: Tensor) -> Tensor:
    """Note what is looked for, in the way that the capture has no part in."""
    KEEP.append(weights.detach().clone())
    return weights


def plain() -> Tensor:
    return kept((Q @ K.mT / 2).softmax(-1)) @ V


def functional() -> Tensor:
    scores = torch.matmul(Q, K.transpose(-2, -1))
    scores = scores.masked_fill(torch.eye(5, 7).bool(), float("-inf"))
    scores = torch.max(scores, torch.tensor(torch.finfo(scores.dtype).min))
    return torch.matmul(F.dropout(kept(F.softmax(scores, dim=-1)), 0.5, training=False), V)


def in_place() -> Tensor:
    scores = torch.einsum("bhqd,bhkd->bhqk", Q, K)
    scores *= 0.5
    scores += torch.arange(7.0)
    scores[..., 0] = -1e9
    return torch.einsum("bhqk,bhkd->bqhd", kept(scores.softmax(dim=-1)), V)


def capped() -> Tensor:
    scores = 3 * torch.tanh((Q @ K.mT) / 3)
    return kept(torch.softmax(scores, -1, dtype=torch.float64)).float() @ V


def with_sink() -> Tensor:
    scores = torch.cat([Q @ K.mT, torch.zeros(2, 3, 5, 1)], -1)
    weights = (scores - scores.max(-1, keepdim=True).values).softmax(-1)[..., :-1]
    return kept(weights) @ V


def one_axis() -> Tensor:
    q, k, v = (x.reshape(6, x.shape[2], 4) for x in (Q, K, V))
    weights = torch.bmm(q, k.transpose(1, 2)).softmax(-1)
    kept(weights.view(2, 3, 5, 7))
    return torch.bmm(weights, v)


def one_axis_split_for_a_mask() -> Tensor:
    q, k, v = (x.flatten(0, 1) for x in (Q, K, V))
    scores = torch.bmm(q, k.transpose(1, 2)).view(2, 3, 5, 7) + torch.zeros(2, 1, 5, 7)
    weights = F.softmax(scores.view(6, 5, 7), dim=-1)
    kept(weights.view(2, 3, 5, 7))
    return torch.bmm(F.dropout(weights, 0.1, False), v)


def three_at_once() -> Tensor:
    qkv = torch.stack([Q, K[:, :, :5], V[:, :, :5]])
    q, k, v = qkv.reshape(3, 6, 5, 4).unbind(0)
    weights = (q @ k.transpose(-2, -1)).softmax(-1)
    kept(weights.view(2, 3, 5, 5))
    return weights @ v


def with_lengths_first() -> Tensor:
    q, k, v = (x.permute(2, 0, 1, 3) for x in (Q, K, V))
    weights = torch.einsum("ibnd,jbnd->ijbn", q, k).softmax(1)
    kept(weights.permute(2, 3, 0, 1))
    return torch.einsum("ijbn,jbnd->ibnd", weights, v)


def with_dots() -> Tensor:
    weights = torch.einsum("...qd,...kd->...qk", Q, K).softmax(-1)
    return torch.einsum("...qk,...kd->...qd", kept(weights), V)


def transposed() -> Tensor:
    weights = torch.matmul(Q, K.mT).softmax(-1)
    return (V.mT @ kept(weights).permute(0, 1, 3, 2)).mT


def talking_heads() -> Tensor:
    mix = nn.Parameter(torch.randn(3, 3))
    scores = torch.einsum("bhqk,hg->bgqk", Q @ K.mT, mix)
    weights = torch.einsum("bhqk,hg->bgqk", scores.softmax(-1), mix)
    return kept(weights) @ V


def renormalized() -> Tensor:
    weights = (Q @ K.mT).softmax(-1) * (torch.arange(7) > 2)
    return kept(weights / weights.sum(-1, keepdim=True)) @ V


def over_queries() -> Tensor:
    weights = (Q @ K.mT).softmax(-2) + 1e-8
    return kept(weights / weights.sum(-1, keepdim=True)) @ V


def by_sigmoid() -> Tensor:
    return kept(torch.sigmoid(Q @ K.mT - 1.0)) @ V


def through_copies() -> Tensor:
    scores = torch.baddbmm(
        torch.zeros(6, 5, 7), Q.reshape(6, 5, 4), K.reshape(6, 7, 4).mT, beta=1, alpha=0.5
    )
    weights = nn.Softmax(dim=-1)(scores.view(2, 3, 5, 7).float()).to(torch.float32)
    return torch.matmul(kept(nn.Dropout(0.5).eval()(weights)), V)


def of_products() -> Tensor:
    shift = nn.Parameter(torch.randn(7, 4))
    scores = (Q @ K.mT + torch.matmul(Q, shift.t())) / 2
    return kept(scores.softmax(-1)) @ V


WAYS = [
    plain, functional, in_place, capped, with_sink, one_axis, one_axis_split_for_a_mask,
    three_at_once, with_lengths_first, with_dots, transposed, talking_heads, renormalized,
    over_queries,
    by_sigmoid, through_copies, of_products,
]  # fmt: skip


def captured(call: Callable[[], Any], **how: Any) -> tuple[Any, Any, Maps]:
    KEEP.clear()
    torch.manual_seed(1)
    without = call()
    KEEP.clear()
    torch.manual_seed(1)
    with regard.capture(**how) as maps:
        seen = call()
    return without, seen, maps


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_the_module_computed_is_shown(way: Callable[[], Tensor]) -> None:
    without, seen, maps = captured(way)
    assert len(maps) == 1
    assert torch.equal(maps[0].weights().double(), KEEP[0].double())
    assert torch.equal(without, seen)
    torch.manual_seed(1)
    with regard.capture(heads=[2], rows=[-1, 0]) as maps:
        way()
    assert torch.equal(maps[0].weights().double(), KEEP[0][:, [2]][:, :, [4, 0]].double())


def test_weights_are_those_before_dropout() -> None:
    def call() -> Tensor:
        return F.dropout(kept((Q @ K.mT).softmax(-1)), 0.5, training=True) @ V

    without, seen, maps = captured(call)
    assert torch.equal(maps[0].weights(), KEEP[0])
    assert torch.equal(without, seen)


def test_dropout_in_place_does_not_reach_the_weights() -> None:
    def call() -> Tensor:
        weights = kept((Q @ K.mT).softmax(-1))
        F.dropout(weights, 0.5, training=True, inplace=True)
        return weights @ V

    without, seen, maps = captured(call)
    assert torch.equal(maps[0].weights(), KEEP[0])
    assert torch.equal(without, seen)


def scaled_and_biased() -> Tensor:
    bias = torch.arange(35.0).view(5, 7)
    scores = (Q @ K.mT) / torch.sqrt(torch.tensor(4.0)) + bias
    scores = scores.masked_fill(torch.eye(5, 7).bool(), float("-inf"))
    return kept(scores.softmax(-1)) @ V


def grouped() -> Tensor:
    q = torch.cat([Q, Q], 1).unflatten(1, (3, 2)).flatten(1, 2)
    k, v = (x.repeat_interleave(2, 1) for x in (K, V))
    return kept((q * 0.5 @ k.mT).half().softmax(-1)).float() @ v


def one_key_for_all() -> Tensor:
    return kept(torch.einsum("bhqd,kd->bhqk", Q, K[0, 0]).softmax(-1)) @ V


UNKNOWN = {
    "capped": "a function other than",
    "with_sink": "could not be followed",
    "transposed": "could not be followed",
    "talking_heads": "changed after they were normalized",
    "renormalized": "changed after they were normalized",
    "over_queries": "how scores became weights",
}
"""What is said of those ways whose arithmetic is not known."""


def normalized(name: str, scores: Tensor) -> Tensor:
    return torch.sigmoid(scores) if name == "sigmoid" else scores.softmax(-1)


@pytest.mark.parametrize(
    "way", [*WAYS, scaled_and_biased, grouped, one_key_for_all], ids=lambda way: way.__name__
)
def test_the_arithmetic_makes_the_weights_again_or_says_what_is_unknown(
    way: Callable[[], Tensor],
) -> None:
    _, _, maps = captured(way)
    parts = maps[0].parts(item=1)
    if way.__name__ in UNKNOWN:
        assert parts is None and UNKNOWN[way.__name__] in maps[0].unknown
        return
    assert parts is not None and maps[0].unknown == ""
    groups = parts.query.shape[0] // parts.key.shape[0]
    scores = parts.scale * parts.query.float() @ parts.key.float().repeat_interleave(groups, 0).mT
    if parts.bias is not None:
        scores = scores + parts.bias
    if parts.allowed is not None:
        scores = scores.masked_fill(~parts.allowed, -torch.inf)
    close = 1e-3 if way is grouped else 1e-6
    found = normalized(parts.normalizer, scores)
    torch.testing.assert_close(found, maps[0].weights(item=1)[0], atol=close, rtol=0.0)
    if way is not one_axis_split_for_a_mask:
        assert (
            parts.value is not None and parts.value.shape[-2:] == maps[0].parts().value.shape[-2:]
        )


def test_query_key_and_scale_are_those_of_the_product() -> None:
    _, _, maps = captured(scaled_and_biased)
    parts = maps[0].parts(item=1)
    assert parts is not None and parts.value is not None and parts.allowed is not None
    assert torch.equal(parts.query, Q[1]) and torch.equal(parts.key, K[1])
    assert torch.equal(parts.value, V[1]) and parts.scale == 0.5
    assert torch.equal(parts.allowed[0], ~torch.eye(5, 7).bool())
    seen = torch.arange(35.0).view(5, 7).masked_fill(torch.eye(5, 7).bool(), 0)
    torch.testing.assert_close(parts.bias, seen.expand(3, 5, 7), atol=1e-5, rtol=0.0)
    with_lengths = captured(with_lengths_first)[2][0].parts(item=1)
    assert with_lengths is not None and torch.equal(with_lengths.query, Q[1])


def test_scores_that_were_only_scaled_are_not_kept_beside_the_weights() -> None:
    _, _, plain_maps = captured(plain)
    tensors = (plain_maps[0].weights(), Q, K, V)
    assert plain_maps.bytes == sum(each.numel() * each.element_size() for each in tensors)


def test_what_is_changed_in_place_afterwards_is_an_error_not_another_number() -> None:
    q = Q.clone()
    with regard.capture() as maps:
        (q @ K.mT).softmax(-1) @ V
    q.mul_(2)
    with pytest.raises(UsageError, match="changed in place"):
        maps[0].parts()


class Additive(nn.Module):
    """Bahdanau's scores, written out."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.v = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 1)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        scores = self.v(torch.tanh(self.query(query).unsqueeze(1) + self.key(keys)))
        weights = kept(F.softmax(scores.squeeze(2), dim=-1))
        return torch.bmm(weights.unsqueeze(1), keys)


def test_additive_attention_looks_at_places() -> None:
    layer = Additive()
    _, _, maps = captured(lambda: layer(Q[:, 0, 0], K[:, 0]), model=layer)
    assert maps[0].shape == (2, 1, 1, 7) and maps[0].kind == "pool"
    assert torch.equal(maps[0].weights()[:, 0, 0], KEEP[0])


def test_pooling_by_a_weighted_sum() -> None:
    score = nn.Linear(4, 1)

    def call() -> Tensor:
        x = K[:, 0]
        weights = kept(torch.softmax(score(x), dim=1))
        return (weights * x).sum(1)

    _, _, maps = captured(call)
    assert maps[0].shape == (2, 1, 1, 7)
    assert torch.equal(maps[0].weights()[:, 0, 0], KEEP[0][..., 0])


def classifier() -> Any:
    return nn.Linear(4, 3)(Q).softmax(-1) @ torch.randn(2, 3, 3, 4)


def vocabulary() -> Any:
    table = nn.Embedding(9, 4)
    return (Q @ table.weight.t()).softmax(-1) @ table.weight


def router() -> Any:
    gates = nn.Linear(4, 3)(Q[:, 0]).softmax(-1)
    experts = torch.stack([nn.Linear(4, 4)(Q[:, 0]) for _ in range(3)], -2)
    return (gates.unsqueeze(-1) * experts).sum(-2) + torch.einsum("bte,bted->btd", gates, experts)


def loss() -> Any:
    return -(Q @ K.mT).log_softmax(-1).diagonal(dim1=-2, dim2=-1).mean()


def convolved() -> Any:
    return nn.Conv1d(4, 3, 1)(Q[:, 0].mT).softmax(1).mT @ torch.randn(2, 3, 4)


@pytest.mark.parametrize("call", [classifier, vocabulary, router, loss, convolved])
def test_other_softmaxes_are_no_attention(call: Callable[[], Any]) -> None:
    with regard.capture() as maps:
        call()
    assert len(maps) == 0
    with pytest.raises(UsageError, match="no attention was seen"):
        maps[0]


def test_the_gradient_of_weights_is_autograds() -> None:
    q, k, v = (x.clone().requires_grad_() for x in (Q, K, V))
    with regard.capture(gradients=True) as maps:
        weights = (q @ k.mT).softmax(-1)
        weights.retain_grad()
        (weights @ v).square().sum().backward()
    assert weights.grad is not None
    torch.testing.assert_close(maps[0].gradient(), weights.grad, atol=1e-6, rtol=0.0)

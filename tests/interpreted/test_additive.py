"""Additive attention by Triton's interpreter: the definition's numbers, and what it refuses."""

from typing import Any

import pytest
import torch

import regard
from regard._kernels import triton_additive_backward
from regard.errors import UnsupportedByBackend
from regard.masks import Block, Causal, Dense, Document, Padding, Prefix, SlidingWindow
from regard.normalizers import Softmax, sparsemax
from regard.score_mods import ALiBi, Bias, SoftCap
from regard.scores import Additive, ConcatTanhSum, LuongConcat
from tests.interpreted.compared import compare, draw, slow
from tests.probe import evaluate

MASKS: dict[str, dict[str, Any]] = {
    "causal": {"mask": Causal()},
    "window": {"mask": SlidingWindow(4, 2)},
    "window of few": {"mask": Causal() & SlidingWindow(70)},
    "padding": {"mask": Padding(torch.tensor([11, 0]))},
    "ignored": {"mask": Padding(ignore=torch.arange(22).view(2, 11) % 3 == 0)},
    "documents": {"mask": Causal() & Document(torch.tensor([3] * 4 + [1] * 5 + [8] * 2))},
    "blocks": {"mask": Block(4) | Prefix(2)},
    "block": {"mask": Block(4) & Padding(torch.tensor([7, 11]))},
    "dense": {"mask": Dense(torch.arange(2 * 7 * 11).view(2, 1, 7, 11) % 4 > 0) & Causal()},
    "before": {"mask": Causal(), "q_offset": -3},
    "offsets": {"mask": Causal(), "q_offset": torch.tensor([4, 0])},
}


@pytest.mark.parametrize(
    "score", [Additive(6, 6, 9), Additive(hidden_dim=6), Additive(), LuongConcat(6, 6, 8)], ids=str
)
def test_scores_equal_the_definition(score: Any) -> None:
    compare(draw(1, 1, 6, queries=5, keys=17), score=score)


@pytest.mark.parametrize("parts", MASKS.values(), ids=MASKS)
def test_masks_equal_the_definition(parts: dict[str, Any]) -> None:
    compare(draw(2, 1, 6, queries=7, keys=11, groups=1), score=ConcatTanhSum(6, 6, 7), **parts)


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (2, 127, 3, 1), slow((33, 1, 64, 21)), (70, 66, 1, 17)]
)
def test_lengths_and_widths_equal_the_definition(sizes: tuple[int, int, int, int]) -> None:
    queries, keys, width, value_dim = sizes
    inputs = draw(1, 1, width, queries=queries, keys=keys, value_dim=value_dim, groups=1)
    compare(inputs, score=Additive(hidden_dim=width), mask=SlidingWindow(50, 9))


@pytest.mark.parametrize("reach", [slow((0, 0)), (0, 1), (3, 2), slow((17, 0))])
def test_blocks_end_where_the_reach_does(reach: tuple[int, int]) -> None:
    # The last key of some block of queries is the first of a block of keys, and beside it.
    inputs, mask = draw(1, 1, 2, queries=80, keys=81, groups=1), SlidingWindow(*reach)
    compare(inputs, score=Additive(), mask=mask, q_offset=0)


@pytest.mark.parametrize("std", [0.01, slow(5.0), 50.0])
def test_small_and_large_inputs_equal_the_definition(std: float) -> None:
    # Beyond ±50 the tanh of most sums is one, and of sums that cancel it is not.
    inputs = draw(1, 1, 5, queries=4, keys=9, std=std)
    inputs[1][0, 0, :4] = -inputs[0][0, 0]
    compare(inputs, score=Additive(hidden_dim=5), least=4e-6)


@pytest.mark.parametrize("dtype", [slow(torch.float16), torch.bfloat16])
def test_half_precision_is_float32_inside(dtype: torch.dtype) -> None:
    compare(draw(1, 1, 6, queries=5, keys=9), dtype, score=Additive(6, 6, 8), mask=Causal())


def test_biases_and_temperatures_have_their_gradients() -> None:
    score, inputs = Additive(6, 6, 8), draw(2, 1, 6, queries=5, keys=9)
    compare(inputs, score=score, score_mod=ALiBi(2), normalizer=Softmax(0.6))
    compare(inputs, score=score, score_mod=Bias(torch.randn(1, 2, 1, 9)), mask=Causal())


def test_few_queries_at_a_time_equal_all(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = draw(1, 1, 4, queries=70, keys=9)
    parts = {"score": Additive(), "mask": Causal(), "backend": "triton"}
    whole = evaluate(*inputs, **parts)
    monkeypatch.setattr(triton_additive_backward, "AT_ONCE", 1)
    for name, one in evaluate(*inputs, **parts).items():
        torch.testing.assert_close(one, whole[name], rtol=1e-5, atol=1e-6)


def test_what_a_mask_hides_never_comes_out() -> None:
    inputs = draw(2, 1, 4, queries=3, keys=6)
    parts = {"score": Additive(), "backend": "triton", "mask": Padding(torch.tensor([4, 0]))}
    clean = evaluate(*inputs, **parts)
    inputs[1][0, :, 4:], inputs[2][1] = torch.nan, torch.inf
    for name, one in evaluate(*inputs, **parts).items():
        assert torch.equal(one, clean[name]), name
    assert not clean["output"][1].any() and not clean["gradient of query"][1].any()


def test_any_strides_give_the_same() -> None:
    inputs = draw(1, 2, 4, queries=5, keys=7)
    parts = {"score": Additive(), "backend": "triton"}
    plain = regard.attention(*inputs, **parts)
    strided = regard.attention(*[x.mT.contiguous().mT for x in inputs], **parts)
    assert torch.equal(plain, strided)


def test_a_gradient_has_a_gradient() -> None:
    inputs = [x.requires_grad_() for x in draw(1, 1, 3, queries=3, keys=5)]
    score = Additive(hidden_dim=3)
    asked = [*inputs, *score.parameters()]
    found = []
    for backend in ("triton", "chunked"):
        output = regard.attention(*inputs, score=score, mask=Causal(), backend=backend)
        first = torch.autograd.grad(output.sin().sum(), asked, create_graph=True)
        found.append(torch.autograd.grad(sum(x.square().sum() for x in first), asked))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_tensor_that_changed_since_is_an_error() -> None:
    query, key, value = draw(1, 1, 3, queries=3, keys=5)
    output = regard.attention(
        query.requires_grad_(), key, value, score=Additive(), backend="triton"
    )
    key.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.slow
def test_a_compiled_graph_holds_one_operator_for_every_length() -> None:
    score = Additive(4, 4, 6)

    def attend(*inputs: torch.Tensor) -> torch.Tensor:
        return regard.attention(*inputs, score=score, mask=Causal(), backend="triton")

    compiled = torch.compile(attend, fullgraph=True, dynamic=True, backend="aot_eager")
    for length in (5, 9):
        leaves = [x.requires_grad_() for x in draw(1, 1, 4, queries=length, keys=length + 2)]
        found, wanted = compiled(*leaves), attend(*leaves)
        torch.testing.assert_close(found, wanted)
        asked = [*leaves, *score.parameters()]
        for one, other in zip(
            torch.autograd.grad(found.sin().sum(), asked),
            torch.autograd.grad(wanted.sin().sum(), asked),
            strict=True,
        ):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"normalizer": sparsemax}, "not by sparsemax"),
        ({"score_mod": SoftCap(2.0)}, "more than add a bias"),
        ({"dropout": 0.5}, "no dropout"),
    ],
)
def test_what_it_does_not_serve_is_said(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedByBackend, match=reason):
        inputs = draw(1, 1, 3, queries=3, keys=5)
        regard.attention(*inputs, score=Additive(), backend="triton", **parts)


def test_it_is_not_chosen_where_it_is_interpreted() -> None:
    plan = regard.plan(*draw(1, 1, 3, queries=3, keys=5), score=Additive())
    assert plan.backend != "triton"
